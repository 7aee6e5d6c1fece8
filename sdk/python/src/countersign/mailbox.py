"""Calls a function of the application with one value after another, so that it can neither break nor block the client."""
from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from .tasks import start

T = TypeVar("T")
Report = Callable[[BaseException], None]

MAX_WAITING = 2048
"""Values that wait while an asynchronous function works on an earlier one; more than one recovery delivers at once."""


class Overflow(Exception):
    """A function of the application is too slow."""


class Mailbox(Generic[T]):
    """The values for one function, in order. A coroutine function works on one value at a time.

    Exceptions of the function are passed to `report` and have no other effect.
    """

    def __init__(self, function: Callable[[T], Any], report: Report) -> None:
        self.function = function
        self._report = report
        self._waiting: deque[T] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_overflowing = False

    def put(self, value: T) -> None:
        """Calls the function now, or after the previous values."""
        if self._task is None:
            result = self._start(value)
            if result is not None:
                self._task = start(self._serve(result))
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(value)
        elif not self._is_overflowing:
            self._is_overflowing = True
            self._report(Overflow(f"{MAX_WAITING:,} values wait for it; newer ones are dropped"))

    def clear(self) -> None:
        """Drops waiting values."""
        self._waiting.clear()

    def _start(self, value: T) -> Awaitable[Any] | None:
        try:
            result = self.function(value)
        except (Exception, asyncio.CancelledError) as error:
            self._report(error)
            return None
        return result if inspect.isawaitable(result) else None

    async def _serve(self, result: Awaitable[Any] | None) -> None:
        try:
            while result is not None:
                try:
                    await result
                except Exception as error:
                    self._report(error)
                except asyncio.CancelledError as error:
                    task = asyncio.current_task()
                    if task is not None and task.cancelling() > 0:
                        raise
                    self._report(error)
                result = None
                while self._waiting and result is None:
                    result = self._start(self._waiting.popleft())
                self._is_overflowing = False
        finally:
            self._task = None
