"""What a member does: vote once for a slot, hold certificates back until their turn, keep evidence.

Somebody who is no member uses the part that applies certificates, each when it comes.

Source: docs/protocol/1.1.md#voting, docs/protocol/1.1.md#equivocation, docs/protocol/1.1.md#applying-certificates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Tuple, Union

from ..crypto import SigningKey
from ..strictjson import JsonObject
from ..times import Now
from .genesis import Genesis
from .messages import VoteRequest
from .objects import (
    Account,
    Certificate,
    Order,
    SignedOrder,
    Slot,
    Votes,
    certificate_fault,
    order_fault,
    parse_signed_order,
    vote_holds,
)
from .outputs import Event, Sink
from .state import State, account_key, account_of, entry_of

HELD_OF_ACCOUNT_MAX = 64
"""Certificates of one account that wait for earlier ones."""
HELD_MAX = 1_024
"""Certificates that wait for earlier ones, in all."""


@dataclass(frozen=True)
class Lock:
    """The order that this member has voted for, until a certificate takes its slot."""

    signed: SignedOrder
    vote: str


@dataclass(frozen=True)
class Vote:
    """Yes, with the signature; `by_itself` where the own vote makes the quorum full."""

    signature: str
    by_itself: Optional[Certificate] = None


@dataclass(frozen=True)
class No:
    """A code of docs/protocol/1.1.md#token-codes."""

    code: str


@dataclass(frozen=True)
class Equivocates:
    """The order would be voted for but that its slot is locked for another one."""

    first: SignedOrder


Judgement = Union[Vote, No, Equivocates]


