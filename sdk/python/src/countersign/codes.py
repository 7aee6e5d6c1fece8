"""The effect of a signed error on the session (PROTOCOL §5.3, rows 4 to 7; §7.3)."""
from __future__ import annotations

_STOPPING = frozenset(
    {
        "AUTHENTICATION_FAILED",
        "UNSUPPORTED_PROTOCOL",
        "PROTOCOL_ERROR",
        "SESSION_REVOKED",
        "CHALLENGE_FAILED",
        "FRAME_TOO_LARGE",
    }
)
_RENEWING = frozenset(
    {
        "INTERNAL",
        "SIGNATURE_INVALID",
        "HEARTBEAT_LOST",
        "SEQUENCE_INVALID",
        "SESSION_EXPIRED",
        "SLOW_CONSUMER",
        "DRAINING",
        "UNAVAILABLE",
        "RATE_LIMITED",
    }
)
_WITHOUT_END = frozenset({"UNAVAILABLE", "RATE_LIMITED"})


def stops(code: str) -> bool:
    """Whether reconnecting cannot help: class 44xx."""
    return code in _STOPPING


def is_answer(code: str, re: int | None) -> bool:
    """Whether an error fails one request, and the session goes on."""
    return re is not None and (code in _WITHOUT_END or code not in _STOPPING | _RENEWING)
