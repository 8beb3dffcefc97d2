"""`?prof` on any page: where the processor's time of this request goes, for staff of Operations, where it is set.

A GET alone, since the profile takes the place of the answer. One at a time in a process: the profiler is one, too.
"""

import cProfile
import io
import pstats
import threading
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponseBase

MOST = 10
RIGHT = "ops.view_health"
_one = threading.Lock()


def profiled(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    if not settings.PROFILING:
        raise MiddlewareNotUsed

    def middleware(request: HttpRequest) -> HttpResponseBase:
        user = request.user
        if request.method != "GET" or "prof" not in request.GET or not (user.is_staff and user.has_perm(RIGHT)):
            return get_response(request)
        with _one:
            profiler = cProfile.Profile()
            profiler.runcall(get_response, request)
        return HttpResponse(top(profiler), content_type="text/plain; charset=utf-8")

    return middleware


def top(profiler: cProfile.Profile) -> str:
    """The functions that took most, with what they called."""
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).sort_stats("cumulative").print_stats(MOST)
    return text.getvalue()
