"""The client's environment, except the clock, which is the event loop's. Tests provide their own."""
from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from .sockets import OpenSocket
from .transport import WebSocketTransport


def _nonce() -> str:
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class Platform:
    """`random`: from 0 to 1, for jitter. `nonce`: 22 random base64url characters."""

    open_socket: OpenSocket = WebSocketTransport
    random: Callable[[], float] = random.random
    nonce: Callable[[], str] = _nonce
