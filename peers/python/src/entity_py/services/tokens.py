"""Certified token transfers in the peer: accounts of the identity, methods of the contract, and the ledger's outputs carried out.

Source: docs/protocol/1.1.md#tokens, docs/contract/README.md (token.*).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple, Union

from ..codes import BadParams, CallRefused, OldRefusal
from ..crypto import SigningKey, account_seed
from ..encoding import SECOND, is_uuid, uuid4_of
from ..ledger.amounts import parse_amount
from ..ledger.genesis import is_token_name, parse_genesis, parse_key
from ..ledger.machine import ARCHIVE_SPACES, STATE_SPACES, Ledger, Request
from ..ledger.messages import TYPES
from ..ledger.objects import MEMO_MAX, Account, NotAnObject, certificate_fault, parse_certificate
from ..ledger.outputs import Event, Payment, Persist, Send, Warn
from ..ledger.owner import PayRefused
from ..ledger.state import account_key
from ..peer.core import Core
from ..peer.feature import (
    AMOUNT_TEXT,
    BOOL,
    COUNT,
    KEY,
    OBJECT,
    POSITIVE,
    TEXT,
    Feature,
    Field,
    Later,
    Message,
    Records,
    listing,
    method,
    optional,
)
from ..strictjson import JsonObject, canonical, parse
from ..times import Now, Timer

ACCOUNTS = "token.index"
"""The space of the indexes of own accounts that are in use."""
ACCOUNTS_MAX = 1_024
"""Accounts of an identity."""
WAIT = 30 * SECOND
"""How long a payment is waited for before it counts as pending."""
DAY_S = 24 * 3600
LIFE_S_MAX = 100 * 366 * DAY_S
"""An order ends at the latest after so many seconds, whatever was asked for."""
TOKEN = Field("1 to 32 of A-Z a-z 0-9 . _ -", is_token_name)
UUID = Field("a lower-case UUID", is_uuid)
DIGEST = KEY


@dataclass
class Waiter:
    """A call that waits for a payment."""

    later: Later
    wait: bool
    timer: Optional[Timer] = None


@dataclass
class Progress:
    """How far a payment is that somebody waits for."""

    waiters: List[Waiter]
    state: str = "asked"
    digest: Optional[str] = None
    sequence: Optional[int] = None
    code: Optional[str] = None


class Tokens(Feature):
    """The one ledger that this peer takes part in."""

    name = "tokens"
    kinds = TYPES
    spaces = (ACCOUNTS, *STATE_SPACES, *ARCHIVE_SPACES)
    events = (
        "token.vote_requested",
        "token.applied",
        "token.received",
        "token.refused",
        "token.receipt",
        "token.equivocation",
    )

    def __init__(self) -> None:
        self._ledger: Optional[Ledger] = None
        self._keys: Dict[str, Tuple[int, SigningKey]] = {}
        self._waiting: Dict[Tuple[str, str], Progress] = {}
        self._timer: Optional[Timer] = None
        self._archive: Dict[Tuple[str, str], bytes] = {}

    # Life.

    def start(self, core: Core, records: Records, now: Now) -> None:
        """Own accounts and the ledger come back as they were kept."""
        self._add_account(core, 0)
        for index in records.get(ACCOUNTS, {}):
            self._add_account(core, int(index))
        for space in ARCHIVE_SPACES:
            self._archive.update(((space, key), value) for key, value in records.get(space, {}).items())
        kept = [
            (space, key, _decoded(value)) for space in STATE_SPACES for key, value in records.get(space, {}).items()
        ]
        self._ledger = Ledger.restore(kept, core.key, self._signer, _knows(core), self._lookup, now)
        self._carry_out(core, now)

    def _add_account(self, core: Core, index: int) -> str:
        key = SigningKey(account_seed(core.key.seed, index))
        self._keys[key.public.hex()] = (index, key)
        return key.public.hex()

    def _signer(self, key: str) -> Optional[SigningKey]:
        found = self._keys.get(key)
        return None if found is None else found[1]

    def _lookup(self, space: str, key: str) -> Optional[JsonObject]:
        record = self._archive.get((space, key))
        return None if record is None else _decoded(record)

    def _opened(self) -> Ledger:
        if self._ledger is None:
            raise CallRefused("INVALID_STATE", "no ledger is open; token.open opens one")
        return self._ledger

    def handle_session(self, core: Core, peer: str, now: Now) -> None:
        """Whatever the peer was asked or shown is said again at once."""
        key = core.peer_key(peer)
        if self._ledger is not None and key is not None:
            self._ledger.handle_ready(key.hex(), now)
            self._carry_out(core, now)

    def handle_message(self, core: Core, message: Message, now: Now) -> None:
        """A token message of 1.1. Of 1.0 only the old transfer means anything, and never to a balance."""
        if message.version != "1.1":
            if message.kind == "token_transfer" and not core.config.legacy_token_transfer:
                raise OldRefusal("Transfer refused", 403)
            core.event("message.received", core.inbox.add(message, now))
            return
        key = core.peer_key(message.peer)
        if self._ledger is None or key is None:
            return
        try:
            self._ledger.handle_message(key.hex(), message.kind, message.body, now)
        except NotAnObject as error:
            core.log("info", f"{message.kind} of {message.peer} is ignored: {error}")
        self._carry_out(core, now)

    def _tick(self, core: Core, now: Now) -> None:
        self._timer = None
        if self._ledger is not None:
            self._ledger.handle_deadline(now)
            self._carry_out(core, now)

    # Outputs.

    def _carry_out(self, core: Core, now: Now) -> None:
        """Everything that the ledger wants done, in order; then those that waited are answered."""
        if self._ledger is None:
            return
        touched: List[Tuple[str, str]] = []
        for output in self._ledger.take_outputs():
            if isinstance(output, Persist):
                for space, key, value in output.writes:
                    record = None if value is None else canonical(value)
                    core.persist(space, key, record)
                    if space in ARCHIVE_SPACES and record is not None:
                        self._archive[(space, key)] = record
            elif isinstance(output, Send):
                self._send(core, output, now)
            elif isinstance(output, Event):
                self._tell(core, output)
            elif isinstance(output, Payment):
                touched.append(self._note(output))
            elif isinstance(output, Warn):
                core.log("warn", output.text)
        for payment in touched:
            self._answer(payment)
        self._set_timer(core, now)

    def _send(self, core: Core, output: Send, now: Now) -> None:
        name = core.peer_of(bytes.fromhex(output.to))
        if name is None or name == core.name or core.line(name).speaks() != "1.1":
            return
        try:
            core.send(name, output.msg_type, output.body, now)
        except CallRefused as refused:
            core.log("info", f"{output.msg_type} to {name} waits: {refused}")

    def _tell(self, core: Core, output: Event) -> None:
        params = dict(output.params)
        if "peer" in params:
            params["peer"] = core.peer_of(bytes.fromhex(params["peer"])) or params["peer"]
        core.event(output.name, params)

    def _set_timer(self, core: Core, now: Now) -> None:
        due = None if self._ledger is None else self._ledger.next_deadline()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = core.after(now, due - now.mono, lambda then: self._tick(core, then))

    def _note(self, payment: Payment) -> Tuple[str, str]:
        key = (payment.payer, payment.transfer_id)
        progress = self._waiting.get(key)
        if progress is not None:
            progress.state, progress.code = payment.state, payment.code
            progress.digest = payment.digest or progress.digest
            progress.sequence = payment.sequence or progress.sequence
        return key

    def _answer(self, key: Tuple[str, str]) -> None:
        """Those that have waited long enough for what has become of a payment."""
        progress = self._waiting.get(key)
        if progress is None:
            return
        left = []
        for waiter in progress.waiters:
            if progress.state == "kept" and waiter.wait:
                left.append(waiter)
                continue
            if waiter.timer is not None:
                waiter.timer.cancel()
            if progress.state == "refused":
                code = progress.code or "INVALID_STATE"
                waiter.later.refuse(CallRefused(code, f"the payment is refused: {code}"))
            else:
                waiter.later.resolve(_paid(key[1], progress))
        progress.waiters = left
        if not left:
            del self._waiting[key]

    def _give_up(self, key: Tuple[str, str], waiter: Waiter) -> None:
        """It takes too long: pending, once there is an order."""
        progress = self._waiting.get(key)
        if progress is None or waiter not in progress.waiters:
            return
        progress.waiters.remove(waiter)
        if progress.digest is None:
            why = "the members have not said how they see the account, or others wait before it; ask again with the same id"
            waiter.later.refuse(CallRefused("SERVICE_UNAVAILABLE", why))
        else:
            waiter.later.resolve(_paid(key[1], progress))
        if not progress.waiters:
            del self._waiting[key]

    # Methods: ledger and accounts.

    @method("token.open", genesis=OBJECT)
    def token_open(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """Takes part in a ledger; the same one again is fine."""
        try:
            genesis = parse_genesis(params["genesis"])
        except ValueError as error:
            raise BadParams(str(error)) from error
        if self._ledger is None:
            self._ledger = Ledger.open(genesis, core.key, self._signer, _knows(core), self._lookup)
            self._carry_out(core, now)
        elif self._ledger.genesis.ledger != genesis.ledger:
            raise CallRefused("INVALID_STATE", f"another ledger is open: {self._ledger.genesis.ledger}")
        return {"ledger": genesis.ledger}

    @method("token.account", index=COUNT)
    def token_account(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """The key of an own account, which is in use from here on."""
        index = params["index"]
        if index >= ACCOUNTS_MAX:
            raise CallRefused("INVALID_MESSAGE", f"accounts have numbers below {ACCOUNTS_MAX}")
        key = self._add_account(core, index)
        core.persist(ACCOUNTS, str(index), b"{}")
        return {"key": key}

    @method("token.accounts")
    def token_accounts(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """Own accounts and what they have."""
        ledger = self._ledger
        accounts = []
        for key, (index, _) in sorted(self._keys.items(), key=lambda item: item[1][0]):
            tokens = [] if ledger is None else list(ledger.genesis.tokens)
            balances = [
                {"token": token, "balance": str(ledger.state.account((key, token)).balance)}
                for token in tokens
                if ledger is not None
            ]
            accounts.append({"index": index, "key": key, "balances": balances})
        return {"accounts": accounts}

    # Methods: payments.

    @method(
        "token.transfer",
        to=KEY,
        amount=AMOUNT_TEXT,
        id=optional(UUID),
        token=optional(TOKEN),
        from_=optional(KEY),
        memo=optional(TEXT),
        expires_in_s=optional(POSITIVE),
        wait=optional(BOOL),
    )
    def token_transfer(self, core: Core, params: JsonObject, now: Now) -> Union[JsonObject, Later]:
        """Pays from an own account."""
        payer = params.get("from", core.key.public.hex())
        return self._pay(core, (payer, self._token(params)), params["to"], params, now)

    @method("token.issue", to=KEY, amount=AMOUNT_TEXT, id=optional(UUID), token=optional(TOKEN))
    def token_issue(self, core: Core, params: JsonObject, now: Now) -> Union[JsonObject, Later]:
        """Pays from the issuer's account, which has to be an own one."""
        token = self._known_token(params)
        issuer = self._opened().genesis.tokens[token].issuer
        return self._pay(core, (issuer, token), params["to"], params, now)

    @method("token.burn", amount=AMOUNT_TEXT, id=optional(UUID), token=optional(TOKEN), from_=optional(KEY))
    def token_burn(self, core: Core, params: JsonObject, now: Now) -> Union[JsonObject, Later]:
        """Pays back to the issuer."""
        token = self._known_token(params)
        payer = params.get("from", core.key.public.hex())
        return self._pay(core, (payer, token), self._opened().genesis.tokens[token].issuer, params, now)

    def _token(self, params: JsonObject) -> str:
        tokens = list(self._opened().genesis.tokens)
        if "token" in params:
            return str(params["token"])
        if len(tokens) > 1:
            raise CallRefused("INVALID_MESSAGE", "the ledger has several tokens: say which")
        return tokens[0]

    def _known_token(self, params: JsonObject) -> str:
        token = self._token(params)
        if token not in self._opened().genesis.tokens:
            raise CallRefused("UNKNOWN_TOKEN", f"the ledger has no token {token!r}")
        return token

    def _pay(self, core: Core, account: Account, to: str, params: JsonObject, now: Now) -> Later:
        ledger = self._opened()
        request = self._request(core, account, to, params)
        key = (account[0], request.transfer_id)
        waiter = Waiter(core.later(), params.get("wait", True))
        progress = self._waiting.setdefault(key, Progress([]))
        progress.waiters.append(waiter)
        try:
            ledger.pay(request, now)
        except PayRefused as refused:
            progress.waiters.remove(waiter)
            if not progress.waiters:
                del self._waiting[key]
            raise CallRefused(refused.code, f"the payment is refused: {refused.code}") from refused
        finally:
            self._carry_out(core, now)
        if not waiter.later.done:
            waiter.timer = core.after(now, WAIT, lambda then: self._give_up(key, waiter))
        return waiter.later

    def _request(self, core: Core, account: Account, to: str, params: JsonObject) -> Request:
        try:
            amount = parse_amount(params["amount"])
        except ValueError as error:
            raise CallRefused("AMOUNT_INVALID", str(error)) from error
        memo = params.get("memo")
        if memo is not None and len(memo.encode("utf-8", "surrogatepass")) > MEMO_MAX:
            raise BadParams(f"memo: more than {MEMO_MAX} bytes")
        _check_key(account[0], "from")
        _check_key(to, "to")
        if account[0] == to:
            raise CallRefused("INVALID_MESSAGE", "an account does not pay itself")
        life = min(params.get("expires_in_s", DAY_S), LIFE_S_MAX)
        transfer_id = params.get("id") or uuid4_of(core.random(16))
        receiver = to if _knows(core)(to) else None
        return Request(account, to, amount, transfer_id, memo, life * SECOND, receiver)

    # Methods: looking.

    @method("token.balance", of=optional(KEY), token=optional(TOKEN))
    def token_balance(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """An account as it is seen here."""
        account = self._account(core, params)
        view = self._opened().state.account(account)
        return {
            "account": account[0],
            "token": account[1],
            "balance": str(view.balance),
            "next_sequence": view.next_sequence,
            "frozen": view.frozen,
            "pending": self._opened().pending_of(account),
        }

    def _account(self, core: Core, params: JsonObject) -> Account:
        token = self._known_token(params)
        of = params.get("of", core.key.public.hex())
        _check_key(of, "of")
        return (of, token)

    @method("token.pending")
    def token_pending(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """Own payments that are not certified, or not known to everybody they concern."""
        return {"pending": self._opened().pending()}

    @method("token.history", of=optional(KEY), token=optional(TOKEN), after=optional(COUNT), limit=optional(POSITIVE))
    def token_history(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """What has touched an account, in order."""
        entries, following = self._history(core, self._account(core, params), params)
        return {"entries": entries, "next": following}

    def _history(self, core: Core, account: Account, params: JsonObject) -> Tuple[List[JsonObject], Optional[int]]:
        after, limit = listing(params)
        count = self._opened().state.account(account).entries
        last = min(after + limit, count)
        entries = []
        for position in range(after + 1, last + 1):
            record = self._lookup("token.history", f"{account_key(account)}/{position:016}")
            if record is not None:
                entries.append({"position": position, **record})
        return entries, None if last >= count else last

    @method(
        "token.statement",
        of=optional(KEY),
        token=optional(TOKEN),
        proof=optional(BOOL),
        after=optional(COUNT),
        limit=optional(POSITIVE),
    )
    def token_statement(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """History and what it adds up to; with `proof` each entry has its certificate."""
        ledger, account = self._opened(), self._account(core, params)
        entries, following = self._history(core, account, params)
        if params.get("proof"):
            for entry in entries:
                certificate = ledger.state.certificate(entry["digest"])
                entry["certificate"] = None if certificate is None else certificate.to_json()
        view = ledger.state.account(account)
        return {
            "ledger": ledger.genesis.ledger,
            "genesis": ledger.genesis.to_json(),
            "epoch": ledger.genesis.epoch,
            "account": account[0],
            "token": account[1],
            "balance": str(view.balance),
            "next_sequence": view.next_sequence,
            "entries": entries,
            "next": following,
        }

    @method("token.audit")
    def token_audit(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """Whether everything sums to the cap."""
        return self._opened().audit()

    @method("token.certificate", digest=DIGEST)
    def token_certificate(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """What proves a payment to anybody."""
        ledger = self._opened()
        found = ledger.state.certificate(params["digest"]) if ledger.state.is_applied(params["digest"]) else None
        if found is None:
            raise CallRefused("INVALID_STATE", "there is no certificate of this digest")
        return {"certificate": found.to_json(), "genesis": ledger.genesis.to_json()}

    @method("token.verify", certificate=OBJECT)
    def token_verify(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """Whether a certificate holds under the open ledger."""
        ledger = self._opened()
        try:
            certificate = parse_certificate(params["certificate"])
        except ValueError:
            return {"valid": False, "digest": None, "code": "INVALID_MESSAGE"}
        fault = certificate_fault(ledger.genesis, certificate)
        return {"valid": fault is None, "digest": certificate.order.digest, "code": fault}


def _decoded(value: bytes) -> JsonObject:
    found: JsonObject = parse(value).value
    return found


def _check_key(value: str, where: str) -> None:
    try:
        parse_key(value)
    except ValueError as error:
        raise BadParams(f"{where}: {error}") from error


def _paid(transfer_id: str, progress: Progress) -> JsonObject:
    state = "applied" if progress.state == "applied" else "pending"
    return {"id": transfer_id, "digest": progress.digest, "sequence": progress.sequence, "state": state}



def _knows(core: Core) -> Callable[[str], bool]:
    """Whether a key is that of another peer."""
    return lambda key: core.peer_of(bytes.fromhex(key)) not in (None, core.name)
