"""How a model's provider fails, in words, and whose fault it is.

A person's fault (their words or the conversation are not accepted) is an answer: it never opens the circuit breaker
and nothing is tried again. All else is the provider's, or ours who set it up.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
import openai
from langchain_core.messages import AIMessage

from agents import line
from nextrade.resilience import Transient

RAISED = (openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError, KeyError, AttributeError, IndexError)
"""What a call raises. The last five: langchain-openai over an answer that has not the form of one."""
PERSONS = (400, 413, 422)
PASSING = (408, 409, 425, 429)


class Failure(Exception):
    """A call without an answer. kind: one word for metrics and rows; message: for people, holds no secret."""

    is_persons = False

    def __init__(self, kind: str, message: str, *, wait_s: float = 0) -> None:
        super().__init__(message)
        self.kind, self.message, self.wait_s = kind, message, wait_s


class Passing(Failure, Transient):
    """May be over a moment later."""


class NotAccepted(Failure):
    """The provider works, and does not accept what it was asked."""

    is_persons = True


class EmptyAnswer(ValueError):
    """Neither words nor a call of a tool."""


def require_content(message: object) -> None:
    """Raises EmptyAnswer."""
    if isinstance(message, AIMessage) and not (
        message.text.strip() or message.tool_calls or message.invalid_tool_calls
    ):
        raise EmptyAnswer


def failure(error: Exception) -> Failure:
    """What an error of RAISED means."""
    match error:
        case openai.APIStatusError():
            return _refusal(error)
        case openai.APITimeoutError() | httpx2.TimeoutException():
            return _timeout(error)
        case openai.APIConnectionError() | httpx2.HTTPError():
            return _broken_line(error)
        case openai.APIError():  # an error in the middle of a stream
            return Passing("provider_error", "the provider broke off its answer")
        case EmptyAnswer():
            return Passing("empty_answer", "the answer was empty")
        case openai.OpenAIError():
            return Failure("client_error", type(error).__name__)
    return Passing("bad_answer", "the answer is not in the form of one")


def _refusal(error: openai.APIStatusError) -> Failure:
    status = error.status_code
    if status in PERSONS:
        return NotAccepted("not_accepted", "the language model did not accept this message")
    if status in (401, 403):
        return Failure("bad_key", "bad key: the provider does not accept it")
    if status == 404:
        return Failure("unknown_model", "the provider has no such model or address")
    if status == 429 and error.code == "insufficient_quota":
        return Failure("no_quota", "the quota at the provider is used up")
    if status in PASSING or status >= 500:
        kind = "rate_limited" if status == 429 else "server_error"
        return Passing(kind, f"the provider answered {status}", wait_s=_asked_wait(error.response.headers))
    return Failure("provider_error", f"the provider answered {status}")


def _timeout(error: Exception) -> Failure:
    """Who does not answer in the whole time will not in what is left of the turn; who was not reached may be."""
    if _is_caused_by(error, httpx2.ConnectTimeout, httpx2.PoolTimeout):
        return Passing("connect_timeout", "no connection in time")
    return Failure("timeout", "no answer in time")


def _broken_line(error: Exception) -> Failure:
    if _is_caused_by(error, line.TooLarge):
        return Failure("too_large", "the answer was too large")
    if _is_caused_by(error, httpx2.ConnectError):
        return Passing("connection_refused", "connection refused")
    return Passing("broken_line", "the line broke")


def _is_caused_by(error: BaseException | None, *families: type[Exception]) -> bool:
    """langchain-openai raises its own error from the client's, which raises its own from the line's."""
    return error is not None and (isinstance(error, families) or _is_caused_by(error.__cause__, *families))


def _asked_wait(headers: httpx2.Headers) -> float:
    """Retry-After in seconds, given as such or as a date; 0 without."""
    asked = headers.get("Retry-After", "")
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
