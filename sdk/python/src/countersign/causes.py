"""Failures of attempts: the reported causes, and the number of successive failures."""
from __future__ import annotations

from typing import Literal

FailureKind = Literal["credential", "network", "refused", "renewal", "session"]
"""The kind of failure. Each kind has its own delays, so that one never slows down another."""

MAX_CAUSES = 32
"""Causes that are remembered. A cause with an ever-changing text is reported at most this number of times."""


class Causes:
    """Causes of failures, each reported once until a session was opened."""

    def __init__(self) -> None:
        self._reported: set[str] = set()

    def is_new(self, cause: str) -> bool:
        """Whether to report the cause now."""
        if cause in self._reported or len(self._reported) >= MAX_CAUSES:
            return False
        self._reported.add(cause)
        return True

    def clear(self) -> None:
        """A session was opened: a cause that returns is reported again."""
        self._reported.clear()


class Failures:
    """Counts failures by their kind."""

    def __init__(self) -> None:
        self._failures: dict[FailureKind, int] = {}
        self.tries = 0
        """Failed attempts since the last session."""

    def add(self, kind: FailureKind) -> int:
        """The successive failures of this kind, including this one."""
        self._failures[kind] = self._failures.get(kind, 0) + 1
        if kind != "session":
            self.tries += 1
        return self._failures[kind]

    def session_opened(self) -> None:
        """A session was opened. Until it is stable, sessions that end at once still count as failures."""
        self.tries = 0
        self._failures = {kind: count for kind, count in self._failures.items() if kind == "session"}

    def session_lasted(self) -> None:
        """The session is stable."""
        self._failures.pop("session", None)
