"""Order, vote and certificate: exact shapes, digests, signatures.

A key is its 64 hex digits and a signature its base64 text everywhere; both forms are strict, so equal texts are equal bytes.

Source: docs/protocol/1.1.md#order, docs/protocol/1.1.md#vote, docs/protocol/1.1.md#certificate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from .. import crypto
from ..crypto import SigningKey
from ..encoding import is_uuid, parse_base64, parse_hex, parse_stamp, to_base64
from ..strictjson import JsonObject, canonical
from .amounts import parse_amount
from .genesis import MEMBERS_MAX, Genesis, is_token_name, parse_key

SEQUENCE_MAX = 2**53 - 1
MEMO_MAX = 256
"""Bytes of UTF-8 in a memo."""

Account = Tuple[str, str]
"""An account: its key and a token."""
Slot = Tuple[str, str, int]
"""The place of an order in the ledger's only epoch: payer, token, sequence."""

_FIELDS = {"ledger", "epoch", "transfer_id", "token", "from", "to", "amount", "sequence", "expires_at"}
_ORDER = "peer-v1.1-order"
_SIGNATURE = "peer-v1.1-order-signature"
_VOTE = "peer-v1.1-vote"


class NotAnObject(ValueError):
    """It has not the shape. Nobody answers it."""


class BadAmount(NotAnObject):
    """It would be an order but for its amount; `digest` names what it would have been."""

    def __init__(self, digest: str) -> None:
        super().__init__("the amount is none")
        self.digest = digest


@dataclass(frozen=True)
class Order:
    """What an owner signs: pay so much to whom, as the how-manieth order of the account."""

    ledger: str
    epoch: int
    transfer_id: str
    token: str
    payer: str
    payee: str
    amount: int
    sequence: int
    expires_at: str
    memo: Optional[str]
    digest: str

    @property
    def account(self) -> Account:
        """Who pays in what."""
        return (self.payer, self.token)

    @property
    def slot(self) -> Slot:
        """The place that only one order can take."""
        return (self.payer, self.token, self.sequence)

    @property
    def expires(self) -> int:
        """`expires_at` in microseconds since 1970."""
        return parse_stamp(self.expires_at)

    def to_json(self) -> JsonObject:
        """The signed object."""
        found: JsonObject = {
            "ledger": self.ledger,
            "epoch": self.epoch,
            "transfer_id": self.transfer_id,
            "token": self.token,
            "from": self.payer,
            "to": self.payee,
            "amount": str(self.amount),
            "sequence": self.sequence,
            "expires_at": self.expires_at,
        }
        if self.memo is not None:
            found["memo"] = self.memo
        return found

    def sign(self, key: SigningKey) -> str:
        """The owner's signature."""
        return to_base64(key.sign_labelled(_SIGNATURE, bytes.fromhex(self.digest)))

    def vote(self, key: SigningKey) -> str:
        """A member's signature."""
        return to_base64(key.sign_labelled(_VOTE, bytes.fromhex(self.digest)))

    def holds(self, signature: str) -> bool:
        """Whether the owner has signed it."""
        return crypto.verify_labelled(
            bytes.fromhex(self.payer), _SIGNATURE, bytes.fromhex(self.digest), parse_base64(signature, 64)
        )


def vote_holds(digest: str, member: str, signature: str) -> bool:
    """Whether the member has voted for the order of this digest."""
    return crypto.verify_labelled(bytes.fromhex(member), _VOTE, bytes.fromhex(digest), parse_base64(signature, 64))


