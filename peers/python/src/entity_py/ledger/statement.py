"""Statements: the certificates that touch an account, and how anybody with the genesis alone checks them.

Source: docs/protocol/1.1.md#statement.
"""

from __future__ import annotations

from typing import Any, Iterable, List, Set, Tuple

from ..strictjson import JsonObject
from .amounts import parse_balance
from .genesis import Genesis, is_token_name, parse_key
from .objects import Account, Certificate, certificate_fault, parse_certificate


class BadStatement(ValueError):
    """It shows nothing; the text says why."""


def statement_of(genesis: Genesis, account: Account, balance: int, certificates: Iterable[Certificate]) -> JsonObject:
    """The statement of an account whose history these certificates are, in its order."""
    return {
        "ledger": genesis.ledger,
        "account": account[0],
        "token": account[1],
        "balance": str(balance),
        "certificates": [certificate.to_json() for certificate in certificates],
    }


def check_statement(genesis: Genesis, value: Any) -> Tuple[Account, int]:
    """The account and its balance, where all of it holds. Raises BadStatement."""
    if not isinstance(value, dict) or set(value) != {"account", "balance", "certificates", "ledger", "token"}:
        raise BadStatement("not exactly account, balance, certificates, ledger and token")
    try:
        account, balance = (parse_key(value["account"]), value["token"]), parse_balance(value["balance"])
    except ValueError as error:
        raise BadStatement(str(error)) from error
    if value["ledger"] != genesis.ledger or not is_token_name(account[1]) or account[1] not in genesis.tokens:
        raise BadStatement("of another ledger, or of a token that this one has not")
    if not isinstance(value["certificates"], list):
        raise BadStatement("certificates is no list")
    if _add_up(genesis, account, value["certificates"]) != balance:
        raise BadStatement("the balance does not follow")
    return account, balance


def _add_up(genesis: Genesis, account: Account, certificates: List[Any]) -> int:
    balance, sequence = genesis.start(*account), 1
    listed: Set[str] = set()
    for place, item in enumerate(certificates, 1):
        try:
            certificate = parse_certificate(item)
        except ValueError as error:
            raise BadStatement(f"certificate {place}: {error}") from error
        order = certificate.order
        fault = certificate_fault(genesis, certificate)
        if fault is not None:
            raise BadStatement(f"certificate {place} does not hold: {fault}")
        if order.digest in listed:
            raise BadStatement(f"certificate {place} is listed twice")
        listed.add(order.digest)
        if order.account == account:
            if order.sequence != sequence:
                raise BadStatement(f"certificate {place} is order {order.sequence} of the account, not {sequence}")
            sequence += 1
            balance -= order.amount
        elif (order.payee, order.token) == account:
            balance += order.amount
        else:
            raise BadStatement(f"certificate {place} does not touch the account")
    return balance
