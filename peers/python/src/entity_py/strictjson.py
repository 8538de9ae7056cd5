"""JSON as the protocol reads it, and its canonical form.

`parse` keeps what a version may object to (duplicate keys, floats, NaN) as marks beside the value, so that the rules of a version are
applied once the version is known. `canonical` is Python's own form, which is what 1.0 signs.

Source: docs/protocol/1.0.md#canonical-json, docs/protocol/1.0.md#envelope, docs/protocol/1.1.md#envelope.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

JsonObject = Dict[str, Any]

VALUES_MAX = 1_048_576
"""How many JSON values one text may hold."""
DIGITS_MAX = 4_300
"""How many digits an integer may have."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKET = re.compile(r"[^\[\]{}]+")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SCALARS = re.compile(r"[,:\[{]")


class NotJson(ValueError):
    """The bytes are no JSON, or more of it than anybody takes."""


class TooMany(NotJson):
    """More values than `VALUES_MAX`: too large, not malformed."""


@dataclass(frozen=True)
class Parsed:
    """A JSON value, and what of it 1.1 refuses."""

    value: Any
    duplicates: bool
    floats: bool
    depth: int


class _Marks:
    def __init__(self) -> None:
        self.duplicates = False
        self.floats = False

    def pairs(self, pairs: List[Tuple[str, Any]]) -> JsonObject:
        found = dict(pairs)
        if len(found) != len(pairs):
            self.duplicates = True
        return found

    def number(self, text: str) -> float:
        self.floats = True
        value = float(text)
        if math.isinf(value):
            raise NotJson("a number beyond 64 bits")
        return value

    def integer(self, text: str) -> int:
        if len(text) > DIGITS_MAX and len(text.lstrip("-")) > DIGITS_MAX:
            raise NotJson("an integer of too many digits")
        return int(text)


def parse(data: bytes, depth_max: int = 32, allow_nan: bool = False) -> Parsed:
    """Reads UTF-8 JSON without a byte order mark. The outermost object has depth 1. Raises NotJson, TooMany."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson("no UTF-8") from error
    depth = _depth(text, depth_max)
    marks = _Marks()

    def constant(word: str) -> float:
        marks.floats = True
        if not allow_nan:
            raise NotJson("NaN or infinity")
        return float(word)

    try:
        value = json.loads(
            text,
            object_pairs_hook=marks.pairs,
            parse_float=marks.number,
            parse_int=marks.integer,
            parse_constant=constant,
        )
    except NotJson:
        raise
    except (ValueError, RecursionError) as error:
        raise NotJson("malformed") from error
    if "\\" in text and _SURROGATE.search(text):
        _no_lone_surrogates(value)
    return Parsed(value, marks.duplicates, marks.floats, depth)


def _depth(text: str, depth_max: int) -> int:
    """How deep arrays and objects are nested. Strings are taken out first, so that brackets in them do not count."""
    if "\\" in text:
        bare = _STRING.sub('"', text)
    else:
        # Without escapes every other part between quotes is a string; many times as fast for long ones.
        bare = '"'.join(text.split('"')[0::2])
    if len(_SCALARS.findall(bare)) + 1 > VALUES_MAX:
        raise TooMany("too many values")
    deepest = depth = 0
    for bracket in _NO_BRACKET.sub("", bare):
        if bracket in "[{":
            depth += 1
            if depth > deepest:
                deepest = depth
                if depth > depth_max:
                    raise NotJson(f"nested deeper than {depth_max}")
        else:
            depth -= 1
    return deepest


def _no_lone_surrogates(value: Any) -> None:
    try:
        if isinstance(value, str):
            value.encode("utf-8")
        elif isinstance(value, list):
            for item in value:
                _no_lone_surrogates(item)
        elif isinstance(value, dict):
            for key, item in value.items():
                key.encode("utf-8")
                _no_lone_surrogates(item)
    except UnicodeEncodeError as error:
        raise NotJson("a lone surrogate") from error


def canonical(value: Any) -> bytes:
    """The bytes that are signed: sorted keys, no white space, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def compact(value: Any) -> bytes:
    """The same without sorting: what a body on the wire looks like."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def checked(value: Any, depth_max: int = 32) -> None:
    """Refuses what has no place in a message of 1.1 that is to be sent: floats, lone surrogates, too deep. Raises NotJson."""
    if depth_max < 0:
        raise NotJson("nested too deep")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, float):
        raise NotJson("a float")
    if isinstance(value, str):
        _no_lone_surrogates(value)
    elif isinstance(value, int):
        if value.bit_length() > 14_000 and len(str(abs(value))) > DIGITS_MAX:
            raise NotJson("an integer of too many digits")
    elif isinstance(value, list):
        for item in value:
            checked(item, depth_max - 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise NotJson("a key that is no string")
            _no_lone_surrogates(key)
            checked(item, depth_max - 1)
    else:
        raise NotJson(f"no JSON: {type(value).__name__}")
