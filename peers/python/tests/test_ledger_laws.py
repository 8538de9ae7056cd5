"""Members, owners and receivers of a ledger, one law a test; the rules are those of docs/protocol/1.1.md#tokens."""

from __future__ import annotations

from typing import Any, Callable, List, Tuple

import pytest
from ledger_world import HOUR, Node, World

from entity_py.crypto import SigningKey
from entity_py.encoding import SECOND
from entity_py.ledger import member as member_module
from entity_py.ledger.machine import Ledger
from entity_py.ledger.messages import CODES, vote_request
from entity_py.ledger.objects import Certificate, SignedOrder, digest_of, parse_order
from entity_py.ledger.owner import PayRefused
from entity_py.strictjson import JsonObject, parse


def uid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


def world_of(count: int, members: int, cap: str = "1000000") -> Tuple[World, List[Node]]:
    """`count` nodes of which the first `members` are the committee; the first one issues."""
    world = World([bytes([number + 1]) * 32 for number in range(count)])
    nodes = list(world.nodes.values())
    world.begin(nodes[:members], nodes[0].name, cap)
    return world, nodes


def order_of(node: Node, to: str, amount: Any, sequence: int = 1, **changes: Any) -> JsonObject:
    assert node.ledger is not None
    fields: JsonObject = {
        "ledger": node.ledger.genesis.ledger,
        "epoch": 0,
        "transfer_id": uid(900 + sequence),
        "token": "AGT",
        "from": node.name,
        "to": to,
        "amount": amount if isinstance(amount, str) else str(amount),
        "sequence": sequence,
        "expires_at": "2026-01-02T00:00:00.000000+00:00",
    }
    fields.update(changes)
    return fields


def request_of(node: Node, fields: JsonObject, **changes: Any) -> JsonObject:
    try:
        signature = parse_order(fields).sign(node.key)
    except ValueError:
        signature = "A" * 86 + "=="
    body: JsonObject = {"order": fields, "signature": signature, "votes": [], "certificates": []}
    body.update(changes)
    return body


def certified(nodes: List[Node], fields: JsonObject, owner: Node) -> Certificate:
    order = parse_order(fields)
    votes = {node.name: order.vote(node.key) for node in nodes}
    return Certificate(order, order.sign(owner.key), dict(sorted(votes.items())))


def ask(world: World, member: Node, sender: Node, body: JsonObject) -> List[Tuple[str, Any]]:
    """What the member answers to a vote request: type and body."""
    before = len(world.wire)
    member.handle(lambda ledger: ledger.handle_message(sender.name, "vote_request", body, world.now))
    answers = [(kind, parse(text).value) for _, to, kind, text in list(world.wire)[before:] if to == sender.name]
    while len(world.wire) > before:
        world.wire.pop()
    return answers


def code(answers: List[Tuple[str, Any]]) -> str:
    (kind, body) = answers[-1]
    return str(body["code"]) if kind == "vote_refusal" else kind


def shows(sender: Node, body: JsonObject, world: World) -> Callable[[Ledger], None]:
    """The input of a node that is shown a certificate."""
    return lambda ledger: ledger.handle_message(sender.name, "token_transfer", body, world.now)


def sums(nodes: List[Node]) -> None:
    for node in nodes:
        assert node.ledger is not None
        assert all(token["holds"] for token in node.ledger.state.audit())


@pytest.mark.parametrize(("members", "quorum", "liars"), [(1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 3, 1), (7, 5, 2), (64, 43, 21)])
def test_a_quorum_leaves_out_those_that_may_lie(members: int, quorum: int, liars: int) -> None:
    from entity_py.ledger.genesis import parse_genesis

    keys = [SigningKey(bytes([n + 1]) * 32).public.hex() for n in range(members)]
    genesis = parse_genesis({"committee": keys, "tokens": [{"token": "T", "issuer": keys[0], "cap": "1"}]})
    assert (genesis.quorum, genesis.liars) == (quorum, liars)


