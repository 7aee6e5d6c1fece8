"""The errors of requests. A message never contains a secret."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["unknown", "unsent"]
"""Whether a failed request may have taken effect: `unsent` only if it certainly had none."""


class RequestError(Exception):
    """A request was refused, here or by the gateway, timed out, or its client was closed.

    `code`: a code of PROTOCOL §7.3, or TIMEOUT, CLOSED, TOO_MANY. `message`: text for people. `outcome`: with UNAVAILABLE,
    TIMEOUT and CLOSED. `retry_after_ms`: the earliest time to repeat the request, in milliseconds from its answer.
    `path`: with INVALID_MESSAGE and INVALID_CHANNEL, the place of the fault, such as `data.players[3].name`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        outcome: Outcome | None = None,
        retry_after_ms: int | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.outcome = outcome
        self.retry_after_ms = retry_after_ms
        self.path = path


@dataclass(frozen=True)
class CalledError:
    """The error with which the receiver answered a call."""

    code: str
    message: str


class CallError(RequestError):
    """A call failed. `error`: with CALL_FAILED, the receiver's error.

    A handler of calls may raise one: its `code` and `message` become the answer.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        outcome: Outcome | None = None,
        retry_after_ms: int | None = None,
        path: str | None = None,
        error: CalledError | None = None,
    ) -> None:
        super().__init__(code, message, outcome=outcome, retry_after_ms=retry_after_ms, path=path)
        self.error = error


class ProtocolFault(Exception):
    """The gateway violated PROTOCOL. This ends the connection. `code`: a code of PROTOCOL §7.3."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def invalid(path: str, fault: str, code: str = "INVALID_MESSAGE") -> RequestError:
    """A request that the gateway would refuse: it is not sent."""
    return RequestError(code, f"{path}: {fault}", path=path, outcome="unsent")


def reason_of(error: BaseException) -> str:
    """One line for people. The exception may be of any class, even one that cannot be shown."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    return text or type(error).__name__
