"""Timeouts in seconds, and the delays between connection attempts."""
from __future__ import annotations

HEARTBEAT_ANSWER = 10.0
"""Without a verified frame for this time after a heartbeat the client reconnects (PROTOCOL §6.1)."""
PROBE_ANSWER = 5.0
"""The same after a heartbeat that `reconnect()` sent."""
HANDSHAKE = 10.0
"""From opening a socket to a verified welcome (PROTOCOL §4.5)."""
STALE_ATTEMPT = 2.0
"""An attempt of this age is given up by `reconnect()` at once: it may hang in a network that is gone."""
STABLE_SESSION = 10.0
"""A session that lasted this time counts as stable."""
LAST_REQUESTS = 5.0
"""Time for a closed client to send accepted messages."""
BYE = 2.0
"""Time for which a closed client waits for the answer to its `bye`."""
SOCKET_CLOSE = 0.5
"""Time for which a closed client waits for its socket after `bye` was answered."""
RETIRE = 30.0
"""Life of a replaced session whose handlers still answer calls: the longest time of a call."""
CREDENTIAL = 15.0
REQUEST = 10.0
CALL_MIN, CALL_MAX = 0.1, 30.0
"""Bounds of the receiver's time for a call."""
CALL_GRACE = 3.0
"""Extra time for the gateway's answer to a call (PROTOCOL: at most 2 s), and its way here."""
WAKE_SPREAD = 1.0
"""Spread of clients that are woken at the same moment."""

_RENEW_BEFORE = 60.0
_RENEW_SHARE = 0.25
_BACKOFF_BASE = 0.5
_BACKOFF_CAP = 20.0
_HINT_CAP = 60.0
"""Bound of a hint of the gateway, which anyone on the network path can forge."""


def renew_after(life: float) -> float:
    """From a welcome to the opening of the next session (PROTOCOL §4.5). `life`: of the session, in seconds."""
    return life - min(_RENEW_BEFORE, life * _RENEW_SHARE)


def backoff(failures: int, random: float, hinted: float = 0.0) -> float:
    """Seconds before the next attempt, with full jitter (PROTOCOL §5.3).

    `failures`: in a row, from 1. `random`: from 0 to 1. `hinted`: seconds requested by the gateway.
    """
    longest = min(_BACKOFF_CAP, _BACKOFF_BASE * 2.0 ** min(failures - 1, 16))
    return max(float(random * longest), min(hinted, _HINT_CAP))