def test_of_several_reasons_the_first_of_the_table_is_told() -> None:
    """Each order is wrong in one more way than the one after it."""
    world, (a, b, c) = world_of(3, 2)
    a.pay(b.name, 100, uid(1))
    world.deliver()
    b.pay(c.name, 1, uid(2))
    world.deliver()
    late, same = "2025-12-31T00:00:00.000000+00:00", uid(2)
    wrong: List[Tuple[str, JsonObject]] = [
        ("AMOUNT_INVALID", {"amount": "0", "epoch": 1, "token": "X", "transfer_id": same, "expires_at": late}),
        ("NOT_OWNER", {"epoch": 1, "token": "X", "transfer_id": same, "expires_at": late}),
        ("WRONG_EPOCH", {"epoch": 1, "token": "X", "transfer_id": same, "expires_at": late}),
        ("UNKNOWN_TOKEN", {"token": "X", "transfer_id": same, "expires_at": late}),
        ("DUPLICATE_WITH_OTHER_CONTENT", {"transfer_id": same, "expires_at": late}),
        ("EXPIRED", {"expires_at": late}),
        ("WRONG_SEQUENCE", {}),
        ("INSUFFICIENT_FUNDS", {"sequence": 2}),
    ]
    for expected, changes in wrong:
        fields = order_of(b, c.name, **{"amount": 1000, "sequence": 9, **changes})
        body = request_of(b, fields)
        if expected == "NOT_OWNER":
            body["signature"] = "A" * 86 + "=="
        assert code(ask(world, a, b, body)) == expected
    assert code(ask(world, a, b, request_of(b, order_of(b, c.name, 99, 2)))) == "vote"
    assert code(ask(world, a, b, request_of(b, order_of(b, c.name, 98, 2)))) == "ACCOUNT_FROZEN"
    assert code(ask(world, b, a, request_of(a, order_of(a, c.name, 999_999, 2)))) == "CAP_EXCEEDED"
    assert CODES[6:9] == ("ACCOUNT_FROZEN", "WRONG_SEQUENCE", "CAP_EXCEEDED")


def test_the_same_order_gets_the_same_vote_also_after_it_is_applied_and_late() -> None:
    world, (a, b, c) = world_of(3, 2)
    body = request_of(a, order_of(a, c.name, 5))
    first = ask(world, b, a, body)
    assert ask(world, b, a, body) == first
    world.shift = 1000 * HOUR
    assert ask(world, b, a, body) == first
    certificate = certified([a, b], body["order"], a)
    b.handle(lambda ledger: ledger.handle_message(a.name, "token_transfer", {"certificate": certificate.to_json()}, world.now))
    assert b.balance(c.name) == 5
    assert ask(world, b, a, body) == first


def test_a_vote_is_kept_before_it_leaves_and_outlives_a_crash() -> None:
    world, (a, b, c) = world_of(3, 2)
    b.crash_at = b.batches + 1
    body = request_of(a, order_of(a, c.name, 5))
    assert ask(world, b, a, body) == []
    b.restart()
    assert code(ask(world, b, a, request_of(a, order_of(a, c.name, 6)))) == "ACCOUNT_FROZEN"
    assert code(ask(world, b, a, body)) == "vote"


def test_an_order_refused_for_a_reason_of_its_own_is_no_evidence() -> None:
    world, (a, b, c) = world_of(3, 2)
    assert code(ask(world, b, a, request_of(a, order_of(a, c.name, 5)))) == "vote"
    assert code(ask(world, b, a, request_of(a, order_of(a, c.name, 1_000_001)))) == "CAP_EXCEEDED"
    late = order_of(a, c.name, 6, expires_at="2025-01-01T00:00:00.000000+00:00")
    assert code(ask(world, b, a, request_of(a, late))) == "EXPIRED"
    assert b.records("token.evidence") == []


