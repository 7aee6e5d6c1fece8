"""Joining channels, and answering calls."""
from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from .channel_joins import ChannelsHost
from .channels import Channels
from .checks import METHOD
from .encode import Limits, encode_request
from .errors import RequestError, invalid
from .handlers import ChannelHandler, HandlerHost, Wanted
from .served_calls import CallHandlers, Handler
from .shapes import Position, PresenceChange, Publication
from .subscription import Subscription
from .verbs import PositionLike, Verbs, position_from


class ChannelVerbs(Verbs):
    """The state of a client over all its sessions: channels that stay joined, and handlers of calls."""

    def __init__(self) -> None:
        super().__init__()
        self._limits: Limits | None = None
        """Describes the last session."""
        self._handlers = CallHandlers(self._fault)
        self._channels = Channels(ChannelsHost(self._send, self._emit, self._denied, self._later))
        self._handler_host = HandlerHost(self._dispatcher.push, self._fault, self._channels.behind)

    @property
    @abstractmethod
    def _cause(self) -> str | None:
        """Why there is no session; None if there is one."""

    @abstractmethod
    def _send(self, type_: str, members: Mapping[str, Any]) -> int | None:
        """Sends a message of a channel. Returns its `seq`; None without a session."""

    @abstractmethod
    def _denied(self, reason: str) -> None:
        """A channel was refused permanently."""

    @abstractmethod
    def _later(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        """Calls after a delay, unless the client is closed by then."""

    def subscribe(
        self,
        channel: str,
        handler: Callable[[Publication], Any],
        *,
        recover: PositionLike | None = None,
        last: int | None = None,
        presence: bool = False,
        on_presence: Callable[[PresenceChange], Any] | None = None,
    ) -> Subscription:
        """Joins a channel and keeps it joined across reconnects.

        `handler`, a function or coroutine function, is called once for each publication, in order, with one at a time. A
        channel may have several handlers; it is left with the last one. The event `missed` reports publications that are
        lost. `recover`: a position saved earlier; later publications are delivered. `last`: deliver that number
        of the newest publications first, 1 to 512; not together with `recover`. `on_presence` is called when sessions join or leave; it
        implies `presence`. `await client.subscribe(…)` waits until the channel is joined; need not be awaited.

        Never raises for an invalid request: `ready` does.
        """
        if not callable(handler) or not (on_presence is None or callable(on_presence)):
            raise TypeError("subscribe: handler and on_presence must be callable")
        members: dict[str, Any] = {"channel": channel}
        if recover is not None:
            members["recover"] = position_from(recover)
        if last is not None:
            members["last"] = last
        if presence or on_presence is not None:
            members["presence"] = True
        refusal = self._refusal_of(members)
        at = None if refusal or recover is None else Position(members["recover"]["offset"], members["recover"]["epoch"])
        wanted = Wanted(at, None if refusal else last, "presence" in members, on_presence)
        added = ChannelHandler(self._handler_host, str(channel), handler, wanted)
        if refusal is None:
            self._channels.add(added)
        else:
            self._channels.refuse(added, refusal)
        return Subscription(added, lambda: self._channels.remove(added), lambda: self._joined(added))

    def _refusal_of(self, members: Mapping[str, Any]) -> RequestError | None:
        try:
            if "recover" in members and "last" in members:
                raise invalid("last", "not together with recover")
            encode_request("subscribe", members, self._limits)
        except RequestError as error:
            return error
        return None

    async def _joined(self, handler: ChannelHandler) -> None:
        await asyncio.wait({handler.ready}, timeout=self._request_timeout)
        if not handler.ready.done():
            cause = self._cause or "no answer"
            within = f"within {self._request_timeout:g} s"
            raise RequestError("TIMEOUT", f"{handler.channel} was not joined {within}: {cause}", outcome="unknown")
        handler.ready.result()

    def handle(self, method: str, handler: Handler) -> Callable[[], None]:
        """Answers the calls of other sessions to a method, replacing an earlier handler. Returns its remover.

        `handler(data, info)`, a function or coroutine function, runs once for each call; its result is the answer. An
        exception becomes the error code HANDLER_FAILED, or its own `code` if it has one, such as a CallError.
        `info`: CallInfo. Raises RequestError for a malformed method.
        """
        if not METHOD(method):
            raise invalid("method", 'expected 1 to 64 of letters, digits, "_", ".", ":", "-"')
        if not callable(handler):
            raise TypeError("handle: the handler must be callable")
        return self._handlers.add(method, handler)
