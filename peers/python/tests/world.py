"""Whole peers in virtual time: a network that may lose and repeat, stores that survive crashes, one seed for all chance."""

from __future__ import annotations

import heapq
import itertools
import json
import random
from typing import Any, Callable, Dict, List, Optional, Tuple

from entity_py.config import Config
from entity_py.crypto import SigningKey, sha256
from entity_py.features import all_features
from entity_py.peer.core import Core
from entity_py.peer.outputs import Answer, Event, Output, Reply, Transmit
from entity_py.strictjson import JsonObject
from entity_py.times import Now

WALL = 1_800_000_000_000_000
SECOND = 1_000_000
DELAY = 1_000
"""How long a request or an answer is on its way."""


class Machine:
    """A peer with its store; each start is another life."""

    def __init__(self, world: "World", config: Config) -> None:
        self.world = world
        self.config = config
        self.key = SigningKey(sha256(config.name.encode()))
        self.address = f"http://{config.name}:1"
        self.records: Dict[str, Dict[str, bytes]] = {}
        self.core: Optional[Core] = None
        self.life = 0
        self.events: List[Tuple[str, JsonObject]] = []
        self.replies: Dict[object, Any] = {}
        self.crash_in: Optional[int] = None
        """Crash after this many batches were kept, before anything that rests on the last one leaves."""

    @property
    def is_alive(self) -> bool:
        return self.core is not None

    def start(self) -> None:
        self.life += 1
        self.core = Core(self.config, self.key, self.world.chance.randbytes, all_features())
        self.core.address = self.address
        self.core.handle_start({space: dict(found) for space, found in self.records.items()}, self.world.now)
        self.flush()

    def crash(self) -> None:
        """Whatever was not kept is gone."""
        self.core = None
        self.life += 1

    def stop(self) -> None:
        assert self.core is not None
        self.core.handle_stop(self.world.now)
        self.flush()
        self.crash()

    def call(self, method: str, params: JsonObject) -> object:
        """Asks; the reply is in `replies` under the returned number, perhaps later."""
        number = next(self.world.count)
        if self.core is not None:
            self.core.handle_call(number, method, params, self.world.now)
            self.flush()
        return number

    def ask(self, method: str, params: Optional[JsonObject] = None, within: int = 60 * SECOND) -> Any:
        """Asks and lets time pass until the reply is there."""
        number = self.call(method, params or {})
        self.world.run(within, until=lambda: number in self.replies)
        return self.replies.pop(number)

    def flush(self) -> None:
        if self.core is None:
            return
        step = self.core.drain()
        if step is None:
            return
        for space, key, value in step.changes:
            found = self.records.setdefault(space, {})
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value
        if step.changes and self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in <= 0:
                self.crash_in = None
                self.crash()
                return
        for output in step.outputs:
            self.release(output)

    def release(self, output: Output) -> None:
        if isinstance(output, Event):
            self.events.append((output.name, json.loads(json.dumps(output.params))))
        elif isinstance(output, Reply):
            self.replies[output.call] = output.outcome
        elif isinstance(output, Transmit):
            self.world.carry(self, output)
        elif isinstance(output, Answer) and callable(output.token):
            output.token(output.status, output.body)

    def received(self, kind: str = "message") -> List[JsonObject]:
        """Bodies of the messages that came, in order."""
        return [params["body"] for name, params in self.events if name == "message.received" and params["type"] == kind]


