"""Texts of fixed form: hex, base64, UUIDs, ids of peers, times.

Each `parse_*` raises ValueError; the caller knows which code that is. Times are whole microseconds since 1970, UTC.

Source: docs/protocol/1.1.md#notation, docs/protocol/1.1.md#identifiers, docs/protocol/1.0.md#envelope.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timedelta, timezone
from typing import Any

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")
_HEX = re.compile(r"(?:[0-9a-f]{2})*\Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00\Z")
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})\Z"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICRO = timedelta(microseconds=1)

SECOND = 1_000_000
"""Microseconds in a second: every time and duration inside the peer is a whole number of microseconds."""


def is_id(value: Any) -> bool:
    """Whether it is an id of 1.1."""
    return isinstance(value, str) and _ID.match(value) is not None


def is_uuid4(value: Any) -> bool:
    """Whether it is a lower-case UUID version 4."""
    return isinstance(value, str) and _UUID4.match(value) is not None


def is_uuid(value: Any) -> bool:
    """Whether it is a lower-case UUID of any version."""
    return isinstance(value, str) and _UUID.match(value) is not None


def uuid4_of(data: bytes) -> str:
    """The UUID version 4 that 16 random bytes make."""
    raw = bytearray(data[:16])
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def parse_hex(value: Any, length: int) -> bytes:
    """Exactly `length` bytes of lower-case hex."""
    if not isinstance(value, str) or len(value) != 2 * length or _HEX.match(value) is None:
        raise ValueError(f"not {length} bytes of lower-case hex")
    return bytes.fromhex(value)


def parse_base64(value: Any, length: int | None = None) -> bytes:
    """Standard alphabet, padding present, trailing bits zero; `length` bytes where it is given."""
    if not isinstance(value, str) or len(value) % 4:
        raise ValueError("not strict base64")
    data = binascii.a2b_base64(value)
    # Whatever the decoder passes over (foreign characters, padding in the midst, trailing bits) does not come back.
    if binascii.b2a_base64(data, newline=False).decode("ascii") != value:
        raise ValueError("not strict base64")
    if length is not None and len(data) != length:
        raise ValueError(f"not {length} bytes of base64")
    return data


def to_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def stamp(now: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffff+00:00` of microseconds since 1970."""
    moment = _EPOCH + timedelta(microseconds=now)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}+00:00"


def parse_stamp(value: Any) -> int:
    """The time of exactly that form."""
    if not isinstance(value, str) or _STAMP.match(value) is None:
        raise ValueError("not a time of 1.1")
    return parse_iso(value)


def parse_iso(value: str) -> int:
    """An ISO 8601 time with an offset as 1.0 takes it; digits beyond microseconds are cut off."""
    found = _ISO.match(value)
    if found is None:
        raise ValueError("not an ISO time")
    year, month, day, hour, minute = (int(found.group(part)) for part in range(1, 6))
    second = int(found.group(6) or 0)
    micro = int((found.group(7) or "").ljust(6, "0")[:6] or 0)
    moment = datetime(year, month, day, hour, minute, second, micro, tzinfo=timezone.utc)
    offset = found.group(8)
    shift = 0
    if offset != "Z":
        hours, minutes = int(offset[1:3]), int(offset[4:6])
        if hours > 23 or minutes > 59:
            raise ValueError("not an offset")
        shift = (hours * 3600 + minutes * 60) * SECOND * (1 if offset[0] == "+" else -1)
    return (moment - _EPOCH) // _MICRO - shift
