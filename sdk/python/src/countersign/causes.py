"""Failures of attempts: which causes were reported, and how many failures came in a row."""
from __future__ import annotations

from typing import Literal

FailureKind = Literal["credential", "network", "refused", "renewal", "session"]
"""What failed. Each kind has its own delays, so that one never makes another slower."""

MAX_CAUSES = 32
"""Causes that are remembered. A cause whose text always differs is reported as many times at most."""


class Causes:
    """Causes of failures, each reported once until a session was opened."""

    def __init__(self) -> None:
        self._reported: set[str] = set()

    def is_new(self, cause: str) -> bool:
        """Whether the cause is to be reported now."""
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
        """The failures of this kind in a row, this one included."""
        self._failures[kind] = self._failures.get(kind, 0) + 1
        if kind != "session":
            self.tries += 1
        return self._failures[kind]

    def session_opened(self) -> None:
        """Until the session has lasted, sessions that end at once still count."""
        self.tries = 0
        self._failures = {kind: count for kind, count in self._failures.items() if kind == "session"}

    def session_lasted(self) -> None:
        """The session is stable."""
        self._failures.pop("session", None)
