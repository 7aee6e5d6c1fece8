"""The interface between a connection and the WebSocket below it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Closed:
    """How a connection ended, for people. `retry_after`: delay requested by the gateway in seconds; a hint."""

    reason: str
    retry_after: float = 0.0


class Socket(Protocol):
    """A WebSocket that opens by itself. After `close` it makes no calls."""

    def send(self, text: str) -> None:
        """Queues one text message. It never raises."""

    def close(self, code: int = 1000) -> None:
        """Sends queued messages, then closes. A second call has no effect."""

    async def wait_closed(self, seconds: float) -> None:
        """Returns once the socket is closed, or after a time."""


OpenSocket = Callable[[str, Callable[[str], None], Callable[[Closed], None]], Socket]
"""Takes the url, a function for each message, and one for the end."""
