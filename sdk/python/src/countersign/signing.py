"""Signatures and session keys (PROTOCOL §2.1, §4.3)."""
from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

from .errors import ProtocolFault

PROTOCOL = "countersign.v1"
TAIL_BYTES = 80
_TAIL = re.compile(r',"signature":"([0-9a-f]{64})"\}')
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256, all 32 bytes."""
    return hmac.digest(key, data, "sha256")


@dataclass(frozen=True, repr=False)
class SessionKeys:
    """Both keys of a session, 32 raw bytes each, and the proof for its challenge in hex."""

    client_key: bytes
    server_key: bytes
    challenge_signature: str


def require_token(token: object) -> str:
    """PROTOCOL §4.1: only challenge tokens are signed, so a fake gateway cannot obtain other signatures.

    Raises ProtocolFault.
    """
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise ProtocolFault("PROTOCOL_ERROR", "challengeToken must be 43 base64url characters")
    return token


def sign_challenge(secret: str, token: str) -> str:
    """The proof that this side holds the secret, in hex. Raises ProtocolFault for anything but a challenge token."""
    return mac(secret.encode(), require_token(token).encode()).hex()


def derive_keys(secret: str, token: str, nonce: str) -> SessionKeys:
    """The keys of the session that a handshake opens. Raises ProtocolFault for anything but a challenge token."""
    proof = sign_challenge(secret, token)

    def key(side: str) -> bytes:
        return mac(secret.encode(), f"{PROTOCOL}:{side}:{token}:{nonce}".encode())

    return SessionKeys(key("client"), key("server"), proof)


def sign(key: bytes, text: str) -> str:
    """The frame of a message: its JSON text with the tail in place of the last brace."""
    return f'{text[:-1]},"signature":"{mac(key, text.encode()).hex()}"}}'


def verify(key: bytes, frame: str) -> str:
    """The signed text of a frame, not yet decoded. Raises ProtocolFault."""
    # A tail is ASCII, so its last 80 characters are its last 80 bytes.
    tail = _TAIL.fullmatch(frame, max(0, len(frame) - TAIL_BYTES))
    if tail is None or tail.start() < 2:
        raise ProtocolFault("PROTOCOL_ERROR", "the frame does not end with a signature")
    text = frame[: tail.start()] + "}"
    try:
        signed = text.encode()
    except UnicodeEncodeError:
        raise ProtocolFault("PROTOCOL_ERROR", "the frame is not UTF-8") from None
    if not hmac.compare_digest(tail[1], mac(key, signed).hex()):
        raise ProtocolFault("SIGNATURE_INVALID", "the signature does not verify")
    return text
