from argparse import ArgumentTypeError

from orders.models import Account


def account(username: str) -> Account:
    """A command's argument: the account of a user by that name."""
    found = Account.objects.select_related("owner").filter(owner__username=username).first()
    if found is None:
        raise ArgumentTypeError(f"{username} has no account")
    return found