def test_who_said_expired_does_not_vote_after_its_clock_was_put_back() -> None:
    world, (a, b, c) = world_of(3, 2)
    body = request_of(a, order_of(a, c.name, 5))
    world.shift = 100 * HOUR
    assert code(ask(world, b, a, body)) == "EXPIRED"
    world.shift = 0
    assert code(ask(world, b, a, body)) == "EXPIRED"
    b.restart()
    assert code(ask(world, b, a, body)) == "EXPIRED"
    later = order_of(a, c.name, 5, expires_at="2026-01-02T00:00:00.000001+00:00")
    assert code(ask(world, b, a, request_of(a, later))) == "vote"


def test_enough_votes_of_others_outweigh_the_time() -> None:
    world, nodes = world_of(5, 4)
    a, b, c, d, e = nodes
    fields = order_of(a, e.name, 5, expires_at="2025-12-31T00:00:00.000000+00:00")
    order = parse_order(fields)
    assert code(ask(world, b, a, request_of(a, fields))) == "EXPIRED"
    for voters, expected in (([c], "EXPIRED"), ([c, b], "EXPIRED"), ([c, e], "EXPIRED"), ([c, d], "vote")):
        signed = SignedOrder(order, order.sign(a.key))
        body = vote_request(signed, {node.name: order.vote(node.key) for node in voters}, [])
        (kind, answer), *_ = ask(world, b, a, body)
        assert expected == (answer["code"] if kind == "vote_refusal" else kind)
    forged = vote_request(SignedOrder(order, order.sign(a.key)), {c.name: order.vote(c.key), d.name: order.vote(c.key)}, [])
    world2, (a2, b2, *_) = world_of(5, 4)
    assert code(ask(world2, b2, a2, forged)) == "EXPIRED"


def test_a_member_whose_vote_makes_the_quorum_full_applies_at_once() -> None:
    world, (a, b, c) = world_of(3, 2)
    fields = order_of(a, c.name, 5)
    order = parse_order(fields)
    body = vote_request(SignedOrder(order, order.sign(a.key)), {a.name: order.vote(a.key)}, [])
    answers = ask(world, b, a, body)
    assert [kind for kind, _ in answers] == ["vote", "token_receipt"]
    assert b.balance(c.name) == 5
    assert [event.name for event in b.events] == ["token.vote_requested", "token.applied"]


def test_a_certificate_counts_once_and_moves_only_what_it_says() -> None:
    world, nodes = world_of(3, 2)
    a, b, c = nodes
    certificate = certified([a, b], order_of(a, c.name, 5), a)
    for _ in range(3):
        for node in nodes:
            body = {"certificate": certificate.to_json()}
            node.handle(shows(a, body, world))
    for node in nodes:
        assert (node.balance(a.name), node.balance(c.name)) == (999_995, 5)
        assert len(node.told("token.applied")) == 1
    assert len(c.told("token.received")) == 1
    sums(nodes)


@pytest.mark.parametrize("change", ["too few votes", "a vote too much", "a vote of nobody", "other amount", "other signature"])
def test_what_does_not_hold_moves_nothing_and_gets_no_receipt(change: str) -> None:
    world, nodes = world_of(5, 4)
    a, b, c, d, e = nodes
    good = certified([a, b, c], order_of(a, e.name, 5), a).to_json()
    bad = dict(good)
    if change == "too few votes":
        bad["votes"] = good["votes"][:2]
    elif change == "a vote too much":
        wrong = dict(good["votes"][0], member=d.name)
        bad["votes"] = sorted([*good["votes"], wrong], key=lambda vote: str(vote["member"]))
    elif change == "a vote of nobody":
        stranger = {"member": e.name, "signature": parse_order(good["order"]).vote(e.key)}
        bad["votes"] = sorted([*good["votes"], stranger], key=lambda vote: str(vote["member"]))
    elif change == "other amount":
        bad["order"] = dict(good["order"], amount="6")
    else:
        bad["signature"] = "A" * 86 + "=="
    b.handle(lambda ledger: ledger.handle_message(a.name, "token_transfer", {"certificate": bad}, world.now))
    assert b.balance(e.name) == 0 and not world.wire
    b.handle(lambda ledger: ledger.handle_message(a.name, "token_transfer", {"certificate": good}, world.now))
    assert b.balance(e.name) == 5


