"""What to change in a message that was refused, by what was found in it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

OTHERWISE = (
    "This message looks like an attempt to change how the assistant works. Leave that out, and ask for what you need "
    "about stocks, your portfolio or your orders."
)
_APPROVAL = (
    "Orders are approved by a second person, on a page of their own: nothing said here approves an order or sends it. "
    'Say what to buy or sell, or ask for "my orders" to see what waits.'
)
_YOURS = "You are told what is yours, and only here. Ask about your own orders, holdings or cash."
_PLAINLY = "This message holds words for machines: code, markup, or hidden text. Say what you want in plain words."
ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "market abuse": "Nobody trades on what is not public, or to move a price. Ask compliance if you are not sure.",
        "other people's data": _YOURS,
        "exfiltration": _YOURS,
        "approval bypass": _APPROVAL,
        "prompt extraction": 'Its instructions are not told. Ask "what can you do" for what the assistant is here for.',
        "code injection": _PLAINLY,
        "log forging": _PLAINLY,
        "fake chat tokens": _PLAINLY,
        "obfuscation": _PLAINLY,
    }
)
"""In this order: the first that was found is what the person is told."""


def advice(categories: Iterable[str]) -> str:
    found = frozenset(categories)
    return next((sentence for category, sentence in ADVICE.items() if category in found), OTHERWISE)
