"""Closes a client: sends the accepted messages, then `bye`, and waits for its answer."""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .timers import Timers
from .timing import BYE, LAST_REQUESTS


@dataclass(frozen=True)
class ClosingHost:
    """`has_unsent`: accepted messages are still unsent. `send_bye`: returns whether there is a session to answer it.
    `finish`: the closing is complete."""

    has_unsent: Callable[[], bool]
    send_bye: Callable[[], bool]
    finish: Callable[[], None]


class ClosingStage:
    """`done` resolves when `bye` was answered, or after 5 s for unsent messages and 2 s for `bye`."""

    def __init__(self, host: ClosingHost, timers: Timers) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._host = host
        self._timers = timers
        self._has_sent_bye = False
        self.is_answered = False
        """Whether `bye` was answered."""

    def begin(self) -> None:
        """Starts the clock."""
        self._timers.set("closing", LAST_REQUESTS, self._send_bye)
        self.proceed()

    def proceed(self) -> None:
        """Continues once everything is sent. Called after each step that may have sent messages."""
        if not self._has_sent_bye and not self._host.has_unsent():
            self._send_bye()

    def _send_bye(self) -> None:
        self._has_sent_bye = True
        if self._host.send_bye():
            self._timers.set("closing", BYE, self.end)
        else:
            self.end()

    def end(self) -> None:
        """`bye` was answered, or timed out."""
        self._timers.clear("closing")
        if not self.done.done():
            self.done.set_result(None)
            self._host.finish()
