"""Decodes the text of a message by the rules of PROTOCOL §2.3, which are stricter than those of `json`."""
from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from .errors import ProtocolFault

MAX_SAFE_INTEGER = 2**53 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")


def _fail(message: str) -> NoReturn:
    raise ProtocolFault("PROTOCOL_ERROR", message)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _fail("a number is not finite")
    return value


def _int(text: str) -> float:
    """Numbers count as IEEE 754 doubles, so an integer above 2^53-1 is rounded to a double."""
    if len(text) <= 16:
        value = int(text)
        if abs(value) <= MAX_SAFE_INTEGER:
            return value
    return _float(text)


def _constant(text: str) -> NoReturn:
    _fail(f"{text} is not JSON")


class _Pairs:
    """Keeps the members of the last closed object: at the end that is the outermost one."""

    def __init__(self) -> None:
        self.last: list[tuple[str, Any]] = []

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self.last = pairs
        return dict(pairs)


def _check(value: Any, max_depth: int) -> None:
    """Checks depth, the outermost object being level 1, and unpaired surrogates."""
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        each, level = waiting.pop()
        if isinstance(each, str):
            if _SURROGATE.search(each) is not None:
                _fail("a surrogate escape is not paired")
        elif isinstance(each, (dict, list)):
            if level > max_depth:
                _fail(f"nested deeper than {max_depth} levels")
            if isinstance(each, dict):
                waiting.extend((name, level) for name in each)
                waiting.extend((member, level + 1) for member in each.values())
            else:
                waiting.extend((member, level + 1) for member in each)


def decode(text: str, max_depth: int = 32) -> dict[str, Any]:
    """The message in a text. `max_depth`: levels, the message's own object being the first.

    Raises ProtocolFault.
    """
    if not text.startswith("{"):
        _fail("a message must begin with {")
    if "\r" in text or "\n" in text:
        _fail("a message must not contain line breaks")
    pairs = _Pairs()
    try:
        value = json.loads(
            text, object_pairs_hook=pairs, parse_float=_float, parse_int=_int, parse_constant=_constant
        )
    except RecursionError:
        _fail(f"nested deeper than {max_depth} levels")
    except ValueError:
        _fail("not JSON")
    _check(value, max_depth)
    if len(pairs.last) != len(value):
        _fail("a member appears twice")
    if "signature" in value:
        _fail("a signature inside the signed part")
    if not isinstance(value.get("type"), str):
        _fail("type is not a string")
    return value  # type: ignore[no-any-return]


def seq_of(message: dict[str, Any]) -> int:
    """The `seq` of a message: an integer from 1. Raises ProtocolFault."""
    seq = message.get("seq")
    if isinstance(seq, bool) or not isinstance(seq, (int, float)) or seq != int(seq):
        _fail("seq is not an integer")
    if not 1 <= seq <= MAX_SAFE_INTEGER:
        _fail("seq is out of range")
    return int(seq)
