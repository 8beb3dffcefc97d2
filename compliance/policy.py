"""What the firm's rules say, as plain questions."""

IS_RESTRICTED = "EXISTS (SELECT 1 FROM compliance_restrictedsymbol WHERE symbol = %(symbol)s)"
"""SQL: for who asks other things in the same statement."""


def are_four_eyes(*, maker_id: int, checker_id: int) -> bool:
    return maker_id != checker_id
