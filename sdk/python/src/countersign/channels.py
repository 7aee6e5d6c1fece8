"""Messages about channels: publications, and the answers to subscribes (PROTOCOL §10.3, §10.4)."""
from __future__ import annotations

from .channel_joins import ChannelJoins, refusal_of
from .channel_state import ChannelState
from .errors import RequestError
from .event_shapes import Missed, Subscribed
from .handlers import ChannelHandler, is_after, is_next, position_after
from .parse import (
    Message,
    int_of,
    joined_of,
    presence_change_of,
    publication_of,
    publications_of,
    text_of,
)
from .shapes import Joined, Position, Publication

RETRY = 1.0
"""Seconds before a refused subscribe is repeated if the gateway names none."""
_TEMPORARY = frozenset({"UNAVAILABLE", "RATE_LIMITED"})


class Channels(ChannelJoins):
    """Joins channels again in each session, delivers each publication once and in order, and recovers losses."""

    # ── Messages ───────────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, message: Message) -> None:
        """A message of a channel. Raises ProtocolFault."""
        state = self._channels.get(text_of(message, "channel"))
        if state is None:
            return
        if message["type"] == "publication":
            self._receive(state, publication_of(message))
        elif message["type"] == "subscribed":
            self._subscribed(state, message)
        elif message["type"] == "presenceChanged":
            change = presence_change_of(message)
            for handler in state.handlers:
                handler.presence_changed(change)
        elif message.get("code") != "INSUFFICIENT_STATE":
            self._drop(state, refusal_of(state.name, text_of(message, "code")))
        else:
            state.is_member = False
            if state.join_seq is None:
                self._join(state)

    def _receive(self, state: ChannelState, publication: Publication) -> None:
        """Delivers the next publication and drops an old one. Any other proves a gap (PROTOCOL §10.4)."""
        if not state.is_joined:
            state.keep(publication)
        elif not is_after(state.position, publication):
            for handler in tuple(state.handlers):
                handler.accept(publication)
        elif is_next(state.position, publication):
            previous, state.position = state.position, position_after(publication)
            for handler in tuple(state.handlers):
                handler.accept(publication)
            if not state.handlers:
                self._host.emit("direct", publication, lambda: setattr(state, "position", previous))
        else:
            self._join(state)
            state.keep(publication)

    def _subscribed(self, state: ChannelState, message: Message) -> None:
        joined, re = joined_of(message), int_of(message, "re")
        publications = publications_of(message, state.name, joined.epoch)
        if re != state.join_seq:
            handler = state.by_request(re)
            if handler is not None:
                self._caught_up(state, handler, joined, publications)
            return
        state.join_seq = None
        previous, at = state.position, Position(joined.offset, joined.epoch)
        if not joined.recovered:
            state.position = at
        state.is_joined = state.is_member = True
        self._host.emit("subscribed", Subscribed(state.name, joined.offset, joined.epoch, joined.recovered))
        if previous is not None and not joined.recovered:
            self._host.emit("missed", Missed(state.name))
        for each in state.live:
            if state.asked_last and each.last is not None:
                each.join_last(joined, publications)
            else:
                each.join(joined)
        self._deliver_kept(state, joined, () if state.asked_last else publications)
        self._catch_up_all(state)

    def _deliver_kept(self, state: ChannelState, joined: Joined, publications: tuple[Publication, ...]) -> None:
        kept = tuple(state.buffered)
        state.buffered.clear()
        for each in publications:
            self._receive(state, each)
        for each in kept:
            # After a recovery all publications follow in order, so one behind a gap is delivered again (PROTOCOL §10.3).
            if not joined.recovered or is_next(state.position, each):
                self._receive(state, each)

    def _caught_up(
        self, state: ChannelState, handler: ChannelHandler, joined: Joined, publications: tuple[Publication, ...]
    ) -> None:
        if not joined.recovered and handler.last is None:
            self._host.emit("missed", Missed(state.name))
        handler.caught_up(joined, publications)
        at = state.position
        if not joined.recovered and at is not None and (at.epoch != joined.epoch or at.offset < joined.offset):
            # The gateway continues after the answer's position: the other handlers recover the publications in between.
            self._join(state)
        self._catch_up_all(state)

    # ── Refusals ───────────────────────────────────────────────────────────────────────────────────────────────────

    def on_refused(self, re: int, code: str, message: str, retry_after: float | None) -> bool:
        """An error answers the request `re`. Returns whether that was a subscribe."""
        for state in self._channels.values():
            handler = state.by_request(re)
            if state.join_seq != re and handler is None:
                continue
            if handler is not None:
                handler.fall_behind()
            else:
                state.join_seq = None
            if code in _TEMPORARY:
                self._host.later(f"join:{state.name}", retry_after or RETRY, lambda: self._retry(state.name))
            elif handler is not None:
                self._refuse(state, [handler], refusal_of(state.name, code, message))
            else:
                self._refuse_join(state, refusal_of(state.name, code, message))
            return True
        return False

    def _retry(self, name: str) -> None:
        state = self._channels.get(name)
        if state is None:
            return
        if state.is_joined:
            self._catch_up_all(state)
        elif state.join_seq is None:
            self._join(state)

    def _refuse_join(self, state: ChannelState, error: RequestError) -> None:
        asking = [handler for handler in state.handlers if handler.wants_presence]
        if not asking or len(asking) == len(state.handlers):
            self._drop(state, error, is_member=state.is_member)
            return
        # Only the presence may be refused: the others join without it.
        self._refuse(state, asking, error)
        self._join(state)
