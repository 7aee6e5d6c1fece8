"""Sessions replaced by a newer one (PROTOCOL §4.5)."""
from __future__ import annotations

from .connection import Connection
from .served_calls import ServedCalls
from .timers import Timers
from .timing import RETIRE

MAX_RETIRED = 4
"""Most replaced sessions. Above, the oldest ends at once."""


class RetiredSessions:
    """Keeps each until its received calls are answered: an earlier `bye` would fail them. Then it ends."""

    def __init__(self, calls: ServedCalls, timers: Timers) -> None:
        self._calls = calls
        self._timers = timers
        self._connections: list[Connection] = []

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._connections

    def add(self, connection: Connection) -> None:
        """A session was replaced."""
        if connection.is_over:
            return
        self._connections.append(connection)
        self._timers.set(self._name(connection), RETIRE, lambda: self._bye(connection))
        if len(self._connections) > MAX_RETIRED:
            self._bye(self._connections[0])
        self.settle()

    def settle(self) -> None:
        """A call was answered."""
        for connection in tuple(self._connections):
            if not self._calls.is_running(connection):
                self._bye(connection)

    def remove(self, connection: Connection) -> None:
        """It has ended."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._timers.clear(self._name(connection))

    def end(self) -> None:
        """The client has ended."""
        for connection in tuple(self._connections):
            self._bye(connection)

    def _bye(self, connection: Connection) -> None:
        self.remove(connection)
        connection.end_with_bye()

    @staticmethod
    def _name(connection: Connection) -> str:
        return f"retire {id(connection)}"
