"""Sets of indexes as the bits of one integer, and the ranges that say them on the wire.

A bit costs a bit, whatever order an attacker chooses. Source: docs/protocol/1.1.md#chunk-ranges.
"""

from __future__ import annotations

from typing import Any, List

RANGES_MAX = 256


def span(first: int, last: int) -> int:
    """The bits from `first` to `last`, both inclusive."""
    return ((1 << (last - first + 1)) - 1) << first


def lowest(bits: int) -> int:
    """The lowest index of a set that is not empty."""
    return (bits & -bits).bit_length() - 1


def run(bits: int) -> int:
    """How many indexes from 0 on are there without a gap."""
    return (~bits & (bits + 1)).bit_length() - 1


def to_ranges(bits: int) -> List[List[int]]:
    """The first 256 ranges of a set: ascending, neither overlapping nor touching."""
    found: List[List[int]] = []
    at = 0
    while bits and len(found) < RANGES_MAX:
        gap = lowest(bits)
        bits >>= gap
        at += gap
        length = run(bits)
        found.append([at, at + length - 1])
        bits >>= length
        at += length
    return found


def read_ranges(value: Any, count: int) -> int:
    """The set that ranges name, of indexes below `count`. Raises ValueError."""
    if not isinstance(value, list) or len(value) > RANGES_MAX:
        raise ValueError("not a list of at most 256 ranges")
    bits, before = 0, -2
    for item in value:
        if not isinstance(item, list) or len(item) != 2 or any(not isinstance(end, int) or isinstance(end, bool) for end in item):
            raise ValueError("a range is two integers")
        first, last = item
        if not before + 1 < first <= last < count:
            raise ValueError("ranges ascend, neither overlap nor touch, and end with the last chunk")
        bits |= span(first, last)
        before = last
    return bits
