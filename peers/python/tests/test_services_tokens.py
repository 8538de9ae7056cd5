"""Tokens between whole peers: the contract's methods, events, restarts."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

import pytest
from cores import Body, Cores

from entity_py.codes import BadParams

ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def opened(*names: str, members: int = 2) -> Tuple[Cores, Tuple[Body, ...]]:
    """Peers with a ledger whose committee are the first ones and whose issuer is account 1 of the first."""
    world = Cores(*names, versions=("1.1",))
    bodies = tuple(world.bodies.values())
    issuer = bodies[0].call("token.account", index=1)["key"]
    genesis = {
        "committee": [body.key.public.hex() for body in bodies[:members]],
        "tokens": [{"token": "AGT", "issuer": issuer, "cap": "1000000"}],
    }
    ledgers = {body.call("token.open", genesis=genesis)["ledger"] for body in bodies}
    assert len(ledgers) == 1
    return world, bodies


def key(body: Body) -> str:
    return body.key.public.hex()


def balance(body: Body, of: Body) -> str:
    return str(body.call("token.balance", of=key(of))["balance"])


def test_a_pays_b_and_both_say_the_same() -> None:
    world, (a, b) = opened("a", "b")
    assert a.call("token.issue", to=key(a), amount="10000")["state"] == "applied"
    assert a.call("token.issue", to=key(b), amount="5000")["state"] == "applied"
    paid = a.call("token.transfer", to=key(b), amount="250", id=ID, memo="rent")
    assert (paid["id"], paid["sequence"], paid["state"]) == (ID, 1, "applied")
    world.run(1)
    assert [balance(body, of) for body in (a, b) for of in (a, b)] == ["9750", "5250"] * 2
    assert [event["id"] for event in b.told("token.received")][-1] == ID
    assert {"id": ID, "digest": paid["digest"], "peer": "b"} in a.told("token.receipt")
    assert a.call("token.pending") == b.call("token.pending") == {"pending": []}
    assert a.refused("token.transfer", to=key(b), amount="9751") == "INSUFFICIENT_FUNDS"
    assert a.call("token.transfer", to=key(b), amount="250", id=ID, memo="rent") == paid
    assert a.refused("token.transfer", to=key(b), amount="251", id=ID, memo="rent") == "DUPLICATE_WITH_OTHER_CONTENT"
    for body in (a, b):
        audit = body.call("token.audit")
        assert audit["tokens"][0]["holds"] and audit["tokens"][0]["issued"] == "15000" and audit["is_member"]
        entries = body.call("token.history", of=key(b))["entries"]
        assert [(entry["position"], entry["amount"], entry["memo"]) for entry in entries] == [(1, "5000", None), (2, "250", "rent")]
    found = b.call("token.certificate", digest=paid["digest"])
    assert a.call("token.verify", certificate=found["certificate"]) == {"valid": True, "digest": paid["digest"], "code": None}


def test_a_member_that_is_killed_before_it_answers_changes_nothing() -> None:
    world, (a, b) = opened("a", "b")
    a.call("token.issue", to=key(a), amount="10000")
    world.deaf = {"b"}
    call = a.begin("token.transfer", to=key(b), amount="250", id=ID)
    world.run(2)
    b.kill()
    world.deaf = set()
    world.run(5)
    b.start()
    assert a.end(call, 60)["state"] == "applied"
    assert balance(a, a) == balance(b, a) == "9750"


def test_the_owner_goes_on_after_a_restart() -> None:
    world, (a, b) = opened("a", "b")
    a.call("token.issue", to=key(a), amount="10000")
    a.call("token.transfer", to=key(b), amount="1")
    b.kill()
    paid = a.call("token.transfer", to=key(b), amount="250", id=ID)
    assert paid["state"] == "pending"
    (pending,) = a.call("token.pending")["pending"]
    assert (pending["state"], pending["votes"], pending["quorum"], pending["missing"]) == ("voting", 1, 2, [key(b)])
    assert [entry["id"] for entry in a.call("token.balance")["pending"]] == [ID]
    a.kill()
    a.start()
    b.start()
    world.run(60)
    assert a.call("token.transfer", to=key(b), amount="250", id=ID)["state"] == "applied"
    assert balance(b, b) == "251"


def test_what_is_not_waited_for_is_answered_once_it_is_kept() -> None:
    world, (a, b) = opened("a", "b")
    a.call("token.issue", to=key(a), amount="10000")
    a.call("token.transfer", to=key(b), amount="1")
    b.kill()
    before = world.mono
    assert a.call("token.transfer", to=key(b), amount="2", wait=False)["state"] == "pending"
    assert world.mono == before
    assert a.refused("token.transfer", to=key(b), amount="3", wait=False) == "SERVICE_UNAVAILABLE"
    b.start()
    world.run(60)
    assert balance(b, b) == "6"


def test_a_treasury_is_a_committee_of_one() -> None:
    world, (t, a, b) = opened("t", "a", "b", members=1)
    t.call("token.issue", to=key(a), amount="1000")
    world.run(1)
    assert a.call("token.transfer", to=key(b), amount="250")["state"] == "applied"
    world.run(1)
    assert b.call("token.burn", amount="50")["state"] == "applied"
    world.run(1)
    audit = t.call("token.audit")["tokens"][0]
    assert (audit["issued"], audit["burned"], audit["sum"], audit["holds"]) == ("1000", "50", "1000000", True)
    assert t.refused("token.issue", to=key(a), amount="999051") == "CAP_EXCEEDED"
    assert a.refused("token.issue", to=key(a), amount="1") == "NOT_OWNER"
    assert not b.call("token.audit")["is_member"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"amount": "0"}, "AMOUNT_INVALID"),
        ({"amount": "01"}, "AMOUNT_INVALID"),
        ({"amount": str(2**127)}, "AMOUNT_INVALID"),
        ({"token": "XXX"}, "UNKNOWN_TOKEN"),
        ({"to": "own"}, "INVALID_MESSAGE"),
        ({"from_": "b"}, "NOT_OWNER"),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused_at_once(params: Any, code: str) -> None:
    _, (a, b) = opened("a", "b")
    given = {"to": key(b), "amount": "1", **params}
    given["to"] = key(a) if given["to"] == "own" else given["to"]
    if "from_" in given:
        given["from_"], given["to"] = key(b), key(a)
    assert a.refused("token.transfer", **given) == code


@pytest.mark.parametrize("params", [{"to": "00" * 32}, {"id": "zz"}, {"memo": "x" * 257}, {"amount": 5}, {"expires_in_s": 0}])
def test_parameters_of_a_wrong_shape_are_named(params: Any) -> None:
    _, (a, b) = opened("a", "b")
    with pytest.raises(BadParams):
        a.call("token.transfer", **{"to": key(b), "amount": "1", **params})


def test_without_a_ledger_there_is_no_token() -> None:
    world = Cores("a", "b", versions=("1.1",))
    a, b = world.bodies.values()
    for method, params in (("token.balance", {}), ("token.audit", {}), ("token.transfer", {"to": key(b), "amount": "1"})):
        assert a.refused(method, **params) == "INVALID_STATE"
    _, (c, d) = opened("c", "d")
    genesis = {"committee": [key(c)], "tokens": [{"token": "AGT", "issuer": key(c), "cap": "1"}]}
    assert c.refused("token.open", genesis=genesis) == "INVALID_STATE"
    with pytest.raises(BadParams):
        a.call("token.open", genesis={**genesis, "more": 1})


def test_pages_of_history_go_to_the_end() -> None:
    world, (a, b) = opened("a", "b")
    for amount in range(1, 6):
        a.call("token.issue", to=key(b), amount=str(amount))
    world.run(1)
    seen: List[str] = []
    after: Optional[int] = 0
    while after is not None:
        found = b.call("token.statement", proof=True, after=after, limit=2)
        seen += [entry["amount"] for entry in found["entries"]]
        assert all(b.call("token.verify", certificate=entry["certificate"])["valid"] for entry in found["entries"])
        after = found["next"]
    assert seen == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(("legacy", "kept"), [(False, 0), (True, 1)])
def test_the_shape_of_1_0_moves_nothing(legacy: bool, kept: int) -> None:
    world = Cores("a", "b", versions=("1.0",), legacy_token_transfer=legacy)
    a, b = world.bodies.values()
    body = {"transfer_id": ID, "sender_address": "a", "recipient_address": "b", "amount": 250, "token_type": "AGT", "timestamp": "x"}
    call = a.begin("message.send", to="b", type="token_transfer", body=body)
    if legacy:
        assert a.end(call)["status"] == 200
    else:
        with pytest.raises(Exception) as refused:
            a.end(call)
        assert getattr(refused.value, "code", None) == "TRANSFER_REFUSED"
    inbox = b.call("message.inbox")["messages"]
    assert len([message for message in inbox if message["type"] == "token_transfer"]) == kept
