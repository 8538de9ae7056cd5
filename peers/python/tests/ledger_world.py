"""Ledgers that talk in memory: nothing leaves before it is kept, messages can be dropped, peers can crash at any batch."""

from __future__ import annotations

from collections import deque
from typing import Callable, Deque, Dict, List, Optional, Set, Tuple

from entity_py.crypto import SigningKey, account_seed
from entity_py.encoding import SECOND, parse_stamp
from entity_py.ledger.genesis import Genesis, parse_genesis
from entity_py.ledger.machine import ARCHIVE_SPACES, Ledger, Request
from entity_py.ledger.outputs import Event, Payment, Persist, Send
from entity_py.strictjson import JsonObject, canonical, parse
from entity_py.times import Now

START = parse_stamp("2026-01-01T00:00:00.000000+00:00")
HOUR = 3600 * SECOND


class Crash(Exception):
    """The power is gone."""


class Node:
    """One peer: its machine, what it keeps, and what it told."""

    def __init__(self, world: "World", seed: bytes) -> None:
        self.world = world
        self.key = SigningKey(seed)
        self.name = self.key.public.hex()
        self.accounts = {self.name: self.key}
        self.kept: Dict[Tuple[str, str], JsonObject] = {}
        self.events: List[Event] = []
        self.payments: List[Payment] = []
        self.crash_at: Optional[int] = None
        self.batches = 0
        self.ledger: Optional[Ledger] = None

    def account(self, index: int) -> str:
        """Adds a derived account."""
        key = SigningKey(account_seed(self.key.seed, index))
        self.accounts[key.public.hex()] = key
        return key.public.hex()

    def lookup(self, space: str, key: str) -> Optional[JsonObject]:
        assert space in ARCHIVE_SPACES
        return self.kept.get((space, key))

    def knows(self, key: str) -> bool:
        return key in self.world.nodes

    def open(self, genesis: Genesis) -> None:
        self.ledger = Ledger.open(genesis, self.key, self.accounts.get, self.knows, self.lookup)
        self.drain()

    def restart(self) -> None:
        """From what was kept alone."""
        records = [(space, key, value) for (space, key), value in self.kept.items()]
        self.crash_at = None
        self.ledger = Ledger.restore(records, self.key, self.accounts.get, self.knows, self.lookup, self.world.now)
        self.drain()

    def drain(self) -> None:
        ledger = self.ledger
        assert ledger is not None
        for output in ledger.take_outputs():
            if isinstance(output, Persist):
                self.batches += 1
                if self.crash_at == -self.batches:
                    self.die()
                for space, key, value in output.writes:
                    if value is None:
                        self.kept.pop((space, key), None)
                    else:
                        self.kept[(space, key)] = parse(canonical(value)).value
                if self.crash_at == self.batches:
                    self.die()
            elif isinstance(output, Send):
                self.world.wire.append((self.name, output.to, output.msg_type, canonical(output.body)))
            elif isinstance(output, Event):
                self.events.append(output)
            elif isinstance(output, Payment):
                self.payments.append(output)

    def die(self) -> None:
        self.ledger = None
        raise Crash

    def handle(self, act: Callable[[Ledger], None]) -> None:
        """One input; a crash inside it ends this life."""
        if self.ledger is None:
            return
        try:
            act(self.ledger)
            self.drain()
        except Crash:
            pass

    def pay(
        self,
        to: str,
        amount: int,
        transfer_id: str,
        payer: Optional[str] = None,
        memo: Optional[str] = None,
        expires_in: int = HOUR,
        token: str = "AGT",
    ) -> None:
        receiver = to if self.knows(to) else None
        request = Request((payer or self.name, token), to, amount, transfer_id, memo, expires_in, receiver)
        self.handle(lambda ledger: ledger.pay(request, self.world.now))

    def told(self, name: str) -> List[JsonObject]:
        return [event.params for event in self.events if event.name == name]

    def balance(self, of: str, token: str = "AGT") -> int:
        assert self.ledger is not None
        return self.ledger.state.account((of, token)).balance

    def records(self, space: str) -> List[JsonObject]:
        return [value for (of, _), value in self.kept.items() if of == space]


class World:
    """Several nodes, a wire, and virtual time."""

    def __init__(self, seeds: List[bytes]) -> None:
        self.mono = 0
        self.shift = 0
        self.wire: Deque[Tuple[str, str, str, bytes]] = deque()
        self.nodes: Dict[str, Node] = {}
        self.log: List[Tuple[str, str, str, bytes]] = []
        self.lost: Set[str] = set()
        for seed in seeds:
            node = Node(self, seed)
            self.nodes[node.name] = node

    @property
    def now(self) -> Now:
        return Now(self.mono, START + self.mono + self.shift)

    def begin(self, members: List[Node], issuer: str, cap: str = "1000000") -> Genesis:
        value = {
            "committee": [node.name for node in members],
            "tokens": [{"token": "AGT", "issuer": issuer, "cap": cap}],
        }
        genesis = parse_genesis(value)
        for node in self.nodes.values():
            node.open(genesis)
        return genesis

    def deliver(self) -> None:
        """Until nothing is on its way; what goes to or from somebody in `lost` is dropped."""
        while self.wire:
            sender, to, msg_type, body = self.wire.popleft()
            node = self.nodes.get(to)
            if node is None or node.ledger is None or self.lost & {sender, to}:
                continue
            self.log.append((sender, to, msg_type, body))
            value = parse(body).value
            node.handle(lambda ledger: ledger.handle_message(sender, msg_type, value, self.now))

    def run(self, seconds: float) -> None:
        """Lets time pass, deadline after deadline."""
        self.deliver()
        end = self.mono + int(seconds * SECOND)
        while True:
            due = [node.ledger.next_deadline() for node in self.nodes.values() if node.ledger is not None]
            at = min((moment for moment in due if moment is not None), default=end + 1)
            if at > end:
                break
            self.mono = max(self.mono, at)
            for node in self.nodes.values():
                node.handle(lambda ledger: ledger.handle_deadline(self.now))
            self.deliver()
        self.mono = end
