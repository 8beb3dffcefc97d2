"""R18: guesses from addresses that change with each try, at several processes at once.

Of a thousand passwords for one name ten may be looked at; of a thousand tokens none lets anybody in; of a crowd of
messages exactly as many as the limit says are taken.
"""

import argparse
import json
import logging
import multiprocessing
import secrets
import sys
from collections import Counter
from typing import Any

from tests.campaigns import ground

FORK = multiprocessing.get_context("fork")
PROCESSES, LIMIT = 4, 100
LOOKED_AT = 10


def guess(number: int, count: int) -> Counter[str]:
    """So many wrong passwords for ann, each from an address of its own; answers by code."""
    from django.test import Client

    browser, told = Client(), Counter[str]()
    for each in range(count):
        body = {"username": "ann", "password": f"wrong-{number}-{each}"}
        told[
            _code(browser.post("/api/v1/auth/token/", body, content_type="application/json", **_from(number, each)))
        ] += 1
    return told


def try_tokens(number: int, count: int) -> Counter[str]:
    from django.test import Client

    browser, told = Client(), Counter[str]()
    for each in range(count):
        bearer = {"Authorization": f"Bearer nt_cra_{secrets.token_hex(32)}"}
        told[_code(browser.get("/api/v1/portfolio/", headers=bearer, **_from(number, each)))] += 1
    return told


def flood(number: int, count: int, token: str) -> Counter[str]:
    """Messages of one person: refused for their shape (422) once they are within the limit, which counts them."""
    from django.test import Client

    browser, told = Client(), Counter[str]()
    for each in range(count):
        bearer = {"Authorization": f"Bearer {token}"}
        reply = browser.post(
            "/api/v1/chat/", {}, content_type="application/json", headers=bearer, **_from(number, each)
        )
        told["limited" if reply.status_code == 429 else "taken"] += 1
    return told


def campaign(database: str, *, tries: int) -> dict[str, Any]:
    with ground.prepare(database):
        from django.db import connections
        from knox.models import get_token_model

        token = get_token_model().objects.create(ground.people()["ann"])[1]
        connections.close_all()
        logging.disable(logging.ERROR)
        each = tries // PROCESSES
        with FORK.Pool(PROCESSES) as pool:
            shares = [(number, each) for number in range(PROCESSES)]
            passwords = sum(pool.starmap(guess, shares), Counter())
            tokens = sum(pool.starmap(try_tokens, shares), Counter())
            messages = sum(pool.starmap(flood, [(number, LIMIT // 2, token) for number in range(PROCESSES)]), Counter())
    return {
        "database": database.split(":")[0],
        "passwords": dict(passwords),
        "tokens": dict(tokens),
        "messages": dict(messages),
        "wrong": _wrong(passwords, tokens, messages, each * PROCESSES),
    }


def _wrong(passwords: Counter[str], tokens: Counter[str], messages: Counter[str], tries: int) -> list[str]:
    found = []
    if passwords["wrong_credentials"] > LOOKED_AT or passwords["throttled"] < tries - LOOKED_AT:
        found.append("more than ten passwords were looked at")
    if tokens != {"invalid_token": tries}:
        found.append("a token was answered otherwise")
    if messages["taken"] != LIMIT:
        found.append("the limit is not exact")
    return found


def _code(reply: Any) -> str:
    return str(reply.json().get("code", reply.status_code))


def _from(number: int, each: int) -> dict[str, str]:
    address = f"10.{number}.{each // 250}.{each % 250 + 1}"
    return {"REMOTE_ADDR": address, "HTTP_X_FORWARDED_FOR": address, "SERVER_NAME": "localhost"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--tries", type=int, default=1000)
    found = campaign(**vars(parser.parse_args()))
    sys.stdout.write(json.dumps(found) + "\n")
    sys.exit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
