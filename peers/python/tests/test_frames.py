"""Compact frames: their bytes, their checks in order, and peers that talk in them."""

from __future__ import annotations

import json
import random
import struct
from typing import Any, Dict, List, Tuple

import pytest
import vectors
from cores import Cores
from entity_py.codes import CallRefused, Refusal
from entity_py.encoding import uuid4_of
from entity_py.times import Now
from entity_py.v11 import frame
from entity_py.v11.envelope import Plain
from test_handshake import ALICE, BOB, SESSION, START, me, read
from entity_py.v11.handshake import Initiator, Me, Responder
from entity_py.v11.session import Session
from world import SECOND, WALL, Machine, World, pair

KEY = bytes(range(32))
TRANSFER = "0f8fad5b-d9cb-469f-a165-70867728950e"


def opened(data: bytes, key: bytes = KEY) -> frame.Inner:
    return frame.open_frame(frame.read(data), key)


def refused(data: bytes, key: bytes = KEY) -> str:
    with pytest.raises(Refusal) as found:
        opened(data, key)
    return found.value.code


def test_the_golden_frames_open_and_are_sealed_alike() -> None:
    golden = vectors.load("frame_1_1")
    key, session = bytes.fromhex(golden["key"]), golden["session_id"]
    assert [vector["kind"] for vector in golden["frames"]] == [0x11, 0x11, 0x11, 0x12]
    for vector in golden["frames"]:
        data, inside = bytes.fromhex(vector["frame"]), bytes.fromhex(vector["plaintext"])
        found = frame.read(data)
        assert (found.kind, found.session) == (vector["kind"], session)
        assert (found.generation, found.sequence) == (vector["generation"], vector["sequence"])
        assert frame._seal(key, found.kind, session, found.generation, found.sequence, inside) == data
        inner = frame.open_frame(found, key)
        if inner.data is None:
            again = frame.seal_message(key, session, found.generation, found.sequence, inner.kind, inner.wall, inner.plain)
        else:
            number, body = inner.plain.number or 0, inner.plain.body
            numbers = (inner.wall, number, inner.plain.ack)
            again = frame.seal_chunk(key, session, found.generation, found.sequence, *numbers, body["transfer_id"], body["index"], inner.data)
        assert again == data


def test_a_header_is_kind_session_generation_and_sequence() -> None:
    data = frame.seal_message(KEY, SESSION, 0x0102, 0x030405060708, "message", START.wall, Plain(1, 0, {}, None))
    assert data[:25].hex() == "11" + SESSION.replace("-", "") + "0102" + "030405060708"
    found = frame.read(data)
    assert (found.kind, found.session, found.generation, found.sequence) == (0x11, SESSION, 0x0102, 0x030405060708)


def test_a_message_is_the_canonical_plaintext_of_an_envelope_with_type_and_time() -> None:
    plain = Plain(7, 5, {"text": "hello"}, TRANSFER)
    data = frame.seal_message(KEY, SESSION, 0, 3, "message", START.wall, plain)
    from entity_py.crypto import unseal
    from entity_py.v11.envelope import gcm_nonce

    inside = unseal(KEY, gcm_nonce(0, 3), data[25:], data[:25])
    assert inside == (
        b'{"ack":5,"body":{"text":"hello"},"durable":"%s","msg_type":"message","number":7,"timestamp":"2027-01-15T08:00:00.000000+00:00"}'
        % TRANSFER.encode()
    )
    assert opened(data) == frame.Inner("message", START.wall, plain)


def test_a_chunk_is_numbers_time_transfer_index_and_data() -> None:
    data = frame.seal_chunk(KEY, SESSION, 2, 9, START.wall, 4, 3, TRANSFER, 17, b"data")
    from entity_py.crypto import unseal
    from entity_py.v11.envelope import gcm_nonce

    inside = unseal(KEY, gcm_nonce(2, 9), data[25:], data[:25])
    assert inside == struct.pack(">QQQ", 4, 3, START.wall) + bytes.fromhex(TRANSFER.replace("-", "")) + struct.pack(">I", 17) + b"data"
    assert opened(data) == frame.Inner("chunk", START.wall, Plain(4, 3, {"transfer_id": TRANSFER, "index": 17}, None), b"data")


