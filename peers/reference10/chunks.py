"""Payloads that travel in several `chunk` messages: form A goes out, forms A and B come in."""

import json
import os
import time

import crypto

LIMIT = 8_192  # bytes of JSON in one message, and of each slice
OPEN_MAX = 16  # payloads of one sender that are not whole yet
LIFETIME = 300  # seconds


def cut(msg_type, payload):
    """Returns the payloads of the chunks of form A, or None where the payload goes in one message."""
    if msg_type == "chunk" or len(json.dumps(payload)) <= LIMIT:
        return None
    text = json.dumps({"original_msg_type": msg_type, "data": payload}).encode("ascii")
    slices = [text[start : start + LIMIT] for start in range(0, len(text), LIMIT)]
    message_id = os.urandom(16).hex()
    return [
        {
            "message_id": message_id,
            "chunk_index": index,
            "total_chunks": len(slices),
            "data": crypto.to_base64(piece),
            "is_last": index == len(slices) - 1,
        }
        for index, piece in enumerate(slices)
    ]


class Assembly:
    """What is there of payloads that are not whole."""

    def __init__(self):
        self.open = {}

    def take(self, sender, payload):
        """Takes the payload of a chunk; returns (msg_type, payload) once it is whole, else None."""
        now = time.monotonic()
        self.open = {key: entry for key, entry in self.open.items() if now - entry["begun"] < LIFETIME}
        is_b = "chunk_id" in payload
        name, index, total = payload.get("chunk_id" if is_b else "message_id"), payload.get("chunk_index"), payload.get("total_chunks")
        data, kind = payload.get("data"), payload.get("original_msg_type") if is_b else None
        if not isinstance(name, str) or not isinstance(data, str) or type(index) is not int or type(total) is not int:
            return None
        if not 0 <= index < total <= 4_096 or (is_b and not isinstance(kind, str)):
            return None
        key = (sender, name)
        if key not in self.open and sum(1 for other in self.open if other[0] == sender) >= OPEN_MAX:
            return None
        entry = self.open.setdefault(key, {"total": total, "kind": kind, "pieces": {}, "begun": now})
        if (entry["total"], entry["kind"]) != (total, kind) or index in entry["pieces"]:
            return None
        entry["pieces"][index] = data
        if len(entry["pieces"]) < total:
            return None
        del self.open[key]
        return _join(kind, [entry["pieces"][index] for index in range(total)])


def _join(kind, pieces):
    try:
        if kind is not None:
            whole = kind, json.loads(crypto.from_base64("".join(pieces)))
        else:
            inner = json.loads(b"".join(crypto.from_base64(piece) for piece in pieces))
            whole = inner["original_msg_type"], inner["data"]
    except (ValueError, TypeError, KeyError):
        return None
    return whole if isinstance(whole[0], str) and isinstance(whole[1], dict) else None
