"""What nothing can be made of is the sender's mistake, not ours."""

import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from nextrade import wsgi

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(olga: User, client: Client) -> Client:
    client.force_login(olga)
    return client


@pytest.mark.parametrize("chosen", ["abc", "a\0b", "9" * 40])
def test_an_action_on_what_is_no_order(desk: Client, chosen: str) -> None:
    reply = desk.post("/admin/orders/order/", {"action": "approve_selected", "_selected_action": chosen})
    assert reply.status_code == 400


@pytest.mark.parametrize("year", ["99999", "-1", "9" * 10, "9" * 40, "x"])
@pytest.mark.parametrize("page", ["orders/order/?created_at__year=", "ops/maintenancerun/?started__year="])
def test_a_year_that_is_none(desk: Client, page: str, year: str) -> None:
    assert desk.get(f"/admin/{page}{year}").status_code in (302, 400)


@pytest.mark.parametrize("cursor", ["cD1hYmM=", "cD0xOQ==", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "x", "cD0lMDA="])
@pytest.mark.parametrize("path", ["orders/", "threads/", "executions/", "approvals/", "compliance/events/"])
def test_a_cursor_of_another_list_or_of_none(olga: User, path: str, cursor: str) -> None:
    client = APIClient()
    client.force_authenticate(olga)
    assert client.get(f"/api/v1/{path}", {"cursor": cursor}).status_code in (200, 404)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/v1/chat/stream/", "/api/v1/chat/stream/0591982c-57ea-453d-9188-51ca18870e96/"])
def test_a_stream_is_asked_for_by_its_own_type(ann: User, path: str) -> None:
    client = APIClient(headers={"Accept": "text/event-stream"})
    client.force_authenticate(ann)
    asked = client.post(path, {"message": "hi"}, format="json") if path.endswith("stream/") else client.get(path)
    if asked.streaming:
        assert b"event: done" in b"".join(asked.streaming_content)
    assert asked.status_code == (200 if path.endswith("stream/") else 404)
    assert asked.headers["Content-Type"] == ("text/event-stream" if asked.status_code == 200 else "application/json")


def told(environ: dict[str, Any]) -> tuple[int, bytes]:
    """What the application reads: the length of the body, and the body."""
    seen: list[Any] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.extend([int(environ["CONTENT_LENGTH"]), environ["wsgi.input"].read()])
        return []

    wsgi.sized(application)(environ, None)
    return seen[0], seen[1]


def test_a_body_in_chunks_has_its_length(settings: Any) -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert told({**chunked, "wsgi.input": io.BytesIO(b"12345")}) == (5, b"12345")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 3
    assert told({**chunked, "wsgi.input": io.BytesIO(b"12345")}) == (4, b"1234")


def test_a_body_that_is_too_long_leaves_nothing_for_the_next_request(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 3
    assert told({"CONTENT_LENGTH": "5", "wsgi.input": io.BytesIO(b"12345")}) == (5, b"")
    assert told({"CONTENT_LENGTH": "3", "wsgi.input": io.BytesIO(b"123")}) == (3, b"123")
