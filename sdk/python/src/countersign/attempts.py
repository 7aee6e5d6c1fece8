"""The attempts to open a session: one at a time, with backoff, until one succeeds (PROTOCOL §5.3)."""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from .causes import Causes, FailureKind, Failures
from .connection import Connection
from .credential import Credential, NoCredential
from .credential_calls import CredentialCalls
from .errors import reason_of
from .platform import Platform
from .session import Session
from .sockets import Closed
from .tasks import start
from .timers import Timers
from .timing import HANDSHAKE, STABLE_SESSION, STALE_ATTEMPT, WAKE_SPREAD, backoff

Purpose = Literal["open", "renew", "move"]
"""Why a session is opened: there is none; the current one expires soon; its gateway is about to stop."""


@dataclass(frozen=True)
class AttemptOptions:
    """`attributes`: for the next handshake."""

    url: str
    attributes: Callable[[], Mapping[str, str] | None]
    platform: Platform


@dataclass(frozen=True)
class AttemptsHost:
    """`current`: the connection with the current session. `failed`: an attempt failed; once for each cause `is_new`."""

    current: Callable[[], Connection | None]
    on_frame: Callable[[Connection, str], None]
    on_sent: Callable[[str], None]
    on_closed: Callable[[Connection, Closed], None]
    failed: Callable[[str, int, bool], None]


@dataclass(eq=False)
class _Attempt:
    purpose: Purpose
    connection: Connection | None = None
    fetching: asyncio.Task[None] | None = None
    is_woken: bool = False
    """It was started by `wake`, which gives up other attempts sooner."""
    is_stale: bool = False
    was_woken: bool = False


class Attempts:
    """Belongs to one `connect`; credentials that arrive after its end are dropped."""

    def __init__(
        self, options: AttemptOptions, credentials: CredentialCalls, timers: Timers, host: AttemptsHost
    ) -> None:
        self._options = options
        self._credentials = credentials
        self._timers = timers
        self._host = host
        self._causes = Causes()
        self._failures = Failures()
        self._attempt: _Attempt | None = None
        self._cause: str | None = None

    @property
    def cause(self) -> str:
        """Why there is no session."""
        if self._cause is not None:
            return self._cause
        if self._attempt is None or self._attempt.connection is None:
            return "the credential has not arrived"
        return "the handshake is not complete"

    def is_of(self, connection: Connection) -> bool:
        """Whether the current attempt uses this connection."""
        return self._attempt is not None and self._attempt.connection is connection

    def open(self, purpose: Purpose, *, is_woken: bool = False) -> None:
        """Opens a session, unless an attempt is in progress."""
        self._timers.clear("retry", "wake", "renew")
        if self._attempt is not None:
            if purpose == "move":
                self._attempt.purpose = "move"
            return
        attempt = self._attempt = _Attempt(purpose, is_woken=is_woken)
        self._timers.set("attempt age", STALE_ATTEMPT, lambda: self._grow_stale(attempt))
        attempt.fetching = start(self._fetch(attempt))

    def _grow_stale(self, attempt: _Attempt) -> None:
        attempt.is_stale = True
        if attempt.was_woken:
            self.wake()

    async def _fetch(self, attempt: _Attempt) -> None:
        try:
            credential = await self._credentials.obtain()
        except NoCredential as error:
            attempt.fetching = None
            if self._attempt is attempt:
                self.failed("credential", reason_of(error))
            return
        attempt.fetching = None
        try:
            if self._attempt is attempt:
                self._handshake(attempt, credential)
        except Exception as error:
            self.failed("network", f"could not connect: {reason_of(error)}")

    def _handshake(self, attempt: _Attempt, credential: Credential) -> None:
        current = self._host.current()
        if attempt.purpose == "renew" and current is not None and current.welcome is not None:
            if credential.ends_at is not None and credential.ends_at <= current.welcome.expires_at:
                # A renewal would gain nothing: the session ends, and the client reconnects (PROTOCOL §4.5).
                self.drop()
                return
        platform = self._options.platform
        session = Session(credential, platform.nonce(), self._options.attributes())
        connection = attempt.connection = Connection(session, self._host.on_sent)
        self._timers.set("handshake", HANDSHAKE, lambda: self._host.on_closed(connection, Closed("no welcome in time")))
        connection.attach(
            platform.open_socket(
                self._options.url,
                lambda frame: self._host.on_frame(connection, frame),
                lambda closed: self._host.on_closed(connection, closed),
            )
        )

    def drop(self) -> None:
        """Gives up the current attempt."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            if attempt.connection is not None:
                attempt.connection.end()
            elif attempt.fetching is not None:
                attempt.fetching.cancel()
        self._timers.clear("handshake", "attempt age")

    def failed(self, kind: FailureKind, reason: str, hinted: float = 0.0) -> None:
        """The attempt has failed: schedules the next one."""
        purpose: Purpose = "open" if self._attempt is None else self._attempt.purpose
        self.drop()
        self._retry(kind if self._host.current() is None else "renewal", purpose, reason, hinted)
        self._host.failed(reason, self._failures.tries, self._causes.is_new(reason))

    def session_lost(self, reason: str, hinted: float) -> None:
        """The session was lost: schedules the next attempt, unless one is in progress."""
        self._timers.clear("stable", "retry")
        self._cause = reason
        if self._attempt is None:
            self._retry("session", "open", reason, hinted)

    def _retry(self, kind: FailureKind, purpose: Purpose, reason: str, hinted: float) -> None:
        self._cause = reason
        delay = backoff(self._failures.add(kind), self._options.platform.random(), hinted)

        def again() -> None:
            self.open("open" if self._host.current() is None else purpose)

        self._timers.set("retry", delay, again)

    def succeeded(self) -> Purpose:
        """A welcome arrived. Returns the purpose of the attempt."""
        purpose: Purpose = "open" if self._attempt is None else self._attempt.purpose
        self._attempt = None
        self._timers.clear("handshake", "attempt age", "retry", "wake")
        return purpose

    def session_opened(self) -> None:
        """A new session has become the current one."""
        self._cause = None
        self._failures.session_opened()
        self._causes.clear()
        self._timers.set("stable", STABLE_SESSION, self._failures.session_lasted)

    def wake(self) -> None:
        """The application asks for a session: tries soon, if there is none."""
        if self._host.current() is not None:
            return
        is_young = self._attempt is not None and not self._attempt.is_stale
        if self._attempt is not None and is_young and self._attempt.is_woken:
            # Repeated calls do not restart it each second: it could never succeed in a slow network.
            self._attempt.was_woken = True
            return
        if not is_young:
            self.drop()
        if not self._timers.has("wake"):
            jitter = self._options.platform.random()
            # An attempt in progress has half of the time.
            delay = (0.5 + jitter / 2 if is_young else jitter) * WAKE_SPREAD
            self._timers.set("wake", delay, self._open_woken)

    def _open_woken(self) -> None:
        self.drop()
        self.open("open", is_woken=True)
