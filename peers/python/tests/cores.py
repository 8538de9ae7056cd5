"""Whole peers in memory: requests go from one to the other, what is kept survives a restart, time is virtual."""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from entity_py.codes import CallRefused
from entity_py.config import Config
from entity_py.crypto import SigningKey
from entity_py.encoding import SECOND
from entity_py.features import all_features
from entity_py.peer.core import Core
from entity_py.peer.outputs import Answer, Event, Reply, Transmit, Work
from entity_py.strictjson import JsonObject
from entity_py.times import Now

START = 1_795_000_000 * SECOND
Done = Callable[[Optional[int], bytes], None]


class Body:
    """One peer: its core of this life, and what it has kept."""

    def __init__(self, world: "Cores", name: str, **config: Any) -> None:
        self.world = world
        self.name = name
        if "folder" in config:
            config["folder"] = f"{config['folder']}/{name}"
        self.config = Config(name=name, test_peer=True, log=self._log, **config)
        self.key = SigningKey(hashlib.sha256(name.encode()).digest())
        self.kept: Dict[str, Dict[str, bytes]] = {}
        self.events: List[Tuple[str, JsonObject]] = []
        self.logged: List[str] = []
        self.core: Optional[Core] = None
        self._drawn = 0
        self._answers: Dict[object, Any] = {}
        self._replies: Dict[object, Any] = {}
        self.start()

    def _log(self, level: str, text: str) -> None:
        self.logged.append(f"{level}: {text}")

    def _draw(self, count: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self.name} {self._drawn}".encode()).digest(count)

    def start(self) -> None:
        """A new life, from what was kept."""
        self.core = Core(self.config, self.key, self._draw, all_features())
        self.core.handle_start({space: dict(records) for space, records in self.kept.items()}, self.world.now)
        self.drain()

    def kill(self) -> None:
        """Everything that was not kept is gone."""
        self.core = None

    def drain(self) -> None:
        """Keeps first, then lets out."""
        while self.core is not None:
            step = self.core.drain()
            if step is None:
                return
            for space, key, value in step.changes:
                records = self.kept.setdefault(space, {})
                if value is None:
                    records.pop(key, None)
                else:
                    records[key] = value
            for output in step.outputs:
                if isinstance(output, Transmit):
                    self.world.wire.append((self, self.core, output))
                elif isinstance(output, Work):
                    self.work(output)
                elif isinstance(output, Answer):
                    self._answers[output.token] = output
                elif isinstance(output, Reply):
                    self._replies[output.call] = output.outcome
                elif isinstance(output, Event):
                    self.events.append((output.name, output.params))

    def work(self, work: Work) -> None:
        """Done at once, as long as the peer lives."""
        core = self.core
        if core is None:
            return
        try:
            result: Any = work.function()
        except Exception as failure:
            result = failure
        core.handle_worked(work.id, result, self.world.now)

    def request(self, transmit: Transmit) -> Answer:
        """Takes a request of another peer."""
        assert self.core is not None
        token = object()
        self.core.handle_request(token, transmit.method, transmit.path, transmit.body, True, self.world.now)
        self.drain()
        answer = self._answers.pop(token)
        assert isinstance(answer, Answer)
        return answer

    def begin(self, method: str, **params: Any) -> object:
        """A call that may take its time."""
        assert self.core is not None
        call = object()
        named = {name.rstrip("_"): value for name, value in params.items()}
        self.core.handle_call(call, method, named, self.world.now)
        self.drain()
        return call

    def end(self, call: object, seconds: float = 60) -> Any:
        """What it is answered with, within so much virtual time. Raises what it is refused with."""
        self.world.run(seconds, until=lambda: call in self._replies)
        outcome = self._replies.pop(call)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def call(self, method: str, **params: Any) -> Any:
        """Begins and ends a call."""
        return self.end(self.begin(method, **params))

    def refused(self, method: str, **params: Any) -> str:
        """The code that a call is refused with."""
        try:
            outcome = self.call(method, **params)
        except CallRefused as refused:
            return refused.code
        raise AssertionError(f"{method} was not refused: {outcome}")

    def told(self, name: str) -> List[JsonObject]:
        """Events of this name."""
        return [params for event, params in self.events if event == name]


class Cores:
    """Peers that know each other, and the wire between them."""

    def __init__(self, *names: str, **config: Any) -> None:
        self.mono = 0
        self.wire: List[Tuple[Body, Core, Transmit]] = []
        self.deaf: Set[str] = set()
        self.loses: Callable[[], bool] = lambda: False
        """Whether the next request gets lost."""
        self.bodies = {name: Body(self, name, **config) for name in names}
        for one in self.bodies.values():
            for other in self.bodies.values():
                if one is not other:
                    one.call("peer.add", name=other.name, address=f"http://{other.name}", key=other.key.public.hex())

    @property
    def now(self) -> Now:
        """Both clocks go alike."""
        return Now(self.mono, START + self.mono)

    def deliver(self) -> None:
        """Until nothing is under way; who is dead or deaf does not answer."""
        while self.wire:
            sender, core, transmit = self.wire.pop(0)
            name = transmit.url.split("//", 1)[1].split("/", 1)[0]
            target = self.bodies.get(name)
            status: Optional[int] = None
            body, error = b"", "refused"
            if target is not None and target.core is not None and name not in self.deaf and not self.loses() and target.core is not None:
                answer = target.request(transmit)
                status, body, error = answer.status, answer.body, ""
            if sender.core is core:
                core.handle_transmitted(transmit.id, status, body, error, self.now)
                sender.drain()

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Lets time pass, deadline after deadline."""
        self.deliver()
        end = self.mono + int(seconds * SECOND)
        while not until():
            due = [body.core.next_deadline() for body in self.bodies.values() if body.core is not None]
            at = min((moment for moment in due if moment is not None), default=end + 1)
            if at > end:
                self.mono = end
                return
            self.mono = max(self.mono, at)
            for body in self.bodies.values():
                if body.core is not None:
                    body.core.handle_deadline(self.now)
                    body.drain()
            self.deliver()
