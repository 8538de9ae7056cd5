"""What a ledger begins with: its committee and its tokens.

Source: docs/protocol/1.1.md#genesis, docs/protocol/1.1.md#committee, docs/protocol/1.1.md#issuance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

from .. import crypto
from ..encoding import parse_hex
from ..strictjson import JsonObject, canonical
from .amounts import parse_amount

MEMBERS_MAX = 64
"""Members of a committee."""
TOKENS_MAX = 64
"""Tokens of a ledger."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")


def is_token_name(value: Any) -> bool:
    """Whether it is the name of a token."""
    return isinstance(value, str) and _NAME.match(value) is not None


def parse_key(value: Any) -> str:
    """A public key as 64 hex digits, one that a signature can hold under. Raises ValueError."""
    if not crypto.check_public_key(parse_hex(value, 32)):
        raise ValueError("not a public key")
    return str(value)


@dataclass(frozen=True)
class Token:
    """A token: who issues it, and how much of it there can be."""

    name: str
    issuer: str
    cap: int


@dataclass(frozen=True)
class Genesis:
    """A ledger's committee (ascending) and tokens (by name, ascending)."""

    committee: Tuple[str, ...]
    tokens: Dict[str, Token]
    ledger: str
    epoch: int = 0

    @property
    def liars(self) -> int:
        """f: how many members may lie."""
        return (len(self.committee) - 1) // 3

    @property
    def quorum(self) -> int:
        """How many votes make a certificate."""
        return len(self.committee) - self.liars

    def is_member(self, key: str) -> bool:
        """Whether the key votes."""
        return key in self.committee

    def start(self, account: str, token: str) -> int:
        """What an account has before anything is certified."""
        found = self.tokens[token]
        return found.cap if found.issuer == account else 0

    def to_json(self) -> JsonObject:
        """The sorted form whose canonical bytes name the ledger."""
        return _to_json(self.committee, list(self.tokens.values()))


def _to_json(committee: Tuple[str, ...], tokens: List[Token]) -> JsonObject:
    return {
        "committee": list(committee),
        "tokens": [{"token": token.name, "issuer": token.issuer, "cap": str(token.cap)} for token in tokens],
    }


def parse_genesis(value: Any) -> Genesis:
    """Reads a genesis in any order. Raises ValueError, which names the place."""
    if not isinstance(value, dict) or set(value) != {"committee", "tokens"}:
        raise ValueError("genesis: exactly the fields committee and tokens")
    committee, tokens = value["committee"], value["tokens"]
    if not isinstance(committee, list) or not 1 <= len(committee) <= MEMBERS_MAX:
        raise ValueError(f"genesis: committee has 1 to {MEMBERS_MAX} members")
    if not isinstance(tokens, list) or not 1 <= len(tokens) <= TOKENS_MAX:
        raise ValueError(f"genesis: 1 to {TOKENS_MAX} tokens")
    members: List[str] = []
    for place, key in enumerate(committee):
        try:
            members.append(parse_key(key))
        except ValueError as error:
            raise ValueError(f"genesis: committee[{place}]: {error}") from error
    if len(set(members)) != len(members):
        raise ValueError("genesis: a member is named twice")
    # Lower-case hex sorts as the bytes it stands for.
    members.sort()
    found = {token.name: token for token in sorted((_token(p, t) for p, t in enumerate(tokens)), key=lambda t: t.name)}
    if len(found) != len(tokens):
        raise ValueError("genesis: a token is named twice")
    canon = canonical(_to_json(tuple(members), list(found.values())))
    return Genesis(tuple(members), found, crypto.sha256(b"peer-v1.1-genesis\0" + canon).hex())


def _token(place: int, value: Any) -> Token:
    if not isinstance(value, dict) or set(value) != {"token", "issuer", "cap"}:
        raise ValueError(f"genesis: tokens[{place}]: exactly the fields token, issuer and cap")
    if not is_token_name(value["token"]):
        raise ValueError(f"genesis: tokens[{place}]: the name is 1 to 32 of A-Z a-z 0-9 . _ -")
    try:
        return Token(value["token"], parse_key(value["issuer"]), parse_amount(value["cap"]))
    except ValueError as error:
        raise ValueError(f"genesis: tokens[{place}]: {error}") from error
