"""A lookup over disjoint paths: who is asked next, and when it is over.

Source: docs/protocol/1.1.md#dht-lookup.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Set

from .records import Contact, distance
from .table import K

PATHS = 3
ALPHA = 3
QUESTIONS_MAX = 400
"""However the network looks, no lookup asks more."""


class Lookup:
    """`begin` with contacts, then `next` until nobody is to be asked and nobody is under way."""

    def __init__(self, target: bytes, own: bytes, start: List[Contact], k: int = K) -> None:
        self.target = target
        self.k = k
        self._own = own
        self._paths: List[Dict[bytes, Contact]] = [{} for _ in range(PATHS)]
        self._hops: Dict[bytes, int] = {}
        self._asked: Set[bytes] = set()
        self._under_way: Dict[bytes, int] = {}
        self._late: Set[bytes] = set()
        """Under way, but nobody waits for them alone."""
        self._answered: List[Set[bytes]] = [set() for _ in range(PATHS)]
        self.nodes: Dict[bytes, Contact] = {}
        """Everybody that answered."""
        self.questions = 0
        self.hops = 0
        for count, contact in enumerate(sorted(start, key=self._far)):
            self._hear(count % PATHS, contact, 1)

    def _far(self, contact: Contact) -> int:
        return distance(contact.node, self.target)

    def _hear(self, path: int, contact: Contact, hop: int) -> None:
        node = contact.node
        if node != self._own and node not in self._paths[path]:
            self._paths[path][node] = contact
            self._hops.setdefault(node, hop)

    def next(self) -> Optional[Contact]:
        """Who is to be asked now."""
        busy = {node: path for node, path in self._under_way.items() if node not in self._late}
        if len(busy) >= ALPHA or self.questions >= QUESTIONS_MAX:
            return None
        for path in sorted(range(PATHS), key=lambda path: sum(at == path for at in busy.values())):
            candidate = self._candidate(path)
            if candidate is not None:
                node = candidate.node
                self._asked.add(node)
                self._under_way[node] = path
                self.questions += 1
                return candidate
        return None

    def _candidate(self, path: int) -> Optional[Contact]:
        """The nearest that was not asked among the nearest that this path has to itself and needs answers of."""
        share = -(-self.k // PATHS)
        heard = sorted(self._paths[path].values(), key=self._far)
        alive = [
            one for one in heard
            if one.node not in self._asked or one.node in self._answered[path] or self._is_awaited(one.node, path)
        ]  # fmt: skip
        return next((one for one in alive[:share] if one.node not in self._asked), None)

    def _is_awaited(self, node: bytes, path: int) -> bool:
        return self._under_way.get(node) == path and node not in self._late

    def late(self, contact: Contact) -> None:
        """It has not answered for a second: somebody else is asked beside it."""
        if contact.node in self._under_way:
            self._late.add(contact.node)

    def answered(self, contact: Contact, named: List[Contact]) -> None:
        """It has answered, and names others."""
        path = self._under_way.pop(contact.node, None)
        if path is None:
            return
        self._answered[path].add(contact.node)
        self.nodes[contact.node] = contact
        hop = self._hops[contact.node]
        self.hops = max(self.hops, hop)
        for other in named:
            self._hear(path, other, hop + 1)

    def failed(self, contact: Contact) -> None:
        """It did not answer: it is passed over."""
        self._under_way.pop(contact.node, None)

    @property
    def is_over(self) -> bool:
        """Whether nothing is under way; ask `next` before."""
        return not self._under_way

    def nearest(self) -> List[Contact]:
        """The k nearest that answered."""
        return sorted(self.nodes.values(), key=self._far)[: self.k]


