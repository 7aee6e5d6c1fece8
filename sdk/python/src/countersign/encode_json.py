"""Encodes a value like the gateway, and refuses values that JSON or the gateway does not support, with their path."""
from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import invalid
from .strict_json import MAX_SAFE_INTEGER

MAX_CHARACTERS = 16 * 2**20
"""Characters of the encoded value of one request."""
_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_BINARY = (bytes, bytearray, memoryview)


@dataclass(frozen=True)
class EncodedJson:
    """`depth`: nesting levels of a frame with this member, the frame's own object being the first."""

    text: str
    depth: int


def number_text(value: float) -> str:
    """A number as `JSON.stringify` writes it, whose size the gateway measures."""
    if value == math.floor(value) and abs(value) < 1e21:
        return str(int(value)) if abs(value) <= MAX_SAFE_INTEGER else _without_exponent(repr(value))
    mantissa, _, exponent = repr(value).partition("e")
    if exponent == "":
        return mantissa
    if -7 < int(exponent) < 0:
        return _without_exponent(repr(value))
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"


def _without_exponent(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = whole + ("" if fraction == "0" else fraction)
    point = len(whole) + int(exponent or 0)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return sign + digits.ljust(point, "0")


class _Encoder:
    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth
        self._characters = 0
        self._parts: list[str] = []
        self.depth = 1

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def _put(self, text: str, path: str) -> None:
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            raise invalid(path, f"more than {MAX_CHARACTERS:,} characters")
        self._parts.append(text)

    def encode(self, value: Any, path: str, level: int) -> None:
        """`level`: of the container of the value."""
        if value is None:
            self._put("null", path)
        elif isinstance(value, bool):
            self._put("true" if value else "false", path)
        elif isinstance(value, str):
            self._put(_quoted(value, path), path)
        elif isinstance(value, (int, float)):
            self._put(_number(value, path), path)
        elif isinstance(value, Mapping):
            self._enter(path, level + 1)
            self._object(value, path, level + 1)
        elif isinstance(value, (list, tuple)):
            self._enter(path, level + 1)
            self._array(value, path, level + 1)
        else:
            raise invalid(path, _fault_of(value))

    def _enter(self, path: str, level: int) -> None:
        if level > self._max_depth:
            raise invalid(path, f"nested deeper than {self._max_depth} levels (limits.depth)")
        self.depth = max(self.depth, level)

    def _array(self, items: list[Any] | tuple[Any, ...], path: str, level: int) -> None:
        self._put("[", path)
        for index, item in enumerate(items):
            if index > 0:
                self._put(",", path)
            self.encode(item, f"{path}[{index}]", level)
        self._put("]", path)

    def _object(self, members: Mapping[Any, Any], path: str, level: int) -> None:
        self._put("{", path)
        for index, (name, value) in enumerate(members.items()):
            if not isinstance(name, str):
                raise invalid(path, f"the member name {name!r} is not a str")
            plain = _PLAIN_NAME.fullmatch(name) is not None
            member = f"{path}.{name}" if plain else f"{path}[{json.dumps(name)}]"
            self._put(("," if index > 0 else "") + _quoted(name, member) + ":", path)
            self.encode(value, member, level)
        self._put("}", path)


def _quoted(text: str, path: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    try:
        quoted.encode()
    except UnicodeEncodeError:
        raise invalid(path, "half of a surrogate pair: decode text as UTF-16 or UTF-8 first") from None
    return quoted


def _number(value: float, path: str) -> str:
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise invalid(path, "an integer above 2^53-1 would lose digits: send it as a str")
        return str(int(value))
    if not math.isfinite(value):
        raise invalid(path, f"{float(value)} is not a JSON number")
    return number_text(float(value))


def _fault_of(value: object) -> str:
    name = type(value).__name__
    if isinstance(value, _BINARY):
        return f"JSON has no binary data ({name}): encode it as base64"
    return f"JSON has no {name}: use dict, list, str, int, float, bool or None"


def encode_json(value: Any, name: str, max_depth: int) -> EncodedJson:
    """Encodes the member `name` of a frame.

    `max_depth`: levels, the frame's own object being the first. Raises RequestError INVALID_MESSAGE with the path.
    """
    encoder = _Encoder(max_depth)
    encoder.encode(value, name, 1)
    return EncodedJson(encoder.text, encoder.depth)
