"""The sessions from one `connect` to its `close`: one after another, briefly two (PROTOCOL §4.5)."""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .attempts import AttemptOptions, Attempts, AttemptsHost
from .causes import FailureKind
from .closing import ClosingHost, ClosingStage
from .connection import Connection
from .credential_calls import CredentialCalls
from .encode import Encoded, Limits
from .errors import ProtocolFault, RequestError, reason_of
from .event_shapes import Welcome
from .heartbeats import Heartbeats
from .messages import handle
from .parse import Message
from .pending import Pending, Request
from .retired import RetiredSessions
from .served_calls import CallHandlers, ServedCalls
from .session import Challenged, Hint, Signed
from .shapes import State
from .timers import Timers
from .timing import SOCKET_CLOSE, renew_after


@dataclass(frozen=True)
class ManagerHost:
    """The client as its sessions see it."""

    on_state: Callable[[State], None]
    on_frame: Callable[[Literal["up", "down"], str, bool], None]
    on_welcome: Callable[[Welcome, Limits], None]
    on_channel_message: Callable[[Message], None]
    on_refused: Callable[[int, str, str, float | None], bool]
    on_lost: Callable[[str], None]
    on_failed: Callable[[str, int, bool], None]
    on_stopped: Callable[[str, str], None]


class SessionManager:
    """Keeps a session open, by the rules of PROTOCOL §5.3. It outlives `close` until `bye` is answered."""

    def __init__(
        self, options: AttemptOptions, credentials: CredentialCalls, handlers: CallHandlers, host: ManagerHost
    ) -> None:
        self.host: ManagerHost | None = host
        """None once the client was closed."""
        self._on_frame = host.on_frame
        self.calls = ServedCalls(handlers, self._call_settled)
        self.current: Connection | None = None
        """The connection with the current session."""
        self.timers = Timers()
        self.closing: ClosingStage | None = None
        self._is_over = False
        self._last: Connection | None = None
        self.retired = RetiredSessions(self.calls, self.timers)
        self._heartbeats = Heartbeats(self.timers, lambda each: self.lose(each, "no answer to a heartbeat"))
        self.pending = Pending(lambda: self.cause)
        attempts_host = AttemptsHost(
            lambda: self.current,
            self._receive,
            lambda frame: self._on_frame("up", frame, True),
            lambda connection, closed: self.lose(connection, closed.reason, closed.retry_after),
            lambda reason, tries, is_new: self.host.on_failed(reason, tries, is_new) if self.host else None,
        )
        self.attempts = Attempts(options, credentials, self.timers, attempts_host)

    @property
    def cause(self) -> str | None:
        """Why there is no session; None if there is one."""
        return None if self.current is not None else self.attempts.cause

    def start(self) -> None:
        """Opens the first session."""
        if self.host is not None:
            self.host.on_state("connecting")
        self.attempts.open("open")

    def wake(self) -> None:
        """Probes the session, or tries soon."""
        if self._is_over:
            return
        if self.current is None:
            self.attempts.wake()
        elif self.closing is None:
            self._heartbeats.probe(self.current)

    # ── Frames ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _receive(self, connection: Connection, frame: str) -> None:
        if connection.is_over:
            return
        try:
            received = connection.session.receive(frame)
            if isinstance(received, (Welcome, Signed)) and connection is self.current:
                self._heartbeats.heard()
            self._on_frame("down", frame, isinstance(received, (Welcome, Signed)))
            if isinstance(received, Challenged):
                connection.send_frame(received.answer)
            elif isinstance(received, Welcome):
                self._welcome(connection, received)
            elif isinstance(received, Signed):
                handle(self, connection, received.message)
            else:
                self._refused(connection, received)
        except (ProtocolFault, RequestError) as error:
            self.lose(connection, reason_of(error))

    def _refused(self, connection: Connection, hint: Hint) -> None:
        self.lose(connection, hint.reason, hint.retry_after, "refused")

    def _welcome(self, connection: Connection, welcome: Welcome) -> None:
        previous = self.current
        purpose = self.attempts.succeeded()
        if purpose == "renew" and previous is not None and previous.welcome is not None:
            if welcome.expires_at <= previous.welcome.expires_at:
                # The renewal gained nothing, so it is not repeated (PROTOCOL §4.5).
                connection.end_with_bye()
                return
        connection.open(welcome)
        self.current = self._last = connection
        self.attempts.session_opened()
        self._heartbeats.start(connection, welcome.heartbeat_interval)
        self.timers.set("renew", renew_after(welcome.life), lambda: self.attempts.open("renew"))
        if self.host is not None:
            self.host.on_state("connected")
            # Channels first: a publish that waited reaches this client's own handlers.
            self.host.on_welcome(welcome, connection.limits)
        for request in self.pending.restart():
            self.send_request(request)
        if previous is not None:
            self.retired.add(previous)
        self.proceed()

    def lose(
        self, connection: Connection, reason: str, hinted: float = 0.0, kind: FailureKind = "network"
    ) -> None:
        """A connection has ended, or is given up."""
        if self._is_over or connection.is_over:
            return
        connection.end()
        if self.attempts.is_of(connection):
            self.attempts.failed(kind, reason, hinted)
            return
        self.retired.remove(connection)
        if self.current is not connection:
            return
        self.current = None
        self.timers.clear("renew")
        self._heartbeats.stop()
        if connection.bye_seq is not None:
            if self.closing is not None:
                self.closing.end()
            return
        if self.host is not None:
            self.host.on_state("connecting")
            self.host.on_lost(reason)
        self.attempts.session_lost(reason, hinted)

    # ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────────

    def request(self, encoded: Encoded, timeout: float) -> Request:
        """Opens a request. Raises RequestError TOO_MANY."""
        request = self.pending.open(encoded, timeout)
        self.send_request(request)
        return request

    def send(self, encoded: Encoded) -> int | None:
        """Sends a message of a channel. Returns its `seq`; None without a session."""
        return None if self.current is None else self.current.send_request(encoded)

    def send_request(self, request: Request) -> None:
        """Sends a request if there is a session."""
        if self.current is None or request.answer.done():
            return
        try:
            self.pending.sent(request, self.current.send_request(request.encoded))
        except RequestError as error:
            request.fail(error)
        self.proceed()

    def _call_settled(self) -> None:
        self.retired.settle()
        self.proceed()

    # ── The end ────────────────────────────────────────────────────────────────────────────────────────────────────

    def proceed(self) -> None:
        """A message was sent, which a closed client may have waited for."""
        if self.closing is not None:
            self.closing.proceed()

    def stop(self, code: str, message: str) -> None:
        """A signed error of the gateway: reconnecting would not help."""
        host = self.host
        self._finish(code, message)
        if host is not None:
            host.on_state("disconnected")
            host.on_stopped(code, message)
        if self.closing is not None:
            self.closing.end()

    def close(self) -> None:
        """Sends accepted messages, then `bye`, within 5 s and 2 s."""
        if self._is_over or self.closing is not None:
            return
        self.host = None
        self.calls.is_closing = True
        self.timers.clear("renew")
        self._heartbeats.stop()
        host = ClosingHost(self._has_unsent, self._send_bye, lambda: self._finish("CLOSED", "the client was closed"))
        self.closing = ClosingStage(host, self.timers)
        self.closing.begin()

    async def wait_closed(self) -> None:
        """Returns when `close` has finished."""
        if self.closing is None:
            return
        await asyncio.shield(self.closing.done)
        if self._last is not None and self.closing.is_answered:
            # The gateway closes the socket now; nothing of the client runs after this.
            await self._last.wait_closed(SOCKET_CLOSE)

    def _has_unsent(self) -> bool:
        return self.pending.has_unsent or (self.current is not None and self.calls.is_running(self.current))

    def _send_bye(self) -> bool:
        if self.current is None:
            return False
        self.current.send_bye()
        return True

    def _finish(self, code: str, message: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        self.host = None
        self.attempts.drop()
        self.retired.end()
        self.timers.clear()
        if self.current is not None:
            self.current.end()
        self.current = None
        self.pending.fail_all(code, message)
