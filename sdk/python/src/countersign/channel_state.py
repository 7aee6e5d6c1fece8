"""One channel over all sessions of a client."""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .encode import ABSENT
from .handlers import MAX_BUFFERED, ChannelHandler
from .shapes import Position, Publication


def wire_position(position: Position | None) -> Any:
    """A position as the member of a request."""
    return ABSENT if position is None else {"offset": position.offset, "epoch": position.epoch}


@dataclass
class ChannelState:
    """`position`: of the last delivered or skipped publication. `join_seq`: of the subscribe that joins it."""

    name: str
    position: Position | None = None
    handlers: list[ChannelHandler] = field(default_factory=list)
    is_joined: bool = False
    """Publications are delivered as they arrive; false while a subscribe is open."""
    is_member: bool = False
    """The gateway counts this session as joined."""
    join_seq: int | None = None
    asked_last: bool = False
    buffered: deque[Publication] = field(default_factory=deque)

    @property
    def live(self) -> list[ChannelHandler]:
        """The handlers that follow the channel's own position."""
        return [handler for handler in self.handlers if handler.stage == "live"]

    @property
    def wants_presence(self) -> bool:
        """Whether a handler watches presence."""
        return any(handler.wants_presence for handler in self.handlers)

    def by_request(self, re: int) -> ChannelHandler | None:
        """The handler whose own subscribe has this `seq`."""
        return next((handler for handler in self.handlers if handler.request_seq == re), None)

    def keep(self, publication: Publication) -> None:
        """Buffers a publication that arrives while a join is pending."""
        if len(self.buffered) < MAX_BUFFERED:
            self.buffered.append(publication)

    def join_members(self) -> dict[str, Any]:
        """The members of the subscribe that joins the channel for all its handlers."""
        members: dict[str, Any] = {"channel": self.name, "recover": wire_position(self.position)}
        wanted = [handler.last for handler in self.live if handler.last is not None]
        self.asked_last = self.position is None and bool(wanted)
        if self.asked_last:
            members["last"] = max(wanted)
        else:
            for handler in [each for each in self.live if each.last is not None]:
                handler.fall_behind()
        if self.wants_presence:
            members["presence"] = True
        return members

    def catch_up_members(self, handler: ChannelHandler) -> dict[str, Any]:
        """The members of the subscribe of one handler, which is legal on a joined channel."""
        members: dict[str, Any] = {"channel": self.name}
        if handler.last is not None:
            members["last"] = handler.last
        else:
            members["recover"] = wire_position(handler.cursor or self.position)
        if self.wants_presence:
            members["presence"] = True
        return members

    def leave(self) -> None:
        """The session has ended."""
        self.is_joined = self.is_member = False
        self.join_seq = None
        self.buffered.clear()
        for handler in self.handlers:
            if handler.stage == "catching":
                handler.fall_behind()

    def rewind(self) -> None:
        """A new session: the channel is joined again from the lowest position of its handlers."""
        self.leave()
        for handler in self.handlers:
            at, cursor = self.position, handler.cursor
            if handler.is_full or handler.last is not None or at is None or cursor is None:
                continue
            if cursor.epoch == at.epoch:
                self.position = min(at, cursor, key=lambda each: each.offset)
                handler.stage = "live"
