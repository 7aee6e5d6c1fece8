"""One handler of a channel: its position, and how it catches up with its channel."""
from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .errors import RequestError
from .mailbox import MAX_WAITING, Mailbox
from .shapes import Joined, Position, PresenceChange, Publication

MAX_BUFFERED = 1024
"""Publications buffered while a join is pending. The next recovery delivers dropped ones."""


def position_after(publication: Publication) -> Position:
    """The position of a publication."""
    return Position(publication.offset, publication.epoch)


def is_after(position: Position | None, publication: Publication) -> bool:
    """Whether a publication is new at a position."""
    return position is None or position.epoch != publication.epoch or publication.offset > position.offset


def is_next(position: Position | None, publication: Publication) -> bool:
    """Whether a publication follows a position without a gap."""
    if position is None:
        return False
    return position.epoch == publication.epoch and publication.offset == position.offset + 1


@dataclass(frozen=True)
class Wanted:
    """The request of a handler: everything after a position, or the newest publications; and changes of presence."""

    recover: Position | None = None
    last: int | None = None
    presence: bool = False
    on_presence: Callable[[PresenceChange], Any] | None = None


@dataclass(frozen=True)
class HandlerHost:
    """`dispatch`: queues an application's call. `fault`: reports its exception. `behind`: a handler must catch up."""

    dispatch: Callable[[Callable[[], None]], None]
    fault: Callable[[BaseException, str], None]
    behind: Callable[["ChannelHandler"], None]


class ChannelHandler:
    """`stage`: `live`; `waiting` for a subscribe of its own, as its cursor is not its channel's; `catching` up with one."""

    def __init__(
        self, host: HandlerHost, channel: str, handler: Callable[[Publication], Any], wanted: Wanted
    ) -> None:
        self._host = host
        self.channel = channel
        self._handler = handler
        self._mailbox: Mailbox[Publication] = Mailbox(self._call, self._fault)
        self._presence = Mailbox(wanted.on_presence, self._fault) if wanted.on_presence is not None else None
        self.wants_presence = wanted.presence
        self.last = wanted.last
        self.cursor = wanted.recover
        """The position up to which publications are queued for the handler."""
        self.position = wanted.recover
        """The position of the last publication passed to the handler."""
        self.stage: Literal["live", "waiting", "catching"] = "live"
        self.request_seq: int | None = None
        self.is_active = True
        self._queued = 0
        self._buffered: deque[Publication] = deque()
        self._has_overrun = False
        self.ready: asyncio.Future[Joined] = asyncio.get_running_loop().create_future()
        # The application may ignore `ready`.
        self.ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())

    @property
    def is_full(self) -> bool:
        """Whether it is too slow to queue more."""
        return self._queued >= MAX_WAITING

    def accept(self, publication: Publication) -> None:
        """A publication of the channel. Publications that the handler has already received are dropped."""
        if self.stage == "catching":
            if len(self._buffered) < MAX_BUFFERED:
                self._buffered.append(publication)
            else:
                self._has_overrun = True
        elif self.stage == "live" and is_after(self.cursor, publication):
            if self.cursor is not None and not is_next(self.cursor, publication) or self.is_full:
                self.fall_behind()
                self._host.behind(self)
            else:
                self._deliver(publication)

    def fall_behind(self) -> None:
        """It needs a subscribe of its own. The answer includes publications that arrive until then."""
        self.stage = "waiting"
        self.request_seq = None

    def catch_up(self, seq: int) -> None:
        """Its subscribe was sent."""
        self.stage, self.request_seq = "catching", seq
        self._buffered.clear()
        self._has_overrun = False

    def caught_up(self, joined: Joined, publications: tuple[Publication, ...]) -> None:
        """The answer to its own subscribe."""
        buffered = tuple(self._buffered)
        self._buffered.clear()
        self.stage, self.request_seq = "live", None
        if self.last is not None:
            self.join_last(joined, publications)
        else:
            if not joined.recovered:
                self._skip(joined, buffered)
            self._resolve(joined)
            for each in publications:
                if is_next(self.cursor, each):
                    self._deliver(each)
        for each in buffered:
            if is_next(self.cursor, each):
                self._deliver(each)
        if self._has_overrun:
            self.fall_behind()

    def _skip(self, joined: Joined, buffered: tuple[Publication, ...]) -> None:
        """Nothing was recovered: continues with the publications since."""
        target = Position(joined.offset, joined.epoch)
        if buffered and buffered[0].epoch == target.epoch and buffered[0].offset <= target.offset:
            target = Position(buffered[0].offset - 1, target.epoch)
        self._move_to(target)

    def join(self, joined: Joined) -> None:
        """The channel was joined. Publications that could not be recovered are skipped."""
        if self.cursor is None or not joined.recovered:
            self._move_to(Position(joined.offset, joined.epoch))
        self._resolve(joined)

    def join_last(self, joined: Joined, publications: tuple[Publication, ...]) -> None:
        """The channel was joined with its newest publications."""
        wanted = publications[-self.last :] if self.last is not None else ()
        self.last = None
        self._resolve(joined)
        if wanted and self.position is None:
            self.position = Position(wanted[0].offset - 1, wanted[0].epoch)
        for each in wanted:
            if is_after(self.cursor, each):
                self._deliver(each)
        at = Position(joined.offset, joined.epoch)
        if self.cursor != at:
            self._move_to(at)

    def presence_changed(self, change: PresenceChange) -> None:
        """Sessions joined and left the channel."""
        presence = self._presence
        if presence is not None:
            self._host.dispatch(lambda: presence.put(change) if self.is_active else None)

    def _move_to(self, position: Position) -> None:
        self.cursor = position

        def move() -> None:
            self.position = position

        if self._queued == 0:
            move()
        else:
            self._host.dispatch(move)

    def _resolve(self, joined: Joined) -> None:
        if not self.ready.done():
            self.ready.set_result(joined)

    def _deliver(self, publication: Publication) -> None:
        self.cursor = position_after(publication)
        self._queued += 1
        self._host.dispatch(lambda: self._mailbox.put(publication))

    def _call(self, publication: Publication) -> Any:
        self._queued -= 1
        if not self.is_active:
            return None
        if self._queued == 0 and self.stage == "waiting":
            self._host.behind(self)
        self.position = position_after(publication)
        return self._handler(publication)

    def _fault(self, error: BaseException) -> None:
        self._host.fault(error, f"channel:{self.channel}")

    def pause(self) -> None:
        """The client was closed: drops the queue, which is recovered after the next `connect`."""
        self._mailbox.clear()
        if self._queued > 0:
            self._queued = 0
            self.cursor = self.position

    def stop(self, error: RequestError) -> None:
        """It does not run again."""
        self.is_active = False
        self._mailbox.clear()
        if self._presence is not None:
            self._presence.clear()
        self.fail(error)

    def fail(self, error: RequestError) -> None:
        """Rejects `ready`, unless it is settled."""
        if not self.ready.done():
            self.ready.set_exception(error)
