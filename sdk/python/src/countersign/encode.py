"""Encodes a request once, when it is made, so that invalid requests are refused here."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .checks import REQUESTS, byte_length
from .encode_json import encode_json
from .errors import invalid
from .signing import TAIL_BYTES

_MAX_DEPTH = 256
"""Levels of a value that is encoded before the limits are known."""
MAX_TIMEOUT = (2**31 - 1) / 1000
"""Seconds: the longest timeout, 24.8 days."""


class Absent:
    """The type of `ABSENT`: a value that is not given, where None is data."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True)
class Limits:
    """The limits of PROTOCOL §11 that bound a request; the defaults apply to a gateway that states none."""

    frame_bytes: int = 65_536
    data_bytes: int = 32_768
    depth: int = 32

    @staticmethod
    def of(stated: Mapping[str, float]) -> Limits:
        """The limits of a welcome."""
        default = Limits()
        return Limits(
            int(stated.get("frameBytes", default.frame_bytes)),
            int(stated.get("dataBytes", default.data_bytes)),
            int(stated.get("depth", default.depth)),
        )


@dataclass(frozen=True)
class Encoded:
    """A request. `members`: the ones after `type` and `seq` as JSON, each behind a comma. `depth`: levels of the frame."""

    type: str
    members: str
    size: int
    depth: int
    data_bytes: int

    def text(self, seq: int) -> str:
        """The message before it is signed."""
        return f'{{"type":"{self.type}","seq":{seq}{self.members}}}'


def encode_message(type_: str, members: Mapping[str, Any], max_depth: int = _MAX_DEPTH) -> Encoded:
    """Encodes members without separate checks; ABSENT ones are left out.

    Raises RequestError INVALID_MESSAGE with the path.
    """
    text, depth, data_bytes = "", 1, 0
    for name, value in members.items():
        if value is ABSENT:
            continue
        encoded = encode_json(value, name, max_depth)
        text += f',"{name}":{encoded.text}'
        depth = max(depth, encoded.depth)
        if name == "data":
            data_bytes = byte_length(encoded.text)
    return Encoded(type_, text, byte_length(text), depth, data_bytes)


def encode_request(type_: str, members: Mapping[str, Any], limits: Limits | None) -> Encoded:
    """Encodes a request, and checks its members like the gateway.

    `limits`: of the current session; None before the first one: then sizes are checked when it opens.
    Raises RequestError INVALID_MESSAGE or INVALID_CHANNEL with the path.
    """
    max_depth = _MAX_DEPTH if limits is None else min(limits.depth, _MAX_DEPTH)
    for member in REQUESTS[type_]:
        value = members.get(member.name, ABSENT)
        if member.required if value is ABSENT else not member.check(value):
            raise invalid(member.name, f"expected {member.expected}", member.code)
    encoded = encode_message(type_, members, max_depth)
    if limits is not None:
        require_within(encoded, limits)
    return encoded


def require_within(encoded: Encoded, limits: Limits, seq: int = 1) -> None:
    """Raises RequestError INVALID_MESSAGE if the gateway would refuse a frame for its size or depth."""
    type_ = encoded.type
    if encoded.depth > limits.depth:
        raise invalid("data", f"nested deeper than {limits.depth} levels (limits.depth)")
    if encoded.data_bytes > limits.data_bytes:
        size, limit = encoded.data_bytes, limits.data_bytes
        raise invalid("data", f"{type_}: data is {size:,} bytes; the limit is {limit:,} (limits.dataBytes)")
    size = len(f'{{"type":"{type_}","seq":{seq}') + encoded.size + TAIL_BYTES
    if size > limits.frame_bytes:
        path = "data" if encoded.data_bytes > 0 else type_
        raise invalid(path, f"the frame is {size:,} bytes; the limit is {limits.frame_bytes:,} (limits.frameBytes)")


def timeout_of(value: object, preset: float, path: str = "timeout") -> float:
    """A timeout in seconds; infinity becomes the longest one. Raises RequestError for anything but a number above 0."""
    if value is None:
        return preset
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise invalid(path, "expected seconds above 0")
    return max(float(min(value, MAX_TIMEOUT)), 0.001)


