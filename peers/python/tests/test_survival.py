"""Crashes before and after every batch, a network that loses and repeats: durable messages arrive once and in order, one session stays."""

from __future__ import annotations

from typing import Any, Dict, List, Set, Tuple

import pytest
from world import SECOND, Machine, World, pair

OTHER = ("1.1",)


def nonces(world: World) -> List[Tuple[str, str, int, int]]:
    """Sender, session, generation and sequence of everything that was sealed, with the bytes that were sealed."""
    seen: Dict[Tuple[str, str, int, int], str] = {}
    found: List[Tuple[str, str, int, int]] = []
    for sender, _, envelope in world.sent:
        payload = envelope.get("payload", {})
        if envelope.get("msg_type") == "session_resume":
            place = (sender, envelope["session_id"], payload["generation"], -1)
            assert seen.setdefault(place, payload["binder"]) == payload["binder"], f"{place} was proposed twice"
        if envelope.get("version") == "1.1" and "sealed" in payload:
            place = (sender, envelope["session_id"], payload["generation"], envelope["sequence_num"])
            assert seen.setdefault(place, payload["sealed"]) == payload["sealed"], f"{place} was sealed twice"
            found.append(place)
    return found


def inbox(machine: Machine) -> List[Any]:
    rows = machine.ask("message.inbox", {"limit": 1000})["messages"]
    return [row["body"]["n"] for row in rows if row["type"] == "message" and "durable" in row]


def settle(world: World, one: Machine) -> None:
    assert world.run(900 * SECOND, until=lambda: one.core is not None and one.core.outbox.count == 0), "durable messages are left"


@pytest.mark.parametrize("crash", range(1, 40))
@pytest.mark.parametrize("who", ["a", "b"])
def test_a_crash_behind_any_batch_loses_and_doubles_no_durable_message(crash: int, who: str) -> None:
    world, one, other = pair(crash, versions=OTHER)
    victim = world.machines[who]
    session = one.ask("session.open", {"to": "b"})["id"]
    world.run(2 * SECOND)
    victim.crash_in = crash
    kept = 0
    for count in range(10):
        if one.core is None:
            break
        number = one.call("message.send", {"to": "b", "durable": True, "body": {"n": count}})
        world.run(SECOND // 3)
        kept += int(isinstance(one.replies.get(number), dict))
    world.run(5 * SECOND)
    victim.crash_in = None
    if victim.core is None:
        victim.start()
    settle(world, one)
    world.run(5 * SECOND)
    arrived = inbox(other)
    assert arrived[:kept] == list(range(kept)), "what was told to be kept arrived once and in order"
    assert len(set(arrived)) == len(arrived) and arrived == sorted(arrived)
    for peer in (one, other):
        assert [row["id"] for row in peer.ask("session.list")["sessions"]] == [session]
    nonces(world)


@pytest.mark.parametrize("seed", range(20))
def test_loss_repeats_and_restarts_of_both_sides(seed: int) -> None:
    world, one, other = pair(seed, loss=0.15, repeat=0.15, versions=OTHER)
    sent = 0
    for _ in range(8):
        for machine in (one, other):
            if machine.core is None:
                machine.start()
        for _ in range(world.chance.randrange(6)):
            assert one.ask("message.send", {"to": "b", "durable": True, "body": {"n": sent}})["queued"] is True
            sent += 1
        one.call("message.send", {"to": "b", "body": {"volatile": sent}})
        world.run(world.chance.randrange(20) * SECOND)
        victim = world.chance.choice([one, other])
        if world.chance.random() < 0.3:
            victim.stop()
        elif world.chance.random() < 0.7:
            victim.crash()
    world.loss = world.repeat = 0.0
    for machine in (one, other):
        if machine.core is None:
            machine.start()
    settle(world, one)
    world.run(5 * SECOND)
    assert inbox(other) == list(range(sent))
    nonces(world)


@pytest.mark.parametrize("seed", range(6))
def test_durable_messages_of_1_0_arrive_at_least_once_and_in_order(seed: int) -> None:
    world, one, other = pair(seed, loss=0.1, versions=("1.0",))
    for count in range(15):
        assert one.ask("message.send", {"to": "b", "durable": True, "body": {"n": count}})["queued"] is True
    world.run(10 * SECOND)
    other.crash()
    world.run(10 * SECOND)
    other.start()
    settle(world, one)
    seen: List[int] = [params["body"]["n"] for name, params in other.events if name == "message.received"]
    first: List[int] = []
    known: Set[int] = set()
    for count in seen:
        if count not in known:
            known.add(count)
            first.append(count)
    assert first == list(range(15))


def test_traffic_keys_are_never_kept() -> None:
    world, one, other = pair(99, versions=OTHER)
    one.ask("session.open", {"to": "b"})
    world.run(2 * SECOND)
    assert one.core is not None
    session = one.core.lines["b"].eleven.session
    assert session is not None
    stored = repr(one.records).encode() + repr(other.records).encode()
    for traffic in session.traffic.values():
        for key in (traffic.seal_key, traffic.open_key):
            assert key.hex().encode() not in stored and repr(key).encode()[2:-1] not in stored


def test_an_acknowledged_session_survives_both_ends_in_turn() -> None:
    world, one, other = pair(7, versions=OTHER)
    session = one.ask("session.open", {"to": "b"})["id"]
    for count in range(20):
        victim = (one, other)[count % 2]
        victim.crash()
        victim.start()
        assert one.ask("message.send", {"to": "b", "durable": True, "body": {"n": count}})["queued"] is True
        settle(world, one)
    assert inbox(other) == list(range(20))
    world.run(10 * SECOND)
    row = one.ask("session.list")["sessions"][0]
    assert row["id"] == session and row["generation"] >= 20 and row["state"] == "ready"
    nonces(world)


def test_what_failed_for_want_of_a_connection_goes_as_soon_as_there_is_one() -> None:
    world, one, other = pair(versions=("1.1",), websocket=True)
    assert one.ask("session.open", {"to": "b"})["state"] == "ready"
    world.machines.pop("b")
    one.ask("message.send", {"to": "b", "body": {"n": 1}, "durable": True})
    world.run(SECOND // 10)
    world.machines["b"] = other
    assert one.core is not None
    one.core.handle_linked("b", 1, world.now)
    one.flush()
    assert world.run(SECOND // 10, until=lambda: other.received() == [{"n": 1}]), "not after the pause of 2 s"
