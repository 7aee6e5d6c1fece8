"""The client of a Countersign gateway."""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from .attempts import AttemptOptions
from .causes import Causes
from .channel_verbs import ChannelVerbs
from .checks import ATTRIBUTES
from .credential import CredentialOption
from .credential_calls import CredentialCalls
from .encode import Limits, encode_request, timeout_of
from .errors import RequestError
from .event_shapes import Lost, Stopped, Trouble, Welcome
from .event_shapes import Frame as FrameEvent
from .events import LOGGER
from .manager import ManagerHost, SessionManager
from .parse import Message
from .platform import Platform
from .shapes import SessionInfo, State
from .timing import CREDENTIAL, REQUEST


class Connecting:
    """Awaiting it waits for the end of the first attempt, and returns the client."""

    def __init__(self, client: Client, tried: asyncio.Future[None]) -> None:
        self._client = client
        self._tried = tried

    def __await__(self) -> Generator[Any, None, Client]:
        yield from asyncio.shield(self._tried).__await__()
        return self._client


class Client(ChannelVerbs):
    """A client that stays connected: it verifies every frame, sends heartbeats, answers challenges, reconnects by the rules
    of PROTOCOL §5.3, and repeats requests that a lost session left unanswered.

    Listeners and handlers may call any method. Their exceptions do not affect the client: the event `error` reports them,
    or `logging` ("countersign") without a listener. All methods belong to one event loop.
    """

    def __init__(
        self,
        url: str,
        credential: CredentialOption,
        *,
        attributes: Mapping[str, str] | None = None,
        credential_timeout: float = CREDENTIAL,
        request_timeout: float = REQUEST,
        _platform: Platform | None = None,
    ) -> None:
        """`url`: ws:// or wss://, e.g. `wss://example.com/v1/ws`. `credential`: a Credential, a dict of one, or a function,
        asynchronous or not, that is called before each handshake, e.g. to get a ticket from a backend. `attributes`: shown to
        operators; at most 16, names of 1 to 32 bytes, values of up to 128 bytes. Timeouts: seconds above 0.

        Raises ValueError for another url, RequestError INVALID_MESSAGE for timeouts and attributes out of bounds.
        """
        super().__init__()
        if urlsplit(url).scheme not in ("ws", "wss"):
            raise ValueError(f"url must begin with ws:// or wss://: {url}")
        self._request_timeout = timeout_of(request_timeout, REQUEST, "request_timeout")
        self._attributes = None if attributes is None else dict(attributes)
        if self._attributes is not None:
            encode_request("attributes", {ATTRIBUTES.name: self._attributes}, None)
        platform = _platform or Platform()
        self._new_nonce = platform.nonce
        self._options = AttemptOptions(url, lambda: self._attributes, platform)
        self._credentials = CredentialCalls(
            credential, timeout_of(credential_timeout, CREDENTIAL, "credential_timeout")
        )
        self._denials = Causes()
        """Why channels were refused."""
        self._state: State = "disconnected"
        self._manager: SessionManager | None = None
        """True between `connect` and `close`."""
        self._tried: asyncio.Future[None] | None = None
        self._closed: SessionManager | None = None
        """Belongs to the last `close`."""
        self._not_running = "call connect() first"

    @property
    def state(self) -> State:
        """`disconnected`, `connecting` or `connected`."""
        return self._state

    @property
    def session(self) -> SessionInfo | None:
        """The current session; None without one."""
        current = None if self._manager is None else self._manager.current
        if current is None or current.welcome is None:
            return None
        return SessionInfo(current.welcome.session_id, current.welcome.client_id, current.welcome.limits)

    # ── Life ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def connect(self) -> Connecting:
        """Starts the client. It runs until `close`, or until a signed error states that reconnecting would not help.

        `await client.connect()` waits for the end of the first attempt: a session, or a failure that the event
        `trouble` reports. It never raises: the client keeps trying, and requests wait for a session.
        """
        if self._manager is None or self._tried is None:
            self._tried = asyncio.get_running_loop().create_future()
            self._manager = SessionManager(self._options, self._credentials, self._handlers, self._host_of())
            self._manager.start()
        return Connecting(self, self._tried)

    def reconnect(self) -> None:
        """Probes the session with a heartbeat, and keeps it if it answers. Without one the client tries within a second."""
        if self._manager is not None:
            self._manager.wake()

    async def close(self) -> None:
        """Stops. Sends accepted messages within 5 s, then `bye`; returns when `bye` was answered, or after 2 s.
        Requests without an answer by then fail with CLOSED. No handler runs again until the next `connect`."""
        if self._manager is not None:
            self._not_running = "the client was closed"
            manager = self._leave()
            self._dispatcher.discard()
            self._channels.close(RequestError("CLOSED", "the client was closed", outcome="unsent"))
            self._set_state("disconnected")
            manager.close()
            self._closed = manager
        if self._closed is not None:
            await self._closed.wait_closed()

    async def __aenter__(self) -> Client:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _leave(self) -> SessionManager:
        manager, self._manager = self._manager, None
        self._first_try_ended()
        assert manager is not None
        return manager

    def _first_try_ended(self) -> None:
        if self._tried is not None and not self._tried.done():
            self._tried.set_result(None)

    async def set_attributes(self, attributes: Mapping[str, str], *, timeout: float | None = None) -> None:
        """Replaces this client's own attributes, also for its later sessions. Bounds as in the constructor.

        Returns at once while the client is not running. Raises RequestError.
        """
        encode_request("attributes", {ATTRIBUTES.name: attributes}, self._limits)
        given, previous = dict(attributes), self._attributes
        self._attributes = given
        if self._manager is None:
            return
        try:
            await self._ask("attributes", {ATTRIBUTES.name: given}, timeout, "ack", lambda _: None)
        except RequestError as error:
            # Together with those of a ticket they may be too many. A handshake with them would fail.
            if error.code == "INVALID_MESSAGE" and self._attributes is given:
                self._attributes = previous
            raise

    # ── For the sessions ───────────────────────────────────────────────────────────────────────────────────────────

    async def _request(self, type_: str, members: Mapping[str, Any], timeout: float) -> Message:
        encoded = encode_request(type_, members, self._limits)
        if self._manager is None:
            raise RequestError("CLOSED", f"the client is not running: {self._not_running}", outcome="unsent")
        return await self._manager.request(encoded, timeout).answer

    @property
    def _cause(self) -> str | None:
        return self._not_running if self._manager is None else self._manager.cause

    def _new_key(self) -> str:
        return self._new_nonce()

    def _send(self, type_: str, members: Mapping[str, Any]) -> int | None:
        return None if self._manager is None else self._manager.send(encode_request(type_, members, None))

    def _later(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        if self._manager is not None:
            self._manager.timers.set(name, seconds, call)

    def _denied(self, reason: str) -> None:
        if self._denials.is_new(reason):
            self._trouble(reason, 1)

    def _trouble(self, reason: str, tries: int) -> None:
        if self._has_listeners("trouble"):
            self._emit("trouble", Trouble(reason, tries))
        else:
            LOGGER.warning("%s", reason)

    def _set_state(self, state: State) -> None:
        if self._state != state:
            self._state = state
            self._emit("state", state)

    def _host_of(self) -> ManagerHost:
        return ManagerHost(
            self._set_state,
            lambda direction, text, signed: self._emit("frame", FrameEvent(direction, text, signed)),
            self._on_welcome,
            lambda message: self._channels.receive(message),
            lambda re, code, message, after: self._channels.on_refused(re, code, message, after),
            self._on_lost,
            self._on_failed,
            self._on_stopped,
        )

    def _on_welcome(self, welcome: Welcome, limits: Limits) -> None:
        self._limits = limits
        self._denials.clear()
        self._channels.restart(welcome.subscriptions)
        self._first_try_ended()
        self._emit("welcome", welcome)

    def _on_lost(self, reason: str) -> None:
        self._channels.suspend()
        self._emit("lost", Lost(reason))

    def _on_failed(self, reason: str, tries: int, is_new: bool) -> None:
        if is_new:
            self._trouble(reason, tries)
        self._first_try_ended()

    def _on_stopped(self, code: str, message: str) -> None:
        self._not_running = f"the gateway stopped it: {code}: {message}"
        self._leave()
        self._channels.close(RequestError(code, message, outcome="unsent"))
        if not self._has_listeners("stopped"):
            LOGGER.error("the client has stopped: %s: %s", code, message)
        self._emit("stopped", Stopped(code, message))
