"""Whole peers in virtual time: meeting, talking, renewing keys, ending."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import pytest
from entity_py.codes import CallRefused
from world import SECOND, World, pair

ONE, OTHER, BOTH = ("1.0",), ("1.1",), ("1.0", "1.1")
COMMON: Dict[Tuple[Tuple[str, ...], Tuple[str, ...]], str] = {
    (ONE, ONE): "1.0", (ONE, BOTH): "1.0", (BOTH, ONE): "1.0", (OTHER, OTHER): "1.1", (OTHER, BOTH): "1.1", (BOTH, OTHER): "1.1",
    (BOTH, BOTH): "1.1",
}  # fmt: skip


@pytest.mark.parametrize("a", [ONE, OTHER, BOTH])
@pytest.mark.parametrize("b", [ONE, OTHER, BOTH])
def test_two_peers_speak_the_newest_version_that_both_have(a: Tuple[str, ...], b: Tuple[str, ...]) -> None:
    world = World(1)
    one, other = world.add("a", versions=a), world.add("b", versions=b)
    world.introduce()
    spoken = COMMON.get((a, b))
    opened = one.ask("session.open", {"to": "b"})
    if spoken is None:
        assert isinstance(opened, CallRefused) and opened.code == "INVALID_VERSION"
        return
    assert opened["version"] == spoken
    for sender, receiver in ((one, other), (other, one)):
        sent = sender.ask("message.send", {"to": receiver.config.name, "body": {"text": sender.config.name}})
        assert sent["status"] == 200 and sent["session"] == opened["id"] and sent["version"] == spoken
        world.run(2 * SECOND, until=lambda: bool(receiver.received()))
        assert receiver.received() == [{"text": sender.config.name}]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("versions", [ONE, OTHER])
def test_both_open_at_once_and_there_is_one_session(seed: int, versions: Tuple[str, ...]) -> None:
    world, one, other = pair(seed, versions=versions)
    calls = [one.call("session.open", {"to": "b"}), other.call("session.open", {"to": "a"})]
    world.run(30 * SECOND, until=lambda: calls[0] in one.replies and calls[1] in other.replies)
    world.run(3 * SECOND)
    mine, theirs = one.ask("session.list")["sessions"], other.ask("session.list")["sessions"]
    assert [(row["id"], row["state"]) for row in mine] == [(row["id"], row["state"]) for row in theirs]
    assert len(mine) == 1 and mine[0]["state"] == "ready"


def test_a_key_is_learnt_at_the_first_meeting_and_kept() -> None:
    world = World(3)
    one, other = world.add("a", versions=OTHER), world.add("b", versions=OTHER)
    world.introduce(keys=False)
    assert one.ask("session.open", {"to": "b"})["version"] == "1.1"
    peer = one.ask("peer.list")["peers"][0]
    assert peer["key"] == other.key.public.hex() and peer["trust"] == "first_use" and peer["proved"] == "1.1"


def test_a_stranger_is_refused() -> None:
    world = World(4)
    one, _ = world.add("a", versions=OTHER), world.add("b", versions=OTHER)
    other = world.machines["b"]
    assert one.ask("peer.add", {"name": "b", "address": other.address, "key": other.key.public.hex()}) == {}
    opened = one.ask("session.open", {"to": "b"})
    assert isinstance(opened, CallRefused) and opened.code == "UNKNOWN_SENDER" and opened.status == 401


def test_a_session_gets_new_keys_from_either_side_and_its_numbers_go_on() -> None:
    world, one, other = pair(5, versions=OTHER)
    session = one.ask("session.open", {"to": "b"})["id"]
    world.run(SECOND)
    for generation, side in ((1, one), (2, other), (3, one)):
        assert side.ask("session.rekey", {"id": session}) == {"generation": generation}
        sent = one.ask("message.send", {"to": "b", "body": {"n": generation}})
        assert (sent["number"], sent["session"]) == (generation, session)
        world.run(3 * SECOND)
        for peer in (one, other):
            row = peer.ask("session.list")["sessions"][0]
            assert (row["generation"], row["state"]) == (generation, "ready")
    assert other.received() == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_closed_session_is_gone_on_both_sides() -> None:
    world, one, other = pair(6, versions=OTHER)
    session = one.ask("session.open", {"to": "b"})["id"]
    assert one.ask("session.close", {"id": session}) == {}
    world.run(SECOND)
    assert one.ask("session.list")["sessions"] == other.ask("session.list")["sessions"] == []
    assert ("session.closed", {"id": session, "peer": "a", "reason": "closed_by_peer"}) in other.events


def test_nothing_is_in_the_clear_in_a_session_of_1_1() -> None:
    world, one, _ = pair(7, versions=OTHER)
    one.ask("session.open", {"to": "b"})
    refused = one.ask("message.send", {"to": "b", "seal": "never", "body": {}})
    assert isinstance(refused, CallRefused) and refused.code == "ENCRYPTION_REQUIRED"
    one.ask("message.send", {"to": "b", "body": {"secret": "xyzzy"}})
    assert "xyzzy" not in repr(world.sent)


def test_a_message_that_is_refused_is_skipped_and_the_next_one_arrives() -> None:
    world, one, other = pair(8, versions=OTHER)
    one.ask("session.open", {"to": "b"})
    world.tamper = lambda sender, to, body: body.replace(b'"sealed":"', b'"sealed":"AAAA') if b'"msg_type":"message"' in body else body
    refused = one.ask("message.send", {"to": "b", "body": {"n": 1}})
    assert isinstance(refused, CallRefused) and refused.code == "INVALID_SIGNATURE"
    world.tamper = lambda sender, to, body: body
    assert one.ask("message.send", {"to": "b", "body": {"n": 2}})["number"] == 2
    world.run(5 * SECOND)
    assert other.received() == [{"n": 2}]


def test_a_float_does_not_leave() -> None:
    _, one, _ = pair(9, versions=OTHER)
    refused = one.ask("message.send", {"to": "b", "body": {"price": 1.5}})
    assert isinstance(refused, CallRefused) and refused.code == "INVALID_MESSAGE"


def test_a_forged_refusal_leads_to_no_1_0_between_peers_that_have_1_1() -> None:
    world, one, other = pair(10, versions=BOTH)
    world.tamper = lambda sender, to, body: body.replace(b'"version":"1.1"', b'"version":"9.9"') if b"handshake_init" in body else body
    refused = one.ask("session.open", {"to": "b"})
    assert isinstance(refused, CallRefused)
    world.tamper = lambda sender, to, body: body
    assert one.ask("session.open", {"to": "b"})["version"] == "1.1"
    assert not any(params.get("version") == "1.0" for name, params in one.events + other.events if name == "session.ready")


def test_a_silent_peer_is_unhealthy_after_three_periods_and_healthy_when_it_returns() -> None:
    world, one, other = pair(11, versions=OTHER, heartbeat=3 * SECOND)
    one.ask("session.open", {"to": "b"})
    other.stop()
    world.run(10 * SECOND)
    assert ("peer.health", {"peer": "b", "healthy": False}) in one.events
    other.start()
    world.run(10 * SECOND)
    assert one.events[-1] != ("peer.health", {"peer": "b", "healthy": False})
    assert one.ask("peer.list")["peers"][0]["healthy"] is True


def test_waking_capabilities_and_errors_go_both_ways() -> None:
    world, one, other = pair(12, versions=OTHER)
    assert one.ask("peer.wake", {"to": "b", "reason": "work"}) == {}
    found: Any = one.ask("capability.query", {"to": "b"})
    assert found["capabilities"]["entity_id"] == "b" and found["capabilities"]["protocol_versions"] == ["1.1"]
    for count in range(101):
        assert one.ask("error.notify", {"to": "b", "code": "X", "message": str(count)}) == {}
    world.run(5 * SECOND)
    errors = other.ask("error.list")["errors"]
    assert len(errors) == 100 and errors[-1]["message"] == "100"


def test_a_full_queue_names_its_limit_and_takes_again_when_there_is_room() -> None:
    world, one, other = pair(13, versions=OTHER)
    one.ask("session.open", {"to": "b"})
    other.crash()
    body = {"text": "x" * 500_000}
    for _ in range(16):
        assert one.ask("message.send", {"to": "b", "durable": True, "body": body})["queued"] is True
    refused = one.ask("message.send", {"to": "b", "durable": True, "body": body})
    assert isinstance(refused, CallRefused) and "durable_bytes_per_peer_max" in str(refused.detail)
    other.start()
    world.run(120 * SECOND, until=lambda: one.core is not None and one.core.outbox.count == 0)
    assert len(other.received()) == 16
    assert one.ask("message.send", {"to": "b", "durable": True, "body": body})["queued"] is True
