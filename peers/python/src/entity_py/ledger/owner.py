"""What an owner does: ask how the members see an account, keep and send one order at a time, complete it.

An order that was kept is never replaced by another one for its slot, unless every member has refused it for good.

Source: docs/protocol/1.1.md#ordering, docs/protocol/1.1.md#asking-before-signing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Callable, Deque, Dict, FrozenSet, Iterator, List, Optional, Set, Tuple

from ..crypto import SigningKey
from ..encoding import stamp
from ..strictjson import JsonObject
from ..times import Now
from .asking import ANSWERS_WAIT, Asking, Remembered
from .genesis import Genesis
from .member import Equivocates, Member, No
from .messages import CERTIFICATES_MAX, CODES, FOR_GOOD, AccountState, vote_request
from .objects import Account, Certificate, Order, SignedOrder, Votes, parse_order, parse_signed_order, vote_holds
from .outputs import Payment, Send, Sink
from .pauses import Pause
from .presenting import Presenting
from .state import State, account_key, account_of

QUEUED_OF_ACCOUNT_MAX = 256
"""Payments that wait for their turn on one account."""
QUEUED_MAX = 4_096
"""Payments that wait for their turn, in all."""
LACKING = frozenset({"WRONG_SEQUENCE", "CAP_EXCEEDED", "INSUFFICIENT_FUNDS"})
"""Refusals of a member that may have missed certificates."""


class PayRefused(Exception):
    """A payment is refused before anything is signed; `code` is that of the refusal."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Request:
    """A payment as somebody wants it: what an order says, but for its slot and time."""

    account: Account
    payee: str
    amount: int
    transfer_id: str
    memo: Optional[str]
    expires_in: int
    receiver: Optional[str]

    @property
    def content(self) -> Tuple[Account, str, int, str, Optional[str]]:
        """What must be equal for two payments to be one."""
        return (self.account, self.payee, self.amount, self.transfer_id, self.memo)


def content_of(order: Order) -> Tuple[Account, str, int, str, Optional[str]]:
    """The same of an order."""
    return (order.account, order.payee, order.amount, order.transfer_id, order.memo)


@dataclass
class Pending:
    """The own order that holds the next slot, and what the members have said.

    `later` are members that had named a later slot when they showed it: more than f of these that refuse it have applied another one.
    """

    signed: SignedOrder
    receiver: Optional[str]
    later: FrozenSet[str] = frozenset()
    votes: Votes = field(default_factory=dict)
    refusals: Dict[str, str] = field(default_factory=dict)
    pauses: Dict[str, Pause] = field(default_factory=dict)
    told: Dict[str, int] = field(default_factory=dict)
    helped: Set[str] = field(default_factory=set)
    pages: Dict[str, int] = field(default_factory=dict)

    @property
    def order(self) -> Order:
        """The order without its signature."""
        return self.signed.order


@dataclass
class Own:
    """An account of ours. `slot` is the least sequence that its next order may have; `part`: others have seen more of it."""

    known: bool = False
    part: bool = False
    slot: int = 1
    asked_balance: Optional[int] = None
    queue: Deque[Request] = field(default_factory=deque)
    remembered: Deque[Remembered] = field(default_factory=deque)
    pending: Optional[Pending] = None
    asking: Optional[Asking] = None


Knows = Callable[[str], bool]
"""Whether a key is that of a peer."""
Signer = Callable[[str], Optional[SigningKey]]
"""The secret of an own account, by its key."""


