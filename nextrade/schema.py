"""What drf-spectacular cannot know by itself."""

from types import MappingProxyType
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "nextrade.api.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


ERROR = MappingProxyType(
    {
        "type": "object",
        "required": ["code", "message", "request_id"],
        "properties": {
            "code": {"type": "string", "description": "stable: what a program decides by"},
            "message": {"type": "string", "description": "for people; may change"},
            "details": {"description": "of validation_error: each field's problems"},
            "request_id": {"type": "string"},
        },
    }
)
REFUSALS = MappingProxyType(
    {"4XX": "Refused: what was asked is wrong, not allowed, or too much", "503": "Unavailable: try again later"}
)


def with_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Every operation may also answer with the one shape of an error."""
    result["components"]["schemas"]["Error"] = dict(ERROR)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for path in result["paths"].values():
        for operation in path.values():
            for status, what in REFUSALS.items():
                operation["responses"].setdefault(status, {"description": what, "content": content})
    return result


def only_versioned(endpoints: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Without the copies at the root, which are there for who follows the guide."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v1/")]
