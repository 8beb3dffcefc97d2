"""docs/orders.md is printed from the code. `UPDATE_DOCS=1 make test` prints it anew."""

import os
from pathlib import Path

from orders import codes, risk, transitions
from orders.models import Event, Status

PATH = Path(__file__).resolve().parent.parent.parent / "docs" / "orders.md"
PHASES = {"P": "proposal", "A": "approval", "X": "before sending"}


def rendered() -> str:
    return "\n".join(
        [
            "# Orders",
            "",
            "Printed from the code by `tests/orders/test_docs.py`.",
            "",
            "## Moves",
            "",
            "A move that is not here is refused by `orders.transitions.move`, the only writer of an order's status.",
            "",
            "| event | from | to | recorded as |",
            "|---|---|---|---|",
            *(_move(event) for event in Event),
            "",
            f"Statuses: {', '.join(f'`{status}`' for status in Status.values)}.",
            "",
            "## Pre-trade checks",
            "",
            "In this order. A check whose input is missing has failed. A hard one stops the order; a soft one asks the",
            "approver for a reason. In an API error the code is in small letters.",
            "",
            "| code | | when | fails when |",
            "|---|---|---|---|",
            *(
                f"| `{rule.code}` | {rule.severity.lower()} | {_phases(rule)} | {codes.MEANING[rule.code]} |"
                for rule in risk.RULES
            ),
            "",
        ]
    )


def _phases(rule: risk.Rule) -> str:
    return ", ".join(PHASES[phase] for phase in rule.phases)


def _move(event: Event) -> str:
    sources = ", ".join(f"`{source}`" for source in transitions.sources(event))
    target = next(target for (_, moved_by), target in transitions.TABLE.items() if moved_by == event)
    return f"| {event.replace('_', ' ')} | {sources} | `{target}` | `{transitions.ACTIONS[event]}` |"


def test_the_document_is_what_the_code_says() -> None:
    if os.environ.get("UPDATE_DOCS"):
        PATH.write_text(rendered())
    assert PATH.read_text() == rendered()
