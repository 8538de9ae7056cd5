"""A peer dies in the middle of a handshake or of a resumption: both have a session again within seconds, whoever it was and whoever has the smaller key."""

from __future__ import annotations

from typing import List, Optional

import pytest
from world import DELAY, SECOND, Machine, World

STEPS = ("handshake_init", "handshake_init_ack", "challenge_response", "session_established", "session_confirm", "ready")
WITHIN = 10 * SECOND


def network(seed: int, opens_with_smaller: bool) -> tuple[World, Machine, Machine]:
    """Two peers of 1.1; the first one is to open."""
    world = World(seed)
    one, other = world.add("a", versions=("1.1",)), world.add("b", versions=("1.1",))
    world.introduce()
    first, second = sorted((one, other), key=lambda machine: machine.key.public)
    return (world, first, second) if opens_with_smaller else (world, second, first)


class Killer:
    """Ends a machine when a message of a type is on its way, before that arrives or once it was answered; nothing that the victim says from there on arrives."""

    def __init__(self, world: World, victim: Machine, kind: str, arrives: bool) -> None:
        self.world, self.victim, self.kind, self.arrives = world, victim, kind, arrives
        self.has_killed = False
        world.tamper = self.look

    def look(self, sender: str, to: str, body: Optional[bytes]) -> Optional[bytes]:
        """Of each message."""
        is_victims = sender == self.victim.config.name
        if body and not self.has_killed and f'"msg_type":"{self.kind}"'.encode() in body:
            self.has_killed = True
            # It takes between one and two milliseconds to arrive, and the answer another one.
            self.world.at(3 * DELAY if self.arrives else 0, self.die)
            return body if self.arrives or not is_victims else None
        return None if self.has_killed and is_victims else body

    def die(self) -> None:
        """The victim is gone, and the next life is heard again."""
        self.victim.crash()
        self.world.tamper = lambda sender, to, body: body


def queued(machine: Machine, to: Machine) -> None:
    machine.ask("message.send", {"to": to.config.name, "durable": True, "body": {"from": machine.config.name}})


def arrived(machine: Machine) -> List[object]:
    return [body["from"] for body in machine.received()]


@pytest.mark.parametrize("opens_with_smaller", [True, False], ids=["smaller", "larger"])
@pytest.mark.parametrize("who", ["opener", "answerer"])
@pytest.mark.parametrize("sends", ["opener", "answerer", "both"])
@pytest.mark.parametrize("arrives", [True, False], ids=["behind", "before"])
@pytest.mark.parametrize("kind", STEPS)
def test_a_death_at_a_step_of_a_handshake_costs_seconds(kind: str, arrives: bool, sends: str, who: str, opens_with_smaller: bool) -> None:
    world, opener, answerer = network(STEPS.index(kind), opens_with_smaller)
    victim = opener if who == "opener" else answerer
    killer = Killer(world, victim, kind, arrives)
    opener.call("session.open", {"to": answerer.config.name})
    assert world.run(2 * SECOND, until=lambda: killer.has_killed and victim.core is None)
    world.run(SECOND)
    victim.start()
    pairs = [(opener, answerer), (answerer, opener)]
    wanted = [(sender, to) for sender, to in pairs if sends in ("both", "opener" if sender is opener else "answerer")]
    for sender, to in wanted:
        queued(sender, to)
    assert world.run(WITHIN, until=lambda: all(arrived(to) == [sender.config.name] for sender, to in wanted)), "no session for ten seconds"


@pytest.mark.parametrize("opens_with_smaller", [True, False], ids=["smaller", "larger"])
@pytest.mark.parametrize("who", ["proposer", "answerer"])
@pytest.mark.parametrize("arrives", [True, False], ids=["behind", "before"])
@pytest.mark.parametrize("kind", ["session_resume", "session_resumed"])
def test_a_death_at_a_step_of_a_resumption_costs_seconds(kind: str, arrives: bool, who: str, opens_with_smaller: bool) -> None:
    world, proposer, answerer = network(7, opens_with_smaller)
    proposer.ask("session.open", {"to": answerer.config.name})
    world.run(2 * SECOND)
    victim = proposer if who == "proposer" else answerer
    killer = Killer(world, victim, kind, arrives)
    proposer.crash()
    proposer.start()
    proposer.call("message.send", {"to": answerer.config.name, "durable": True, "body": {"from": proposer.config.name}})
    assert world.run(5 * SECOND, until=lambda: killer.has_killed and victim.core is None)
    world.run(SECOND)
    victim.start()
    queued(answerer, proposer)
    done = lambda: len(arrived(proposer)) == 1 and len(arrived(answerer)) == 1  # noqa: E731
    assert world.run(WITHIN, until=done), "no session for ten seconds"


@pytest.mark.parametrize("seed", range(10))
def test_two_that_restart_at_once_and_propose_the_same_generation_resume(seed: int) -> None:
    world, one, other = network(seed, True)
    session = one.ask("session.open", {"to": other.config.name})["id"]
    world.run(2 * SECOND)
    for machine in (one, other):
        machine.crash()
    for machine in (one, other):
        machine.start()
    for sender, to in ((one, other), (other, one)):
        sender.call("message.send", {"to": to.config.name, "durable": True, "body": {"from": sender.config.name}})
    done = lambda: len(arrived(one)) == 1 and len(arrived(other)) == 1  # noqa: E731
    assert world.run(WITHIN, until=done), "no session for ten seconds"
    assert [row["id"] for row in one.ask("session.list")["sessions"]] == [session]
    assert not any(kind == "handshake_init" for kind in kinds(world, since=session)), "the session resumes"


def kinds(world: World, since: str) -> List[str]:
    """The types of messages of sessions other than this one."""
    return [envelope["msg_type"] for _, _, envelope in world.sent if envelope.get("session_id") != since and "msg_type" in envelope]