def test_a_member_applies_in_order_and_holds_later_ones_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world, nodes = world_of(3, 2)
    a, b, c = nodes
    chain = [certified([a, b], order_of(a, c.name, 1, sequence), a) for sequence in range(1, 67)]

    def show(node: Node, certificate: Certificate) -> None:
        body = {"certificate": certificate.to_json()}
        node.handle(lambda ledger: ledger.handle_message(a.name, "token_transfer", body, world.now))

    for certificate in reversed(chain[1:]):
        show(b, certificate)
    assert b.ledger is not None and b.ledger.member.held == member_module.HELD_OF_ACCOUNT_MAX == 64
    assert b.balance(c.name) == 0
    show(b, chain[0])
    # The 66th was forgotten: there was no room for it.
    assert b.balance(c.name) == 65
    show(c, chain[5])
    show(c, chain[2])
    assert c.balance(c.name) == 2
    sums(nodes)


def test_all_accounts_together_hold_back_no_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_module, "HELD_MAX", 3)
    world, nodes = world_of(3, 2)
    a, b, c = nodes
    for owner, sequence in ((a, 2), (a, 3), (c, 2), (c, 3)):
        body = {"certificate": certified([a, b], order_of(owner, b.name, 1, sequence), owner).to_json()}
        b.handle(shows(a, body, world))
    assert b.ledger is not None and b.ledger.member.held == 3


def test_a_certificate_is_never_refused_for_funds() -> None:
    world, nodes = world_of(3, 2)
    a, b, c = nodes
    body = {"certificate": certified([a, b], order_of(c, a.name, 70), c).to_json()}
    b.handle(lambda ledger: ledger.handle_message(c.name, "token_transfer", body, world.now))
    assert b.balance(c.name) == -70
    sums([b])


def test_of_two_certificates_for_one_slot_the_second_is_not_applied() -> None:
    world, (a, b, c) = world_of(3, 2)
    for amount in (5, 6):
        body = {"certificate": certified([a, b], order_of(a, c.name, amount, transfer_id=uid(amount)), a).to_json()}
        for node in (b, c):
            node.handle(shows(a, body, world))
    assert b.balance(c.name) == c.balance(c.name) == 5


def test_payments_of_one_account_go_one_after_the_other_and_each_once() -> None:
    world, nodes = world_of(3, 2)
    a, b, c = nodes
    for number in range(1, 21):
        a.pay(c.name, number, uid(number))
        a.pay(c.name, number, uid(number))
    world.run(2)
    assert [node.balance(c.name) for node in nodes] == [210, 210, 210]
    assert [payment.sequence for payment in a.payments if payment.state == "kept"] == list(range(1, 21))
    assert a.ledger is not None and a.ledger.pending() == []
    sums(nodes)


def test_an_id_belongs_to_one_payment_whatever_became_of_it() -> None:
    world, (a, b, c) = world_of(3, 2)
    a.pay(c.name, 5, uid(1), memo="one")
    world.run(1)
    assert a.ledger is not None
    count = len(a.payments)
    a.pay(c.name, 5, uid(1), memo="one")
    assert [payment.state for payment in a.payments[count:]] == ["applied"]
    for changed in ({"amount": 6, "memo": "one"}, {"amount": 5, "memo": "two"}, {"amount": 5, "memo": None}):
        with pytest.raises(PayRefused, match="DUPLICATE_WITH_OTHER_CONTENT"):
            a.pay(c.name, transfer_id=uid(1), **changed)
    a.restart()
    with pytest.raises(PayRefused, match="DUPLICATE_WITH_OTHER_CONTENT"):
        a.pay(b.name, 5, uid(1), memo="one")
    assert c.balance(c.name) == 5


def test_an_overdraft_is_refused_before_anything_is_signed() -> None:
    world, (a, b, c) = world_of(3, 2)
    a.pay(c.name, 10, uid(1))
    world.run(1)
    c.pay(b.name, 11, uid(2))
    world.run(1)
    assert [(payment.state, payment.code) for payment in c.payments] == [("refused", "INSUFFICIENT_FUNDS")]
    a.pay(c.name, 1_000_000, uid(3))
    assert a.payments[-1].code == "CAP_EXCEEDED"
    assert not any(record for record in c.records("token.pending"))


