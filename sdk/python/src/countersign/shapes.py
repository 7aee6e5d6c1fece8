"""Results and arguments of handlers. Times are Unix milliseconds, as on the wire, unless stated otherwise."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["disconnected", "connecting", "connected"]


@dataclass(frozen=True)
class Position:
    """A position in a channel: that of its last publication. Offset 0 is the position before the first one."""

    offset: int
    epoch: str


@dataclass(frozen=True)
class Publication:
    """A publication on a channel. `publisher`: clientId of the publisher; None for a publication over HTTP."""

    channel: str
    offset: int
    epoch: str
    data: Any
    published_at: int
    publisher: str | None = None


@dataclass(frozen=True)
class Joined:
    """How a channel was joined. `recovered`: every publication after the requested position is delivered."""

    recovered: bool
    offset: int
    epoch: str


@dataclass(frozen=True)
class Published:
    """The position of a publication. `duplicate`: an earlier publish had the same idempotency key, and this is its result."""

    channel: str
    offset: int
    epoch: str
    duplicate: bool = False


@dataclass(frozen=True)
class Validation:
    """Whether a license key is valid (PROTOCOL §7.2). Use only `valid` to decide; `code` is the reason."""

    valid: bool
    code: str
    service_id: str
    license_id: str | None = None
    expires_at: int | None = None
    max_hwids: int | None = None
    bound_hwids: int | None = None


@dataclass(frozen=True)
class History:
    """Publications of a history, oldest first. `more`: the history has older ones; get them with `before`.

    `offset` and `epoch` are the position of the newest publication of the list, 0 if the list is empty.
    """

    publications: tuple[Publication, ...]
    offset: int
    epoch: str
    more: bool


@dataclass(frozen=True)
class Member:
    """A session in a channel. `attributes` is empty in reports of changes."""

    session_id: str
    client_id: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Presence:
    """The sessions in a channel. If `count` exceeds the number of `sessions`, the list is not complete."""

    channel: str
    count: int
    sessions: tuple[Member, ...]


@dataclass(frozen=True)
class PresenceChange:
    """Sessions that joined and left a channel, at most once a second. A hint, not a log: eventually consistent."""

    channel: str
    count: int
    joined: tuple[Member, ...]
    left: tuple[Member, ...]


@dataclass(frozen=True)
class SessionEntry:
    """A live session of a client, e.g. a game server."""

    session_id: str
    client_id: str
    transport: str
    opened_at: int
    last_seen_at: int
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class SessionList:
    """The live sessions of a client in a stable order. Pass `next` as `after` to get the following ones; None at the end."""

    sessions: tuple[SessionEntry, ...]
    next: str | None = None


@dataclass(frozen=True)
class CallInfo:
    """Details of a call for its handler. `from_`: the caller's clientId; None for a call over HTTP."""

    call_id: str
    expires_at: int
    from_: str | None = None


@dataclass(frozen=True)
class SessionInfo:
    """The current session. `limits`: `welcome.limits` of the gateway (PROTOCOL §11)."""

    session_id: str
    client_id: str
    limits: Mapping[str, float]
