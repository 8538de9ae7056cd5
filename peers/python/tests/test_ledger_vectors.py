"""docs/protocol/vectors/token_1_1.json, message by message and byte by byte."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from ledger_world import Node, World
from vectors import load

from entity_py.ledger.genesis import parse_genesis
from entity_py.strictjson import canonical, parse

VECTOR: Dict[str, Any] = load("token_1_1")


class Stage:
    """Alice and Bob as the vector has them."""

    def __init__(self) -> None:
        self.world = World([bytes.fromhex(VECTOR[who]["ed25519_seed"]) for who in ("alice", "bob")])
        self.alice, self.bob = self.world.nodes.values()
        self.names = {self.alice.name: "alice", self.bob.name: "bob"}
        self.genesis = parse_genesis(parse(VECTOR["genesis"].encode()).value)
        for node in (self.alice, self.bob):
            node.open(self.genesis)

    def said(self) -> List[Dict[str, str]]:
        log, self.world.log = self.world.log, []
        return [
            {"from": self.names[sender], "to": self.names[to], "msg_type": msg_type, "body": body.decode()}
            for sender, to, msg_type, body in log
        ]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def issue(stage: Stage) -> None:
    stage.alice.pay(stage.bob.name, 5000, "00000000-0000-0000-0000-000000000001", memo="grüße 🦀")
    stage.world.deliver()


def burn(stage: Stage) -> None:
    stage.bob.pay(stage.alice.name, 250, "00000000-0000-0000-0000-000000000001")
    stage.world.deliver()


def test_the_genesis_names_the_ledger(stage: Stage) -> None:
    assert stage.genesis.ledger == VECTOR["ledger"]
    assert canonical(stage.genesis.to_json()).decode() == VECTOR["genesis"]


def test_an_issue_is_these_messages_and_no_others(stage: Stage) -> None:
    issue(stage)
    assert stage.said() == VECTOR["messages"]["issue"]


def test_a_burn_is_these_messages_and_no_others(stage: Stage) -> None:
    issue(stage)
    stage.said()
    burn(stage)
    assert stage.said() == VECTOR["messages"]["burn"]


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_both_keep_the_same_certificates_and_balances(stage: Stage, who: str) -> None:
    issue(stage)
    burn(stage)
    node = stage.alice if who == "alice" else stage.bob
    # Under which keys is each store's own business.
    certificates = {canonical(value).decode() for (space, _), value in node.kept.items() if space == "token.certificate"}
    assert certificates == {text for _, text in VECTOR[f"kept_by_{who}"]["token.certificate"]}
    accounts = {key: value["balance"] for (space, key), value in node.kept.items() if space == "token.account"}
    expected = {key: parse(text.encode()).value["balance"] for key, text in VECTOR[f"kept_by_{who}"]["token.account"]}
    assert accounts == expected
    (supply,) = node.records("token.supply")
    assert supply == {"issued": "5000", "burned": "250"}


def equivocate(stage: Stage) -> None:
    """Bob votes for the first order; Alice, who does not know it, has signed another one for the slot."""
    first = parse(VECTOR["equivocation"]["first"].encode()).value
    stage.alice.pay(stage.bob.name, 7, "00000000-0000-0000-0000-000000000003")
    stage.bob.handle(lambda ledger: ledger.handle_message(stage.alice.name, "vote_request", first, stage.world.now))
    stage.world.deliver()


def test_two_orders_for_one_slot_are_evidence_and_freeze_the_account(stage: Stage) -> None:
    issue(stage)
    burn(stage)
    stage.said()
    equivocate(stage)
    assert stage.said() == VECTOR["equivocation"]["messages"]
    (evidence,) = stage.bob.records("token.evidence")
    assert canonical(evidence).decode() == VECTOR["kept_by_bob"]["token.evidence"][0][1]
    assert stage.bob.told("token.equivocation") == [{"from": stage.alice.name, "token": "AGT", "sequence": 2}]


def test_a_frozen_account_gets_no_first_vote_for_ever(stage: Stage) -> None:
    issue(stage)
    burn(stage)
    equivocate(stage)
    stage.world.run(120)
    assert not any(payment.state == "applied" and payment.sequence == 2 for payment in stage.alice.payments)
    node: Node = stage.bob
    node.restart()
    assert node.ledger is not None and node.ledger.state.account((stage.alice.name, "AGT")).frozen
