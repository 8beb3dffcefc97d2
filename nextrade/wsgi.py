import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
DRAINED, PIECE = 16, 65_536
"""Times the longest body that is read and thrown away of one that is too long, so many bytes at once."""


def sized(application: Application) -> Application:
    """Gives a body that comes in chunks its length, without which Django takes it for empty; and reads one that will be
    refused for its size, since what is left of it would be taken for the next request."""

    def whole(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body, most = environ["wsgi.input"], settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked" and environ.get("wsgi.input_terminated"):
            read = body.read(most + 1)
            environ |= {"wsgi.input": io.BytesIO(read), "CONTENT_LENGTH": str(len(read))}
        if (length := environ.get("CONTENT_LENGTH") or "0").isdigit() and int(length) > most:
            for _ in range(0, DRAINED * most, PIECE):
                if not body.read(PIECE):
                    break
        return application(environ, start_response)

    return whole


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nextrade.settings")
application = sized(get_wsgi_application())
