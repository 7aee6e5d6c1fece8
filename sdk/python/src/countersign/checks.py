"""Checks the members of each request like the gateway (PROTOCOL §4.2, §7.2, §10)."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .strict_json import MAX_SAFE_INTEGER

MAX_ATTRIBUTES = 16
MAX_ATTRIBUTE_NAME_BYTES = 32
MAX_ATTRIBUTE_BYTES = 128
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CHANNEL = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_METHOD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,64}")
ERROR_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
MAX_ERROR_CHARACTERS = 512

Check = Callable[[Any], bool]


@dataclass(frozen=True)
class MemberCheck:
    """A member of a request. `code`: of the refusal if the check fails."""

    name: str
    check: Check
    expected: str
    required: bool = True
    code: str = "INVALID_MESSAGE"


def byte_length(text: str) -> int:
    """Bytes of the UTF-8 form. Half of a surrogate pair counts as 3, and is refused elsewhere."""
    return len(text.encode("utf-8", "surrogatepass"))


def matches(pattern: re.Pattern[str]) -> Check:
    """Whether a value is a str that the whole pattern matches."""
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _text(max_bytes: int) -> Check:
    return lambda value: isinstance(value, str) and 1 <= byte_length(value) <= max_bytes


def _integer(low: int, high: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_position(value: object) -> bool:
    """Whether a value is `{offset, epoch}`."""
    if not isinstance(value, Mapping) or set(value) != {"offset", "epoch"}:
        return False
    return _integer(0, MAX_SAFE_INTEGER)(value["offset"]) and _text(64)(value["epoch"])


def is_attributes(value: object) -> bool:
    """Whether a value is a set of attributes within the bounds of PROTOCOL §4.2."""
    if not isinstance(value, Mapping) or len(value) > MAX_ATTRIBUTES:
        return False
    return all(
        _text(MAX_ATTRIBUTE_NAME_BYTES)(name)
        and isinstance(text, str)
        and byte_length(text) <= MAX_ATTRIBUTE_BYTES
        for name, text in value.items()
    )


def _is_target(value: object) -> bool:
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    return matches(_TOKEN)(value.get("sessionId")) or matches(IDENTIFIER)(value.get("clientId"))


def _is_true(value: object) -> bool:
    return value is True


def _is_anything(_value: object) -> bool:
    return True


def _is_result_error(value: object) -> bool:
    if not isinstance(value, Mapping) or set(value) != {"code", "message"}:
        return False
    message = value["message"]
    return matches(ERROR_CODE)(value["code"]) and isinstance(message, str) and len(message) <= MAX_ERROR_CHARACTERS


def _is_key(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 64


_IDENTIFIER = 'an identifier: 1 to 64 of letters, digits, ".", "_", "-", the first a letter or digit'
_channel = MemberCheck(
    "channel",
    matches(_CHANNEL),
    'a channel name: 1 to 128 of letters, digits, "_", ".", ":", "-"',
    code="INVALID_CHANNEL",
)
_data = MemberCheck("data", _is_anything, "any JSON value")
_optional_data = MemberCheck("data", _is_anything, "any JSON value", required=False)
_key = MemberCheck("idempotencyKey", _is_key, "text of 1 to 64 characters", required=False)
ATTRIBUTES = MemberCheck(
    "attributes", is_attributes, "at most 16 short texts (name 1 to 32, value up to 128 bytes)"
)


def _limit(low: int, high: int) -> MemberCheck:
    return MemberCheck("limit", _integer(low, high), f"an integer from {low} to {high}", required=False)


def _position(name: str) -> MemberCheck:
    return MemberCheck(name, is_position, "{ offset, epoch }", required=False)


REQUESTS: Mapping[str, tuple[MemberCheck, ...]] = {
    "validate": (
        MemberCheck("serviceId", matches(IDENTIFIER), _IDENTIFIER),
        MemberCheck("hwid", _text(256), "text of 1 to 256 bytes", required=False),
        MemberCheck("key", _text(256), "text of 1 to 256 bytes"),
    ),
    "heartbeat": (),
    "publish": (_channel, _data, _key),
    "subscribe": (
        _channel,
        _position("recover"),
        MemberCheck("last", _integer(1, 512), "an integer from 1 to 512", required=False),
        MemberCheck("presence", _is_true, "true", required=False),
    ),
    "unsubscribe": (_channel,),
    "history": (_channel, _limit(1, 100), _position("before")),
    "presence": (_channel, _limit(0, 100)),
    "sessions": (
        MemberCheck("clientId", matches(IDENTIFIER), _IDENTIFIER),
        _limit(1, 100),
        MemberCheck("after", _text(64), "text of 1 to 64 bytes", required=False),
    ),
    "attributes": (ATTRIBUTES,),
    "call": (
        MemberCheck("to", _is_target, '{"sessionId"} or {"clientId"}'),
        MemberCheck("method", matches(_METHOD), '1 to 64 of letters, digits, "_", ".", ":", "-"'),
        _optional_data,
        MemberCheck("timeoutMs", _integer(100, 30_000), "100 to 30,000 ms", required=False),
        _key,
    ),
    "callResult": (
        MemberCheck("callId", matches(_TOKEN), "22 to 64 base64url characters"),
        _optional_data,
        MemberCheck("error", _is_result_error, "{ code, message }", required=False),
    ),
}
METHOD = matches(_METHOD)
