"""Other libraries' rows in the admin, the pages outside of it, and which money the ribbon tells of."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from knox.models import get_token_model
from unfold.admin import ModelAdmin

from nextrade.ops import admin as ops_admin
from nextrade.ops.models import MaintenanceRun
from tests.conftest import person

AuthToken = get_token_model()
QUEUE_PAGES = ("schedule", "success", "failure", "ormq")


@pytest.fixture
def chief(client: Client, olga: User) -> Client:
    """Operations, and superuser: nobody may do more."""
    client.force_login(olga)
    return client


@pytest.fixture
def task(db: None) -> Task:
    at = timezone.now()
    done = {
        "func": "orders.tasks.execute",
        "started": at,
        "stopped": at + timedelta(seconds=2),
        "kwargs": {"order_id": "<script>"},
    }
    Task.objects.create(id="a" * 32, name="failed-one", success=False, result="<script>alert(1)</script>", **done)
    return Task.objects.create(id="b" * 32, name="good-one", success=True, result="fine", **done)


@pytest.mark.parametrize("model", [User, Group, Schedule, Success, Failure, OrmQ, AuthToken])
def test_every_page_has_the_theme(model: type) -> None:
    assert isinstance(admin.site.get_model_admin(model), ModelAdmin)


@pytest.mark.parametrize("name", QUEUE_PAGES)
def test_operations_look_at_the_queue_and_approvers_do_not(client: Client, task: Task, name: str) -> None:
    url = f"/admin/django_q/{name}/"

    client.force_login(person("otto", "Operations", is_staff=True))
    assert client.get(url).status_code == 200
    client.force_login(person("bob", "Approvers", is_staff=True))
    assert client.get(url).status_code == 403


@pytest.mark.parametrize("name", QUEUE_PAGES)
def test_nobody_writes_a_schedule_or_a_task(chief: Client, task: Task, name: str) -> None:
    url = f"/admin/django_q/{name}/"

    page = chief.get(url).content.decode()

    assert chief.get(f"{url}add/").status_code == 403
    assert chief.post(f"{url}add/", {"func": "os.system"}).status_code == 403
    assert "resubmit" not in page
    assert "delete_selected" not in page


def test_a_schedule_is_neither_changed_nor_deleted(chief: Client) -> None:
    row = Schedule.objects.get(name="heartbeat")
    url = f"/admin/django_q/schedule/{row.pk}"

    assert chief.get(f"{url}/change/").status_code == 200
    assert chief.post(f"{url}/change/", {"func": "os.system", "name": "x"}).status_code == 403
    assert chief.post(f"{url}/delete/", {"post": "yes"}).status_code == 403
    row.refresh_from_db()
    assert row.func == "nextrade.ops.maintenance.scheduled"


def test_the_schedules_say_what_they_are_for_and_how_they_went(chief: Client, task: Task) -> None:
    MaintenanceRun.objects.create(job="heartbeat", status="succeeded", started_at=timezone.now(), started_by="system:x")

    page = chief.get("/admin/django_q/schedule/").content.decode()

    assert "proves that scheduled work is done" in page
    assert "succeeded" in page
    assert "not yet" in page


def test_a_failed_task_shows_its_error_as_text(chief: Client, task: Task) -> None:
    listed = chief.get("/admin/django_q/failure/").content.decode()
    shown = chief.get(f"/admin/django_q/failure/{'a' * 32}/change/").content.decode()

    for page in (listed, shown):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_tokens_are_listed_and_ended_and_never_made_or_shown(chief: Client, ann: User) -> None:
    row, token = AuthToken.objects.create(user=ann)
    url = "/admin/knox/authtoken/"

    page = chief.get(url).content.decode() + chief.get(f"{url}{row.pk}/change/").content.decode()
    assert token not in page
    assert row.token_key[:8] in page
    assert chief.get(f"{url}add/").status_code == 403
    assert chief.post(f"{url}{row.pk}/change/", {"expiry": ""}).status_code == 403
    chief.post(url, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert not AuthToken.objects.exists()


@pytest.mark.parametrize("url", ["/admin/knox/authtoken/", "/admin/auth/user/", "/admin/auth/group/"])
@pytest.mark.parametrize("group", ["Operations", "Approvers", "Compliance", "Traders"])
def test_people_and_tokens_are_a_superusers_matter(client: Client, db: None, url: str, group: str) -> None:
    client.force_login(person("somebody", group, is_staff=True))

    assert client.get(url).status_code == 403


def test_a_user_is_made_changed_and_given_a_password(chief: Client) -> None:
    made = chief.post(
        "/admin/auth/user/add/",
        {"username": "dora", "usable_password": "true", "password1": "long and dull 7", "password2": "long and dull 7"},
    )
    dora = User.objects.get(username="dora")
    assert made.status_code == 302
    page = chief.get(f"/admin/auth/user/{dora.pk}/change/").content.decode()
    assert "dora" in page
    chief.post(
        f"/admin/auth/user/{dora.pk}/password/",
        {"password1": "quite another 8", "password2": "quite another 8", "usable_password": "true"},
    )
    dora.refresh_from_db()
    assert dora.check_password("quite another 8")


@pytest.mark.parametrize(
    ("group", "seen", "unseen"),
    [
        ("Approvers", {"Orders", "Executions", "Accounts"}, {"Audit trail", "Schedules", "Users", "Limits"}),
        (
            "Compliance",
            {"Orders", "Executions", "Accounts", "Limits", "Trading states", "Audit trail", "Restricted symbols"},
            {"Schedules", "Users"},
        ),
        (
            "Operations",
            {"Orders", "Limits", "Trading states", "Jobs", "Schedules", "Tasks done", "Tasks failed"},
            {"Accounts", "Audit trail", "Users"},
        ),
    ],
)
def test_the_sidebar_leads_only_to_what_a_person_may_see(
    client: Client, db: None, group: str, seen: set[str], unseen: set[str]
) -> None:
    client.force_login(person("somebody", group, is_staff=True))

    items = [item for part in client.get("/admin/").context["sidebar_navigation"] for item in part["items"]]

    shown = {item["title"] for item in items if item["has_permission"]}
    assert seen <= shown
    assert not unseen & shown
    for item in items:
        if item["has_permission"] and item["title"] != "Health":
            assert client.get(str(item["link"])).status_code == 200, item["title"]


def test_the_ribbon_tells_which_money_this_is(settings: Any, rf: Any) -> None:
    assert ops_admin.environment(rf.get("/")) == ["PAPER TRADING", "success"]
    settings.BROKER = "alpaca"
    assert ops_admin.environment(rf.get("/")) == ["PAPER TRADING", "success"]
    settings.ALPACA_BASE_URL = "https://api.alpaca.markets"
    assert ops_admin.environment(rf.get("/")) == ["LIVE TRADING", "danger"]


def test_the_home_page_tells_where_to_go(client: Client, db: None) -> None:
    page = client.get("/").content.decode()

    for text in (
        "/admin/orders/order/",
        "/api/v1/docs/",
        "/ht/",
        "http://testserver/api/v1/chat/",
        "Buy 10 shares of Apple",
    ):
        assert text in page
    assert "<script" not in page


@pytest.mark.parametrize(("url", "status"), [("/there/is/no/such/page", 404), ("/admin/auth/user/", 403)])
def test_an_error_page_names_its_request(client: Client, db: None, url: str, status: int) -> None:
    client.force_login(person("somebody", "Traders", is_staff=True))

    response = client.get(url, headers={"X-Request-ID": "req-77"})

    assert response.status_code == status
    assert "<code>req-77</code>" in response.content.decode()


def test_a_crash_has_a_page_too(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("nextrade.ops.admin.environment", crash)
    client.raise_request_exception = False

    response = client.get("/admin/login/")

    assert response.status_code == 500
    page = response.content.decode()
    assert "Something broke on our side" in page
    assert "secret of the house" not in page
