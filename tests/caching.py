"""Each test has keys of its own in the cache, which no rollback empties and which processes may share."""

import uuid

prefix = ""


def begin() -> None:
    """And nothing is known any more of what was looked at and asked before."""
    from agents import costs
    from nextrade.ops import asking, results

    global prefix
    results.WATCH.forget()
    asking.forget()
    costs._prices.cache_clear()
    prefix = uuid.uuid4().hex


def key(name: str, key_prefix: str, version: int) -> str:
    return f"{prefix}:{key_prefix}:{version}:{name}"
