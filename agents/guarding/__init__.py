"""The parts of `agents.guard`: text as it reads, words and their meanings, rules, hidden readings, personal data."""