def test_what_is_pending_goes_on_over_crashes_of_its_owner_at_every_batch() -> None:
    finished = False
    for batch in range(1, 40):
        for before in (True, False):
            world, nodes = world_of(3, 2)
            a, b, c = nodes
            a.crash_at = -batch if before else batch
            for number in (1, 2):
                a.pay(c.name, number, uid(number))
            world.run(1)
            crashed = a.ledger is None
            finished = finished or not crashed
            if crashed:
                a.restart()
            for number in (1, 2):
                a.pay(c.name, number, uid(number))
            world.run(120)
            assert [node.balance(c.name) for node in nodes] == [3, 3, 3], (batch, before)
            assert a.ledger is not None and a.ledger.pending() == []
            assert not a.records("token.evidence") and not b.records("token.evidence")
            sums(nodes)
    assert finished


def test_a_member_may_crash_at_every_batch() -> None:
    for batch in range(1, 12):
        for before in (True, False):
            world, nodes = world_of(3, 2)
            a, b, c = nodes
            b.crash_at = -batch if before else batch
            a.pay(c.name, 7, uid(1))
            world.run(1)
            if b.ledger is None:
                b.restart()
            world.run(60)
            assert [node.balance(c.name) for node in nodes] == [7, 7, 7], (batch, before)
            assert a.ledger is not None and a.ledger.pending() == []


def test_a_committee_of_four_goes_on_without_one_which_catches_up() -> None:
    world, nodes = world_of(4, 4)
    a, b, c, d = nodes
    a.pay(b.name, 1000, uid(1))
    world.run(1)
    b.pay(c.name, 1, uid(2))
    world.run(1)
    world.lost = {d.name}
    for number in range(3, 43):
        b.pay(c.name, 10, uid(number))
        world.run(1)
    assert [node.balance(c.name) for node in (a, b, c)] == [401, 401, 401]
    assert d.balance(c.name) == 1
    world.lost = set()
    for node in (a, b, c):
        node.handle(lambda ledger: ledger.handle_ready(d.name, world.now))
    world.run(1)
    assert d.balance(c.name) == 401
    assert all(node.ledger is not None and node.ledger.pending() == [] for node in nodes)
    sums(nodes)


def test_one_lying_member_cannot_stop_or_move_anything() -> None:
    world, nodes = world_of(4, 4)
    a, b, c, d = nodes
    state: JsonObject = {"from": a.name, "token": "AGT", "next_sequence": 2**40, "balance": "1"}
    world.lost = {d.name}
    a.pay(c.name, 5, uid(1))
    a.handle(lambda ledger: ledger.handle_message(d.name, "account_state", state, world.now))
    world.deliver()
    digest = a.records("token.pending")[0]["signed"]["order"] if a.records("token.pending") else None
    body = {"digest": digest_of(digest) if digest else "00" * 32, "code": "NOT_OWNER"}
    a.handle(lambda ledger: ledger.handle_message(d.name, "vote_refusal", body, world.now))
    world.run(1)
    assert [node.balance(c.name) for node in (a, b, c)] == [5, 5, 5]
    assert a.payments[-1].sequence == 1


def test_an_order_has_failed_only_when_every_member_refused_it_for_good() -> None:
    world, nodes = world_of(3, 2)
    a, b, c = nodes
    a.pay(c.name, 10, uid(1))
    world.run(1)
    c.pay(b.name, 1, uid(2))
    world.run(1)
    before = len(c.payments)
    world.lost = {a.name, b.name}
    c.pay(b.name, 2, uid(3), expires_in=SECOND)
    world.run(10)
    world.lost = {b.name}
    world.run(30)
    assert [payment.state for payment in c.payments[before:]] == ["kept"]
    world.lost = set()
    world.run(60)
    assert [(payment.state, payment.code) for payment in c.payments[before:]] == [("kept", None), ("refused", "EXPIRED")]
    assert c.told("token.refused")[0]["code"] == "EXPIRED"
    c.pay(b.name, 3, uid(4))
    world.run(5)
    assert c.payments[-1].state == "applied"
    assert not a.records("token.evidence") and not b.records("token.evidence")


