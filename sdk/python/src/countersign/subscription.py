"""A channel that a client keeps joined."""
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from .handlers import ChannelHandler
from .shapes import Joined, Position


class Subscription:
    """Awaiting it waits until the channel is joined, at most the client's `request_timeout`, and returns it."""

    def __init__(
        self, handler: ChannelHandler, leave: Callable[[], None], joined: Callable[[], Awaitable[None]]
    ) -> None:
        self._handler = handler
        self._leave = leave
        self._joined = joined

    @property
    def channel(self) -> str:
        """Its name."""
        return self._handler.channel

    @property
    def ready(self) -> Awaitable[Joined]:
        """Resolves when the channel is joined for the first time. Raises RequestError if it is refused."""
        ready = asyncio.shield(self._handler.ready)
        # The application may ignore it.
        ready.add_done_callback(lambda each: each.cancelled() or each.exception())
        return ready

    @property
    def position(self) -> Position | None:
        """The position of the last publication passed to the handler; None before the first join."""
        return self._handler.position

    def unsubscribe(self) -> None:
        """Removes the handler, even for publications that have arrived. The last handler leaves the channel."""
        self._leave()

    def __await__(self) -> Generator[Any, None, Subscription]:
        async def wait() -> Subscription:
            await self._joined()
            return self

        return wait().__await__()
