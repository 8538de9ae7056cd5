"""Bodies of token messages: parsed exactly, built in one place.

Source: docs/protocol/1.1.md#token-messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Tuple, Union

from ..encoding import parse_hex
from ..strictjson import JsonObject
from .amounts import parse_balance
from .genesis import is_token_name, parse_key
from .objects import (
    SEQUENCE_MAX,
    Account,
    BadAmount,
    Certificate,
    NotAnObject,
    Order,
    SignedOrder,
    Votes,
    is_integer,
    parse_certificate,
    parse_order,
    parse_signature,
    parse_votes,
    votes_to_json,
)

CERTIFICATES_MAX = 32
"""Certificates that one vote request may carry."""

TYPES = frozenset(
    {"vote_request", "vote", "vote_refusal", "token_transfer", "token_receipt", "account_query", "account_state"}
)
"""The message types of this feature."""

CODES = (
    "AMOUNT_INVALID",
    "NOT_OWNER",
    "WRONG_EPOCH",
    "UNKNOWN_TOKEN",
    "DUPLICATE_WITH_OTHER_CONTENT",
    "EXPIRED",
    "ACCOUNT_FROZEN",
    "WRONG_SEQUENCE",
    "CAP_EXCEEDED",
    "INSUFFICIENT_FUNDS",
)
"""Of several reasons the first one is told. Source: docs/protocol/1.1.md#token-codes."""
FOR_GOOD = frozenset(CODES[:6])
"""A member that said so votes later only if f + 1 others have."""


@dataclass(frozen=True)
class VoteRequest:
    """`order` is its digest alone where only the amount keeps it from being one."""

    order: Union[Order, str]
    signature: str
    votes: Votes
    certificates: Tuple[Certificate, ...]


@dataclass(frozen=True)
class Vote:
    """A member has voted."""

    digest: str
    member: str
    signature: str


@dataclass(frozen=True)
class VoteRefusal:
    """A member has not."""

    digest: str
    code: str


@dataclass(frozen=True)
class Presentation:
    """`token_transfer`: a certificate to be applied."""

    certificate: Certificate


@dataclass(frozen=True)
class Receipt:
    """Its sender has applied the certificate, durably."""

    digest: str


@dataclass(frozen=True)
class AccountQuery:
    """How do you see this account?"""

    account: Account


@dataclass(frozen=True)
class AccountState:
    """So; `pending` is what holds the slot `next_sequence`."""

    account: Account
    next_sequence: int
    balance: int
    pending: Optional[Tuple[SignedOrder, Votes]]


Message = Union[VoteRequest, Vote, VoteRefusal, Presentation, Receipt, AccountQuery, AccountState]


def parse_message(msg_type: str, body: Any) -> Message:
    """Raises NotAnObject for what is not exactly of its shape, and for a type that is not of this feature."""
    if not isinstance(body, dict):
        raise NotAnObject("no object")
    if msg_type == "vote_request":
        return _vote_request(_exactly(body, "order", "signature", "votes", "certificates"))
    if msg_type == "vote":
        _exactly(body, "digest", "member", "signature")
        return Vote(_digest(body), _key(body["member"]), parse_signature(body["signature"]))
    if msg_type == "vote_refusal":
        _exactly(body, "digest", "code")
        if body["code"] not in CODES:
            raise NotAnObject("vote_refusal: no such code")
        return VoteRefusal(_digest(body), body["code"])
    if msg_type == "token_transfer":
        return Presentation(parse_certificate(_exactly(body, "certificate")["certificate"]))
    if msg_type == "token_receipt":
        return Receipt(_digest(_exactly(body, "digest")))
    if msg_type == "account_query":
        return AccountQuery(_account(_exactly(body, "from", "token")))
    if msg_type == "account_state":
        return _account_state(body)
    raise NotAnObject(f"{msg_type} is no token message")


def _vote_request(body: JsonObject) -> VoteRequest:
    order: Union[Order, str]
    try:
        order = parse_order(body["order"])
    except BadAmount as error:
        order = error.digest
    carried = body["certificates"]
    if not isinstance(carried, list) or len(carried) > CERTIFICATES_MAX:
        raise NotAnObject("certificates: no list of at most 32")
    certificates = tuple(parse_certificate(item) for item in carried)
    return VoteRequest(order, parse_signature(body["signature"]), parse_votes(body["votes"]), certificates)


def _account_state(body: JsonObject) -> AccountState:
    if set(body) - {"pending"} != {"from", "token", "next_sequence", "balance"}:
        raise NotAnObject("account_state: not exactly its fields")
    if not is_integer(body["next_sequence"], 1, SEQUENCE_MAX):
        raise NotAnObject("account_state: next_sequence is out of range")
    account = _account(body)
    try:
        balance = parse_balance(body["balance"])
    except ValueError as error:
        raise NotAnObject(f"account_state: {error}") from error
    pending = None
    if "pending" in body:
        found = body["pending"]
        if not isinstance(found, dict) or set(found) != {"order", "signature", "votes"}:
            raise NotAnObject("pending: not exactly order, signature and votes")
        order = parse_order(found["order"])
        if order.account != account or order.sequence != body["next_sequence"]:
            raise NotAnObject("pending: of another slot")
        pending = (SignedOrder(order, parse_signature(found["signature"])), parse_votes(found["votes"]))
    return AccountState(account, body["next_sequence"], balance, pending)


def _exactly(body: JsonObject, *fields: str) -> JsonObject:
    if set(body) != set(fields):
        raise NotAnObject(f"not exactly {', '.join(fields)}")
    return body


def _digest(body: JsonObject) -> str:
    try:
        return parse_hex(body["digest"], 32).hex()
    except ValueError as error:
        raise NotAnObject(f"digest: {error}") from error


def _key(value: Any) -> str:
    try:
        return parse_key(value)
    except ValueError as error:
        raise NotAnObject(str(error)) from error


def _account(body: JsonObject) -> Account:
    if not is_token_name(body["token"]):
        raise NotAnObject("token: no name of one")
    return (_key(body["from"]), body["token"])


def vote_request(signed: SignedOrder, votes: Votes, certificates: List[Certificate]) -> JsonObject:
    """The body that asks for a vote."""
    return {
        "order": signed.order.to_json(),
        "signature": signed.signature,
        "votes": votes_to_json(votes),
        "certificates": [certificate.to_json() for certificate in certificates],
    }


def account_state(
    account: Account, next_sequence: int, balance: int, pending: Optional[Tuple[SignedOrder, Votes]]
) -> JsonObject:
    """The body that says how this member sees an account."""
    body: JsonObject = {
        "from": account[0],
        "token": account[1],
        "next_sequence": next_sequence,
        "balance": str(balance),
    }
    if pending is not None:
        signed, votes = pending
        body["pending"] = {**signed.to_json(), "votes": votes_to_json(votes)}
    return body
