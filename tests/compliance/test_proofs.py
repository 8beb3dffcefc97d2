"""What people are shown of the sealing: the API's proof, the admin's state, the approver's receipt."""

import base64
import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client
from knox.models import get_token_model

from compliance import merkle, notes
from compliance.audit import Action
from compliance.models import ComplianceEvent
from compliance.sealer import Sealer
from orders import services
from tests.compliance.conftest import record
from tests.conftest import NOON, Propose

TRAIL = "/admin/compliance/complianceevent/"


def api(user: User, path: str) -> dict[str, object]:
    _, token = get_token_model().objects.create(user)
    reply = Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
    return {"status": reply.status_code, **reply.json()}


def proven_root(found: dict[str, object]) -> bytes | None:
    proof = [base64.b64decode(sibling) for sibling in found["proof"]]  # type: ignore[attr-defined]
    leaf = bytes.fromhex(str(found["leaf_hash"]))
    return merkle.root_from(leaf, int(str(found["leaf_index"])), int(str(found["tree_size"])), proof)


def test_the_api_tells_how_far_an_event_has_got_and_proves_it(sealer: Sealer, carol: User) -> None:
    event = record(Action.ORDER_PROPOSED, order_id=uuid.uuid4())
    assert api(carol, f"compliance/events/{event.pk}/proof/")["state"] == "appended"
    sealer.seal(at=NOON)
    for _ in range(40):
        record(Action.ORDER_PROPOSED, order_id=uuid.uuid4())
    sealer.seal(at=NOON)

    found = api(carol, f"compliance/events/{event.pk}/proof/")

    assert (found["state"], found["tree_size"]) == ("anchored", 41)
    assert found["leaf_hash"] == merkle.leaf_hash(str(found["canonical"]).encode()).hex()
    assert proven_root(found) == notes.Checkpoint.parse(notes.take_apart(str(found["checkpoint"])).text).root
    events = {row["id"]: row["state"] for row in api(carol, "compliance/events/")["results"]}  # type: ignore[attr-defined]
    assert set(events.values()) == {"anchored"}


@pytest.mark.parametrize("name", ["ann", "bob"])
def test_proofs_are_for_compliance(request: pytest.FixtureRequest, sealer: Sealer, name: str) -> None:
    user = request.getfixturevalue(name)
    event = ComplianceEvent.objects.first() or record()
    assert api(user, f"compliance/events/{event.pk}/proof/")["status"] == 403


def test_a_proof_of_nothing_is_a_404(sealer: Sealer, carol: User) -> None:
    assert api(carol, "compliance/events/999999999/proof/")["status"] == 404


def test_the_admin_shows_it(client: Client, carol: User, sealer: Sealer) -> None:
    client.force_login(carol)
    event = record()
    assert "appended" in client.get(TRAIL).content.decode()
    assert "not sealed yet" in client.get(f"{TRAIL}{event.pk}/change/").content.decode()
    sealer.seal(at=NOON)
    page = client.get(f"{TRAIL}{event.pk}/change/").content.decode()
    assert "anchored" in page
    assert "nextrade.example/audit/compliance/2026-11" in page


def test_the_approver_is_shown_a_receipt_and_the_order_keeps_it(
    sealer: Sealer, client: Client, propose: Propose, ann: User, bob: User
) -> None:
    order = propose()
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    assert api(ann, f"orders/{order.pk}/")["receipts"] == []
    sealer.seal(at=NOON)

    (receipt,) = api(ann, f"orders/{order.pk}/")["receipts"]  # type: ignore[misc]

    assert proven_root(receipt) == notes.Checkpoint.parse(notes.take_apart(receipt["checkpoint"]).text).root
    client.force_login(bob)
    page = client.get(f"/admin/orders/order/{order.pk}/review/").content.decode()
    assert "Receipt: the decision is sealed in txn/2026-11" in page
    assert receipt["leaf_hash"] in page
