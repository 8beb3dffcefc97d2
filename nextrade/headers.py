"""What a browser is told it may do with our pages.

The strictest policy is everybody's; one place gets what its library cannot do without: `unsafe-eval` and inline styles
under /admin/ (unfold).
"""

from collections.abc import Callable
from types import MappingProxyType

from csp.constants import NONCE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

POLICY = MappingProxyType(
    {
        "default-src": ["'none'"],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
)
LOOSER = (
    (
        "/admin/",
        {"script-src": [SELF, UNSAFE_EVAL, NONCE], "style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]},
    ),
)
HEADERS = MappingProxyType(
    {
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), "
        "encrypted-media=(), fullscreen=(self), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), "
        "payment=(), publickey-credentials-get=(self), screen-wake-lock=(), usb=(), xr-spatial-tracking=()",
        "X-Permitted-Cross-Domain-Policies": "none",
    }
)
PRIVATE = ("/api/", "/admin/", "/chat")


class ContentSecurityPolicy(CSPMiddleware):
    """django-csp's, with the policy of the place."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.replace is None:
            parts.replace = next((rules for prefix, rules in LOOSER if request.path_info.startswith(prefix)), None)
        return parts


def security_headers(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """The headers that Django has no setting for; and nobody's answer is kept by a cache."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        for header, value in HEADERS.items():
            response.headers.setdefault(header, value)
        if request.path_info.startswith(PRIVATE):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware
