"""Showing own certificates to the members and the receiver until each has sent a receipt.

Source: docs/protocol/1.1.md#ordering.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Dict, Iterator, List, Optional, Set

from ..strictjson import JsonObject
from ..times import Now
from .genesis import Genesis
from .objects import Account, Certificate, Order
from .outputs import Send, Sink
from .pauses import Pause
from .state import State

PRESENTED_MAX = 4_096
"""Own certificates without all their receipts."""
UNDER_WAY_MAX = 64
"""Of these so many are under way to one peer."""


@dataclass
class Presented:
    """An own certificate and who has not said that it is applied."""

    order: Order
    receiver: Optional[str]
    waiting: Set[str]


@dataclass
class _Audience:
    """One peer: what is under way to it, and what it is to see after that, both in order."""

    pause: Pause
    under_way: Dict[str, None] = field(default_factory=dict)
    later: Dict[str, None] = field(default_factory=dict)

    def remove(self, digest: str) -> None:
        """It has that."""
        self.under_way.pop(digest, None)
        self.later.pop(digest, None)


class Presenting:
    """Bounded: when there are too many, the oldest that a quorum and the receiver have is shown no more."""

    def __init__(self, genesis: Genesis, state: State, sink: Sink, me: str) -> None:
        self._genesis = genesis
        self._state = state
        self._sink = sink
        self._me = me
        self._presented: Dict[str, Presented] = {}
        self._peers: Dict[str, _Audience] = {}

    def restore(self, digest: str, value: JsonObject, now: Now) -> Optional[Certificate]:
        """Takes a kept record back; the certificate, which may not have been applied yet."""
        certificate = self._state.certificate(digest)
        if certificate is not None:
            presented = Presented(certificate.order, value["receiver"], set(value["waiting"]))
            self._presented[digest] = presented
            for peer in sorted(presented.waiting):
                self._audience(peer, now).later[digest] = None
        return certificate

    def __len__(self) -> int:
        return len(self._presented)

    def __iter__(self) -> Iterator[Presented]:
        return iter(self._presented.values())

    def make_room(self) -> bool:
        """Whether one more may be presented; forgets the oldest that may be forgotten."""
        if len(self._presented) < PRESENTED_MAX:
            return True
        for digest, presented in self._presented.items():
            members = [peer for peer in presented.waiting if self._genesis.is_member(peer)]
            if len(members) <= self._genesis.liars and presented.receiver not in presented.waiting:
                self._forget(digest, presented)
                return True
        return False

    def _forget(self, digest: str, presented: Presented) -> None:
        for peer in presented.waiting:
            self._peers[peer].remove(digest)
        del self._presented[digest]
        self._sink.write("token.presented", digest, None)

    def _audience(self, peer: str, now: Now) -> _Audience:
        return self._peers.setdefault(peer, _Audience(Pause(now)))

    def add(self, order: Order, receiver: Optional[str], knows: Set[str], now: Now) -> None:
        """Presents a new certificate; whoever is in `knows` has it already and its receipt is on its way."""
        waiting = {member for member in self._genesis.committee if member != self._me}
        if receiver is not None and receiver != self._me:
            waiting.add(receiver)
        if not waiting:
            return
        presented = Presented(order, receiver, waiting)
        self._presented[order.digest] = presented
        self._keep(order.digest, presented)
        for peer in sorted(waiting):
            audience = self._audience(peer, now)
            if not audience.under_way:
                audience.pause = Pause(now)
                audience.pause.said(now)
            if peer in knows:
                audience.under_way[order.digest] = None
            else:
                audience.later[order.digest] = None
                self._fill(peer, audience)

    def _keep(self, digest: str, presented: Presented) -> None:
        value = {"receiver": presented.receiver, "waiting": sorted(presented.waiting)}
        self._sink.write("token.presented", digest, value)

    def waiting_of(self, digest: str) -> Set[str]:
        """Who has not sent a receipt for an own certificate."""
        found = self._presented.get(digest)
        return set() if found is None else set(found.waiting)

    def unseen_by(self, peer: str, account: Account, count: int) -> List[str]:
        """Digests of the account's first certificates that a peer has not confirmed, in order."""
        audience = self._peers.get(peer)
        if audience is None:
            return []
        digests = (digest for digest in (*audience.under_way, *audience.later))
        return list(islice((d for d in digests if self._presented[d].order.account == account), count))

    def handle_receipt(self, peer: str, digest: str, now: Now) -> Optional[Order]:
        """A peer has applied a certificate: which of ours it was, the first time it says so."""
        presented = self._presented.get(digest)
        if presented is None or peer not in presented.waiting:
            return None
        presented.waiting.discard(peer)
        audience = self._peers[peer]
        audience.remove(digest)
        audience.pause = Pause(now)
        audience.pause.said(now)
        if presented.waiting:
            self._keep(digest, presented)
        else:
            del self._presented[digest]
            self._sink.write("token.presented", digest, None)
        self._fill(peer, audience)
        if not audience.under_way:
            del self._peers[peer]
        return presented.order

    def _fill(self, peer: str, audience: _Audience) -> None:
        """Puts under way what there is room for."""
        while audience.later and len(audience.under_way) < UNDER_WAY_MAX:
            digest = next(iter(audience.later))
            del audience.later[digest]
            audience.under_way[digest] = None
            self._show(peer, digest)

    def _show(self, peer: str, digest: str) -> None:
        certificate = self._state.certificate(digest)
        if certificate is not None:
            self._sink.add(Send(peer, "token_transfer", {"certificate": certificate.to_json()}))

    def handle_ready(self, peer: str, now: Now) -> None:
        """A session with the peer is ready: all of it is due again."""
        audience = self._peers.get(peer)
        if audience is not None:
            audience.pause.begin_anew(now)

    def next_deadline(self) -> Optional[int]:
        """When something is due."""
        return min((audience.pause.at for audience in self._peers.values()), default=None)

    def handle_deadline(self, now: Now) -> None:
        """Says again what is due."""
        for peer, audience in self._peers.items():
            if audience.pause.is_due(now):
                audience.pause.said(now)
                for digest in list(audience.under_way):
                    self._show(peer, digest)
                self._fill(peer, audience)
