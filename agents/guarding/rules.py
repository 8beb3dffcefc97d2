"""All rules of the input guard. Their order is the order in which an answer names them."""

from agents.guarding.rules_approval import APPROVAL
from agents.guarding.rules_deeds import DEEDS
from agents.guarding.rules_families import FAMILIES
from agents.guarding.rules_instructions import INSTRUCTIONS
from agents.guarding.rules_markup import MARKUP
from agents.guarding.rules_people import PEOPLE
from agents.guarding.rules_phrases import PHRASES
from agents.guarding.rules_roles import ROLES
from agents.guarding.word_rules import WordRules

TEXT_RULES = (*MARKUP, *PHRASES)
EVERY_WORD_RULE = (*INSTRUCTIONS, *APPROVAL, *PEOPLE, *ROLES, *FAMILIES, *DEEDS)
WORD_RULES = WordRules(EVERY_WORD_RULE)
