"""Heartbeats of the current session (PROTOCOL §6.1)."""
from __future__ import annotations

from collections.abc import Callable

from .connection import Connection
from .encode import encode_message
from .timers import Timers
from .timing import HEARTBEAT_ANSWER, PROBE_ANSWER

HEARTBEAT = encode_message("heartbeat", {})


class Heartbeats:
    """`on_silence`: nothing arrived within the time after a heartbeat."""

    def __init__(self, timers: Timers, on_silence: Callable[[Connection], None]) -> None:
        self._timers = timers
        self._on_silence = on_silence

    def start(self, connection: Connection, interval: float) -> None:
        """Sends one each `interval` seconds."""
        self._timers.clear("silence")
        self._schedule(connection, interval)

    def _schedule(self, connection: Connection, interval: float) -> None:
        def beat() -> None:
            self._schedule(connection, interval)
            self._beat(connection, HEARTBEAT_ANSWER)

        self._timers.set("heartbeat", interval, beat)

    def _beat(self, connection: Connection, answer: float) -> None:
        if self._timers.has("silence"):
            return
        self._timers.set("silence", answer, lambda: self._on_silence(connection))
        connection.send(HEARTBEAT)

    def probe(self, connection: Connection) -> None:
        """Checks now whether the session is alive."""
        self._beat(connection, PROBE_ANSWER)

    def heard(self) -> None:
        """A verified frame arrived."""
        self._timers.clear("silence")

    def stop(self) -> None:
        """The session has ended."""
        self._timers.clear("heartbeat", "silence")
