"""Compliance asks for the whole trail to be verified now: the nightly job, queued by a person."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from compliance import audit
from nextrade.ops import maintenance, schedules

JOB = "verify_all"


@require_POST
def verify(request: HttpRequest) -> HttpResponseRedirect:
    """Queue the job once; that it was asked for is on the trail."""
    if not (request.user.has_perm("compliance.view_complianceevent") and request.user.has_perm("compliance.sign_off")):
        raise PermissionDenied("this takes the right to sign off reviews")
    assert isinstance(request.user, User)
    maintenance.request(schedules.job(JOB), by=audit.person(request.user), at=timezone.now())
    messages.success(request, "The verification of all of the trail is queued. Its result appears on this page.")
    return redirect("trail-integrity")
