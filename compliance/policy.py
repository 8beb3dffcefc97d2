"""What the firm's rules say, as plain questions."""

from compliance.models import RestrictedSymbol


def is_restricted(symbol: str) -> bool:
    return RestrictedSymbol.objects.filter(symbol=symbol).exists()


def are_four_eyes(*, maker_id: int, checker_id: int) -> bool:
    return maker_id != checker_id
