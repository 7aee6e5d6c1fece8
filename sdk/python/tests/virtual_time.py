"""An event loop whose clock jumps to the next timer when nothing else is left to do, so that no test waits."""
from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

LIMIT = 1_000_000.0
"""Seconds of virtual time in one test."""


class _Selector(selectors.SelectSelector):
    """Reports what is ready, and moves the clock instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            if timeout is None:
                raise AssertionError("the test waits for something that never happens")
            self.now += timeout
            if self.now > LIMIT:
                raise AssertionError("the test does not end")
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop with that clock."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds since the test began."""
        return self._virtual.now


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test method on a virtual clock. A failure of the client's own code that nobody sees fails the test too."""

    @functools.wraps(test)
    def run(self: Any) -> None:
        faults: list[dict[str, Any]] = []

        async def guarded() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
            await test(self)

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(guarded())
        self.assertEqual(faults, [])

    return run


async def settle() -> None:
    """Lets everything run that needs no time."""
    for _ in range(50):
        await asyncio.sleep(0)


async def advance(seconds: float) -> None:
    """Moves the clock."""
    await asyncio.sleep(seconds)
    await settle()


def now() -> float:
    """The virtual clock."""
    return asyncio.get_running_loop().time()
