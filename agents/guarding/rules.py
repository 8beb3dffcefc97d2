"""All rules of the input guard. Their order is the order in which an answer names them."""

from agents.guarding.rules_approval import APPROVAL
from agents.guarding.rules_instructions import INSTRUCTIONS
from agents.guarding.rules_markup import MARKUP
from agents.guarding.rules_people import PEOPLE
from agents.guarding.rules_phrases import PHRASES
from agents.guarding.rules_roles import ROLES

TEXT_RULES = (*MARKUP, *PHRASES)
WORD_RULES = (*INSTRUCTIONS, *APPROVAL, *PEOPLE, *ROLES)
