"""A page that asks again and again whether there is anything new, answered from Redis while there is not.

Context: an open conversation asks every few seconds, and each question took session, person, rights and rows from the
database. Choice: who was told that there is nothing (204) is told so again, by their session and the whole address,
while the mark of `agents.live` stands. Cost: where a mark was lost with Redis, news is late by KEPT_S; who has logged
out hears nothing for as long, rather than of it.
"""

import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from agents import live

Handler = Callable[[HttpRequest], HttpResponseBase]
POLLED = re.compile(r"/(?:threads/([\da-f-]{36})/news|orders/([\da-f-]{36})/card)/")
KEPT_S = 15


def quiet(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        polled = POLLED.fullmatch(request.path_info)
        session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        if not (settings.REDIS_URL and polled and session and request.method == "GET"):
            return get_response(request)
        mark, told = live.key(polled[1] or polled[2]), _told(session, request.get_full_path())
        known = cache.get_many([mark, told])
        stands = known.get(mark, "")  # before the rows are looked at: what moves meanwhile is new to the next
        if known.get(told) == stands:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        response = get_response(request)
        if response.status_code == HTTPStatus.NO_CONTENT:
            cache.set(told, stands, KEPT_S)
        return response

    return middleware


def _told(session: str, address: str) -> str:
    return "told." + hashlib.sha256(f"{session} {address}".encode()).hexdigest()
