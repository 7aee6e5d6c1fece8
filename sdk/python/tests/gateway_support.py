"""What tests against a real gateway wait for."""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from countersign import Client

LIMIT = 10
"""Seconds that a test waits for something."""


class Received:
    """What a handler received."""

    def __init__(self) -> None:
        self.data: list[Any] = []
        self._arrived = asyncio.Event()

    def __call__(self, received: Any) -> None:
        self.data.append(getattr(received, "data", received))
        self._arrived.set()

    async def until(self, count: int) -> list[Any]:
        """Waits for that number of values."""
        async with asyncio.timeout(LIMIT):
            while len(self.data) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.data


async def event(client: Client, name: Any, act: Callable[[], Any] = lambda: None) -> Any:
    """Waits for one event, after doing something that leads to it."""
    happened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    client.once(name, happened.set_result)
    act()
    async with asyncio.timeout(LIMIT * 3):
        return await happened