class Member:
    """Votes where `key` is that of a member; applies certificates in any case."""

    def __init__(self, genesis: Genesis, state: State, sink: Sink, key: SigningKey) -> None:
        self._genesis = genesis
        self._state = state
        self._sink = sink
        self._key = key
        self.name = key.public.hex()
        self.votes = genesis.is_member(self.name)
        self._locks: Dict[Account, Lock] = {}
        self._held: Dict[Account, Dict[int, Certificate]] = {}
        self._overruled: Dict[Slot, str] = {}
        self._evidence: Dict[str, JsonObject] = {}
        self._expired_until = 0

    def restore(self, space: str, key: str, value: JsonObject) -> None:
        """Takes one kept record back."""
        if space == "token.lock":
            self._locks[account_of(key)] = Lock(parse_signed_order(value["signed"]), value["vote"])
        elif space == "token.evidence":
            self._evidence[key] = value
        elif space == "token.overruled":
            self._overruled[(value["from"], value["token"], value["sequence"])] = value["digest"]
        elif space == "token.expired":
            self._expired_until = value["until"]

    # Votes.

    def lock(self, account: Account) -> Optional[Lock]:
        """What the account's next slot is locked for."""
        return self._locks.get(account)

    def locks(self) -> Iterator[Lock]:
        """Orders that were voted for and have no certificate."""
        return iter(self._locks.values())

    def others(self, digest: str, votes: Votes) -> Votes:
        """Of these votes those that hold and are another member's."""
        return {
            member: signature
            for member, signature in votes.items()
            if member != self.name and self._genesis.is_member(member) and vote_holds(digest, member, signature)
        }

    def judge(self, order: Order, others: int, now: Now) -> Judgement:
        """Whether to vote for an order whose signature holds; `others` is how many other members have. Changes nothing.

        The reasons come in the order of docs/protocol/1.1.md#token-codes.
        """
        lock = self._locks.get(order.account)
        mine = self._overruled.get(order.slot)
        if mine == order.digest or (lock is not None and lock.signed.order.digest == order.digest):
            return Vote(order.vote(self._key))
        if self._state.is_applied(order.digest):
            return Vote(order.vote(self._key)) if mine is None else No("ACCOUNT_FROZEN")
        first = self._state.applied_as(order.payer, order.transfer_id)
        if first is not None:
            return No("DUPLICATE_WITH_OTHER_CONTENT")
        # Somebody whose clock was put back must not vote for what it has refused as too late.
        late = now.wall > order.expires or order.expires <= self._expired_until
        if late and others <= self._genesis.liars:
            return No("EXPIRED")
        view = self._state.account(order.account)
        if view.frozen:
            return No("ACCOUNT_FROZEN")
        if order.sequence != view.next_sequence:
            return No("WRONG_SEQUENCE")
        if view.balance < order.amount:
            issuer = self._genesis.tokens[order.token].issuer
            return No("CAP_EXCEEDED" if issuer == order.payer else "INSUFFICIENT_FUNDS")
        return Vote(order.vote(self._key)) if lock is None else Equivocates(lock.signed)

    def take_lock(self, signed: SignedOrder, vote: str) -> None:
        """Keeps the vote: from here on the slot belongs to this order. Does nothing where it is applied or locked already."""
        account = signed.order.account
        if self._state.is_applied(signed.order.digest) or account in self._locks:
            return
        self._locks[account] = Lock(signed, vote)
        self._sink.write("token.lock", account_key(account), {"signed": signed.to_json(), "vote": vote})

    def handle_request(self, request: VoteRequest, sender: str, now: Now) -> Tuple[str, Union[Vote, No]]:
        """The digest that the answer names, and the answer. The caller has applied the certificates of the request."""
        if isinstance(request.order, str):
            return request.order, No("AMOUNT_INVALID")
        order = request.order
        fault = order_fault(self._genesis, order, request.signature)
        if fault is not None:
            return order.digest, No(fault)
        others = self.others(order.digest, request.votes)
        judged = self.judge(order, len(others), now)
        signed = SignedOrder(order, request.signature)
        if isinstance(judged, Equivocates):
            self._freeze(judged.first, signed)
            return order.digest, No("ACCOUNT_FROZEN")
        if isinstance(judged, No):
            if judged.code == "EXPIRED":
                self.remember_expired(order)
            return order.digest, judged
        params = {"peer": sender, "id": order.transfer_id, "digest": order.digest, "from": order.payer}
        self._sink.add(Event("token.vote_requested", params))
        self.take_lock(signed, judged.signature)
        votes = {**others, self.name: judged.signature}
        if len(votes) < self._genesis.quorum:
            return order.digest, judged
        return order.digest, Vote(judged.signature, Certificate(order, request.signature, dict(sorted(votes.items()))))

    def remember_expired(self, order: Order) -> None:
        """It was refused as too late: nothing that ends no later is voted for any more, whatever the clock says."""
        if order.expires > self._expired_until:
            self._expired_until = order.expires
            self._sink.write("token.expired", "until", {"until": order.expires})

    def _freeze(self, first: SignedOrder, second: SignedOrder) -> None:
        order = first.order
        if self._state.account(order.account).frozen:
            return
        key = f"{account_key(order.account)}/{order.sequence:016}"
        self._evidence[key] = {"first": first.to_json(), "second": second.to_json()}
        self._sink.write("token.evidence", key, self._evidence[key])
        self._state.freeze(order.account)
        params = {"from": order.payer, "token": order.token, "sequence": order.sequence}
        self._sink.add(Event("token.equivocation", params))

    # Certificates.

    def handle_certificate(self, certificate: Certificate) -> Tuple[bool, List[Order]]:
        """Whether it is applied now or was before, and all orders that became applied, held-back ones included.

        Raises ValueError where it does not hold; it is then as if it had never come.
        """
        if self._state.is_applied(certificate.order.digest):
            return True, []
        fault = certificate_fault(self._genesis, certificate)
        if fault is not None:
            raise ValueError(fault)
        return self.handle_proved(certificate)

    def handle_proved(self, certificate: Certificate) -> Tuple[bool, List[Order]]:
        """The same for one that is known to hold, as those that were made here."""
        order = certificate.order
        if self._state.is_applied(order.digest):
            return True, []
        if self.votes and order.sequence > self._state.account(order.account).next_sequence:
            self._hold(certificate)
            return False, []
        applied: List[Order] = []
        following: Optional[Certificate] = certificate
        while following is not None:
            if not self._apply(following):
                break
            applied.append(following.order)
            following = self._next_held(order.account) if self.votes else None
        return self._state.is_applied(order.digest), applied

    def _apply(self, certificate: Certificate) -> bool:
        order = certificate.order
        lock = self._locks.get(order.account)
        if lock is not None and lock.signed.order.sequence == order.sequence:
            if lock.signed.order.digest != order.digest:
                self._freeze(lock.signed, SignedOrder(order, certificate.signature))
                self._remember_overruled(lock.signed.order)
            del self._locks[order.account]
            self._sink.write("token.lock", account_key(order.account), None)
        return self._state.apply(certificate)

    def _remember_overruled(self, order: Order) -> None:
        """One vote for a slot, also where the others have certified another order."""
        self._overruled[order.slot] = order.digest
        value = {"from": order.payer, "token": order.token, "sequence": order.sequence, "digest": order.digest}
        self._sink.write("token.overruled", f"{account_key(order.account)}/{order.sequence:016}", value)

    def _next_held(self, account: Account) -> Optional[Certificate]:
        held = self._held.get(account)
        if held is None:
            return None
        found = held.pop(self._state.account(account).next_sequence, None)
        if not held:
            del self._held[account]
        return found

    def _hold(self, certificate: Certificate) -> None:
        order = certificate.order
        held = self._held.get(order.account, {})
        if order.sequence in held:
            return
        if len(held) >= HELD_OF_ACCOUNT_MAX:
            last = max(held)
            if last < order.sequence:
                return
            # The nearer its turn the better: the last one is presented again.
            del held[last]
        elif sum(len(of) for of in self._held.values()) >= HELD_MAX:
            return
        held[order.sequence] = certificate
        self._held[order.account] = held

    @property
    def held(self) -> int:
        """How many certificates wait for earlier ones."""
        return sum(len(of) for of in self._held.values())

    def evidence(self) -> List[JsonObject]:
        """Of each frozen account the two orders that its owner has signed for one slot."""
        found = []
        for both in self._evidence.values():
            order = both["first"]["order"]
            found.append({"from": order["from"], "token": order["token"], "sequence": order["sequence"], **both})
        return found

    def pending(self) -> List[JsonObject]:
        """Locks as the audit lists them."""
        return [
            {name: value for name, value in entry_of(lock.signed.order).items() if name != "memo"}
            for lock in self._locks.values()
        ]