@pytest.mark.parametrize("seed", range(50))
def test_what_was_sealed_opens_and_no_changed_bit_does(seed: int) -> None:
    chance = random.Random(seed)
    session, generation, sequence = uuid4_of(chance.randbytes(16)), chance.randrange(2**16), chance.randrange(2**48)
    body = {chance.choice("abc"): chance.choice(["x" * chance.randrange(99), chance.randrange(9), [None, True]])}
    number = chance.choice([None, chance.randrange(1, 2**53)])
    plain = Plain(number, chance.randrange(2**53), body, chance.choice([None, TRANSFER]))
    data = frame.seal_message(KEY, session, generation, sequence, "message", START.wall, plain)
    assert opened(data).plain == plain
    at = chance.randrange(1, len(data))
    assert refused(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]) == "DECRYPTION_FAILED"
    assert refused(data, bytes(32)) == "DECRYPTION_FAILED"


def sealed(inside: bytes, kind: int = frame.MESSAGE) -> bytes:
    return frame._seal(KEY, kind, SESSION, 0, 3, inside)


GOOD = {"ack": 0, "body": {}, "msg_type": "m", "number": 1, "timestamp": "2027-01-15T08:00:00.000000+00:00"}
ODD: List[Dict[str, Any]] = [
    {"number": 0}, {"number": -1}, {"number": 2**53}, {"number": True}, {"number": None}, {"ack": None}, {"ack": 1.5}, {"body": []},
    {"msg_type": ""}, {"msg_type": "x" * 65}, {"msg_type": None}, {"timestamp": "today"}, {"timestamp": 0}, {"durable": "x"}, {"body": {"x": 0.5}},
]  # fmt: skip
WRONG: List[bytes] = [
    b"", b"no json", b"[]", b'{"ack":0,"ack":0}', *(json.dumps({**GOOD, **odd}).encode() for odd in ODD),
    *(json.dumps({name: item for name, item in GOOD.items() if name != left_out}).encode() for left_out in ("ack", "body", "msg_type", "timestamp")),
]  # fmt: skip


@pytest.mark.parametrize("inside", WRONG)
def test_a_plaintext_of_another_shape_is_no_message(inside: bytes) -> None:
    assert refused(sealed(inside)) == "INVALID_MESSAGE"


CHUNK = struct.pack(">QQQ", 1, 0, START.wall) + bytes.fromhex(TRANSFER.replace("-", "")) + struct.pack(">I", 0)


def test_a_chunk_of_another_shape_is_no_message() -> None:
    assert opened(sealed(CHUNK + b"x", frame.CHUNK)).data == b"x"
    wrong = [CHUNK[:-1], CHUNK, CHUNK + bytes(524_289), CHUNK[:40] + struct.pack(">I", 2**20) + b"x", struct.pack(">Q", 0) + CHUNK[8:], struct.pack(">Q", 2**53) + CHUNK[8:], CHUNK[:8] + b"\xff" * 8 + CHUNK[16:]]
    wrong += [CHUNK[:16] + b"\xff" * 8 + CHUNK[24:], CHUNK[:24] + bytes(16) + CHUNK[40:]]
    for inside in wrong:
        assert refused(sealed(inside, frame.CHUNK)) == "INVALID_MESSAGE"


def test_what_is_no_frame_is_refused_before_anything_is_looked_up() -> None:
    for data in (b"", b"\x11", b"\x13" + bytes(60), b"\x00" * 60, b"\x12" + bytes(39), b"\x11" + bytes(60)):
        assert refused(data) == "INVALID_MESSAGE"
    assert refused(b"\x11" + bytes(frame.SIZE_MAX)) == "MESSAGE_TOO_LARGE"


