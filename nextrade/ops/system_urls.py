"""Below /admin/ops/, before the admin's own lists."""

from django.contrib import admin
from django.urls import path

from nextrade.ops import system

guarded = admin.site.admin_view
urlpatterns = [
    path("", guarded(system.page), name="ops-system"),
    path("dashboard/", guarded(system.page), name="ops-dashboard"),
    path("silence/new/", guarded(system.silence), name="ops-silence"),
    path("silence/<int:silence_id>/end/", guarded(system.end_silence), name="ops-end-silence"),
    path("alert/<int:alert_id>/acknowledge/", guarded(system.acknowledge), name="ops-acknowledge"),
]