class World:
    """Machines, the network between them, and time."""

    def __init__(self, seed: int = 0, loss: float = 0.0, repeat: float = 0.0) -> None:
        self.chance = random.Random(seed)
        self.loss = loss
        self.repeat = repeat
        self.mono = 1_000_000_000
        self.skew = 0
        self.machines: Dict[str, Machine] = {}
        self.count = itertools.count(1)
        self.sent: List[Tuple[str, str, JsonObject]] = []
        self.carried: List[Tuple[str, str, bytes]] = []
        """Every POST: who sent it, to which endpoint, what."""
        self.tamper: Callable[[str, str, bytes], Optional[bytes]] = lambda sender, to, body: body
        self._events: List[Tuple[int, int, Callable[[], None]]] = []

    @property
    def now(self) -> Now:
        return Now(self.mono, WALL + self.mono)

    def add(self, name: str, **settings: Any) -> Machine:
        machine = Machine(self, Config(name=name, **settings))
        self.machines[name] = machine
        machine.start()
        return machine

    def introduce(self, connect: bool = False, keys: bool = True) -> None:
        for one in self.machines.values():
            for other in self.machines.values():
                if one is not other:
                    params: JsonObject = {"name": other.config.name, "address": other.address, "connect": connect}
                    if keys:
                        params["key"] = other.key.public.hex()
                    assert one.ask("peer.add", params) == {}

    def at(self, delay: int, function: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.mono + delay, next(self.count), function))

    def carry(self, sender: Machine, what: Transmit) -> None:
        """A request goes out; its answer, or that there is none, comes back to the same life only."""
        life = sender.life
        to = self.machines.get(what.url.split("//")[1].split(":")[0])

        def back(status: Optional[int], body: bytes, error: str = "") -> None:
            if sender.core is not None and sender.life == life:
                sender.core.handle_transmitted(what.id, status, body, error, self.now)
                sender.flush()

        if what.method == "POST":
            self.carried.append((sender.config.name, what.path, what.body))
        if what.method == "POST" and what.body:
            try:
                self.sent.append((sender.config.name, to.config.name if to else "?", json.loads(what.body)))
            except ValueError:
                pass
        body = self.tamper(sender.config.name, to.config.name if to else "?", what.body)

        def arrive(first: bool) -> None:
            if to is None or to.core is None:
                if first:
                    self.at(DELAY, lambda: back(None, b"", "refused"))
                return

            def answered(status: int, answer: bytes) -> None:
                if first and self.chance.random() >= self.loss:
                    self.at(DELAY, lambda: back(status, answer))
                elif first:
                    self.at(what.limit, lambda: back(None, b"", "no answer in time"))

            to.core.handle_request(answered, what.method, what.path, body or b"", True, self.now)
            to.flush()
            if first and not to.is_alive:
                self.at(DELAY, lambda: back(None, b"", "the connection was reset"))

        if body is None or self.chance.random() < self.loss:
            self.at(what.limit, lambda: back(None, b"", "no answer in time"))
            return
        self.at(DELAY + self.chance.randrange(DELAY), lambda: arrive(True))
        if self.chance.random() < self.repeat:
            self.at(DELAY * 3 + self.chance.randrange(SECOND), lambda: arrive(False))

    def run(self, span: int, until: Optional[Callable[[], bool]] = None) -> bool:
        """Lets time pass; True as soon as `until` holds."""
        end = self.mono + span
        for _ in range(2_000_000):
            if until is not None and until():
                return True
            due = self._events[0][0] if self._events else end + 1
            waking: Optional[Machine] = None
            for machine in self.machines.values():
                deadline = machine.core.next_deadline() if machine.core is not None else None
                if deadline is not None and deadline < due:
                    due, waking = deadline, machine
            if due > end:
                self.mono = end
                return until is not None and until()
            self.mono = max(self.mono, due)
            if waking is not None and waking.core is not None:
                waking.core.handle_deadline(self.now)
                waking.flush()
            else:
                heapq.heappop(self._events)[2]()
        raise AssertionError("too much happened")


def pair(seed: int = 0, loss: float = 0.0, repeat: float = 0.0, **settings: Any) -> Tuple[World, Machine, Machine]:
    """Two peers that know each other."""
    world = World(seed, loss, repeat)
    one, other = world.add("a", **settings), world.add("b", **settings)
    world.introduce()
    return world, one, other
