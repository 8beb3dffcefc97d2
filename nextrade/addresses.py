"""Where a request comes from, as far as it can be believed, and how often one address may try to log in."""

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
WEB_DOORS = ("/login/", "/admin/login/")
ONE_SITE = 64
"""The bits of an IPv6 address that one customer of a provider has for itself."""


def client(request: HttpRequest) -> Address | None:
    """The entry of X-Forwarded-For that our outermost proxy wrote, or who is connected.

    None where a proxy has passed it on that we know nothing of: it stands on loopback itself.
    """
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    trusted = settings.TRUSTED_PROXIES
    if not trusted and (hops or "HTTP_FORWARDED" in request.META or "HTTP_VIA" in request.META):
        return None
    return _parsed(hops[-min(trusted, len(hops))] if trusted and hops else request.META.get("REMOTE_ADDR", ""))


def counted_as(request: HttpRequest) -> str:
    """What limits go by: the address, of IPv6 its /64. A proxy that we know nothing of counts as one."""
    address = client(request) or _parsed(request.META.get("REMOTE_ADDR", ""))
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, ONE_SITE), strict=False))
    return str(address or "unknown")


def log_in_limit(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Tries to log in on the web, counted by address together with those for a token."""
    from nextrade import error_pages
    from nextrade.api import RateLimit

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST" and request.path_info in WEB_DOORS:
            limit = RateLimit()
            if not limit.takes(request, "login"):
                return error_pages.page(request, 429, retry_after_s=limit.wait())
        return get_response(request)

    return middleware


def _parsed(said: str) -> Address | None:
    try:
        address = ipaddress.ip_address(said.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
