"""The calls that other sessions make to this one, and their answers (PROTOCOL: calls)."""
from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from .checks import ERROR_CODE, MAX_ERROR_CHARACTERS
from .connection import Connection
from .encode import encode_request
from .errors import RequestError, reason_of
from .parse import Message, int_of, optional_text, text_of
from .shapes import CallInfo
from .tasks import start

Handler = Callable[[Any, CallInfo], Any]

MAX_RUNNING = 256
"""Concurrent calls of one method. Above it a call is answered with BUSY."""


def _error(code: str, message: str) -> dict[str, str]:
    clean = message.encode("utf-8", "replace").decode()
    return {"code": code, "message": clean[:MAX_ERROR_CHARACTERS]}


def _member(error: BaseException, name: str) -> object:
    """An attribute of an exception; None if reading it fails."""
    try:
        return getattr(error, name, None)
    except Exception:
        return None


def error_of(error: BaseException) -> dict[str, str]:
    """The answer for an exception: its own `code` if it has one, else HANDLER_FAILED."""
    code = _member(error, "code")
    message = _member(error, "message")
    text = message if isinstance(message, str) else reason_of(error)
    is_code = isinstance(code, str) and ERROR_CODE.fullmatch(code) is not None
    return _error(code if is_code else "HANDLER_FAILED", text)  # type: ignore[arg-type]


class CallHandlers:
    """The functions that answer calls, by method. They outlive a `close`."""

    def __init__(self, fault: Callable[[BaseException, str], None]) -> None:
        self.fault = fault
        self._handlers: dict[str, Handler] = {}

    def add(self, method: str, handler: Handler) -> Callable[[], None]:
        """Sets the handler of a method, replacing an earlier one. Returns a function that removes it."""
        self._handlers[method] = handler

        def off() -> None:
            if self._handlers.get(method) is handler:
                del self._handlers[method]

        return off

    def get(self, method: str) -> Handler | None:
        """The handler of a method."""
        return self._handlers.get(method)


class ServedCalls:
    """Runs each call once. `settled` is called after each answer."""

    def __init__(self, handlers: CallHandlers, settled: Callable[[], None]) -> None:
        self._handlers = handlers
        self._settled = settled
        self._running: dict[asyncio.Task[None], tuple[str, Connection]] = {}
        self.is_closing = False
        """The client was closed: no handler runs again."""

    def receive(self, connection: Connection, message: Message) -> None:
        """A call of the gateway. Raises ProtocolFault."""
        method = text_of(message, "method")
        info = CallInfo(text_of(message, "callId"), int_of(message, "expiresAt"), optional_text(message, "from"))
        is_busy = sum(running == method for running, _ in self._running.values()) >= MAX_RUNNING
        task = start(self._serve(connection, method, message.get("data"), info, is_busy))
        self._running[task] = (method, connection)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._settled()

    def _refusal(self, method: str, is_busy: bool) -> dict[str, str] | None:
        if self.is_closing:
            return _error("CLOSING", "the client was closed; nothing ran")
        if self._handlers.get(method) is None:
            return _error("NO_HANDLER", f"no handler for {method}")
        if is_busy:
            return _error("BUSY", f"{MAX_RUNNING} calls of {method} are running")
        return None

    async def _serve(self, connection: Connection, method: str, data: Any, info: CallInfo, is_busy: bool) -> None:
        handler, refusal = self._handlers.get(method), self._refusal(method, is_busy)
        if handler is None or refusal is not None:
            self._answer(connection, method, info, error=refusal)
            return
        try:
            result = handler(data, info)
            if inspect.isawaitable(result):
                result = await result
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling() > 0:
                raise
            self._answer(connection, method, info, error=error_of(error))
            self._handlers.fault(error, f"handle:{method}")
            return
        self._answer(connection, method, info, data=result)

    def _answer(self, connection: Connection, method: str, info: CallInfo, **members: Any) -> None:
        """Sends an answer, or an error if the gateway would refuse the answer."""
        if connection.is_over or connection.bye_seq is not None:
            if "error" not in members:
                lost = f"the result of {method} was not sent: the session of the call is over"
                self._handlers.fault(RequestError("CLOSED", lost, outcome="unsent"), f"handle:{method}")
            return
        try:
            answer = encode_request("callResult", {"callId": info.call_id, **members}, connection.limits)
        except RequestError as error:
            self._handlers.fault(error, f"handle:{method}")
            members = {"error": _error("HANDLER_FAILED", f"the result cannot be sent: {error.message}")}
            answer = encode_request("callResult", {"callId": info.call_id, **members}, connection.limits)
        connection.send_request(answer)

    def is_running(self, connection: Connection) -> bool:
        """Whether a handler still runs for this session; one that asks for itself does not count."""
        return any(
            used is connection and task is not asyncio.current_task()
            for task, (_, used) in self._running.items()
            if not task.done()
        )
