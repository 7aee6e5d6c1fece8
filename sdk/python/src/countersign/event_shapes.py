"""The values for listeners of a client's events. The event `state` gives a string, `direct` a Publication."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .shapes import Position

EventName = Literal[
    "state",
    "welcome",
    "lost",
    "trouble",
    "stopped",
    "error",
    "subscribed",
    "missed",
    "unsubscribed",
    "direct",
    "frame",
]


@dataclass(frozen=True)
class Welcome:
    """A session was opened (PROTOCOL §4.5). Heartbeats are in seconds, times in Unix milliseconds."""

    session_id: str
    client_id: str
    key_id: str
    heartbeat_interval: int
    heartbeat_timeout: int
    server_time: int
    expires_at: int
    limits: Mapping[str, float]
    subscriptions: Mapping[str, Position]

    @property
    def life(self) -> float:
        """From this welcome to the end of the session, in seconds; at least 1."""
        return max((self.expires_at - self.server_time) / 1000, 1.0)


@dataclass(frozen=True)
class Lost:
    """An established session ended, and the client opens the next one. Never after `close()`."""

    reason: str


@dataclass(frozen=True)
class Trouble:
    """No session could be opened, or a channel was refused: once for each cause until a session is opened.

    `tries`: failed attempts since the last session.
    """

    reason: str
    tries: int


@dataclass(frozen=True)
class Stopped:
    """A signed error of the gateway that reconnecting cannot cure. The client has stopped."""

    code: str
    message: str


@dataclass(frozen=True)
class Fault:
    """An exception of an application's function, and its source: `listener:state`, `channel:chat`, `handle:kick`."""

    error: BaseException
    source: str


@dataclass(frozen=True)
class Subscribed:
    """A channel was joined, or joined again in a new session. `recovered`: no publication was missed."""

    channel: str
    offset: int
    epoch: str
    recovered: bool


@dataclass(frozen=True)
class Missed:
    """Publications of a channel cannot be recovered: reload the state that derives from them by other means."""

    channel: str


@dataclass(frozen=True)
class Unsubscribed:
    """The gateway refused or withdrew a channel. The client does not join it again by itself."""

    channel: str
    code: str


@dataclass(frozen=True)
class Frame:
    """A frame was sent (`up`) or received (`down`). `signed`: its signature was made or verified here."""

    direction: Literal["up", "down"]
    text: str
    signed: bool
