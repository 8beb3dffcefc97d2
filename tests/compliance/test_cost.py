"""What is asked of the trail again and again is answered by indexes, however long it is."""

import uuid
from datetime import timedelta

from compliance import audit, proofs, seal
from compliance.audit import Action
from compliance.models import Leaf
from compliance.sealer import Sealer
from tests import costs
from tests.compliance.conftest import record
from tests.conftest import NOON


def test_an_event_is_one_statement(db: None) -> None:
    record()
    with costs.statements() as asked:
        record(details={"n": "1"})
    assert len(asked) == 1


def test_sealing_and_asking_whether_to_reads_no_table_whole(sealer: Sealer) -> None:
    for number in range(40):
        record(details={"n": str(number)})
    sealer.seal(at=NOON)
    later = NOON + timedelta(minutes=3)
    for at in (later, later + timedelta(minutes=3)):
        record(Action.ORDER_PROPOSED, order_id=uuid.uuid4())
        with costs.statements() as asked:
            assert sealer.is_urgent()
            assert sealer.seal(at=at) == 1
            assert seal.oldest_unsealed() is None
        assert costs.read_whole([sql for sql in asked if sql.startswith("SELECT")]) == []


def test_proofs_states_and_histories_read_no_table_whole(sealer: Sealer) -> None:
    order = uuid.uuid4()
    events = [record(Action.ORDER_PROPOSED, order_id=order) for _ in range(300)]
    sealer.seal(at=NOON)
    leaf = Leaf.objects.get(event_id=events[7].pk)
    with costs.statements() as asked:
        assert proofs.prove(leaf, 300)
    assert len(asked) == 1
    with costs.statements() as more:
        proofs.of_event(events[7].pk)
        proofs.states([event.pk for event in events])
        audit.history(order)
    assert costs.read_whole([*asked, *more]) == []