def is_integer(value: Any, low: int, high: int) -> bool:
    """Whether it is a JSON integer within both bounds."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def digest_of(order: JsonObject) -> str:
    """D in hex."""
    return crypto.sha256(_ORDER.encode() + b"\0" + canonical(order)).hex()


def parse_order(value: Any) -> Order:
    """Raises NotAnObject, of which BadAmount has an answer."""
    if not isinstance(value, dict) or set(value) - {"memo"} != _FIELDS:
        raise NotAnObject("order: not exactly its fields")
    try:
        parse_hex(value["ledger"], 32)
        payer, payee = parse_key(value["from"]), parse_key(value["to"])
        parse_stamp(value["expires_at"])
    except ValueError as error:
        raise NotAnObject(f"order: {error}") from error
    if payer == payee:
        raise NotAnObject("order: it pays its own account")
    if not is_integer(value["epoch"], 0, SEQUENCE_MAX) or not is_integer(value["sequence"], 1, SEQUENCE_MAX):
        raise NotAnObject("order: epoch or sequence is out of range")
    if not is_uuid(value["transfer_id"]) or not is_token_name(value["token"]):
        raise NotAnObject("order: transfer_id or token is none")
    memo = value.get("memo")
    if "memo" in value and (not isinstance(memo, str) or len(memo.encode("utf-8")) > MEMO_MAX):
        raise NotAnObject("order: the memo is no text of at most 256 bytes")
    digest = digest_of(value)
    try:
        amount = parse_amount(value["amount"])
    except ValueError as error:
        raise BadAmount(digest) from error
    return Order(
        value["ledger"],
        value["epoch"],
        value["transfer_id"],
        value["token"],
        payer,
        payee,
        amount,
        value["sequence"],
        value["expires_at"],
        memo,
        digest,
    )


Votes = Dict[str, str]
"""Signatures by member, ascending."""


def parse_signature(value: Any) -> str:
    """64 bytes of strict base64, as text. Raises NotAnObject."""
    try:
        parse_base64(value, 64)
    except ValueError as error:
        raise NotAnObject(f"signature: {error}") from error
    return str(value)


def parse_votes(value: Any) -> Votes:
    """A list of votes: distinct members, ascending, at most 64. Raises NotAnObject."""
    if not isinstance(value, list) or len(value) > MEMBERS_MAX:
        raise NotAnObject("votes: no list of at most 64")
    found: Votes = {}
    before = ""
    for vote in value:
        if not isinstance(vote, dict) or set(vote) != {"member", "signature"}:
            raise NotAnObject("votes: not exactly member and signature")
        try:
            member = parse_key(vote["member"])
        except ValueError as error:
            raise NotAnObject(f"votes: {error}") from error
        if member <= before:
            raise NotAnObject("votes: members are not ascending")
        before = member
        found[member] = parse_signature(vote["signature"])
    return found


def votes_to_json(votes: Votes) -> List[JsonObject]:
    """The list of votes, ascending by member."""
    return [{"member": member, "signature": votes[member]} for member in sorted(votes)]


@dataclass(frozen=True)
class SignedOrder:
    """An order with a signature that may or may not hold."""

    order: Order
    signature: str

    def to_json(self) -> JsonObject:
        """As it is kept and as evidence shows it."""
        return {"order": self.order.to_json(), "signature": self.signature}


def parse_signed_order(value: Any) -> SignedOrder:
    """Reads what `SignedOrder.to_json` made. Raises NotAnObject."""
    if not isinstance(value, dict) or set(value) != {"order", "signature"}:
        raise NotAnObject("not exactly order and signature")
    return SignedOrder(parse_order(value["order"]), parse_signature(value["signature"]))


@dataclass(frozen=True)
class Certificate:
    """An order with votes; whether it holds says `certificate_fault`."""

    order: Order
    signature: str
    votes: Votes

    def to_json(self) -> JsonObject:
        """The certificate as it is shown to others."""
        return {"order": self.order.to_json(), "signature": self.signature, "votes": votes_to_json(self.votes)}


def parse_certificate(value: Any) -> Certificate:
    """Raises NotAnObject."""
    if not isinstance(value, dict) or set(value) != {"order", "signature", "votes"}:
        raise NotAnObject("certificate: not exactly order, signature and votes")
    return Certificate(parse_order(value["order"]), parse_signature(value["signature"]), parse_votes(value["votes"]))


def order_fault(genesis: Genesis, order: Order, signature: str) -> Optional[str]:
    """The first thing wrong with a signed order whatever the accounts are: NOT_OWNER, WRONG_EPOCH, UNKNOWN_TOKEN."""
    if not order.holds(signature):
        return "NOT_OWNER"
    if order.ledger != genesis.ledger or order.epoch != genesis.epoch:
        return "WRONG_EPOCH"
    return None if order.token in genesis.tokens else "UNKNOWN_TOKEN"


def certificate_fault(genesis: Genesis, certificate: Certificate) -> Optional[str]:
    """Why it proves nothing: the order's fault, or INVALID_SIGNATURE for its votes. None where it holds."""
    fault = order_fault(genesis, certificate.order, certificate.signature)
    if fault is not None:
        return fault
    votes, digest = certificate.votes, certificate.order.digest
    if len(votes) < genesis.quorum or not all(genesis.is_member(member) for member in votes):
        return "INVALID_SIGNATURE"
    # Every vote counts: one more that does not hold makes it no certificate, so that all judge it alike.
    if not all(vote_holds(digest, member, signature) for member, signature in votes.items()):
        return "INVALID_SIGNATURE"
    return None
