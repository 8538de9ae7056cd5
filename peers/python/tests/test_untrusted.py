"""Whatever comes is answered, in the order of the checks, and ends nothing."""

from __future__ import annotations

import json
import random
from typing import Any, Dict, List, Tuple

import pytest
from entity_py import strictjson
from entity_py.codes import CallRefused
from entity_py.encoding import to_base64
from entity_py.peer.limits import NONCES_MAX, NonceMemory, OldLimiter, Rate, RateLimits
from entity_py.codes import Refusal
from world import SECOND, Machine, World, pair


def post(world: World, machine: Machine, body: bytes, method: str = "POST", path: str = "/message") -> Tuple[int, Any]:
    """One request and its answer."""
    found: List[Tuple[int, bytes]] = []
    assert machine.core is not None
    machine.core.handle_request(lambda status, answer: found.append((status, answer)), method, path, body, True, world.now)
    machine.flush()
    return found[0][0], json.loads(found[0][1])


OLD = [
    (b"no json", 400, "Invalid JSON"),
    (b'{"version": NaN}', 400, "Invalid JSON"),
    (b"[1]", 400, "Unknown message format"),
    (b'{"hello": 1}', 400, "Unknown message format"),
    (b'{"version": "9.9", "sender_id": "a"}', 400, "Unsupported version: 9.9"),
    (b'{"version": "1.0", "sender_id": "a"}', 400, "Missing signature"),
    (b'{"version": "1.0", "sender_id": "stranger", "signature": "AA=="}', 400, "Unknown sender: stranger"),
    (b'{"version": "1.0", "sender_id": "a", "signature": "AA=="}', 400, "Signature verification error: 'msg_type'"),
    (b"[" * 40 + b"]" * 40, 400, "Invalid JSON"),
    (b'{"a":"' + b"x" * 1_100_000 + b'"}', 413, "Message too large"),
]


@pytest.mark.parametrize(("body", "status", "detail"), OLD)
def test_what_is_no_message_of_1_0_gets_the_text_of_the_first_check(body: bytes, status: int, detail: str) -> None:
    world, _, other = pair(1, versions=("1.0",))
    assert post(world, other, body) == (status, {"detail": detail})


NEW = [
    (b"no json", "INVALID_MESSAGE"),
    (b"[1]", "INVALID_MESSAGE"),
    (b'{"hello": 1}', "INVALID_MESSAGE"),
    (b'{"version": "1.0", "sender_id": "a"}', "INVALID_VERSION"),
    (b'{"version": "1.1", "sender_id": "a"}', "INVALID_MESSAGE"),
    (b'{"a":"' + b"x" * 1_100_000 + b'"}', "MESSAGE_TOO_LARGE"),
]


@pytest.mark.parametrize(("body", "code"), NEW)
def test_what_is_no_message_of_1_1_gets_the_code_of_the_first_check(body: bytes, code: str) -> None:
    world, _, other = pair(1, versions=("1.1",))
    status, answer = post(world, other, body)
    assert answer["error"]["code"] == code and status >= 400


def recorded(versions: Tuple[str, ...]) -> Tuple[World, Machine, List[bytes]]:
    """What a sends to b from the handshake to a durable message, as bytes."""
    world, one, other = pair(2, versions=versions)
    bodies: List[bytes] = []

    def record(sender: str, to: str, body: bytes) -> bytes:
        if to == "b" and body:
            bodies.append(body)
        return body

    world.tamper = record
    one.ask("session.open", {"to": "b"})
    one.ask("message.send", {"to": "b", "body": {"text": "hello", "list": [1, "two", {"three": None}]}})
    one.ask("message.send", {"to": "b", "durable": True, "body": {"text": "kept"}})
    world.run(5 * SECOND)
    return world, other, bodies


def mutate(chance: random.Random, body: bytes) -> bytes:
    """One of the ways in which bytes, fields and values get maimed."""
    kind = chance.randrange(6)
    if kind == 0:
        at = chance.randrange(len(body))
        return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
    if kind == 1:
        return body[: chance.randrange(len(body))]
    value: Dict[str, Any] = json.loads(body)
    names = list(value)
    name = chance.choice(names)
    odd: List[Any] = [None, True, 0, -1, 2**70, 1.5, "", "x" * 300, [], {}, [[]], {"a": {"b": []}}, "\u0000", "9" * 5000]
    if kind == 2:
        del value[name]
    elif kind == 3:
        value[name] = chance.choice(odd)
    elif kind == 4 and isinstance(value.get("payload"), dict) and value["payload"]:
        value["payload"][chance.choice(list(value["payload"]))] = chance.choice(odd)
    else:
        value[chance.choice(["x", "payload", "version", "msg_type"])] = chance.choice(odd)
    return json.dumps(value).encode()


@pytest.mark.parametrize("versions", [("1.0",), ("1.1",), ("1.0", "1.1")])
def test_ten_thousand_maimed_messages_are_refused_or_repeated_and_none_is_handled(versions: Tuple[str, ...]) -> None:
    world, other, bodies = recorded(versions)
    before = len(other.received())
    chance = random.Random(5)
    for _ in range(3_400):
        status, answer = post(world, other, mutate(chance, chance.choice(bodies)))
        assert status in (200, 400, 401, 403, 404, 409, 413, 429, 503), answer
    assert len(other.received()) == before
    assert other.core is not None and other.ask("peer.list")["peers"]