def test_frames_of_a_request_have_their_lengths_before_them_and_nothing_between() -> None:
    frames = [b"one", b"", b"three"]
    assert frame.split(frame.join(frames)) == frames and frame.split(b"") == []
    for body in (b"\0", b"\0\0\0\1", b"\0\0\0\3ab", frame.join([b"x"]) + b"\0", b"\xff\xff\xff\xff"):
        with pytest.raises(Refusal) as found:
            frame.split(body)
        assert found.value.code == "INVALID_MESSAGE"
    with pytest.raises(Refusal) as found:
        frame.split(frame.join([bytes(frame.SIZE_MAX), b""]))
    assert found.value.code == "MESSAGE_TOO_LARGE"
    assert len(frame.split(frame.join([b""] * frame.BATCH_MAX))) == frame.BATCH_MAX
    with pytest.raises(Refusal):
        frame.split(frame.join([b""] * (frame.BATCH_MAX + 1)))


@pytest.mark.parametrize(("mine", "theirs", "agreed"), [(True, True, True), (True, False, False), (False, True, False), (False, False, False)])
def test_a_session_has_frames_where_both_listed_them(mine: bool, theirs: bool, agreed: bool) -> None:
    def side(name: str, key: Any, seed: int, has: bool) -> Me:
        plain = me(name, key, seed)
        return Me(plain.name, plain.key, plain.draw, plain.versions, plain.address, (frame.CAPABILITY,) if has else ())

    one = Initiator(side("alice", ALICE, 1, mine), "bob", BOB.public, SESSION, START)
    other = Responder(side("bob", BOB, 2, theirs), read(one.first), ALICE.public, START)
    three = one.take(read(other.second), START)
    five = one.take(read(other.take(read(three or b""), START)), START)
    assert one.take(read(other.take(read(five or b""), START)), START) is None
    sessions: List[Session] = [found for found in (one.session, other.session) if found is not None]
    assert [found.has_frames for found in sessions] == [agreed, agreed]
    assert not sessions[0].seal("message", {}, START.wall, bytes(16), number=1).is_frame, "which form is sent is for the sender to choose"
    sessions[0].sends_frames = agreed
    assert sessions[0].seal("message", {}, START.wall, bytes(16), number=2).is_frame is agreed
    assert not sessions[0].seal("session_close", {}, START.wall, bytes(16)).is_frame


# -- whole peers


def post(world: World, machine: Machine, body: bytes) -> Tuple[int, Any]:
    found: List[Tuple[int, bytes]] = []
    assert machine.core is not None
    machine.core.handle_request(lambda status, answer: found.append((status, answer)), "POST", "/frame", body, True, world.now)
    machine.flush()
    return found[0][0], json.loads(found[0][1])


def result(world: World, machine: Machine, data: bytes) -> str:
    status, answer = post(world, machine, frame.join([data]))
    assert status == 200 and len(answer["results"]) == 1
    return str(answer["results"][0])


def frames_to(world: World, sender: str) -> List[bytes]:
    return [data for name, path, body in world.carried if name == sender and path == "/frame" for data in frame.split(body)]


