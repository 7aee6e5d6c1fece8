"""The channels that a client has joined, or is joining, over all its sessions (PROTOCOL §10.3)."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .channel_state import ChannelState
from .errors import RequestError
from .event_shapes import Unsubscribed
from .handlers import ChannelHandler
from .shapes import Joined, Position


@dataclass(frozen=True)
class ChannelsHost:
    """`send`: sends a message in the current session and returns its `seq`, None without one. `denied`: a channel was
    refused permanently. `later`: calls after seconds, by a name. `emit`: an event, its value, and a callback that runs
    instead if the client was closed."""

    send: Callable[[str, Mapping[str, Any]], int | None]
    emit: Callable[..., None]
    denied: Callable[[str], None]
    later: Callable[[str, float, Callable[[], None]], None]


def refusal_of(channel: str, code: str, message: str = "") -> RequestError:
    """Why a channel is refused. An `unsubscribed` has no message."""
    return RequestError(code, f"{code} for channel {channel}{message and f': {message}'}")


class ChannelJoins:
    """The subscriptions of a client, and the subscribes that keep their channels joined."""

    def __init__(self, host: ChannelsHost) -> None:
        self._host = host
        self._channels: dict[str, ChannelState] = {}
        self._own: Mapping[str, Position] = {}
        """The channels that the gateway joins at the start of the session."""

    # ── Subscriptions ──────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, handler: ChannelHandler) -> None:
        """A new subscription."""
        state = self._channels.get(handler.channel)
        if state is None:
            state = self._channels[handler.channel] = ChannelState(handler.channel, handler.cursor)
            state.handlers.append(handler)
            self._join(state)
            return
        state.handlers.append(handler)
        is_pending = not state.is_joined and state.join_seq is None
        if is_pending and state.position is None:
            state.position = handler.cursor
        elif handler.cursor is not None or handler.last is not None or handler.wants_presence:
            handler.fall_behind()
            self.behind(handler)
        elif state.is_joined and state.position is not None:
            handler.join(Joined(False, state.position.offset, state.position.epoch))

    def refuse(self, handler: ChannelHandler, error: RequestError) -> None:
        """A subscription that the gateway would refuse."""
        handler.stop(error)
        self._host.denied(refusal_of(handler.channel, error.code, error.message).message)

    def remove(self, handler: ChannelHandler) -> None:
        """The channel is left with its last handler."""
        if not handler.is_active:
            return
        handler.stop(RequestError("CLOSED", f"unsubscribed from {handler.channel}"))
        self._forget(handler)

    def _forget(self, handler: ChannelHandler) -> None:
        state = self._channels.get(handler.channel)
        if state is None or handler not in state.handlers:
            return
        state.handlers.remove(handler)
        if not state.handlers and state.name not in self._own:
            del self._channels[state.name]
            self._host.send("unsubscribe", {"channel": state.name})

    def suspend(self) -> None:
        """The session has ended."""
        for state in self._channels.values():
            state.leave()

    def close(self, error: RequestError) -> None:
        """The client was closed. Pending joins fail; the channels are joined again after the next `connect`."""
        self.suspend()
        for state in self._channels.values():
            for handler in state.handlers:
                handler.fail(error)
                handler.pause()

    # ── Joining ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _join(self, state: ChannelState) -> None:
        state.is_joined = False
        state.join_seq = self._host.send("subscribe", state.join_members())

    def behind(self, handler: ChannelHandler) -> None:
        """A handler needs publications from before its channel's position. A slow one first works off its queue."""
        state = self._channels.get(handler.channel)
        if state is None or not state.is_joined or handler.stage != "waiting" or handler.is_full:
            return
        if handler.last is None:
            handler.cursor = handler.cursor or state.position
        seq = self._host.send("subscribe", state.catch_up_members(handler))
        if seq is not None:
            handler.catch_up(seq)

    def _catch_up_all(self, state: ChannelState) -> None:
        for handler in tuple(state.handlers):
            self.behind(handler)

    def restart(self, own: Mapping[str, Position]) -> None:
        """Joins all channels in a new session, each from its last position. `own`: those that are joined already."""
        left, self._own = self._own, own
        for name in left:
            if name not in own and name in self._channels:
                self._leave_own(self._channels[name])
        for state in self._channels.values():
            state.rewind()
        for name, position in own.items():
            state = self._channels.setdefault(name, ChannelState(name, position))
            state.position = state.position or position
            state.is_joined = state.position == position
            if state.is_joined:
                self._enter_own(state, position)
        self.join_pending()

    def _enter_own(self, state: ChannelState, position: Position) -> None:
        for handler in state.live:
            if handler.last is not None or handler.wants_presence:
                handler.fall_behind()
            else:
                handler.join(Joined(True, position.offset, position.epoch))

    def _leave_own(self, state: ChannelState) -> None:
        """An own channel of another session, or of another client: only its owner may join it."""
        if state.handlers:
            self._drop(state, refusal_of(state.name, "PERMISSION_DENIED"), is_reported=False)
        else:
            del self._channels[state.name]

    def join_pending(self) -> None:
        """Joins the channels that are neither joined nor pending."""
        for state in tuple(self._channels.values()):
            if state.is_joined:
                self._catch_up_all(state)
            elif state.join_seq is None:
                self._join(state)

    # ── Leaving ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _refuse(self, state: ChannelState, handlers: list[ChannelHandler], error: RequestError) -> None:
        for handler in handlers:
            handler.stop(error)
            self._forget(handler)
        self._host.emit("unsubscribed", Unsubscribed(state.name, error.code))
        self._host.denied(error.message)

    def _drop(
        self, state: ChannelState, error: RequestError, *, is_member: bool = False, is_reported: bool = True
    ) -> None:
        """Counts a channel as left. `is_member`: the gateway still counts it as joined."""
        del self._channels[state.name]
        if is_member:
            self._host.send("unsubscribe", {"channel": state.name})
        for handler in state.handlers:
            handler.stop(error)
        self._host.emit("unsubscribed", Unsubscribed(state.name, error.code))
        if is_reported:
            self._host.denied(error.message)
