"""What a token may be used for, beyond what its person may do.

Context: a script that reads the books must not be able to trade. Choice: the scopes stand in the token itself, as
letters before its secret (`nt_r_…`), which the stored digest covers; no column, no query. Cost: they cannot be changed,
only given anew.
"""

from types import MappingProxyType
from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

SCOPES = MappingProxyType({"chat": "c", "read": "r", "approve": "a"})
ANY = "any"
_MARK = "nt_"


def prefix(wanted: list[str]) -> str:
    """What a token with these scopes begins with; none named are all."""
    return _MARK + "".join(letter for scope, letter in SCOPES.items() if scope in wanted or not wanted) + "_"


def of(token: Any) -> list[str]:
    """The scopes of a token row. Tokens without a mark have all."""
    mark, _, rest = token.token_key.partition("_")
    letters, _, _ = rest.partition("_")
    if mark + "_" != _MARK:
        return list(SCOPES)
    return [scope for scope, letter in SCOPES.items() if letter in letters]


def check(token: Any, request: Request) -> None:
    """Raises PermissionDenied (403) where the token's scopes do not reach: a view names one in `needs_scope`; else
    reading takes `read` and anything that changes something takes `chat`."""
    view = (request.parser_context or {}).get("view")
    needed = getattr(view, "needs_scope", "") or ("read" if request.method in SAFE_METHODS else "chat")
    if needed != ANY and needed not in of(token):
        raise PermissionDenied(f"this token does not have the scope {needed}")
