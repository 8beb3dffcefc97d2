"""An order's decision file: what was said, by which model on which grounds, what was checked, who approved, what came
of it, and the proof of each event."""

from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone

from agents.models import ModelCall
from compliance import audit, dossier, export, privacy, projection, proofs, queries
from compliance.audit import Action
from nextrade.errors import Missing
from orders import payload
from orders.models import Order
from orders.payload import plain


def write(out: Path | IO[bytes], *, order_id: UUID, by: str, at: datetime) -> str:
    """Write the order's file; its manifest's SHA-256. That it was made is an event.

    Raises Missing for no such order, and where nothing of it is sealed yet.
    """
    order = Order.objects.select_related("maker", "account__owner").filter(pk=order_id).first()
    if order is None:
        raise Missing("there is no such order")
    events = list(queries.of_order(order_id))
    facts = _facts(order, [privacy.told(event) for event in events])
    words = dossier.Words(text=order.user_words, salt=facts["words_salt"])
    story = [(event, projection.name(event.actor_pid), privacy.told(event)) for event in events]
    page = render_to_string("compliance/dossier.html", {"order": order, "facts": facts, "story": story, "made_at": at})
    files = {
        "dossier.json": export.as_json(facts),
        "dossier.html": page.encode(),
        "order.json": payload.canonical(order),
    }
    digest = dossier.write(out, events=events, files=files, words=words, at=at)
    with transaction.atomic():
        details = {"of": str(order_id), "manifest_sha256": digest}
        audit.record(Action.DOSSIER_EXPORTED, actor=by, on_behalf_of=audit.person(order.maker), at=at, details=details)
    return digest


def download(request: HttpRequest, order_id: UUID) -> FileResponse:
    """The same from the admin, for compliance."""
    if not request.user.has_perm("compliance.view_complianceevent"):
        raise PermissionDenied("this takes the right to view the audit trail")
    assert isinstance(request.user, User)
    out = BytesIO()
    try:
        write(out, order_id=order_id, by=audit.person(request.user), at=timezone.now())
    except Missing as error:
        raise Http404(error.message) from error
    out.seek(0)
    return FileResponse(out, as_attachment=True, filename=f"order-{order_id}.zip")


def _facts(order: Order, told: list[dict[str, Any]]) -> dict[str, Any]:
    proposed = next((facts for facts in told if "words_sha256" in facts), {})
    calls = ModelCall.objects.filter(turn_id=order.turn_id).order_by("id") if order.turn_id else ()
    return {
        "order_id": str(order.pk),
        "client_order_id": order.client_order_id,
        "status": order.status,
        "maker": audit.person(order.maker),
        "proposed_at": order.created_at.isoformat(),
        "words": order.user_words,
        "words_salt": proposed.get("words_salt", ""),
        "is_tainted": order.is_tainted,
        "rationale": order.rationale,
        "model": order.model,
        "prompts_sha256": proposed.get("prompts_sha256", ""),
        "tool_results": proposed.get("tool_results", []),
        "model_calls": [
            {"agent": call.agent, "model": call.model, "outcome": call.outcome, "at": call.at.isoformat()}
            for call in calls
        ],
        "payload_sha256": order.payload_sha256,
        "quote": {"usd": str(order.quote_usd), "source": order.quote_source, "as_of": str(order.quote_as_of)},
        "limits_version": order.limits_version,
        "checks": order.checks,
        "snapshot": order.snapshot,
        "approvals": [
            {
                "checker": audit.person(given.checker),
                "at": given.at.isoformat(),
                "reason": given.reason,
                "payload_sha256": given.payload_sha256,
                "quote_usd": str(given.quote_usd),
            }
            for given in order.approvals.select_related("checker").order_by("id")
        ],
        "receipts": proofs.receipts(order.pk),
        "executions": [
            {
                "exec_id": fill.exec_id,
                "at": fill.executed_at.isoformat(),
                "quantity": plain(fill.quantity),
                "price_usd": plain(fill.price_usd),
                "commission_usd": plain(fill.commission_usd),
            }
            for fill in order.executions.order_by("id")
        ],
        "cum_qty": plain(order.cum_qty),
        "avg_px": plain(order.avg_px) if order.avg_px is not None else None,
    }