class Owner:
    """The accounts whose keys are ours. After each input the caller applies what is in `certified`."""

    def __init__(self, member: Member, state: State, presenting: Presenting, sink: Sink, signer: Signer, knows: Knows) -> None:
        self._member = member
        self._state = state
        self._genesis: Genesis = state.genesis
        self._presenting = presenting
        self._sink = sink
        self._signer = signer
        self._knows = knows
        self._accounts: Dict[Account, Own] = {}
        self.certified: List[Certificate] = []

    def restore(self, space: str, key: str, value: JsonObject) -> None:
        """Takes one kept record back."""
        own = self._accounts.setdefault(account_of(key), Own())
        if space == "token.own":
            own.known, own.part, own.slot = True, value["part"], value["slot"]
        elif space == "token.pending":
            own.pending = Pending(parse_signed_order(value["signed"]), value["receiver"], frozenset(value["later"]))

    def restore_certified(self, order: Order) -> None:
        """An own order that was certified, whether it was applied here or not."""
        own = self._accounts.setdefault(order.account, Own())
        own.slot = max(own.slot, order.sequence + 1)

    def handle_start(self, now: Now) -> None:
        """After everything was restored: what was pending goes on."""
        for own in self._accounts.values():
            if own.pending is not None:
                self._send_pending(own.pending, now)

    def accounts(self) -> Iterator[Tuple[Account, Own]]:
        """Own accounts that have paid or want to."""
        return iter(self._accounts.items())

    # Payments.

    def pay(self, request: Request, now: Now) -> None:
        """Takes a payment on; a Payment output follows, now or later. Raises PayRefused.

        The same payment under the same id is that payment, however far it is.
        """
        if self._signer(request.account[0]) is None:
            raise PayRefused("NOT_OWNER")
        if request.account[1] not in self._genesis.tokens:
            raise PayRefused("UNKNOWN_TOKEN")
        if self._is_there(request):
            return
        own = self._accounts.setdefault(request.account, Own())
        queued = sum(len(other.queue) for other in self._accounts.values())
        if len(own.queue) >= QUEUED_OF_ACCOUNT_MAX or queued >= QUEUED_MAX or not self._presenting.make_room():
            raise PayRefused("SERVICE_UNAVAILABLE")
        own.queue.append(request)
        self._next(request.account, own, now)

    def _is_there(self, request: Request) -> bool:
        """Whether it is applied, pending or waiting; says how far it is. Raises PayRefused where another one has its id."""
        payer = request.account[0]
        digest = self._state.applied_as(payer, request.transfer_id)
        if digest is not None:
            certificate = self._state.certificate(digest)
            if certificate is None or content_of(certificate.order) != request.content:
                raise PayRefused("DUPLICATE_WITH_OTHER_CONTENT")
            self._say("applied", certificate.order)
            return True
        for account, own in self._accounts.items():
            if account[0] != payer:
                continue
            if own.pending is not None and own.pending.order.transfer_id == request.transfer_id:
                if content_of(own.pending.order) != request.content:
                    raise PayRefused("DUPLICATE_WITH_OTHER_CONTENT")
                self._say("kept", own.pending.order)
                return True
            for queued in own.queue:
                if queued.transfer_id == request.transfer_id:
                    if queued.content != request.content:
                        raise PayRefused("DUPLICATE_WITH_OTHER_CONTENT")
                    return True
        return False

    def _say(self, state: str, order: Order, code: Optional[str] = None) -> None:
        self._sink.add(Payment(order.payer, order.transfer_id, state, order.digest, order.sequence, code))

    def _next(self, account: Account, own: Own, now: Now) -> None:
        """Goes on with what waits, until something is under way."""
        while (own.queue or own.remembered) and own.pending is None and own.asking is None:
            lock = self._member.lock(account)
            if own.remembered:
                self._complete(own, own.remembered.popleft(), now)
            elif not own.known:
                self._ask(account, own, now)
            elif lock is not None:
                self._complete(own, Remembered(lock.signed, {}, frozenset()), now)
            elif self._needs_asking(own):
                self._ask(account, own, now)
            else:
                request = own.queue.popleft()
                try:
                    if not self._is_there(request):
                        self._order(own, request, now)
                except PayRefused as refused:
                    outcome = Payment(account[0], request.transfer_id, "refused", None, None, refused.code)
                    self._sink.add(outcome)
                own.asked_balance = None

    def _needs_asking(self, own: Own) -> bool:
        """Whether only the members can say if there is enough for the next payment."""
        request = own.queue[0]
        return own.part and own.asked_balance is None and self._state.account(request.account).balance < request.amount

    def _order(self, own: Own, request: Request, now: Now) -> None:
        """Votes where it is a member, keeps, and sends. Raises PayRefused before anything is signed."""
        view = self._state.account(request.account)
        payer, token = request.account
        if max(view.balance, own.asked_balance or view.balance) < request.amount:
            issuer = self._genesis.tokens[token].issuer
            raise PayRefused("CAP_EXCEEDED" if issuer == payer else "INSUFFICIENT_FUNDS")
        if view.frozen:
            raise PayRefused("ACCOUNT_FROZEN")
        key = self._signer(payer)
        if key is None:
            raise PayRefused("NOT_OWNER")
        order = self._build(request, max(own.slot, view.next_sequence), now)
        self._put(own, Pending(SignedOrder(order, order.sign(key)), request.receiver), now)

    def _build(self, request: Request, sequence: int, now: Now) -> Order:
        fields: JsonObject = {
            "ledger": self._genesis.ledger,
            "epoch": self._genesis.epoch,
            "transfer_id": request.transfer_id,
            "token": request.account[1],
            "from": request.account[0],
            "to": request.payee,
            "amount": str(request.amount),
            "sequence": sequence,
            "expires_at": stamp(now.wall + request.expires_in),
        }
        if request.memo is not None:
            fields["memo"] = request.memo
        return parse_order(fields)

    def _complete(self, own: Own, remembered: Remembered, now: Now) -> None:
        """An order of ours that a member remembers is completed first."""
        order = remembered.signed.order
        if self._state.applied_in(order.account, order.sequence) is None:
            payee = order.payee
            pending = Pending(remembered.signed, payee if self._knows(payee) else None, remembered.later)
            pending.votes.update(self._member.others(order.digest, remembered.votes))
            self._put(own, pending, now)
        self._keep_known(order.account, own)

    def _put(self, own: Own, pending: Pending, now: Now) -> None:
        own.pending = pending
        own.asked_balance = None
        record = {
            "signed": pending.signed.to_json(),
            "receiver": pending.receiver,
            "later": sorted(pending.later),
        }
        self._sink.write("token.pending", account_key(pending.order.account), record)
        self._say("kept", pending.order)
        self._send_pending(pending, now)

    def _send_pending(self, pending: Pending, now: Now) -> None:
        others = [member for member in self._genesis.committee if member != self._member.name]
        pending.pauses = {member: Pause(now) for member in others}
        self._vote_for(pending, now)
        if not self._certify(pending, now):
            for member in others:
                self._request(pending, member, [], now)

    def _vote_for(self, pending: Pending, now: Now) -> None:
        """A member votes for its own order as soon as it sees the account as the order does."""
        if not self._member.votes or self._member.name in pending.votes:
            return
        judged = self._member.judge(pending.order, len(pending.votes), now)
        if isinstance(judged, No):
            pending.refusals[self._member.name] = judged.code
            if judged.code == "EXPIRED":
                self._member.remember_expired(pending.order)
        elif not isinstance(judged, Equivocates):
            self._member.take_lock(pending.signed, judged.signature)
            pending.votes[self._member.name] = judged.signature
            pending.refusals.pop(self._member.name, None)

    # What the members say.

    def _request(self, pending: Pending, member: str, certificates: List[Certificate], now: Now) -> None:
        pending.pauses[member].said(now)
        pending.told[member] = sum(1 for name in pending.votes if name != member)
        body = vote_request(pending.signed, pending.votes, certificates)
        self._sink.add(Send(member, "vote_request", body))

    def _of_digest(self, digest: str) -> Optional[Tuple[Own, Pending]]:
        for own in self._accounts.values():
            if own.pending is not None and own.pending.order.digest == digest:
                return own, own.pending
        return None

    def handle_vote(self, digest: str, member: str, signature: str, now: Now) -> None:
        """A vote for an own order, whoever brings it."""
        found = self._of_digest(digest)
        if found is None or member in found[1].votes or not self._genesis.is_member(member):
            return
        if not vote_holds(digest, member, signature):
            return
        pending = found[1]
        pending.votes[member] = signature
        pending.refusals.pop(member, None)
        self._vote_for(pending, now)
        if self._certify(pending, now):
            return
        if len(pending.votes) == self._genesis.liars + 1:
            # So many votes move even those that have refused for good.
            for other, code in pending.refusals.items():
                if code in FOR_GOOD and other in pending.pauses:
                    pending.pauses[other].begin_anew(now)

    def handle_refusal(self, sender: str, digest: str, code: str, now: Now) -> None:
        """A member has refused an own order."""
        found = self._of_digest(digest)
        if found is None or sender not in found[1].pauses or sender in found[1].votes:
            return
        own, pending = found
        pending.refusals[sender] = code
        if sum(1 for member in pending.refusals if member in pending.later) > self._genesis.liars:
            # One of them is honest and has applied another order: this one can never get its slot.
            self._fail(own, pending, code, now)
            return
        if code in LACKING and sender not in pending.helped:
            pending.helped.add(sender)
            certificates = self._lacking(pending, sender)
            if certificates:
                self._request(pending, sender, certificates, now)
            return
        self._vote_for(pending, now)
        if all(pending.refusals.get(member) in FOR_GOOD for member in self._genesis.committee):
            self._fail(own, pending, min(pending.refusals.values(), key=CODES.index), now)

    def handle_heard(self, peer: str) -> None:
        """A peer has applied a certificate: it may lack further ones."""
        for own in self._accounts.values():
            if own.pending is not None:
                own.pending.helped.discard(peer)

    def _fail(self, own: Own, pending: Pending, code: str, now: Now) -> None:
        order = pending.order
        self._drop(own, order)
        self._sink.event("token.refused", id=order.transfer_id, digest=order.digest, code=code)
        self._say("refused", order, code)
        self._next(order.account, own, now)

    def _drop(self, own: Own, order: Order) -> None:
        own.pending = None
        self._sink.write("token.pending", account_key(order.account), None)

    def _lacking(self, pending: Pending, member: str) -> List[Certificate]:
        """Earlier certificates that a member which refuses may lack; each time the next page of them."""
        account = pending.order.account
        page = pending.pages.get(member, 0)
        if pending.refusals.get(member) == "WRONG_SEQUENCE":
            digests = self._presenting.unseen_by(member, account, CERTIFICATES_MAX)
            if not digests:
                digests = self._state.digests_of(account, page * CERTIFICATES_MAX, CERTIFICATES_MAX)
        else:
            digests = self._state.digests_to(account, page * CERTIFICATES_MAX, CERTIFICATES_MAX)
        pending.pages[member] = page + 1 if digests else 0
        found = (self._state.certificate(digest) for digest in digests)
        return [certificate for certificate in found if certificate is not None]

    # Certificates.

    def _certify(self, pending: Pending, now: Now) -> bool:
        """Makes the certificate where the votes are there; whoever calls applies it."""
        if len(pending.votes) < self._genesis.quorum:
            return False
        order = pending.order
        own = self._accounts[order.account]
        self._drop(own, order)
        own.slot = max(own.slot, order.sequence + 1)
        certificate = Certificate(order, pending.signed.signature, dict(sorted(pending.votes.items())))
        self._state.keep(certificate)
        # Who was shown a quorum but for its own vote has the certificate, and says so by itself.
        enough = self._genesis.quorum - 1
        knows = {name for name, told in pending.told.items() if told >= enough and name in pending.votes}
        self._presenting.add(order, pending.receiver, knows, now)
        self.certified.append(certificate)
        return True

    def handle_applied(self, order: Order, now: Now) -> None:
        """An order was applied here, of whatever account and whoever completed it."""
        own = self._accounts.get(order.account)
        if own is not None:
            pending = own.pending
            if pending is not None and pending.order.sequence == order.sequence:
                self._drop(own, pending.order)
                if pending.order.digest == order.digest:
                    self._presenting.add(order, pending.receiver, set(), now)
                else:
                    # Two orders of one key: the other one has the slot, and this one can never get it.
                    code, mine = "WRONG_SEQUENCE", pending.order
                    self._sink.event("token.refused", id=mine.transfer_id, digest=mine.digest, code=code)
                    self._say("refused", mine, code)
            self._say("applied", order)
        for account, other in self._accounts.items():
            if other.pending is not None and account in (order.account, (order.payee, order.token)):
                self._vote_for(other.pending, now)
                self._certify(other.pending, now)
        if own is not None:
            self._next(order.account, own, now)

    # Asking.

    def _ask(self, account: Account, own: Own, now: Now) -> None:
        own.asking = Asking(now.mono)
        if self._member.votes:
            own.asking.answers[self._member.name] = self.own_state(account)
        for member in self._genesis.committee:
            if member != self._member.name:
                own.asking.pauses[member] = Pause(now)
                self._query(account, own.asking, member, now)
        self._conclude(account, own, own.asking, now)

    def own_state(self, account: Account) -> AccountState:
        """How this member sees an account."""
        view, lock = self._state.account(account), self._member.lock(account)
        pending = None if lock is None else (lock.signed, {self._member.name: lock.vote})
        return AccountState(account, view.next_sequence, view.balance, pending)

    def _query(self, account: Account, asking: Asking, member: str, now: Now) -> None:
        asking.pauses[member].said(now)
        self._sink.add(Send(member, "account_query", {"from": account[0], "token": account[1]}))

    def handle_account_state(self, sender: str, state: AccountState, now: Now) -> None:
        """How a member sees an account."""
        own = self._accounts.get(state.account)
        if own is None or own.asking is None or sender not in own.asking.pauses:
            return
        own.asking.answers[sender] = state
        # It may see more later: asked again, but rarely.
        own.asking.pauses[sender].rest(now)
        self._conclude(state.account, own, own.asking, now)

    def _conclude(self, account: Account, own: Own, asking: Asking, now: Now) -> None:
        view = self._state.account(account)
        found = asking.conclude(self._genesis, view.next_sequence, now)
        if found is None:
            return
        own.asking = None
        own.known = True
        own.remembered.extend(found.remembered)
        own.slot = max(own.slot, view.next_sequence, found.slot)
        own.part = own.slot != view.next_sequence or not self._member.votes and found.balance != view.balance
        own.asked_balance = found.balance
        self._keep_known(account, own)
        self._next(account, own, now)

    def _keep_known(self, account: Account, own: Own) -> None:
        """Kept once everything that the members remember is taken over: after a crash before that they are asked again."""
        if not own.remembered:
            self._sink.write("token.own", account_key(account), {"part": own.part, "slot": own.slot})

    # Time.

    def handle_ready(self, peer: str, now: Now) -> None:
        """A session with the peer is ready: what it was asked is due again."""
        for own in self._accounts.values():
            for pauses in (own.pending.pauses if own.pending else {}, own.asking.pauses if own.asking else {}):
                if peer in pauses:
                    pauses[peer].begin_anew(now)

    def next_deadline(self) -> Optional[int]:
        """When something is due."""
        due = []
        for own in self._accounts.values():
            if own.pending is not None:
                due += [pause.at for member, pause in own.pending.pauses.items() if member not in own.pending.votes]
            if own.asking is not None:
                due += [pause.at for pause in own.asking.pauses.values()]
                if not own.asking.waited:
                    due.append(own.asking.since + ANSWERS_WAIT)
        return min(due, default=None)

    def handle_deadline(self, now: Now) -> None:
        """Says again what is due."""
        for account, own in list(self._accounts.items()):
            if own.pending is not None:
                self._ask_for_votes(own.pending, now)
            if own.asking is not None:
                for member, pause in own.asking.pauses.items():
                    if pause.is_due(now):
                        self._query(account, own.asking, member, now)
                if now.mono >= own.asking.since + ANSWERS_WAIT:
                    own.asking.waited = True
                self._conclude(account, own, own.asking, now)

    def _ask_for_votes(self, pending: Pending, now: Now) -> None:
        for member, pause in pending.pauses.items():
            if member in pending.votes or not pause.is_due(now):
                continue
            code = pending.refusals.get(member)
            if code in FOR_GOOD and len(pending.votes) <= self._genesis.liars:
                pause.rest(now)
            else:
                lacking = self._lacking(pending, member) if code in LACKING else []
                self._request(pending, member, lacking, now)
