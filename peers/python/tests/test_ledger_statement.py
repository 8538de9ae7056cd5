"""Statements: what they show, and what is refused."""

from __future__ import annotations

import copy
from typing import Any, Callable

import pytest
from ledger_world import World

from entity_py.ledger.genesis import Genesis
from entity_py.ledger.statement import BadStatement, check_statement, statement_of


def made() -> Any:
    world = World([bytes([number + 1]) * 32 for number in range(3)])
    a, b, c = world.nodes.values()
    genesis = world.begin([a, b], a.name)
    for number, (payer, payee, amount) in enumerate([(a, c, 100), (c, b, 30), (a, c, 7), (c, a, 2)], 1):
        payer.pay(payee.name, amount, f"00000000-0000-0000-0000-{number:012}")
        world.run(1)
    assert c.ledger is not None
    entries = [c.kept[("token.history", f"{c.name}/AGT/{position:016}")] for position in range(1, 5)]
    certificates = [c.ledger.state.certificate(entry["digest"]) for entry in entries]
    assert None not in certificates
    return genesis, statement_of(genesis, (c.name, "AGT"), c.balance(c.name), [x for x in certificates if x])


def test_a_statement_shows_what_its_payments_add_up_to() -> None:
    genesis, statement = made()
    assert check_statement(genesis, statement)[1] == 75


def _cut(s: Any) -> None:
    del s["certificates"][1]


def _twice(s: Any) -> None:
    s["certificates"].append(s["certificates"][0])


def _other(s: Any) -> None:
    s["account"] = s["certificates"][0]["order"]["from"]


def _more(s: Any) -> None:
    s["balance"] = "76"


def _swapped(s: Any) -> None:
    s["certificates"][1], s["certificates"][3] = s["certificates"][3], s["certificates"][1]


def _forged(s: Any) -> None:
    s["certificates"][0]["order"]["amount"] = "101"


def _ledger(s: Any) -> None:
    s["ledger"] = "00" * 32


def _field(s: Any) -> None:
    s["more"] = 1


@pytest.mark.parametrize("change", [_cut, _twice, _other, _more, _swapped, _forged, _ledger, _field])
def test_a_changed_statement_is_refused(change: Callable[[Any], None]) -> None:
    genesis, statement = made()
    assert isinstance(genesis, Genesis)
    bad = copy.deepcopy(statement)
    change(bad)
    with pytest.raises(BadStatement):
        check_statement(genesis, bad)
