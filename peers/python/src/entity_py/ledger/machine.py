"""The whole ledger of one peer behind `handle_*`: pure, so that time, keys, store and wire are the caller's.

It knows keys and no names. After every input the caller takes the outputs, in order, and makes a `Persist` durable before anything
behind it leaves. Construction replays what was kept; a crash between any two outputs loses nothing that had left.

Source: docs/protocol/1.1.md#tokens.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Optional, Tuple

from ..crypto import SigningKey
from ..strictjson import JsonObject
from ..times import Now
from .genesis import Genesis, parse_genesis
from .member import Member, Vote
from .messages import (
    AccountQuery,
    AccountState,
    Presentation,
    Receipt,
    VoteRefusal,
    VoteRequest,
    account_state,
    parse_message,
)
from .messages import Vote as VoteMessage
from .objects import Account, Certificate, NotAnObject, Order
from .outputs import Output, Send, Sink
from .owner import Knows, Owner, Request, Signer
from .presenting import Presenting
from .state import Lookup, State, entry_of

STATE_SPACES = (
    "token.ledger",
    "token.account",
    "token.applied",
    "token.supply",
    "token.lock",
    "token.overruled",
    "token.evidence",
    "token.expired",
    "token.own",
    "token.pending",
    "token.presented",
)
"""Records that come back at a start, in the order in which they have to."""
ARCHIVE_SPACES = ("token.certificate", "token.history")
"""Records that are only looked up."""

Record = Tuple[str, str, JsonObject]
"""Space, key, value."""


class Ledger:
    """One ledger as one peer sees it."""

    def __init__(self, genesis: Genesis, key: SigningKey, signer: Signer, knows: Knows, lookup: Lookup) -> None:
        self.genesis = genesis
        self._key = key
        self._signer = signer
        self._sink = Sink()
        self.state = State(genesis, lookup, self._sink)
        self.member = Member(genesis, self.state, self._sink, key)
        self.presenting = Presenting(genesis, self.state, self._sink, key.public.hex())
        self.owner = Owner(self.member, self.state, self.presenting, self._sink, signer, knows)
        self._outputs: List[Output] = []

    @classmethod
    def open(cls, genesis: Genesis, key: SigningKey, signer: Signer, knows: Knows, lookup: Lookup) -> "Ledger":
        """Takes part in a ledger for the first time."""
        ledger = cls(genesis, key, signer, knows, lookup)
        ledger._sink.write("token.ledger", "genesis", genesis.to_json())
        ledger._flush(Now(0, 0))
        return ledger

    @classmethod
    def restore(
        cls, records: Iterable[Record], key: SigningKey, signer: Signer, knows: Knows, lookup: Lookup, now: Now
    ) -> Optional["Ledger"]:
        """What was kept, and goes on; None where no ledger was opened."""
        by_space: Dict[str, List[Tuple[str, JsonObject]]] = {space: [] for space in STATE_SPACES}
        for space, name, value in records:
            if space in by_space:
                by_space[space].append((name, value))
        if not by_space["token.ledger"]:
            return None
        ledger = cls(parse_genesis(by_space["token.ledger"][0][1]), key, signer, knows, lookup)
        unapplied: List[Certificate] = []
        for space in STATE_SPACES[1:]:
            for name, value in by_space[space]:
                if space in ("token.account", "token.applied", "token.supply"):
                    ledger.state.restore(space, name, value)
                elif space in ("token.lock", "token.overruled", "token.evidence", "token.expired"):
                    ledger.member.restore(space, name, value)
                elif space in ("token.own", "token.pending"):
                    ledger.owner.restore(space, name, value)
                else:
                    certificate = ledger.presenting.restore(name, value, now)
                    if certificate is not None:
                        ledger.owner.restore_certified(certificate.order)
                        if not ledger.state.is_applied(name):
                            unapplied.append(certificate)
        ledger.owner.certified += unapplied
        ledger.owner.handle_start(now)
        ledger._flush(now)
        ledger.handle_deadline(now)
        return ledger

    # Outputs.

    def take_outputs(self) -> List[Output]:
        """Everything since the last time, in order."""
        found, self._outputs = self._outputs, []
        return found

    def _flush(self, now: Now) -> None:
        """Applies what became certified, and closes the batch of this input."""
        while self.owner.certified:
            certificate = self.owner.certified.pop(0)
            self._tell(self.member.handle_proved(certificate)[1], now)
        self._outputs += self._sink.take()

    def _tell(self, applied: List[Order], now: Now) -> None:
        for order in applied:
            movement = entry_of(order)
            self._sink.event("token.applied", **movement)
            if self._signer(order.payee) is not None:
                self._sink.event("token.received", **movement)
            self.owner.handle_applied(order, now)

    # Inputs.

    def pay(self, request: Request, now: Now) -> None:
        """Docs as of `Owner.pay`."""
        try:
            self.owner.pay(request, now)
        finally:
            self._flush(now)

    def handle_message(self, sender: str, msg_type: str, body: JsonObject, now: Now) -> None:
        """A token message of the peer with this key. Raises NotAnObject for what has not its shape; nothing changes then."""
        message = parse_message(msg_type, body)
        if isinstance(message, VoteRequest):
            self._handle_vote_request(sender, message, now)
        elif isinstance(message, VoteMessage):
            self.owner.handle_vote(message.digest, message.member, message.signature, now)
        elif isinstance(message, VoteRefusal):
            self.owner.handle_refusal(sender, message.digest, message.code, now)
        elif isinstance(message, Presentation):
            self._handle_certificate(sender, message.certificate, now)
        elif isinstance(message, Receipt):
            self._handle_receipt(sender, message.digest, now)
        elif isinstance(message, AccountQuery):
            self._handle_query(sender, message.account)
        elif isinstance(message, AccountState):
            if message.account[1] in self.genesis.tokens:
                self.owner.handle_account_state(sender, message, now)
        self._flush(now)

    def _handle_vote_request(self, sender: str, request: VoteRequest, now: Now) -> None:
        if not self.member.votes:
            return
        for certificate in request.certificates:
            if not self._handle_certificate(sender, certificate, now):
                break
        digest, answer = self.member.handle_request(request, sender, now)
        if not isinstance(answer, Vote):
            self._sink.add(Send(sender, "vote_refusal", {"digest": digest, "code": answer.code}))
            return
        body = {"digest": digest, "member": self.member.name, "signature": answer.signature}
        self._sink.add(Send(sender, "vote", body))
        if answer.by_itself is not None:
            applied, orders = self.member.handle_proved(answer.by_itself)
            self._tell(orders, now)
            if applied:
                self._sink.add(Send(sender, "token_receipt", {"digest": digest}))

    def _handle_certificate(self, sender: str, certificate: Certificate, now: Now) -> bool:
        """Whether it holds; where it is applied its presenter gets a receipt."""
        try:
            applied, orders = self.member.handle_certificate(certificate)
        except ValueError:
            return False
        self._tell(orders, now)
        if applied:
            self._sink.add(Send(sender, "token_receipt", {"digest": certificate.order.digest}))
        return True

    def _handle_receipt(self, sender: str, digest: str, now: Now) -> None:
        self.owner.handle_heard(sender)
        order = self.presenting.handle_receipt(sender, digest, now)
        if order is not None:
            self._sink.event("token.receipt", id=order.transfer_id, digest=digest, peer=sender)

    def _handle_query(self, sender: str, account: Account) -> None:
        if not self.member.votes or account[1] not in self.genesis.tokens:
            return
        state = self.owner.own_state(account)
        body = account_state(account, state.next_sequence, state.balance, state.pending)
        self._sink.add(Send(sender, "account_state", body))

    def handle_ready(self, peer: str, now: Now) -> None:
        """A session with the peer of this key is ready: what it was asked or shown is said again at once."""
        self.owner.handle_ready(peer, now)
        self.presenting.handle_ready(peer, now)
        self.handle_deadline(now)

    def next_deadline(self) -> Optional[int]:
        """When `handle_deadline` has something to do."""
        due = [at for at in (self.owner.next_deadline(), self.presenting.next_deadline()) if at is not None]
        return min(due, default=None)

    def handle_deadline(self, now: Now) -> None:
        """Says again what is due; calling early is harmless."""
        self.owner.handle_deadline(now)
        self.presenting.handle_deadline(now)
        self._flush(now)

    # Look.

    def pending(self) -> List[JsonObject]:
        """Own payments that are not certified, or not known to everybody they concern."""
        found = []
        for _, own in self.owner.accounts():
            if own.pending is not None:
                votes = own.pending.votes
                found.append(self._pending_entry(own.pending.order, "voting", len(votes), set(self.genesis.committee) - set(votes)))
        for presented in self.presenting:
            certificate = self.state.certificate(presented.order.digest)
            votes_count = self.genesis.quorum if certificate is None else len(certificate.votes)
            found.append(self._pending_entry(presented.order, "telling", votes_count, presented.waiting))
        return found

    def _pending_entry(self, order: Order, state: str, votes: int, missing: Iterable[str]) -> JsonObject:
        return {
            **entry_of(order),
            "state": state,
            "votes": votes,
            "quorum": self.genesis.quorum,
            "missing": sorted(missing),
        }

    def pending_of(self, account: Account) -> List[JsonObject]:
        """Own orders and orders voted for of an account that have no certificate."""
        orders: Dict[str, Order] = {}
        for lock in self.member.locks():
            orders[lock.signed.order.digest] = lock.signed.order
        for _, own in self.owner.accounts():
            if own.pending is not None:
                orders[own.pending.order.digest] = own.pending.order
        return [
            {"id": order.transfer_id, "to": order.payee, "amount": str(order.amount), "digest": digest}
            for digest, order in orders.items()
            if order.account == account
        ]

    def audit(self) -> JsonObject:
        """Whether everything sums, what is voted for without a certificate, and who has signed two orders for one slot."""
        return {
            "ledger": self.genesis.ledger,
            "epoch": self.genesis.epoch,
            "is_member": self.member.votes,
            "tokens": self.state.audit(),
            "pending": self.member.pending(),
            "evidence": self.member.evidence(),
        }


__all__ = ["ARCHIVE_SPACES", "STATE_SPACES", "Ledger", "NotAnObject", "Request"]
