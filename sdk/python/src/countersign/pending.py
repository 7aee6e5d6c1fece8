"""Unanswered requests."""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .encode import Encoded
from .errors import CallError, Outcome, RequestError
from .parse import Message, called_error_of, optional_int, optional_text

MAX_PENDING = 256
"""Bound of concurrent requests."""
_REPEAT = 1.0
_REPEAT_MIN, _REPEAT_MAX = 0.1, 30.0
"""Seconds before an unavailable request is repeated: if the gateway names none, and its bounds."""
_REPEATED = frozenset({"publish", "call"})
"""These have an idempotency key, and a repeat by the caller would have another one."""


@dataclass(eq=False)
class Request:
    """A request until its answer. `is_sent`: in the current session, without an answer there. `may_have_run`: in an
    earlier attempt. `refusal`: the answer to the last attempt, if it was UNAVAILABLE."""

    encoded: Encoded
    timeout: float
    answer: asyncio.Future[Message]
    is_sent: bool = False
    may_have_run: bool = False
    refusal: Message | None = None
    seq: int | None = None
    timer: asyncio.TimerHandle | None = None
    repeat_timer: asyncio.TimerHandle | None = None

    @property
    def outcome(self) -> Outcome:
        """Whether it may have taken effect."""
        return "unknown" if self.is_sent or self.may_have_run else "unsent"

    def clear_timers(self) -> None:
        """It is over."""
        for timer in (self.timer, self.repeat_timer):
            if timer is not None:
                timer.cancel()

    def fail(self, error: RequestError) -> None:
        """The caller of a cancelled request no longer waits."""
        if not self.answer.done():
            self.answer.set_exception(error)


def error_of(message: Message, outcome: Outcome | None) -> RequestError:
    """Of an error that answers a request."""
    code, text = optional_text(message, "code") or "", optional_text(message, "message") or ""
    retry_after_ms = optional_int(message, "retryAfterMs")
    error = called_error_of(message)
    if error is None:
        return RequestError(code, text, outcome=outcome, retry_after_ms=retry_after_ms)
    return CallError(code, text, outcome=outcome, retry_after_ms=retry_after_ms, error=error)


def _outcome_of(message: Message) -> Outcome | None:
    outcome = message.get("outcome")
    return outcome if outcome in ("unknown", "unsent") else None


class Pending:
    """Those of a session that ended are sent in the next one, with the same members, until they time out.

    `cause`: why there is no session; None if there is one.
    """

    def __init__(self, cause: Callable[[], str | None]) -> None:
        self._cause = cause
        self._pending: dict[Request, None] = {}
        self._by_seq: dict[int, Request] = {}

    def open(self, encoded: Encoded, timeout: float) -> Request:
        """Opens a request. Raises RequestError TOO_MANY."""
        if len(self._pending) >= MAX_PENDING:
            raise RequestError("TOO_MANY", f"{MAX_PENDING} requests are pending already", outcome="unsent")
        loop = asyncio.get_running_loop()
        request = Request(encoded, timeout, loop.create_future())
        request.timer = loop.call_later(timeout, self._time_out, request)
        # Also when the caller is cancelled.
        request.answer.add_done_callback(lambda _: self._remove(request))
        self._pending[request] = None
        return request

    def _time_out(self, request: Request) -> None:
        refusal, cause = request.refusal, self._cause()
        within = f"within {request.timeout:g} s"
        if refusal is not None:
            error = error_of(refusal, request.outcome)
        elif cause is None:
            error = RequestError("TIMEOUT", f"no answer {within}", outcome=request.outcome)
        else:
            error = RequestError("TIMEOUT", f"no session {within}: {cause}", outcome=request.outcome)
        request.fail(error)

    def sent(self, request: Request, seq: int) -> None:
        """A request was sent in the current session with this `seq`."""
        request.is_sent, request.seq = True, seq
        request.refusal = None
        self._by_seq[seq] = request

    def settle(self, re: int, answer: Message) -> None:
        """An answer to the request `re`."""
        request = self._by_seq.pop(re, None)
        if request is not None and not request.answer.done():
            request.answer.set_result(answer)

    def refuse(self, re: int, error: Message, send: Callable[[Request], None]) -> None:
        """An error answers the request `re`. A keyed request that is UNAVAILABLE is sent again, until it times out."""
        request = self._by_seq.pop(re, None)
        if request is None:
            return
        request.is_sent = False
        if error.get("code") != "UNAVAILABLE" or request.encoded.type not in _REPEATED:
            request.fail(error_of(error, _outcome_of(error)))
            return
        # PROTOCOL §7.1: an absent outcome counts as unknown.
        request.may_have_run = request.may_have_run or error.get("outcome") != "unsent"
        request.refusal = error
        given = optional_int(error, "retryAfterMs")
        after = min(max(_REPEAT if given is None else given / 1000, _REPEAT_MIN), _REPEAT_MAX)
        request.repeat_timer = asyncio.get_running_loop().call_later(after, send, request)

    def restart(self) -> tuple[Request, ...]:
        """The session is over. Returns the requests to send in the next one."""
        self._by_seq.clear()
        waiting = tuple(request for request in self._pending if not request.answer.done())
        for request in waiting:
            if request.repeat_timer is not None:
                request.repeat_timer.cancel()
            request.may_have_run = request.may_have_run or request.is_sent
            request.is_sent, request.seq = False, None
        return waiting

    @property
    def has_unsent(self) -> bool:
        """Whether a request was never sent, or waits to be sent again."""
        return any(not (request.is_sent or request.answer.done()) for request in self._pending)

    def fail_all(self, code: str, message: str) -> None:
        """The client has ended."""
        for request in self.restart():
            request.fail(RequestError(code, message, outcome=request.outcome))

    def _remove(self, request: Request) -> None:
        self._pending.pop(request, None)
        if request.seq is not None and self._by_seq.get(request.seq) is request:
            del self._by_seq[request.seq]
        request.clear_timers()
