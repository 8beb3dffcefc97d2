"""What an auditor asks for beyond orders: accounts, rights, looks, the admin's actions, starts and maintenance."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from compliance import audit
from compliance.models import ComplianceEvent
from nextrade import witness


def details(action: str) -> list[dict[str, Any]]:
    return [event.details for event in ComplianceEvent.objects.filter(action=action).order_by("id")]


@pytest.fixture
def admin(client: Client, olga: User) -> Client:
    client.force_login(olga)
    return client


def test_a_role_given_in_the_admin_is_on_the_trail_with_who_gave_it(admin: Client, ann: User, olga: User) -> None:
    approvers = Group.objects.get(name="Approvers")
    form = {"username": "ann", "is_active": "on", "groups": [approvers.pk], "date_joined_0": "2026-11-23"}
    reply = admin.post(f"/admin/auth/user/{ann.pk}/change/", {**form, "date_joined_1": "12:00:00", "_save": "Save"})
    assert reply.status_code == 302

    given = ComplianceEvent.objects.filter(action="groups_changed", details__added=["Approvers"]).get()
    taken = ComplianceEvent.objects.filter(action="groups_changed", details__removed=["Traders"]).get()
    assert (given.actor_pid, given.subject_pid) == (audit.person(olga), audit.person(ann))
    assert taken.actor_pid == audit.person(olga)


def test_what_staff_post_is_on_the_trail_before_it_is_tried(admin: Client, ann: User) -> None:
    admin.post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": [str(ann.pk)], "post": "yes"})

    tried = details("admin_action")[-1]
    assert tried["page"] == "auth_user_changelist"
    assert (tried["action"], tried["chosen"], tried["is_superuser"]) == ("delete_selected", [str(ann.pk)], True)


def test_where_the_event_cannot_be_written_nothing_is_done(
    admin: Client, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Any
) -> None:
    from compliance import mac

    settings.KEYS_DIR = tmp_path / "gone"
    mac.forget()
    admin.raise_request_exception = False
    reply = admin.post("/admin/auth/group/add/", {"name": "Made up"})
    mac.forget()

    assert reply.status_code == 503
    assert not Group.objects.filter(name="Made up").exists()


def test_a_look_at_a_person_is_one_event_in_a_quarter_of_an_hour(admin: Client, ann: User, ben: User) -> None:
    for key in (ann.pk, ann.pk, ben.pk):
        admin.get(f"/admin/auth/user/{key}/change/")

    looks = [look for look in details("personal_data_viewed") if look["page"] == "auth_user_change"]
    assert [look["object_id"] for look in looks] == [str(ann.pk), str(ben.pk)]


def test_a_trader_s_requests_are_not_the_admin_s(client: Client, ann: User) -> None:
    client.force_login(ann)
    client.post("/admin/auth/user/", {"action": "delete_selected"})
    assert details("admin_action") == []


def test_a_changed_account_says_which_fields_and_a_login_is_no_change(ann: User) -> None:
    ann.is_superuser = True
    ann.save()
    ann.save(update_fields=["last_login"])
    ann.set_password("another")
    ann.save()
    assert [(fact["changed"], fact["is_superuser"]) for fact in details("user_changed")] == [
        (["is_superuser"], True),
        (["password"], True),
    ]


def test_rights_are_on_the_trail_from_either_side(ann: User) -> None:
    right = Permission.objects.get(codename="approve_order")
    ann.user_permissions.add(right)
    ann.user_permissions.clear()
    Group.objects.get(name="Traders").permissions.add(right)
    right.user_set.add(ann)

    found = details("permissions_changed")
    assert found[0] == {"added": ["orders.approve_order"]}
    assert found[1] == {"removed": ["orders.approve_order"]}
    assert found[2] == {"of": "Traders", "added": ["orders.approve_order"]}
    assert found[3]["added"] == [ann.pk]


def test_a_deleted_account_leaves_its_event(db: None) -> None:
    user = User.objects.create_user("gone")
    pid = audit.person(user)
    user.delete()
    assert ComplianceEvent.objects.filter(action="user_deleted", subject_pid=pid).exists()


def test_a_process_says_with_which_settings_it_starts_and_no_secret(db: None, settings: Any) -> None:
    settings.OPENAI_API_KEY = "sk-secret"
    witness.note_start("web")
    event = ComplianceEvent.objects.get(action="process_started")
    assert (event.actor_pid, event.details["broker"], event.details["has_redis"]) == (
        "system:web",
        "paper",
        bool(settings.REDIS_URL),
    )
    assert "sk-secret" not in str(event.details)
    assert settings.SECRET_KEY not in str(event.details)
