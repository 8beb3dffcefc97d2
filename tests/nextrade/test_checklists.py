"""The operator's lists: gathered, judged, signed by a person, and a ticket where nobody did. An audit that could not be
made is unknown."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from compliance.models import ComplianceEvent
from nextrade.errors import NexTradeError
from nextrade.ops.care import checklists, finding, supplies
from nextrade.ops.care.finding import Finding, Verdict
from nextrade.ops.models import ChecklistRun, MaintenanceRun, Ticket

pytestmark = pytest.mark.django_db(transaction=True)
Kind = ChecklistRun.Kind
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def told(*verdicts: Verdict) -> Any:
    found = [Finding(what=f"{v}{n}", verdict=v, said="<b>as found</b>") for n, v in enumerate(verdicts)]
    return {"x": lambda at: found}


def lists(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> None:
    monkeypatch.setattr(checklists, "LISTS", dict.fromkeys(Kind, told(*verdicts)))


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((Verdict.OK, Verdict.OK), 0),
        ((Verdict.OK, Verdict.WARN), 1),
        ((Verdict.UNKNOWN, Verdict.OK), 1),
        ((Verdict.FAIL, Verdict.UNKNOWN), 2),
    ],
)
def test_a_checklist_s_exit_tells_its_worst_and_names_it(
    verdicts: tuple[Verdict, ...], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists(monkeypatch, *verdicts)
    out = StringIO()
    if code:
        worst = str(finding.worst(checklists.look(Kind.DAILY, at=NOW)))
        with pytest.raises(CommandError, match=worst) as failed:
            call_command("checklist", "daily", "--json", stdout=out)
        assert failed.value.returncode == code
    else:
        call_command("checklist", "daily", "--json", stdout=out)
    assert len(json.loads(out.getvalue())["items"]) == len(verdicts)


def test_the_daily_list_names_what_is_down_and_keeps_its_evidence() -> None:
    run, found = checklists.gather(Kind.DAILY, at=timezone.now())
    assert {each.what.split(":")[0] for each in found} == {"health", "errors", "violations", "disk", "processes"}
    assert run.verdict == Verdict.FAIL  # nothing beats in a test
    assert run.items.filter(name="health: scheduler", verdict="fail").exists()
    again, _ = checklists.gather(Kind.DAILY, at=timezone.now())
    assert ChecklistRun.objects.count() == 1
    assert again.items.count() == len(found)


def test_each_of_the_guide_s_lists_has_its_items() -> None:
    assert [len(checklists.LISTS[kind]) for kind in Kind] == [5, 4, 4, 4]


def test_a_person_signs_once_and_what_is_signed_stays(olga: User, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    lists(monkeypatch, Verdict.WARN)
    run, _ = checklists.gather(Kind.WEEKLY, at=NOW)
    with pytest.raises(NexTradeError, match="takes the right"):
        checklists.sign(run.pk, by=ann, at=NOW)
    web = Client()
    web.force_login(olga)
    page = "/admin/ops/checklistrun/"
    shown = web.get(f"{page}{run.pk}/change/").content.decode()
    assert "&lt;b&gt;as found&lt;/b&gt;" in shown
    web.post(page, {"action": "sign", "_selected_action": [run.pk]})
    run.refresh_from_db()
    assert run.signed_by == olga
    event = ComplianceEvent.objects.get(action="checklist_signed")
    assert event.actor_pid == f"user:{olga.pk}"
    assert event.details == {"kind": "weekly", "period": "2026-W48", "verdict": "warn", "items": 1}
    with pytest.raises(NexTradeError, match="is signed"):
        checklists.sign(run.pk, by=olga, at=NOW)
    lists(monkeypatch, Verdict.FAIL)
    checklists.gather(Kind.WEEKLY, at=NOW)
    assert ChecklistRun.objects.get().verdict == Verdict.WARN


def test_an_overdue_checklist_is_one_ticket(olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    lists(monkeypatch, Verdict.OK)
    assert checklists.remind(at=NOW) == []  # nothing ran here in the period before
    MaintenanceRun.objects.create(job="heartbeat", started_at=NOW - timedelta(days=200), started_by="system:test")
    friday = datetime(2026, 11, 27, 6, 40, tzinfo=UTC)
    run, _ = checklists.gather(Kind.WEEKLY, at=friday - timedelta(days=7))
    checklists.sign(run.pk, by=olga, at=friday - timedelta(days=7))
    assert checklists.remind(at=friday) == ["daily 2026-11-26"]
    assert checklists.remind(at=friday) == []
    ticket = Ticket.objects.get()
    assert (ticket.priority, str(ticket.due)) == ("P4", "2026-11-30")
    assert checklists.remind(at=datetime(2027, 1, 2, 6, 40, tzinfo=UTC)) == [
        "daily 2027-01-01",
        "weekly 2026-W52",
        "monthly 2026-12",
        "quarterly 2026-Q4",
    ]


def test_an_audit_that_could_not_be_made_is_unknown_never_fine() -> None:
    fine = {"name": "django", "version": "5.2", "vulns": []}
    skipped = {"name": "requests", "skip_reason": "could not be audited"}
    holed = {"name": "requests", "version": "2.19.0", "vulns": [{"id": "CVE-2018-18074"}]}
    assert supplies.judged([fine]).verdict == Verdict.OK
    assert supplies.judged([fine, skipped]).verdict == Verdict.UNKNOWN
    assert supplies.judged([]).verdict == Verdict.UNKNOWN
    assert supplies.judged([skipped, holed]).verdict == Verdict.FAIL


def test_without_an_answer_the_jobs_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(supplies, "BIN", tmp_path)
    assert supplies.outdated().verdict == Verdict.UNKNOWN
    with pytest.raises(supplies.CouldNotAsk, match="unknown"):
        supplies.security_audit()
    with pytest.raises(supplies.CouldNotAsk, match="unknown"):
        supplies.dependency_report()
