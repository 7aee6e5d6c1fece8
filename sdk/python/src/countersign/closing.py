"""What remains to do once a client was closed: send what was accepted before, send `bye`, and wait for its answer."""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .timers import Timers
from .timing import BYE, LAST_REQUESTS


@dataclass(frozen=True)
class ClosingHost:
    """`has_unsent`: something that was accepted before has not been sent. `send_bye`: returns whether there is a session
    that can answer it. `finish`: everything is over."""

    has_unsent: Callable[[], bool]
    send_bye: Callable[[], bool]
    finish: Callable[[], None]


class ClosingStage:
    """`done` resolves when `bye` was answered, or after 5 s for what is unsent and 2 s for `bye`."""

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
        """Goes on once everything is sent. Called after each step that may have sent something."""
        if not self._has_sent_bye and not self._host.has_unsent():
            self._send_bye()

    def _send_bye(self) -> None:
        self._has_sent_bye = True
        if self._host.send_bye():
            self._timers.set("closing", BYE, self.end)
        else:
            self.end()

    def end(self) -> None:
        """`bye` was answered, or its time is over."""
        self._timers.clear("closing")
        if not self.done.done():
            self.done.set_result(None)
            self._host.finish()