def test_an_owner_that_lost_its_state_completes_what_it_finds_under_its_name() -> None:
    world, nodes = world_of(3, 2)
    a, b, c = nodes
    a.pay(c.name, 100, uid(1))
    world.run(1)
    c.pay(b.name, 10, uid(2))
    world.run(1)
    world.lost = {b.name}
    c.pay(b.name, 20, uid(3))
    world.run(1)
    assert [payment.state for payment in c.payments][-1] == "kept"
    c.kept.clear()
    assert a.ledger is not None
    c.open(a.ledger.genesis)
    world.wire.clear()
    world.lost = set()
    c.pay(b.name, 30, uid(4))
    world.run(60)
    assert a.balance(b.name) == b.balance(b.name) == 60
    assert not a.records("token.evidence") and not b.records("token.evidence")
    # It does not see what it was paid, and asks the members instead.
    c.pay(b.name, 41, uid(5))
    world.run(60)
    assert c.payments[-1].code == "INSUFFICIENT_FUNDS"
    c.pay(b.name, 40, uid(6))
    world.run(60)
    assert c.payments[-1].state == "applied"


def test_a_member_that_lacks_certificates_is_shown_them() -> None:
    world, nodes = world_of(5, 4)
    a, b, c, d, e = nodes
    world.lost = {d.name}
    a.pay(e.name, 100, uid(1))
    world.run(11)
    world.lost = {d.name, a.name}
    world.run(1)
    world.lost = {a.name}
    # D has never heard of what A paid E; with A away its vote is needed.
    e.pay(c.name, 60, uid(2))
    world.run(60)
    assert e.payments[-1].state == "applied"
    assert d.balance(c.name) == 60


def test_orders_are_exact() -> None:
    world, (a, b, c) = world_of(3, 2)
    good = order_of(a, c.name, 5)
    parse_order(good)
    bad: List[JsonObject] = [
        {**good, "more": 1},
        {key: value for key, value in good.items() if key != "epoch"},
        {**good, "to": a.name},
        {**good, "to": "00" * 32},
        {**good, "to": c.name.upper()},
        {**good, "sequence": 0},
        {**good, "sequence": True},
        {**good, "sequence": 2**53},
        {**good, "epoch": -1},
        {**good, "memo": None},
        {**good, "memo": "é" * 129},
        {**good, "transfer_id": uid(1).upper().replace("0", "A")},
        {**good, "expires_at": "2026-01-01T00:00:00+00:00"},
        {**good, "expires_at": "2026-02-30T00:00:00.000000+00:00"},
        {**good, "token": "a b"},
        {**good, "ledger": "00"},
    ]
    for fields in bad:
        with pytest.raises(ValueError):
            parse_order(fields)
    parse_order({**good, "memo": "é" * 128, "sequence": 2**53 - 1, "amount": str(2**127 - 1)})


def test_a_request_of_more_than_32_certificates_is_none() -> None:
    world, (a, b, c) = world_of(3, 2)
    one = certified([a, b], order_of(a, c.name, 5), a).to_json()
    body = request_of(a, order_of(a, c.name, 5), certificates=[one] * 33)
    with pytest.raises(ValueError):
        ask(world, b, a, body)
    assert code(ask(world, b, a, request_of(a, order_of(a, c.name, 5), certificates=[one] * 32))) == "vote"


def test_who_is_no_member_answers_no_request_and_no_query() -> None:
    world, (a, b, c) = world_of(3, 2)
    assert ask(world, c, a, request_of(a, order_of(a, c.name, 5))) == []
    query = {"from": a.name, "token": "AGT"}
    c.handle(lambda ledger: ledger.handle_message(a.name, "account_query", query, world.now))
    assert not world.wire


