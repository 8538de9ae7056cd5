"""Asking the members how they see an own account, before the first order for it is signed.

Source: docs/protocol/1.1.md#asking-before-signing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, FrozenSet, List, Optional, Tuple

from ..encoding import SECOND
from ..times import Now
from .genesis import Genesis
from .messages import AccountState
from .objects import SignedOrder, Votes, order_fault, vote_holds
from .pauses import Pause

ANSWERS_WAIT = 10 * SECOND
"""After this long a quorum of equal answers is enough."""


@dataclass(frozen=True)
class Remembered:
    """An own order that members remember without a certificate; `later` have named a later slot, so they may have applied another."""

    signed: SignedOrder
    votes: Votes
    later: FrozenSet[str]


@dataclass(frozen=True)
class Answered:
    """What follows from the answers: the next slot, what at least one honest member sees there, and orders to complete first."""

    slot: int
    balance: int
    remembered: Tuple[Remembered, ...]


@dataclass
class Asking:
    """What the members have said so far."""

    since: int
    waited: bool = False
    answers: Dict[str, AccountState] = field(default_factory=dict)
    pauses: Dict[str, Pause] = field(default_factory=dict)

    def conclude(self, genesis: Genesis, first: int, now: Now) -> Optional[Answered]:
        """What the answers say, once they say enough; `first` is the first slot of which the owner has seen no certificate."""
        answers = self.answers
        if len(answers) == len(genesis.committee):
            # f members may name any slot, so that of f + 1 at least one honest member has seen what leads up to it.
            slot = sorted((answer.next_sequence for answer in answers.values()), reverse=True)[genesis.liars]
            found = (_remembered(genesis, answers, at) for at in _slots(answers, first, slot))
            return Answered(slot, _balance(genesis, answers), tuple(order for order in found if order is not None))
        if now.mono < self.since + ANSWERS_WAIT or len(answers) < genesis.quorum:
            return None
        slots = {answer.next_sequence for answer in answers.values()}
        if len(slots) > 1 or any(answer.pending is not None for answer in answers.values()):
            return None
        return Answered(slots.pop(), _balance(genesis, answers), ())


def _slots(answers: Dict[str, AccountState], first: int, last: int) -> List[int]:
    shown = {answer.next_sequence for answer in answers.values() if answer.pending is not None}
    return sorted(slot for slot in shown if first <= slot <= last)


def _balance(genesis: Genesis, answers: Dict[str, AccountState]) -> int:
    return sorted((answer.balance for answer in answers.values()), reverse=True)[genesis.liars]


def _remembered(genesis: Genesis, answers: Dict[str, AccountState], slot: int) -> Optional[Remembered]:
    """Of one slot the order with the most votes; nobody but the owner can have made one that holds."""
    orders: Dict[str, SignedOrder] = {}
    votes: Dict[str, Votes] = {}
    for answer in answers.values():
        if answer.next_sequence != slot or answer.pending is None:
            continue
        signed, signatures = answer.pending
        digest = signed.order.digest
        if order_fault(genesis, signed.order, signed.signature) is not None:
            continue
        held = {name: vote for name, vote in signatures.items() if genesis.is_member(name) and vote_holds(digest, name, vote)}
        orders[digest] = signed
        votes.setdefault(digest, {}).update(held)
    if not orders:
        return None
    best = max(orders, key=lambda digest: (len(votes[digest]), digest))
    later = frozenset(name for name, answer in answers.items() if answer.next_sequence > slot)
    return Remembered(orders[best], votes[best], later)
