"""The families of errors that a person may meet. `code` is API contract, the message is for people."""

from typing import Any, ClassVar


class NexTradeError(Exception):
    """A refusal or failure with a name. details: JSON-ready facts, shown to the caller."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}
        self.reason = code or self.code


class Invalid(NexTradeError):
    """The input cannot be read as what it should be: 400."""

    code = "invalid"


class NotPermitted(NexTradeError):
    """This person may not do this: 403."""

    code = "not_permitted"


class Missing(NexTradeError):
    """There is no such thing, or not for this person: 404."""

    code = "not_found"


class Refused(NexTradeError):
    """The state of things does not allow it: 409."""

    code = "refused"


class Exhausted(NexTradeError):
    """What there is for a while is used up: 429. wait: seconds until there is more, for Retry-After."""

    code = "exhausted"

    def __init__(self, message: str, *, wait_s: float, code: str = "") -> None:
        super().__init__(message, code=code)
        self.wait = wait_s


class Unavailable(NexTradeError):
    """Something that is needed does not answer: 503."""

    code = "unavailable"