def test_the_endpoints_answer_as_they_are_written_down() -> None:
    world, _, other = pair(3)
    for path, field in (("/", "service"), ("/health", "status"), ("/peers", "count"), ("/stats", "stats"), ("/public-key", "public_key")):
        status, answer = post(world, other, b"", "GET", path)
        assert status == 200 and field in answer
    assert post(world, other, b"", "GET", "/message") == (405, {"detail": "Method Not Allowed"})
    assert post(world, other, b"", "GET", "/nowhere") == (404, {"detail": "Not Found"})
    assert post(world, other, b"", "POST", "/health")[0] == 405


def test_a_replay_of_1_0_under_another_number_is_refused_and_an_identical_one_is_answered_200() -> None:
    world, other, bodies = recorded(("1.0",))
    message = bodies[2]
    assert post(world, other, message)[0] == 200
    value = json.loads(message)
    value["sequence_num"] = 1_000
    assert post(world, other, json.dumps(value).encode()) == (400, {"detail": "Replay detected"})
    assert len(other.received()) == 2


def test_a_message_of_1_0_for_somebody_else_is_refused() -> None:
    world, other, bodies = recorded(("1.0",))
    value = json.loads(bodies[2])
    value["recipient_id"] = "somebody-else"
    assert post(world, other, json.dumps(value).encode()) == (400, {"detail": "Unknown recipient"})


def sign(machine: Machine, value: Dict[str, Any]) -> bytes:
    """Signs an envelope of 1.1 whose payload was made by hand."""
    value = {**value, "signature": to_base64(machine.key.sign(strictjson.canonical(value)))}
    return strictjson.canonical(value)


def test_the_order_of_checks_of_1_1() -> None:
    world, other, bodies = recorded(("1.1",))
    one = world.machines["a"]
    value = json.loads(bodies[-1])
    del value["signature"]
    assert post(world, other, sign(one, {**value, "recipient_id": "c"}))[1]["error"]["code"] == "UNKNOWN_RECIPIENT"
    assert post(world, other, sign(one, {**value, "sender_id": "b"}))[1]["error"]["code"] == "UNKNOWN_SENDER"
    old = {**value, "timestamp": "2020-01-01T00:00:00.000000+00:00"}
    assert post(world, other, sign(one, old))[1]["error"]["code"] == "EXPIRED_TIMESTAMP"
    strange = {**value, "session_id": "84b2cf19-8f4d-4864-b37e-3c6b393ce6c3"}
    assert post(world, other, sign(one, strange))[1]["error"]["code"] == "SESSION_NOT_FOUND"
    assert post(world, other, sign(one, value))[1]["error"]["code"] == "SEQUENCE_ERROR"
    fresh = {**value, "sequence_num": 500}
    assert post(world, other, sign(one, fresh))[1]["error"]["code"] == "DECRYPTION_FAILED"
    assert post(world, other, sign(one, fresh))[1]["error"]["code"] == "DECRYPTION_FAILED", "a failed check consumes nothing"
    plain = {**value, "sequence_num": 501, "payload": {"text": "x"}}
    assert post(world, other, sign(one, plain))[1]["error"]["code"] == "ENCRYPTION_REQUIRED"
    third = {**value, "sequence_num": 501, "payload": {**value["payload"], "more": 1}}
    assert post(world, other, sign(one, third))[1]["error"]["code"] == "INVALID_MESSAGE"


def test_a_nonce_is_remembered_for_300_s_the_last_one_included() -> None:
    memory = NonceMemory()
    memory.record("x", 0)
    with pytest.raises(Refusal, match="REPLAY_DETECTED"):
        memory.look("x", 300 * SECOND)
    memory.look("x", 300 * SECOND + 1)


def test_a_full_nonce_memory_refuses_and_forgets_nothing_early() -> None:
    memory = NonceMemory()
    for count in range(NONCES_MAX):
        memory.record(str(count), 0)
    with pytest.raises(Refusal, match="RATE_LIMITED"):
        memory.look("new", SECOND)
    memory.look("new", 301 * SECOND)


def test_a_bucket_takes_its_burst_and_refills() -> None:
    limits = RateLimits({"capability_query": Rate(5, 2)})
    for _ in range(5):
        limits.look("capability_query", 0)
        limits.take("capability_query", 0)
    with pytest.raises(Refusal) as refusal:
        limits.look("capability_query", 0)
    assert refusal.value.retry_after_ms is not None and 400 <= refusal.value.retry_after_ms <= 600
    limits.look("capability_query", SECOND // 2)
    limits.look("message", 0)


def test_the_old_limiter_takes_ten_at_once_sixty_a_minute_and_then_blocks() -> None:
    limiter = OldLimiter()
    assert [limiter.admits(0) for _ in range(11)].count(True) == 10
    limiter = OldLimiter()
    taken = sum(limiter.admits(second * SECOND) for second in range(59) for _ in range(2))
    assert taken == 60
    assert not limiter.admits(58 * SECOND)
    assert not limiter.admits(300 * SECOND)
    assert limiter.admits(400 * SECOND)


def test_a_wrong_call_is_told_what_is_wrong_with_it() -> None:
    _, one, _ = pair(4)
    for method, params in (("peer.add", {"name": "x"}), ("message.send", {"to": "b", "body": 1}), ("peer.list", {"extra": 1}), ("session.open", {})):
        assert type(one.ask(method, params)).__name__ == "BadParams"
    assert type(one.ask("no.such.method")).__name__ == "LookupError"
    assert isinstance(one.ask("message.send", {"to": "zz", "body": {}}), CallRefused)