def talking(seed: int = 1) -> Tuple[World, Machine, Machine, Session]:
    world, one, other = pair(seed, versions=("1.1",), frames="always")
    one.ask("session.open", {"to": "b"})
    assert one.ask("message.send", {"to": "b", "body": {"text": "hello"}})["status"] == 200
    world.run(SECOND // 2)
    assert one.core is not None
    session = one.core.lines["b"].eleven.session
    assert session is not None
    return world, one, other, session


def test_after_the_handshake_everything_goes_in_frames_in_both_directions() -> None:
    world, one, other, _ = talking()
    assert other.ask("message.send", {"to": "a", "body": {"text": "hi"}, "durable": True})["queued"]
    world.run(5 * SECOND)
    assert other.received() == [{"text": "hello"}] and one.received() == [{"text": "hi"}]
    assert frames_to(world, "a") and frames_to(world, "b")
    kinds = {json.loads(body)["msg_type"] for _, path, body in world.carried if path == "/message"}
    assert kinds == {"handshake_init", "handshake_init_ack", "challenge_response", "session_established", "session_confirm", "ready"}
    assert other.core is not None and other.core.outbox.count == 0


def test_a_peer_that_insists_on_envelopes_gets_them_and_refuses_frames() -> None:
    world = World(2)
    one, other = world.add("a", versions=("1.1",), frames="always"), world.add("b", versions=("1.1",), frames="never")
    world.introduce()
    session = one.ask("session.open", {"to": "b"})["id"]
    one.ask("message.send", {"to": "b", "body": {"n": 1}})
    world.run(2 * SECOND)
    assert other.received() == [{"n": 1}] and not frames_to(world, "a") and not frames_to(world, "b")
    data = frame.seal_message(KEY, session, 0, 900, "message", world.now.wall, Plain(2, 0, {}, None))
    assert result(world, other, data) == "INVALID_MESSAGE"


def test_frames_are_checked_in_their_order() -> None:
    world, one, other, session = talking()
    key, wall = session.traffic[0].seal_key, world.now.wall
    next_number = session.out.next

    def made(sequence: int = 500, wall: int = wall, key: bytes = key, id: str = session.id, generation: int = 0, number: int = next_number) -> bytes:
        return frame.seal_message(key, id, generation, sequence, "message", wall, Plain(number, 0, {"n": sequence}, None))

    assert result(world, other, made(id="84b2cf19-8f4d-4864-b37e-3c6b393ce6c3")) == "SESSION_NOT_FOUND"
    assert result(world, other, made(generation=1)) == "SEQUENCE_ERROR"
    assert result(world, other, made(sequence=3, key=bytes(32))) == "SEQUENCE_ERROR", "the window is looked at before anything is opened"
    assert result(world, other, made(key=bytes(32), wall=0)) == "DECRYPTION_FAILED"
    assert result(world, other, made(wall=wall - 61 * SECOND)) == "EXPIRED_TIMESTAMP"
    assert result(world, other, made(wall=wall + 61 * SECOND)) == "EXPIRED_TIMESTAMP"
    assert result(world, other, frame._seal(key, frame.MESSAGE, session.id, 0, 500, b"{}")) == "INVALID_MESSAGE"
    assert result(world, other, made()) == "ok", "nothing that was refused has consumed the sequence"
    assert result(world, other, made()) == "SEQUENCE_ERROR"
    assert {"n": 500} in other.received()


def test_each_frame_of_a_request_has_a_result_of_its_own_in_their_order() -> None:
    world, one, other, session = talking()
    key, number = session.traffic[0].seal_key, session.out.next
    made = [
        frame.seal_message(key, session.id, 0, 700 + count, "message", world.now.wall, Plain(number + count, 0, {"n": count}, None))
        for count in range(3)
    ]
    status, answer = post(world, other, frame.join([made[1], b"junk", made[0], made[0], made[2]]))
    assert (status, answer) == (200, {"results": ["ok", "INVALID_MESSAGE", "ok", "SEQUENCE_ERROR", "ok"]})
    assert other.received() == [{"text": "hello"}, {"n": 0}, {"n": 1}, {"n": 2}]
    assert post(world, other, b"") == (200, {"results": []})
    status, answer = post(world, other, frame.join([made[0]]) + b"\0")
    assert (status, answer["error"]["code"]) == (400, "INVALID_MESSAGE")
    assert post(world, other, bytes(frame.BODY_MAX + 1))[0] == 413


def test_a_frame_of_a_handshake_under_way_is_early() -> None:
    world, one, other = pair(3, versions=("1.1",), frames="always")
    world.tamper = lambda sender, to, body: None if b"session_confirm" in body else body
    one.call("session.open", {"to": "b"})
    world.run(SECOND)
    assert other.core is not None and other.core.lines["a"].eleven.responder is not None
    data = frame.seal_message(KEY, other.core.lines["a"].eleven.responder.id, 0, 3, "message", world.now.wall, Plain(1, 0, {}, None))
    assert result(world, other, data) == "ENCRYPTION_NOT_READY"


def test_ten_thousand_maimed_frames_are_refused_and_none_is_handled() -> None:
    world, one, other, session = talking()
    bodies = [body for name, path, body in world.carried if name == "a" and path == "/frame"]
    before, chance = len(other.received()), random.Random(7)
    for _ in range(10_000):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randrange(1, 4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        status, answer = post(world, other, bytes(body[: chance.choice([len(body), chance.randrange(len(body))])]))
        assert status in (200, 400) and "ok" not in answer.get("results", [])
    assert len(other.received()) == before and other.ask("peer.list")["peers"]


def test_frames_go_on_after_a_restart_and_under_new_keys() -> None:
    world, one, other, session = talking(4)
    assert one.ask("session.rekey", {"id": session.id}) == {"generation": 1}
    one.ask("message.send", {"to": "b", "body": {"n": 1}})
    other.crash()
    other.start()
    one.ask("message.send", {"to": "b", "body": {"n": 2}, "durable": True})
    world.run(60 * SECOND, until=lambda: {"n": 2} in other.received())
    assert other.received()[-1] == {"n": 2}
    assert frame.read(frames_to(world, "a")[-1]).generation >= 2
    assert one.ask("session.list")["sessions"][0]["id"] == session.id


def test_a_session_with_frames_ends_where_a_restart_lists_them_no_more() -> None:
    world, one, other, session = talking(5)
    other.crash()
    other.config = type(other.config)(**{**other.config.__dict__, "frames": "never"})
    other.start()
    one.ask("message.send", {"to": "b", "body": {"n": 2}, "durable": True})
    world.run(60 * SECOND, until=lambda: {"n": 2} in other.received())
    assert other.received()[-1] == {"n": 2}
    assert one.ask("session.list")["sessions"][0]["id"] != session.id


@pytest.mark.parametrize("seed", range(6))
def test_frames_that_are_lost_and_repeated_arrive_once_and_in_order(seed: int) -> None:
    world, one, other = pair(seed, loss=0.1, repeat=0.2, versions=("1.1",), frames="always")
    for count in range(60):
        one.ask("message.send", {"to": "b", "body": {"n": count}, "durable": True})
    world.run(600 * SECOND, until=lambda: len(other.received()) == 60)
    assert other.received() == [{"n": count} for count in range(60)]
    assert frames_to(world, "a")


def test_chunks_go_in_frames_of_their_own_kind(tmp_path: Any) -> None:
    world = Cores("a", "b", versions=("1.1",), frames="always", folder=str(tmp_path))
    a, b = world.bodies.values()
    seen: List[int] = []
    take = b.request

    def request(transmit: Any) -> Any:
        if transmit.path == "/frame":
            seen.extend(data[0] for data in frame.split(transmit.body))
        return take(transmit)

    b.request = request  # type: ignore[method-assign]
    made = a.call("file.make", name="data.bin", size=1_000_001, seed=7)
    a.call("transfer.send", to="b", path=made["path"])
    world.run(5)
    (done,) = b.told("transfer.done")
    assert b.call("file.digest", path=done["path"]) == {"size": 1_000_001, "sha256": made["sha256"]}
    assert seen.count(frame.CHUNK) == 16


def test_a_frame_that_got_no_result_counts_as_not_delivered() -> None:
    from entity_py.peer.courier import read_frame_outcome

    assert read_frame_outcome(200, b'{"results":["ok"]}').ok and read_frame_outcome(200, b"").ok
    assert (read_frame_outcome(200, b'{"results":["SEQUENCE_ERROR"]}').status, read_frame_outcome(404, b"").status) == (409, 404)
    for body in (b"{}", b"no json", b'{"results":[]}', b'{"results":[1]}', b'{"results":["ok","ok"]}', b"[]"):
        assert not read_frame_outcome(200, body).ok
    assert not isinstance(read_frame_outcome(None, b"", "x"), CallRefused) and read_frame_outcome(None, b"").status is None


__all__ = ["Now", "WALL"]
