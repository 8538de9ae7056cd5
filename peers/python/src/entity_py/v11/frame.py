"""Compact frames: what is sealed in a session without an envelope around it.

Kind, session, generation and sequence are the header, which is the associated data of the seal; key, nonce and counter are those of envelopes.

Source: docs/protocol/1.1.md#compact-frames, docs/protocol/1.1.md#frame-of-a-message, docs/protocol/1.1.md#frame-of-a-chunk,
docs/protocol/1.1.md#frames-over-http.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from typing import List, Optional, Sequence

from ..codes import Refusal
from ..crypto import CryptoError, seal, unseal
from ..encoding import is_uuid4, parse_stamp, stamp
from ..strictjson import JsonObject, NotJson, canonical, parse
from .envelope import DEPTH_MAX, KIND_MAX, NUMBER_MAX, Plain, gcm_nonce, plain_of

CAPABILITY = "compact_frames"
MESSAGE = 0x11
CHUNK = 0x12
HEADER = 25
TAG = 16
SIZE_MAX = 1_048_572
"""Bytes of one frame."""
BODY_MAX = 1_048_576
"""Bytes of the frames of a request with their lengths."""
BATCH_MAX = 1_024
"""Frames of a request."""
INDEX_MAX = 2**20 - 1
DATA_MAX = 524_288
CHUNK_HEAD = 44
"""Bytes of a chunk's plaintext before its data."""
_CHUNK = struct.Struct(">QQQ16sI")
WALL_MAX = 253_402_300_799_999_999
"""The last microsecond of the year 9999: the last one that an envelope could name."""


@dataclass(frozen=True)
class Frame:
    """A frame whose header was read; nothing is said of its seal."""

    kind: int
    session: str
    generation: int
    sequence: int
    header: bytes
    sealed: bytes

    @property
    def size(self) -> int:
        """Bytes in all."""
        return HEADER + len(self.sealed)


@dataclass(frozen=True)
class Inner:
    """What was sealed."""

    kind: str
    """Type of the message; `chunk` of a frame of chunks."""
    wall: int
    plain: Plain
    data: Optional[bytes] = None
    """The bytes of a chunk."""


def read(data: bytes) -> Frame:
    """Raises Refusal: MESSAGE_TOO_LARGE, INVALID_MESSAGE."""
    if len(data) > SIZE_MAX:
        raise Refusal("MESSAGE_TOO_LARGE", f"a frame of {len(data)} bytes")
    if not data or data[0] not in (MESSAGE, CHUNK):
        raise Refusal("INVALID_MESSAGE", "no kind of frame")
    if len(data) < HEADER + TAG:
        raise Refusal("INVALID_MESSAGE", "a frame without header and tag")
    generation, high, low = struct.unpack(">HHI", data[17:HEADER])
    session = str(uuid.UUID(bytes=data[1:17]))
    if not is_uuid4(session):
        raise Refusal("INVALID_MESSAGE", "a session that is no UUID of version 4")
    return Frame(data[0], session, generation, high << 32 | low, data[:HEADER], data[HEADER:])


def header(kind: int, session: str, generation: int, sequence: int) -> bytes:
    """The first 25 bytes."""
    return bytes([kind]) + uuid.UUID(session).bytes + struct.pack(">HHI", generation, sequence >> 32, sequence & 0xFFFFFFFF)


def seal_message(key: bytes, session: str, generation: int, sequence: int, kind: str, wall: int, plain: Plain) -> bytes:
    """A frame of kind 0x11. The caller owes a sequence that was never used under this key."""
    inner: JsonObject = {**plain.fields(), "msg_type": kind, "timestamp": stamp(wall)}
    return _seal(key, MESSAGE, session, generation, sequence, canonical(inner))


def seal_chunk(
    key: bytes, session: str, generation: int, sequence: int, wall: int, number: int, ack: int, transfer: str, index: int, data: bytes
) -> bytes:
    """A frame of kind 0x12, under the same duty."""
    head = _CHUNK.pack(number, ack, wall, uuid.UUID(transfer).bytes, index)
    return _seal(key, CHUNK, session, generation, sequence, head + data)


def _seal(key: bytes, kind: int, session: str, generation: int, sequence: int, plain: bytes) -> bytes:
    head = header(kind, session, generation, sequence)
    return head + seal(key, gcm_nonce(generation, sequence), plain, head)


def open_frame(frame: Frame, key: bytes) -> Inner:
    """Raises Refusal: DECRYPTION_FAILED, or INVALID_MESSAGE where it opens and is none."""
    try:
        data = unseal(key, gcm_nonce(frame.generation, frame.sequence), frame.sealed, frame.header)
    except CryptoError as error:
        raise Refusal("DECRYPTION_FAILED", str(error)) from error
    return _read_chunk(data) if frame.kind == CHUNK else _read_message(data)


def _read_message(data: bytes) -> Inner:
    try:
        parsed = parse(data, depth_max=DEPTH_MAX)
    except NotJson as error:
        raise Refusal("INVALID_MESSAGE", f"frame: {error}") from error
    value = parsed.value
    if parsed.duplicates or parsed.floats or not isinstance(value, dict):
        raise Refusal("INVALID_MESSAGE", "frame: duplicate, float, or no object")
    kind = value.get("msg_type")
    if not isinstance(kind, str) or not 1 <= len(kind.encode("utf-8", "replace")) <= KIND_MAX:
        raise Refusal("INVALID_MESSAGE", "frame: msg_type")
    try:
        wall = parse_stamp(value.get("timestamp"))
    except ValueError as error:
        raise Refusal("INVALID_MESSAGE", f"frame: {error}") from error
    return Inner(kind, wall, plain_of(value))


def _read_chunk(data: bytes) -> Inner:
    if len(data) < CHUNK_HEAD:
        raise Refusal("INVALID_MESSAGE", "frame: no chunk")
    number, ack, wall, transfer, index = _CHUNK.unpack_from(data)
    id = str(uuid.UUID(bytes=transfer))
    if not 1 <= number <= NUMBER_MAX or ack > NUMBER_MAX or wall > WALL_MAX or not is_uuid4(id):
        raise Refusal("INVALID_MESSAGE", "frame: number, ack, time or transfer_id of a chunk")
    if index > INDEX_MAX or not CHUNK_HEAD < len(data) <= CHUNK_HEAD + DATA_MAX:
        raise Refusal("INVALID_MESSAGE", "frame: index or data of a chunk")
    body: JsonObject = {"transfer_id": id, "index": index}
    return Inner("chunk", wall, Plain(number, ack, body, None), data[CHUNK_HEAD:])


def join(frames: Sequence[bytes]) -> bytes:
    """The body of `POST /frame`."""
    return b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)


def split(body: bytes) -> List[bytes]:
    """The frames of a request. Raises Refusal: MESSAGE_TOO_LARGE, or INVALID_MESSAGE where its lengths do not add up."""
    if len(body) > BODY_MAX:
        raise Refusal("MESSAGE_TOO_LARGE", f"frames of {len(body)} bytes")
    frames, at = [], 0
    while at < len(body):
        if len(body) - at < 4:
            raise Refusal("INVALID_MESSAGE", "a length is cut off")
        (length,) = struct.unpack_from(">I", body, at)
        if length > len(body) - at - 4:
            raise Refusal("INVALID_MESSAGE", "a frame is cut off")
        frames.append(body[at + 4 : at + 4 + length])
        at += 4 + length
        if len(frames) > BATCH_MAX:
            raise Refusal("MESSAGE_TOO_LARGE", f"more than {BATCH_MAX} frames")
    return frames
