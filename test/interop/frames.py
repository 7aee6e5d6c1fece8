"""Frames of the Countersign protocol: keys, signatures, and the rules of the signed bytes (PROTOCOL §2, §4.3).

Written from PROTOCOL.md alone, with the standard library.
"""
import hashlib
import hmac
import json
import math
import re
from typing import NamedTuple

PROTOCOL = "countersign.v1"
MAX_INT = 2**53 - 1
MAX_DEPTH = 32

TAIL = re.compile(rb',"signature":"([0-9a-f]{64})"\}')
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class Breach(Exception):
    """The other side violated the protocol; the client drops the connection (§5.3)."""

    def __init__(self, code: str, detail: str = ""):
        super().__init__(f"{code} {detail}".strip())
        self.code = code


class Keys(NamedTuple):
    challenge_signature: str
    client: bytes
    server: bytes


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def derive(secret: str, token: str, nonce: str) -> Keys:
    """§4.3"""
    key = secret.encode("ascii")

    def one(side: str) -> bytes:
        return mac(key, f"{PROTOCOL}:{side}:{token}:{nonce}".encode("ascii"))

    return Keys(mac(key, token.encode("ascii")).hex(), one("client"), one("server"))


def to_text(message: dict) -> str:
    return json.dumps(message, separators=(",", ":"))


def sign(key: bytes, text: str) -> str:
    """Turns the text of a message into a frame (§2.1)."""
    return f'{text[:-1]},"signature":"{mac(key, text.encode()).hex()}"}}'


def verify(key: bytes, frame: bytes) -> bytes:
    """Checks 1 and 2 of §2.2; returns the signed bytes."""
    tail = TAIL.fullmatch(frame[-80:])
    if tail is None or len(frame) < 82:
        raise Breach("PROTOCOL_ERROR", "no tail")
    signed = frame[:-80] + b"}"
    if not hmac.compare_digest(tail[1], mac(key, signed).hex().encode()):
        raise Breach("SIGNATURE_INVALID")
    return signed


class _Members(list):
    """The members of one object as pairs, equal names included."""


def _number(text: str):
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is not finite")
    return int(value) if value.is_integer() and abs(value) <= MAX_INT else value


def _no_constant(name: str):
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_Members, parse_int=_number, parse_float=_number, parse_constant=_no_constant
)


def _plain(value, level: int):
    """Turns members into dicts; refuses lone surrogates and more than MAX_DEPTH levels."""
    if isinstance(value, str):
        value.encode()
    if not isinstance(value, list):
        return value
    if level > MAX_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, _Members):
        return {_plain(name, level): _plain(each, level + 1) for name, each in value}
    return [_plain(each, level + 1) for each in value]


def parse(signed: bytes) -> dict:
    """Check 3 of §2.2: the rules of §2.3."""
    try:
        if not signed.startswith(b"{") or b"\r" in signed or b"\n" in signed:
            raise ValueError("not one line that begins with {")
        members = _decoder.decode(signed.decode("utf-8"))
        names = [name for name, _ in members]
        if len(set(names)) < len(names) or "signature" in names:
            raise ValueError("a member has the name of another")
        message = _plain(members, 1)
        if not isinstance(message.get("type"), str):
            raise ValueError("type is not a string")
        return message
    except (ValueError, RecursionError) as error:
        raise Breach("PROTOCOL_ERROR", str(error)) from None


def open_frame(key: bytes, frame: bytes) -> dict:
    """Checks 1 to 3 of §2.2."""
    return parse(verify(key, frame))


def is_int(value, minimum: int = 0) -> bool:
    """`int` of §1."""
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= MAX_INT
