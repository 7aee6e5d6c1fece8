"""The client's side of one session, without I/O: signs and verifies frames, and counts both sequences."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .credential import Credential
from .encode import ABSENT, Encoded, Limits, encode_message, require_within
from .errors import ProtocolFault, RequestError
from .event_shapes import Welcome
from .parse import Message, int_of, optional_text, welcome_of
from .signing import PROTOCOL, SessionKeys, derive_keys, sign, sign_challenge, verify
from .strict_json import decode, seq_of

_LIST_LEVELS = 2
"""Levels that a list of publications adds to those of its data."""
_MAX_AUTHENTICATE_BYTES = 4096


@dataclass(frozen=True)
class Challenged:
    """The first challenge arrived; `answer` is the authenticate frame."""

    answer: str


@dataclass(frozen=True)
class Hint:
    """An unsigned error before the session (PROTOCOL §5.3): anyone on the network path can forge it."""

    reason: str
    retry_after: float


@dataclass(frozen=True)
class Signed:
    """A signed message in sequence."""

    message: Message


Received = Challenged | Hint | Welcome | Signed


class Session:
    """One session, from its challenge to its end. `nonce`: 22 to 64 random base64url characters."""

    def __init__(self, credential: Credential, nonce: str, attributes: Mapping[str, str] | None) -> None:
        self._credential = credential
        self._nonce = nonce
        self._attributes = attributes
        self._keys: SessionKeys | None = None
        self._is_open = False
        self._sent = 0
        self._received = 0
        self._depth = Limits().depth + _LIST_LEVELS

    def sign(self, encoded: Encoded, limits: Limits | None = None) -> tuple[int, str]:
        """Signs a message as the next frame; returns its `seq` and the frame.

        Raises RequestError if it exceeds `limits`; it then uses no `seq`.
        """
        if self._keys is None:
            raise RuntimeError("the session is not open yet")
        if limits is not None:
            require_within(encoded, limits, self._sent + 1)
        self._sent += 1
        return self._sent, sign(self._keys.client_key, encoded.text(self._sent))

    def answer_challenge(self, message: Message) -> Encoded:
        """The answer to a fresh challenge (PROTOCOL §6.2). Raises ProtocolFault for a malformed token."""
        token = message.get("challengeToken")
        proof = sign_challenge(self._credential.secret, token if isinstance(token, str) else "")
        return encode_message("challengeResponse", {"challengeToken": token, "challengeSignature": proof})

    def receive(self, frame: str) -> Received:
        """Verifies and decodes the next frame. Raises ProtocolFault: drop the connection then."""
        if self._keys is None or not (self._is_open or self._has_tail(frame)):
            return self._receive_unsigned(decode(frame))
        message = decode(verify(self._keys.server_key, frame), self._depth)
        seq = seq_of(message)
        if seq != self._received + 1:
            raise ProtocolFault("SEQUENCE_INVALID", f"expected seq {self._received + 1}, not {seq}")
        self._received = seq
        if self._is_open or message["type"] == "error":
            return Signed(message)
        return self._open(message)

    @staticmethod
    def _has_tail(frame: str) -> bool:
        return frame[-80:-66] == ',"signature":"'

    def _open(self, message: Message) -> Welcome:
        """PROTOCOL §4.5."""
        credential = self._credential
        is_ours = message["type"] == "welcome" and message.get("clientId") == credential.client_id
        if not is_ours or message.get("protocol") != PROTOCOL or message.get("re") != 1:
            raise ProtocolFault("PROTOCOL_ERROR", "not the welcome of this client")
        if credential.key_id is not None and message.get("keyId") != credential.key_id:
            raise ProtocolFault("PROTOCOL_ERROR", "not the welcome of this key")
        welcome = welcome_of(message)
        self._is_open = True
        self._depth = max(Limits.of(welcome.limits).depth, Limits().depth) + _LIST_LEVELS
        return welcome

    def _receive_unsigned(self, message: Message) -> Received:
        if message["type"] == "error":
            code, text = optional_text(message, "code"), optional_text(message, "message")
            retry_after = int_of(message, "retryAfterMs") / 1000 if "retryAfterMs" in message else 0.0
            return Hint(f"{code}: {text}" if text else f"{code}", retry_after)
        if message["type"] != "challenge" or message.get("protocol") != PROTOCOL or self._keys is not None:
            raise ProtocolFault("PROTOCOL_ERROR", "expected a challenge")
        return Challenged(self._authenticate(message.get("challengeToken")))

    def _authenticate(self, token: Any) -> str:
        credential = self._credential
        self._keys = derive_keys(credential.secret, token, self._nonce)
        members = {
            "protocol": PROTOCOL,
            "clientId": credential.client_id,
            "keyId": ABSENT if credential.key_id is None else credential.key_id,
            "challengeToken": token,
            "challengeSignature": self._keys.challenge_signature,
            "clientNonce": self._nonce,
            "attributes": self._attributes if self._attributes else ABSENT,
        }
        _, frame = self.sign(encode_message("authenticate", members))
        size = len(frame.encode())
        if size > _MAX_AUTHENTICATE_BYTES:
            limit = f"the limit is {_MAX_AUTHENTICATE_BYTES:,}"
            raise RequestError("INVALID_MESSAGE", f"the attributes make the handshake {size:,} bytes; {limit}")
        return frame
