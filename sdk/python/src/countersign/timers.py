"""Named timers on the event loop's clock."""
from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """A few timers by name. Setting one again replaces it."""

    def __init__(self) -> None:
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def set(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        """Calls after a delay."""
        self.clear(name)

        def run() -> None:
            del self._handles[name]
            call()

        self._handles[name] = asyncio.get_running_loop().call_later(seconds, run)

    def has(self, name: str) -> bool:
        """Whether the timer is set."""
        return name in self._handles

    def clear(self, *names: str) -> None:
        """Without names: all timers."""
        for name in names or tuple(self._handles):
            handle = self._handles.pop(name, None)
            if handle is not None:
                handle.cancel()
