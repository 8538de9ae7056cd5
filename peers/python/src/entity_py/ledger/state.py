"""Accounts and what is applied: the one place where balances move.

Whoever is no member sees only some certificates, and for it every one is a move as well, so that even a partial view sums to the cap.

Source: docs/protocol/1.1.md#applying-certificates, docs/protocol/1.1.md#audit.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Callable, Dict, List, Optional, Tuple

from ..strictjson import JsonObject
from .genesis import Genesis
from .objects import Account, Certificate, Order, parse_certificate
from .outputs import Sink, Warn

Lookup = Callable[[str, str], Optional[JsonObject]]
"""Reads a kept record of an archive: space, key."""

RECENT_MAX = 1_024
"""Certificates held in memory because they may not be found on disk yet."""


@dataclass(frozen=True)
class AccountView:
    """What follows from the certificates applied here."""

    balance: int
    next_sequence: int = 1
    entries: int = 0
    frozen: bool = False


def account_key(account: Account) -> str:
    """The key of the account's records."""
    return f"{account[0]}/{account[1]}"


def account_of(key: str) -> Account:
    """The account of such a key."""
    owner, _, token = key.partition("/")
    return (owner, token)


class State:
    """Balances, sequences, and which certificates were applied."""

    def __init__(self, genesis: Genesis, lookup: Lookup, sink: Sink) -> None:
        self.genesis = genesis
        self._lookup = lookup
        self._sink = sink
        self._accounts: Dict[Account, AccountView] = {}
        self._slots: Dict[Account, Dict[int, str]] = {}
        self._applied: Dict[str, Tuple[str, str]] = {}
        self._ids: Dict[Tuple[str, str], str] = {}
        self._supply: Dict[str, Tuple[int, int]] = {}
        self._recent: "OrderedDict[str, Certificate]" = OrderedDict()

    # What is kept.

    def restore(self, space: str, key: str, value: JsonObject) -> None:
        """Takes one kept record back."""
        if space == "token.account":
            self._accounts[account_of(key)] = AccountView(
                int(value["balance"]), value["next_sequence"], value["entries"], value["frozen"]
            )
        elif space == "token.applied":
            self._note(key, (value["from"], value["token"]), value["sequence"], value["transfer_id"])
        elif space == "token.supply":
            self._supply[key] = (int(value["issued"]), int(value["burned"]))

    def _note(self, digest: str, account: Account, sequence: int, transfer_id: str) -> None:
        self._applied[digest] = (account[0], transfer_id)
        self._slots.setdefault(account, {})[sequence] = digest
        self._ids.setdefault((account[0], transfer_id), digest)

    def _put(self, account: Account, view: AccountView) -> None:
        self._accounts[account] = view
        self._sink.write(
            "token.account",
            account_key(account),
            {
                "balance": str(view.balance),
                "next_sequence": view.next_sequence,
                "entries": view.entries,
                "frozen": view.frozen,
            },
        )

    # Look.

    def account(self, account: Account) -> AccountView:
        """The account as it is seen here; of a token that the ledger has."""
        found = self._accounts.get(account)
        return AccountView(self.genesis.start(*account)) if found is None else found

    def is_applied(self, digest: str) -> bool:
        """Whether the certificate of this digest is applied."""
        return digest in self._applied

    def applied_in(self, account: Account, sequence: int) -> Optional[str]:
        """The digest of what has taken a slot."""
        return self._slots.get(account, {}).get(sequence)

    def applied_as(self, payer: str, transfer_id: str) -> Optional[str]:
        """The digest of the first applied order of a payer under this id, whatever the token."""
        return self._ids.get((payer, transfer_id))

    def certificate(self, digest: str) -> Optional[Certificate]:
        """An applied or own certificate."""
        found = self._recent.get(digest)
        if found is None:
            record = self._lookup("token.certificate", digest)
            found = None if record is None else parse_certificate(record)
        return found

    def digests_of(self, account: Account, skip: int, count: int) -> List[str]:
        """Certificates of the account's own orders in their order, without the newest `skip`."""
        slots = self._slots.get(account, {})
        sequences = sorted(slots)
        end = max(len(sequences) - skip, 0)
        return [slots[sequence] for sequence in sequences[max(end - count, 0) : end]]

    def digests_to(self, account: Account, skip: int, count: int) -> List[str]:
        """Certificates that paid the account, among `count` entries of its history that come before the newest `skip`."""
        found = []
        end = max(self.account(account).entries - skip, 0)
        for position in range(max(end - count, 0) + 1, end + 1):
            record = self._lookup("token.history", f"{account_key(account)}/{position:016}")
            if record is not None and record["to"] == account[0]:
                found.append(str(record["digest"]))
        return found

    # Change.

    def keep(self, certificate: Certificate) -> None:
        """Keeps a certificate that may not be applied yet."""
        digest = certificate.order.digest
        self._recent[digest] = certificate
        if len(self._recent) > RECENT_MAX:
            self._recent.popitem(last=False)
        self._sink.write("token.certificate", digest, certificate.to_json())

    def freeze(self, account: Account) -> None:
        """No first vote for it any more."""
        self._put(account, replace(self.account(account), frozen=True))

    def apply(self, certificate: Certificate) -> bool:
        """Moves what a certificate that holds says, once. False where it, or another one of its slot, was applied."""
        order = certificate.order
        taken = self.applied_in(order.account, order.sequence)
        if taken is not None:
            if taken != order.digest:
                self._sink.add(_lie(order))
            return False
        self.keep(certificate)
        self._sink.write(
            "token.applied",
            order.digest,
            {
                "from": order.payer,
                "token": order.token,
                "sequence": order.sequence,
                "transfer_id": order.transfer_id,
            },
        )
        self._note(order.digest, order.account, order.sequence, order.transfer_id)
        self._move(order)
        self._count(order)
        return True

    def _move(self, order: Order) -> None:
        payer, payee = order.account, (order.payee, order.token)
        view = self.account(payer)
        view = replace(
            view,
            balance=view.balance - order.amount,
            next_sequence=max(view.next_sequence, order.sequence + 1),
            entries=view.entries + 1,
        )
        self._put(payer, view)
        self._enter(payer, view.entries, order)
        view = self.account(payee)
        view = replace(view, balance=view.balance + order.amount, entries=view.entries + 1)
        self._put(payee, view)
        self._enter(payee, view.entries, order)

    def _enter(self, account: Account, position: int, order: Order) -> None:
        self._sink.write("token.history", f"{account_key(account)}/{position:016}", entry_of(order))

    def _count(self, order: Order) -> None:
        issuer = self.genesis.tokens[order.token].issuer
        if issuer not in (order.payer, order.payee):
            return
        issued, burned = self._supply.get(order.token, (0, 0))
        if order.payer == issuer:
            issued += order.amount
        else:
            burned += order.amount
        self._supply[order.token] = (issued, burned)
        self._sink.write("token.supply", order.token, {"issued": str(issued), "burned": str(burned)})

    def audit(self) -> List[JsonObject]:
        """For each token: whether everything sums to the cap."""
        found = []
        for name, token in self.genesis.tokens.items():
            views = {owner: view for (owner, of), view in self._accounts.items() if of == name}
            views.setdefault(token.issuer, AccountView(token.cap))
            issued, burned = self._supply.get(name, (0, 0))
            total = sum(view.balance for view in views.values())
            left = views[token.issuer].balance
            found.append(
                {
                    "token": name,
                    "cap": str(token.cap),
                    "issued": str(issued),
                    "burned": str(burned),
                    "issuer_balance": str(left),
                    "sum": str(total),
                    "accounts": len(views),
                    "holds": total == token.cap and (issued - burned - token.cap + left) % 2**128 == 0,
                }
            )
        return found


def entry_of(order: Order) -> JsonObject:
    """An order as history and events show it."""
    return {
        "id": order.transfer_id,
        "digest": order.digest,
        "token": order.token,
        "from": order.payer,
        "to": order.payee,
        "amount": str(order.amount),
        "sequence": order.sequence,
        "memo": order.memo,
    }


def _lie(order: Order) -> Warn:
    return Warn(f"two certificates for order {order.sequence} of {order.payer} in {order.token}: more than f members lie")

