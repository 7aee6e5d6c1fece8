"""Events for the application, kept apart from the client's own state."""
from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from .event_shapes import EventName, Fault
from .mailbox import Mailbox

LOGGER = logging.getLogger("countersign")
Listener = Callable[[Any], Any]
_LASTING = frozenset({"state", "error", "missed", "unsubscribed"})
"""Events that are reported even if an earlier listener closes the client: they change lasting state."""


@dataclass(frozen=True)
class _Queued:
    call: Callable[[], None]
    is_lasting: bool
    on_dropped: Callable[[], None] | None


class Dispatcher:
    """Calls functions of the application after the client's own work, so that they find its state consistent."""

    def __init__(self) -> None:
        self._queue: deque[_Queued] = deque()
        self._is_scheduled = False

    def push(
        self, call: Callable[[], None], *, is_lasting: bool = False, on_dropped: Callable[[], None] | None = None
    ) -> None:
        """`is_lasting`: survives `discard`, which calls `on_dropped` for the others."""
        self._queue.append(_Queued(call, is_lasting, on_dropped))
        self._schedule()

    def discard(self) -> None:
        """Drops the queue, the newest call first: the client was closed."""
        queue, self._queue = self._queue, deque(each for each in self._queue if each.is_lasting)
        for each in reversed(queue):
            if not each.is_lasting and each.on_dropped is not None:
                each.on_dropped()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        self._is_scheduled = False
        try:
            while self._queue:
                self._queue.popleft().call()
        finally:
            # A SystemExit of the application passes through; the rest is not lost.
            if self._queue:
                self._schedule()


class Emitter:
    """An event emitter whose listeners cannot break it or each other. Listeners may be coroutine functions."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[tuple[Listener, Mailbox[Any]]]] = {name: [] for name in get_args(EventName)}
        self._dispatcher = Dispatcher()

    def on(self, event: EventName, listener: Listener) -> Callable[[], None]:
        """Calls `listener` with each event of this name. Returns a function that removes it.

        Raises ValueError for an unknown event.
        """
        return self._add(event, listener, listener)

    def once(self, event: EventName, listener: Listener) -> Callable[[], None]:
        """Like `on`, for the next event only."""

        def call(value: Any) -> Any:
            off()
            return listener(value)

        off = self._add(event, listener, call)
        return off

    def _add(self, event: EventName, listener: Listener, function: Listener) -> Callable[[], None]:
        if event not in self._listeners:
            raise ValueError(f"no event {event!r}; there are {', '.join(self._listeners)}")
        if not callable(listener):
            raise TypeError("the listener must be callable")
        mailbox = Mailbox(function, lambda error: self._fault(error, f"listener:{event}"))
        entry = (listener, mailbox)
        self._listeners[event].append(entry)

        def off() -> None:
            if entry in self._listeners[event]:
                self._listeners[event].remove(entry)
                mailbox.clear()

        return off

    def off(self, event: EventName, listener: Listener) -> None:
        """Removes a listener that `on` added."""
        for entry in [each for each in self._listeners.get(event, []) if each[0] == listener]:
            self._listeners[event].remove(entry)
            entry[1].clear()

    def _has_listeners(self, event: EventName) -> bool:
        return bool(self._listeners[event])

    def _emit(self, event: EventName, value: Any, on_dropped: Callable[[], None] | None = None) -> None:
        """`on_dropped`: called instead of the listeners if an earlier one closes the client."""
        if self._listeners[event]:
            self._dispatcher.push(
                lambda: self._deliver(event, value), is_lasting=event in _LASTING, on_dropped=on_dropped
            )

    def _deliver(self, event: EventName, value: Any) -> None:
        for entry in tuple(self._listeners[event]):
            if entry in self._listeners[event]:
                entry[1].put(value)

    def _fault(self, error: BaseException, source: str) -> None:
        """Reports an exception of a function of the application: to `error` listeners, or to the log."""
        if self._has_listeners("error") and source != "listener:error":
            self._emit("error", Fault(error, source))
        else:
            LOGGER.error("%s raised: %s", source, error, exc_info=error)
