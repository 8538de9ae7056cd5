"""Chunks of 1.0: cut in form B, put together in both forms, bounded."""

from __future__ import annotations

import json
import random
from typing import List

import pytest

from entity_py.encoding import to_base64
from entity_py.strictjson import JsonObject
from entity_py.times import Now
from entity_py.transfer import pieces
from entity_py.transfer.pieces import Assembly, cut, is_large

NOW = Now(0, 0)
LARGE: JsonObject = {"text": "\u00e4" * 40_000, "list": [1.5, None, {"a": True}]}


def form_a(payload: JsonObject, size: int = 6_000) -> List[JsonObject]:
    """What the earlier peer sends."""
    data = json.dumps({"original_msg_type": "note", "data": payload}).encode()
    slices = [data[at : at + size] for at in range(0, len(data), size)]
    return [
        {"message_id": "m", "chunk_index": index, "total_chunks": len(slices), "data": to_base64(part), "is_last": index == len(slices) - 1}
        for index, part in enumerate(slices)
    ]


def test_both_forms_come_together_in_any_order_and_once() -> None:
    for seed in range(50):
        for parts in (cut("c", "note", LARGE), form_a(LARGE)):
            chance = random.Random(seed)
            many = parts + chance.choices(parts[:-1], k=3)
            chance.shuffle(many)
            assembly = Assembly(32, False)
            found = [whole for part in many if (whole := assembly.take("a", part, True, NOW)) is not None]
            assert found == [("note", LARGE, True)]


def test_what_is_sent_has_the_form_of_the_document() -> None:
    assert not is_large({"a": "x" * (8_192 - len('{"a": ""}'))})
    assert is_large({"a": "x" * (8_193 - len('{"a": ""}'))})
    parts = cut("c", "note", {"a": "x" * 20_000})
    assert [len(part["data"]) for part in parts] == [10_920, 10_920, 4 * -(-(20_000 + len('{"a": ""}')) // 3) - 2 * 10_920]
    assert set(parts[0]) == {"chunk_id", "chunk_index", "total_chunks", "data", "original_msg_type"}
    with pytest.raises(ValueError):
        cut("c", "note", {"a": "x" * pieces.JSON_MAX})


def test_what_is_no_piece_or_does_not_fit_the_first_is_dropped() -> None:
    first, *others = cut("c", "note", LARGE)
    wrong: List[JsonObject] = [
        {"chunk_index": -1}, {"chunk_index": first["total_chunks"]}, {"chunk_index": True}, {"total_chunks": 0}, {"total_chunks": 4_097},
        {"data": None}, {"chunk_id": 7}, {"chunk_id": ""}, {"original_msg_type": None}, {"original_msg_type": "handshake"},
        {"original_msg_type": "chunk"},
    ]  # fmt: skip
    for fields in wrong:
        assembly = Assembly(32, False)
        assert assembly.take("a", {**first, **fields}, True, NOW) is None
        assert assembly.size == 0
    assembly = Assembly(32, False)
    assembly.take("a", first, True, NOW)
    held = assembly.size
    for fields in ({"original_msg_type": "other"}, {"total_chunks": first["total_chunks"] + 1}):
        assembly.take("a", {**others[0], **fields}, True, NOW)
        assert assembly.size == held


@pytest.mark.parametrize("data", ["AAA", "AB==", "AA==AA==", "bm8ganNvbg==", to_base64(b"[1]"), to_base64(b"7")])
def test_what_comes_together_to_no_payload_is_dropped(data: str) -> None:
    assembly = Assembly(32, False)
    body = {"chunk_id": "c", "chunk_index": 0, "total_chunks": 1, "data": data, "original_msg_type": "note"}
    assert assembly.take("a", body, True, NOW) is None
    assert assembly.size == 0


def test_every_bound_is_reached_and_the_time_ends_what_is_not_whole() -> None:
    assembly = Assembly(32, False)

    def piece(peer: str, id: str, index: int, size: int, total: int = 4_096) -> None:
        body = {"chunk_id": id, "chunk_index": index, "total_chunks": total, "data": "A" * size, "original_msg_type": "note"}
        assembly.take(peer, body, False, NOW)

    for number in range(40):
        piece("a", str(number), 0, 8)
    assert assembly.size == pieces.PAYLOADS_MAX * 8
    for peer in "bcdefghij":
        for id in "1234":
            for index in range(6):
                piece(peer, id, index, 1_048_576)
    assert assembly.size <= pieces.ALL_BYTES_MAX
    assert assembly.size > pieces.ALL_BYTES_MAX - 2 * 1_048_576
    assembly.forget("b")
    assert assembly.take("z", {}, False, Now(pieces.AGE, 0)) is None
    assert assembly.size == 0
