"""Reads messages of the gateway. A member of a wrong type raises ProtocolFault; unknown members are ignored."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from .errors import CalledError, ProtocolFault
from .event_shapes import Welcome
from .shapes import (
    History,
    Joined,
    Member,
    Position,
    Presence,
    PresenceChange,
    Publication,
    Published,
    SessionEntry,
    SessionList,
    Validation,
)

Message = Mapping[str, Any]


def _wrong(message: Message, name: str) -> NoReturn:
    raise ProtocolFault("PROTOCOL_ERROR", f"{message.get('type', 'a list')}: {name} is malformed")


def text_of(message: Message, name: str) -> str:
    """A member that is a str."""
    value = message.get(name)
    return value if isinstance(value, str) else _wrong(message, name)


def optional_text(message: Message, name: str) -> str | None:
    """A member that is a str or absent."""
    return text_of(message, name) if name in message else None


def int_of(message: Message, name: str) -> int:
    """A member with an integral value from 0; 2.0 is 2."""
    value = message.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0 or value != int(value):
        _wrong(message, name)
    return int(value)


def optional_int(message: Message, name: str) -> int | None:
    """A member with an integral value from 0, or absent."""
    return int_of(message, name) if name in message else None


def bool_of(message: Message, name: str) -> bool:
    """A member that is a bool."""
    value = message.get(name)
    return value if isinstance(value, bool) else _wrong(message, name)


def object_of(message: Message, name: str) -> Message:
    """A member that is an object. An empty array counts as one; so does an absent member."""
    value = message.get(name)
    if value is None or value == []:
        return {}
    return value if isinstance(value, dict) else _wrong(message, name)


def list_of(message: Message, name: str) -> list[Message]:
    """A member that is an array of objects, or absent."""
    value = message.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        _wrong(message, name)
    return value


def position_of(message: Message) -> Position:
    """Its `offset` and `epoch`."""
    return Position(int_of(message, "offset"), text_of(message, "epoch"))


def publication_of(message: Message, channel: str | None = None, epoch: str | None = None) -> Publication:
    """A publication, or an entry of a list, which has no channel and perhaps no epoch of its own."""
    if "data" not in message:
        _wrong(message, "data")
    return Publication(
        text_of(message, "channel") if channel is None else channel,
        int_of(message, "offset"),
        text_of(message, "epoch") if epoch is None or "epoch" in message else epoch,
        message["data"],
        int_of(message, "publishedAt"),
        optional_text(message, "publisher"),
    )


def publications_of(message: Message, channel: str, epoch: str) -> tuple[Publication, ...]:
    """Its list of publications, oldest first."""
    return tuple(publication_of(each, channel, epoch) for each in list_of(message, "publications"))


def joined_of(message: Message) -> Joined:
    """The contents of `subscribed`."""
    return Joined(bool_of(message, "recovered"), int_of(message, "offset"), text_of(message, "epoch"))


def welcome_of(message: Message) -> Welcome:
    """A welcome that verified."""
    limits = object_of(message, "limits")
    return Welcome(
        text_of(message, "sessionId"),
        text_of(message, "clientId"),
        text_of(message, "keyId"),
        max(int_of(message, "heartbeatInterval"), 1),
        int_of(message, "heartbeatTimeout"),
        int_of(message, "serverTime"),
        int_of(message, "expiresAt"),
        {name: value for name, value in limits.items() if isinstance(value, (int, float))},
        {text_of(each, "channel"): position_of(each) for each in list_of(message, "subscriptions")},
    )


def published_of(message: Message) -> Published:
    """The answer to a publish."""
    at = position_of(message)
    return Published(text_of(message, "channel"), at.offset, at.epoch, message.get("duplicate") is True)


def validation_of(message: Message) -> Validation:
    """The answer to a validate."""
    return Validation(
        bool_of(message, "valid"),
        text_of(message, "code"),
        text_of(message, "serviceId"),
        optional_text(message, "licenseId"),
        optional_int(message, "expiresAt"),
        optional_int(message, "maxHwids"),
        optional_int(message, "boundHwids"),
    )


def history_of(message: Message, before: int) -> History:
    """The answer to a history. `before`: the offset of an empty list."""
    epoch = text_of(message, "epoch")
    listed = publications_of(message, text_of(message, "channel"), epoch)
    offset = optional_int(message, "offset")
    if offset is None:
        offset = listed[-1].offset if listed else before
    return History(listed, offset, epoch, bool_of(message, "more"))


def _attributes(message: Message) -> Mapping[str, str]:
    return {name: str(value) for name, value in object_of(message, "attributes").items()}


def _member(message: Message) -> Member:
    return Member(text_of(message, "sessionId"), text_of(message, "clientId"), _attributes(message))


def _members(message: Message, name: str) -> tuple[Member, ...]:
    return tuple(_member(each) for each in list_of(message, name))


def presence_of(message: Message) -> Presence:
    """The answer to a presence."""
    return Presence(text_of(message, "channel"), int_of(message, "count"), _members(message, "sessions"))


def presence_change_of(message: Message) -> PresenceChange:
    """A presenceChanged."""
    joined, left = _members(message, "joined"), _members(message, "left")
    return PresenceChange(text_of(message, "channel"), int_of(message, "count"), joined, left)


def _session(message: Message) -> SessionEntry:
    return SessionEntry(
        text_of(message, "sessionId"),
        text_of(message, "clientId"),
        text_of(message, "transport"),
        int_of(message, "openedAt"),
        int_of(message, "lastSeenAt"),
        _attributes(message),
    )


def sessions_of(message: Message) -> SessionList:
    """The answer to a sessions."""
    return SessionList(
        tuple(_session(each) for each in list_of(message, "sessions")), optional_text(message, "next")
    )


def called_error_of(message: Message) -> CalledError | None:
    """The receiver's error in a CALL_FAILED."""
    error = object_of(message, "error")
    if "code" not in error:
        return None
    return CalledError(text_of(error, "code"), optional_text(error, "message") or "")