def test_a_queue_that_is_full_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    from entity_py.ledger import owner, presenting

    assert (owner.QUEUED_OF_ACCOUNT_MAX, owner.QUEUED_MAX, presenting.PRESENTED_MAX) == (256, 4096, 4096)
    world, (a, b, c) = world_of(3, 2)
    world.lost = {b.name}
    for number in range(256):
        a.pay(c.name, 1, uid(number))
    with pytest.raises(PayRefused, match="SERVICE_UNAVAILABLE"):
        a.pay(c.name, 1, uid(999))


def test_of_too_many_certificates_the_oldest_that_enough_have_is_shown_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from entity_py.ledger import presenting

    monkeypatch.setattr(presenting, "PRESENTED_MAX", 3)
    world, nodes = world_of(4, 4)
    a, b, c, d = nodes
    a.pay(b.name, 1, uid(1))
    world.run(1)
    world.lost = {d.name}
    for number in range(2, 10):
        a.pay(b.name, 1, uid(number))
        world.run(1)
    assert len(a.records("token.presented")) == 3
    assert b.balance(b.name) == 9


def test_a_member_that_was_overruled_keeps_to_one_vote_a_slot() -> None:
    world, nodes = world_of(5, 4)
    a, b, c, d, e = nodes
    mine, other = order_of(a, e.name, 5), order_of(a, e.name, 6, transfer_id=uid(6))
    assert code(ask(world, d, a, request_of(a, mine))) == "vote"
    body = {"certificate": certified([a, b, c], other, a).to_json()}
    d.handle(shows(a, body, world))
    assert d.balance(e.name) == 6
    assert d.told("token.equivocation") == [{"from": a.name, "token": "AGT", "sequence": 1}]
    for _ in range(2):
        assert code(ask(world, d, a, request_of(a, other))) == "ACCOUNT_FROZEN"
        assert code(ask(world, d, a, request_of(a, mine))) == "vote"
        d.restart()


def test_an_owner_that_asks_completes_what_members_remember_the_lowest_slot_first() -> None:
    world, nodes = world_of(5, 4)
    a, b, c, d, e = nodes
    a.pay(e.name, 100, uid(1))
    world.run(1)
    first = parse_order(order_of(e, b.name, 10, 1))
    second = parse_order(order_of(e, b.name, 20, 2))
    # A and B have the first certificate and remember the second order; C and D remember the first one only.
    for node in (c, d):
        assert code(ask(world, node, e, request_of(e, first.to_json()))) == "vote"
    for node in (a, b):
        node.handle(shows(e, {"certificate": certified([a, c, d], first.to_json(), e).to_json()}, world))
        assert code(ask(world, node, e, request_of(e, second.to_json()))) == "vote"
    world.wire.clear()
    e.pay(b.name, 30, uid(3))
    world.run(60)
    applied = [payment.sequence for payment in e.payments if payment.state == "applied"]
    assert applied == [1, 2, 3]
    assert [node.balance(b.name) for node in nodes] == [60] * 5
    assert not any(node.records("token.evidence") for node in nodes)


def test_an_order_that_enough_members_have_passed_over_is_dropped() -> None:
    world, nodes = world_of(5, 4)
    a, b, c, d, e = nodes
    a.pay(e.name, 100, uid(1))
    world.run(1)
    taken = certified([a, b, c], order_of(e, b.name, 10, 1, transfer_id=uid(7)), e)
    for node in (a, b, c):
        node.handle(shows(e, {"certificate": taken.to_json()}, world))
    assert code(ask(world, d, e, request_of(e, order_of(e, b.name, 11, 1)))) == "vote"
    world.wire.clear()
    e.pay(b.name, 30, uid(3))
    world.run(60)
    assert [(payment.state, payment.transfer_id) for payment in e.payments if payment.state != "kept"][-1] == ("applied", uid(3))
    assert e.told("token.refused") == [{"id": uid(901), "digest": e.told("token.refused")[0]["digest"], "code": "WRONG_SEQUENCE"}]
    assert a.balance(b.name) == 40
