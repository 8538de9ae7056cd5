"""Chunks of 1.0: large payloads cut into pieces (form B), and pieces of both forms put together.

Source: docs/protocol/1.0.md#chunks.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from ..encoding import SECOND, parse_base64, to_base64
from ..strictjson import JsonObject, NotJson, parse
from ..times import Now
from .offer import is_count

WHOLE_MAX = 8_192
SLICE = 10_920
PIECES_MAX = 4_096
JSON_MAX = 8 * 1_048_576
PAYLOADS_MAX = 16
PEER_BYTES_MAX = 16 * 1_048_576
ALL_BYTES_MAX = 64 * 1_048_576
AGE = 300 * SECOND
ID_MAX = 256
NEVER = frozenset({"handshake", "handshake_ack", "handshake_confirm", "chunk"})


def is_large(payload: JsonObject) -> bool:
    """Whether it goes in pieces: its JSON with a space after each `:` and `,` exceeds 8,192 bytes."""
    return len(json.dumps(payload)) > WHOLE_MAX


def cut(id: str, kind: str, payload: JsonObject) -> List[JsonObject]:
    """The payloads of its `chunk` messages, in form B. Raises ValueError where nobody would take it."""
    data = json.dumps(payload).encode("ascii")
    if len(data) > JSON_MAX:
        raise ValueError(f"a payload has at most {JSON_MAX} bytes of JSON")
    text = to_base64(data)
    slices = [text[at : at + SLICE] for at in range(0, len(text), SLICE)]
    return [
        {"chunk_id": id, "chunk_index": index, "total_chunks": len(slices), "data": data, "original_msg_type": kind}
        for index, data in enumerate(slices)
    ]


@dataclass
class _Held:
    form: str
    kind: Optional[str]
    total: int
    began: int
    sealed: bool = True
    size: int = 0
    pieces: Dict[int, str] = field(default_factory=dict)


class Assembly:
    """Pieces of all peers. What is out of its bounds is dropped and leaves no trace."""

    def __init__(self, depth_max: int, allow_nan: bool) -> None:
        self._depth_max = depth_max
        self._allow_nan = allow_nan
        self._held: "OrderedDict[Tuple[str, str], _Held]" = OrderedDict()
        self._size: Dict[str, int] = {}

    @property
    def size(self) -> int:
        """Bytes of pieces of all peers."""
        return sum(self._size.values())

    def take(self, peer: str, body: JsonObject, sealed: bool, now: Now) -> Optional[Tuple[str, JsonObject, bool]]:
        """Type, payload and whether every piece was sealed, once it is whole."""
        self._expire(now)
        form = "B" if "chunk_id" in body else "A"
        id = body.get("chunk_id" if form == "B" else "message_id")
        index, total, data = body.get("chunk_index"), body.get("total_chunks"), body.get("data")
        kind = body.get("original_msg_type") if form == "B" else None
        if not isinstance(id, str) or not 1 <= len(id) <= ID_MAX or not isinstance(data, str):
            return None
        if not is_count(total, PIECES_MAX) or not is_count(index, PIECES_MAX) or index >= total:
            return None
        if form == "B" and (not isinstance(kind, str) or not 1 <= len(kind.encode("utf-8", "replace")) <= 64 or kind in NEVER):
            return None
        held = self._held.get((peer, id))
        if held is None:
            held = _Held(form, kind, total, now.mono)
            if sum(1 for of, _ in self._held if of == peer) >= PAYLOADS_MAX or not self._has_room(peer, held, data):
                return None
            self._held[peer, id] = held
        elif (held.form, held.kind, held.total) != (form, kind, total) or index in held.pieces:
            return None
        if not self._has_room(peer, held, data):
            self._forget(peer, id)
            return None
        held.pieces[index] = data
        held.size += len(data)
        held.sealed = held.sealed and sealed
        self._size[peer] = self._size.get(peer, 0) + len(data)
        if len(held.pieces) < total:
            return None
        self._forget(peer, id)
        found = self._read(held)
        return None if found is None else (*found, held.sealed)

    def _has_room(self, peer: str, held: _Held, data: str) -> bool:
        size = len(data)
        if (held.size + size) * 3 // 4 > JSON_MAX + 4 * PIECES_MAX:
            return False
        return self._size.get(peer, 0) + size <= PEER_BYTES_MAX and self.size + size <= ALL_BYTES_MAX

    def _read(self, held: _Held) -> Optional[Tuple[str, JsonObject]]:
        texts = [held.pieces[index] for index in range(held.total)]
        try:
            raw = parse_base64("".join(texts)) if held.form == "B" else b"".join(parse_base64(text) for text in texts)
            if len(raw) > JSON_MAX:
                return None
            value: Any = parse(raw, self._depth_max, allow_nan=self._allow_nan).value
        except (ValueError, NotJson):
            return None
        kind = held.kind
        if held.form == "A":
            if not isinstance(value, dict):
                return None
            kind, value = value.get("original_msg_type"), value.get("data")
            if not isinstance(kind, str) or not 1 <= len(kind.encode("utf-8", "replace")) <= 64 or kind in NEVER:
                return None
        if kind is None or not isinstance(value, dict):
            return None
        return kind, value

    def _forget(self, peer: str, id: str) -> None:
        held = self._held.pop((peer, id))
        left = self._size.pop(peer, 0) - held.size
        if left > 0:
            self._size[peer] = left

    def _expire(self, now: Now) -> None:
        while self._held:
            (peer, id), held = next(iter(self._held.items()))
            if now.mono - held.began < AGE:
                return
            self._forget(peer, id)

    def forget(self, peer: str) -> None:
        """The peer was removed."""
        for of, id in [key for key in self._held if key[0] == peer]:
            self._forget(of, id)
