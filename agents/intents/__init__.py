"""What people wish for, read from their words by closed tables."""

from agents.intents.intent import Intent, Kind
from agents.intents.reading import COURTESY, read

__all__ = ["COURTESY", "Intent", "Kind", "read"]
