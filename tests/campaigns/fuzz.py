"""R16: every operation of the API's own schema, asked by schemathesis as a trader, an approver and compliance.

Each answer must be below 500 and as the schema says: its status, its content type, its body. Half of the cases are made
to be right and half to be wrong.
"""

import argparse
import collections
import contextlib
import functools
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tests.campaigns import ground

ROLES = ("ann", "bob", "carol")
ENDS_THE_TOKEN = r"/auth/logout/$|/auth/tokens/\{"
"""What would take the asker's own token away; the suite tests them."""


def tokens() -> dict[str, str]:
    """One of each role, and something to find: an order that waits and a conversation."""
    from django.contrib.auth.models import Group, User
    from knox.models import get_token_model

    from agents import services as chat

    cast = ground.people()
    cast["carol"] = User.objects.create_user("carol")
    cast["carol"].groups.add(Group.objects.get(name="Compliance"))
    for message in ("hi", "Buy 10 shares of Apple"):
        chat.process_chat_request(by=cast["ann"], message=message, thread_id=None, at=ground.now())
    return {name: get_token_model().objects.create(cast[name])[1] for name in ROLES}


def known() -> dict[str, Any]:
    """What is there, by the part of a path that its id follows."""
    from agents.models import Thread
    from compliance.models import ComplianceEvent
    from orders.models import Order

    order = Order.objects.latest("created_at").pk
    event = ComplianceEvent.objects.latest("pk").pk
    return {"orders": order, "approvals": order, "threads": Thread.objects.latest("created_at").pk, "events": event}


class Found:
    """Answers by status, and what was wrong with which, with the request that shows it."""

    def __init__(self) -> None:
        self.statuses: collections.Counter[int] = collections.Counter()
        self.wrong: dict[str, list[str]] = collections.defaultdict(list)
        self.asked = 0

    def ask(self, case: Any, token: str, there: Mapping[str, Any]) -> None:
        """Every second time about something that is there."""
        from schemathesis.core.failures import FailureGroup
        from schemathesis.specs.openapi import checks

        self.asked += 1
        if case.path_parameters and self.asked % 2:
            (name,) = case.path_parameters
            case.path_parameters[name] = str(there.get(case.path.partition("/{")[0].rpartition("/")[2], 0))
        response = case.call(headers={"Authorization": f"Bearer {token}"})
        self.statuses[response.status_code] += 1
        said = (checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance)
        try:
            case.validate_response(response, checks=[schemathesis_not_a_server_error, *said])
        except FailureGroup as group:
            for failure in group.exceptions:
                key = f"{case.method} {case.path}: {failure.title} ({response.status_code})"
                self.wrong[key].append(f"{str(failure)[:300]} <- {case.as_curl_command()[:300]}")


def schemathesis_not_a_server_error(context: Any, response: Any, case: Any) -> None:
    from schemathesis.checks import not_a_server_error

    not_a_server_error(context, response, case)


def fuzz(cases: int, seed: int) -> dict[str, Any]:
    """cases: of all roles and operations together, as evenly as there are ways to ask."""
    import schemathesis
    from schemathesis.core.result import Ok

    from nextrade.wsgi import application

    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application)
    operations = [made.ok() for made in schema.get_all_operations() if isinstance(made, Ok)]
    operations = [each for each in operations if not re.search(ENDS_THE_TOKEN, each.path)]
    examples = max(1, cases // (len(operations) * len(ROLES) * 2))
    found = Found()
    given = tokens()
    there = known()
    for token in given.values():
        for operation in operations:
            for mode in schemathesis.GenerationMode:
                _try(operation, mode, examples, seed, functools.partial(found.ask, token=token, there=there))
    return {
        "operations": len(operations),
        "cases": found.statuses.total(),
        "statuses": dict(sorted(found.statuses.items())),
        "wrong": {what: [len(cases), cases[0]] for what, cases in found.wrong.items()},
    }


def _try(operation: Any, mode: Any, examples: int, seed: int, ask: Callable[[Any], None]) -> None:
    import hypothesis
    from hypothesis import HealthCheck, Phase
    from hypothesis.errors import Unsatisfiable

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: Any) -> None:
        ask(case)

    with contextlib.suppress(Unsatisfiable):  # there may be no wrong way to ask
        tried()


def campaign(database: str, *, cases: int, seed: int) -> dict[str, Any]:
    os.environ["NEXTRADE_RATE_LIMIT"] = "1000000/min"
    with ground.prepare(database):
        logging.disable(logging.ERROR)
        return {"database": database.split(":")[0], **fuzz(cases, seed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--cases", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    found = campaign(**vars(parser.parse_args()))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    sys.exit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
