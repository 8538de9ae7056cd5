"""The distributed hash table: golden records, what a storer keeps, lookups, and whole peers that find each other."""

from __future__ import annotations

import random
from typing import Any, Dict, List, Optional

import pytest
import vectors
from entity_py import strictjson
from entity_py.codes import CallRefused
from entity_py.crypto import SigningKey, sha256
from entity_py.dht import slots as slot_limits
from entity_py.dht.kept import KEPT_MAX, KeptContacts
from entity_py.dht.lookup import Lookup
from entity_py.dht.records import Contact, Forged, Record, distance, node_id, read_contacts, read_record, record_key, sign
from entity_py.dht.slots import OWNER_SLOTS_MAX, OWNERS_MAX, Slots
from entity_py.dht.table import FAILURES_MAX, K, SUBNET_BUCKET_MAX, Table
from entity_py.encoding import SECOND, to_base64
from entity_py.strictjson import JsonObject
from entity_py.times import HOUR
from world import WALL, Machine, World

VECTORS: Any = vectors.load("dht_1_1")
OWNER = SigningKey(bytes.fromhex(VECTORS["seed"]))


def made(version: int = 1, name: str = "text.count", seed: int = 1, issued: int = WALL, life: int = HOUR, value: Any = None) -> Record:
    key = SigningKey(sha256(str(seed).encode()))
    return sign(key, "capability", name, {"v": version} if value is None else value, version, issued, issued + life)


def test_the_golden_records_are_read_and_signed_alike() -> None:
    assert OWNER.public.hex() == VECTORS["public_key"] and node_id(OWNER.public).hex() == VECTORS["node_id"]
    for vector in VECTORS["records"]:
        fields = strictjson.parse(vector["canonical"].encode()).value
        record = read_record(fields, vector["signature"])
        assert record.key.hex() == vector["key"] == record_key(record.kind, record.name).hex()
        assert record.digest.hex() == vector["sha256"] and strictjson.canonical(record.fields()).decode() == vector["canonical"]
        again = sign(OWNER, record.kind, record.name, record.value, record.version, record.issued, record.expires)
        assert to_base64(again.signature) == vector["signature"] and again == record


def test_a_record_of_another_shape_or_signature_is_none() -> None:
    vector = VECTORS["records"][0]
    fields = strictjson.parse(vector["canonical"].encode()).value
    odd: List[JsonObject] = [
        {"kind": "thing"}, {"name": "x y"}, {"owner": "00" * 32}, {"value": []}, {"version": 0}, {"version": 2**53}, {"version": True},
        {"issued_at": "today"}, {"expires_at": fields["issued_at"]}, {"expires_at": "2026-01-03T03:04:05.000007+00:00"}, {"more": 1},
        {"value": {"x": 1.5}}, {"value": {"x": "y" * 8_192}}, {"version": 8},
    ]  # fmt: skip
    for change in odd:
        with pytest.raises(Forged):
            read_record({**fields, **change}, vector["signature"])
    for signature in (None, "", VECTORS["records"][1]["signature"], vector["signature"][:-4]):
        with pytest.raises(Forged):
            read_record(fields, signature)
    with pytest.raises(ValueError):
        read_contacts([{"entity_id": "a", "public_key": "00" * 32, "address": "http://a"}] * 21)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_in_whichever_order_the_highest_record_is_kept(seed: int) -> None:
    chance = random.Random(seed)
    records = [made(chance.randrange(1, 5), value={"n": n}) for n in range(12)]
    kept = Slots(bytes(32))
    for record in records + chance.sample(records, 12):
        kept.store(record, WALL, 0)
    assert kept.get(records[0].key, WALL) == ([max(records, key=lambda record: record.rank)], False)
    assert kept.count == 1 and kept.bytes == max(records, key=lambda record: record.rank).size


def test_a_winner_that_has_expired_is_remembered_so_that_nothing_comes_back() -> None:
    kept = Slots(bytes(32))
    old, withdrawn = made(1, life=20 * HOUR), made(2, life=SECOND)
    assert [kept.store(record, WALL, 0) for record in (old, withdrawn)] == ["stored", "stored"]
    later = WALL + 2 * SECOND
    assert kept.get(old.key, later) == ([], False) and kept.store(old, later, 0) == "older"
    assert kept.store(withdrawn, later, 0) == "expired" and kept.count == 0 and kept.bytes == 0
    assert kept.store(made(1, issued=WALL + 61 * SECOND), WALL, 0) == "expired"


def test_a_storer_has_bounds_for_a_key_an_owner_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Slots(bytes(32))
    outcomes = [kept.store(made(seed=seed), WALL, 0) for seed in range(OWNERS_MAX + 40)]
    assert kept.count == OWNERS_MAX and "full" in outcomes and "stored" in outcomes[OWNERS_MAX:], "a draw decides, not the order"
    found, more = kept.get(made().key, WALL)
    assert len(found) == OWNERS_MAX and not more and [record.owner for record in found] == sorted(record.owner for record in found)
    mine = Slots(bytes(32))
    assert [mine.store(made(name=f"n{n}"), WALL, 0) for n in range(OWNER_SLOTS_MAX + 1)][-2:] == ["stored", "full"]
    monkeypatch.setattr(slot_limits, "SLOTS_MAX", OWNER_SLOTS_MAX)
    assert mine.store(made(name="n", seed=2), WALL, 0) == "full" and mine.count == OWNER_SLOTS_MAX
    large = Slots(bytes(32))
    for seed in range(12):
        large.store(made(seed=seed, value={"x": "y" * 7_500}), WALL, 0)
    first, more = large.get(made().key, WALL)
    rest, _ = large.get(made().key, WALL, first[-1].owner)
    assert more and len(first) + len(rest) == 12 and len(strictjson.canonical([record.write() for record in first])) <= 65_536


def contact(n: int, address: str = "") -> Contact:
    return Contact(f"n{n}", SigningKey(sha256(b"%d" % n)).public, address or f"http://127.0.0.1:{n + 1}")


def test_a_full_bucket_keeps_whoever_answers_and_who_waits_takes_the_place_of_the_dead() -> None:
    table = Table(bytes(32))
    far = [one for one in map(contact, range(400)) if one.node[0] >= 128]
    stale = [table.heard(one, mono, WALL) for mono, one in enumerate(far[: K + 5])]
    assert [one.contact if one else None for one in stale] == [None] * K + [far[0]] * 5 and len(list(table.all())) == K
    for _ in range(FAILURES_MAX):
        table.failed(far[0].node)
    assert table.find(far[0].node) is None and table.find(far[K + 4].node) is not None and len(list(table.all())) == K
    crowded = Table(bytes(32))
    for n, one in enumerate(far[: SUBNET_BUCKET_MAX + 1]):
        crowded.heard(Contact(one.id, one.key, f"http://9.9.9.{n}:1"), 0, WALL)
    crowded.heard(Contact(far[9].id, far[9].key, "http://9.9.9.0:1"), 0, WALL)
    assert len(list(crowded.all())) == SUBNET_BUCKET_MAX


@pytest.mark.parametrize("seed", range(10))
def test_a_lookup_ends_with_the_nearest_that_live(seed: int) -> None:
    chance = random.Random(seed)
    everyone = [contact(n) for n in range(150)]
    dead = {one.node for one in chance.sample(everyone, 30)}
    target = chance.randbytes(32)
    knows = {one.node: chance.sample(everyone, 12) + sorted(everyone, key=lambda other: distance(other.node, one.node))[:8] for one in everyone}
    lookup = Lookup(target, bytes(32), chance.sample(everyone, 8))
    while True:
        asked = lookup.next()
        if asked is None:
            assert lookup.is_over
            break
        if asked.node in dead:
            lookup.failed(asked)
        else:
            lookup.answered(asked, sorted(knows[asked.node], key=lambda other: distance(other.node, target))[:20])
    alive = sorted((one for one in everyone if one.node not in dead), key=lambda other: distance(other.node, target))
    assert alive[0] in lookup.nearest() and len(set(alive[:K]) & set(lookup.nearest())) >= K * 3 // 4
    assert lookup.questions <= 100


# -- whole peers


def network(count: int, seed: int = 1) -> World:
    world = World(seed)
    first = world.add("n0", versions=("1.1",), dht=True)
    for n in range(1, count):
        machine = world.add(f"n{n}", versions=("1.1",), dht=True)
        assert machine.ask("peer.add", {"name": "n0", "address": first.address, "key": first.key.public.hex()}) == {}
        assert machine.ask("session.open", {"to": "n0"})["state"] == "ready"
        world.run(3 * SECOND)
    return world


def contacts(machine: Machine) -> List[str]:
    return sorted(row["id"] for row in machine.ask("dht.table")["contacts"] if row["good"])


def told(machine: Machine, name: str) -> List[JsonObject]:
    return [params for event, params in machine.events if event == name]


def test_nodes_that_know_one_contact_find_everybody_and_lose_no_record_when_some_die() -> None:
    world = network(6)
    machines = list(world.machines.values())
    for machine in machines:
        assert contacts(machine) == sorted({f"n{n}" for n in range(6)} - {machine.config.name})
        assert told(machine, "dht.joined")
    for n in range(10):
        put = machines[1].ask("dht.put", {"kind": "capability", "name": f"page.{n}", "value": {"n": n}})
        assert (put["stored"], put["refused"]) == (6, 0)
    ways = machines[2].ask("dht.find", {"id": "n4"})["ways"]
    assert [(way["id"], way["key"], way["address"], way["source"]) for way in ways] == [("n4", machines[4].key.public.hex(), "http://n4:1", "table")]
    assert machines[2].ask("dht.find", {"id": "n4", "key": machines[3].key.public.hex()}) == {"ways": []}
    assert machines[2].ask("dht.find", {"id": "n0"})["ways"][0]["source"] == "static"
    machines[0].crash()
    machines[5].crash()
    for n in range(10):
        rows = machines[3].ask("dht.get", {"kind": "capability", "name": f"page.{n}", "owner": machines[1].key.public.hex()})["records"]
        assert [row["value"] for row in rows] == [{"n": n}]
    assert machines[4].ask("dht.leave") == {} and told(machines[4], "dht.left")
    refused = machines[4].ask("dht.get", {"kind": "capability", "name": "page.1"})
    assert isinstance(refused, CallRefused) and refused.code == "INVALID_STATE"
    world.run(SECOND)
    assert "n4" not in contacts(machines[2])
    machines[5].start()
    world.run(40 * SECOND, until=lambda: len(told(machines[5], "dht.joined")) == 2)
    assert len(told(machines[5], "dht.joined")) == 2, "it finds back through those that it has met"


def maim(world: World, sender: str, to: str, after: int, count: int) -> List[int]:
    """The next messages of `sender` to `to` come to harm on their way, from `after` from now on; what this returns counts them."""
    begin, harmed = world.mono + after, [0]

    def tamper(who: str, whom: str, body: bytes) -> bytes:
        if (who, whom) != (sender, to) or world.mono < begin or harmed[0] >= count or b'"dht_' not in body:
            return body
        harmed[0] += 1
        value = strictjson.parse(body).value
        value["signature"] = to_base64(bytes(64))
        return strictjson.canonical(value)

    world.tamper = tamper
    return harmed


@pytest.mark.parametrize("sender,to", [("n1", "n0"), ("n0", "n1")])
def test_a_question_that_is_lost_or_whose_answer_is_lost_is_asked_once_more_after_a_second(sender: str, to: str) -> None:
    world = network(2)
    one = world.machines["n1"]
    world.run(40 * SECOND)
    assert one.ask("dht.put", {"kind": "capability", "name": "x", "value": {}})["stored"] == 2
    world.run(2 * SECOND)
    harmed, begun = maim(world, sender, to, 0, 1), world.mono
    assert one.ask("dht.get", {"kind": "capability", "name": "x"})["questions"] == 1
    assert harmed == [1] and SECOND <= world.mono - begun < 2 * SECOND
    assert contacts(one) == ["n0"], "it has answered, and counts as good"


def test_a_node_that_finds_nobody_when_it_starts_again_joins_as_soon_as_somebody_is_there() -> None:
    world = network(3)
    machines = list(world.machines.values())
    for machine in machines:
        machine.crash()
    # Longer than a session lives, and two starts alone.
    for _ in range(2):
        world.run(2 * HOUR)
        machines[2].start()
        world.run(100 * SECOND)
        assert contacts(machines[2]) == []
        machines[2].crash()
    machines[2].start()
    world.run(30 * SECOND)
    before = len(told(machines[2], "dht.joined"))
    assert len(told(machines[2], "dht.alone")) == 3, "it is said once, however often it asks"
    machines[1].start()
    assert world.run(61 * SECOND, until=lambda: len(told(machines[2], "dht.joined")) > before), "it asks again within a minute"
    assert contacts(machines[2]) == ["n1"] and contacts(machines[1]) == ["n2"]


def test_a_node_whose_first_contact_is_silent_joins_through_another_one() -> None:
    world = network(4)
    machines = list(world.machines.values())
    machines[0].crash()
    for machine in machines[2:]:
        machine.crash()
    # Only the one that has left is there, and does not answer, when the other one comes in the middle of the question.
    assert machines[1].ask("dht.leave", within=100 * SECOND) == {}
    before = len(told(machines[3], "dht.joined"))
    machines[3].start()
    world.run(SECOND)
    machines[2].start()
    assert world.run(20 * SECOND, until=lambda: len(told(machines[3], "dht.joined")) > before)
    assert len(told(machines[3], "dht.alone")) <= 1


def test_whoever_others_still_name_but_nobody_finds_costs_a_lookup_no_three_seconds() -> None:
    world = network(4)
    machines = list(world.machines.values())
    machines[3].ask("dht.put", {"kind": "capability", "name": "x", "value": {}})
    machines[0].crash()
    machines[3].crash()
    machines[3].start()
    assert world.run(2 * SECOND, until=lambda: len(told(machines[3], "dht.joined")) == 2)
    for _ in range(20):
        begun = world.mono
        assert len(machines[3].ask("dht.get", {"kind": "capability", "name": "x"})["records"]) == 1
        assert world.mono - begun < SECOND


def test_a_node_that_everybody_has_left_finds_them_again() -> None:
    world = network(2)
    machines = list(world.machines.values())
    machines[0].crash()
    for _ in range(3):
        machines[1].ask("dht.put", {"kind": "capability", "name": "x", "value": {}})
    world.run(2 * SECOND)
    assert contacts(machines[1]) == [] and len(told(machines[1], "dht.alone")) == 1
    machines[0].start()
    assert world.run(61 * SECOND, until=lambda: contacts(machines[1]) == ["n0"] and len(told(machines[1], "dht.joined")) == 2)


def test_the_contacts_that_outlive_a_restart_are_bounded_and_the_one_heard_longest_ago_goes() -> None:
    records: Dict[str, bytes] = {}

    def persist(key: str, value: Optional[bytes]) -> None:
        if value is None:
            del records[key]
        else:
            records[key] = value

    kept = KeptContacts(persist)
    everyone = [contact(n) for n in range(KEPT_MAX + 1)]
    for one in everyone[:-1]:
        kept.heard(one)
    kept.heard(everyone[0])
    kept.heard(everyone[-1])
    assert len(records) == KEPT_MAX and everyone[1] not in kept.all() and kept.all()[:2] == [everyone[-1], everyone[0]]
    again = KeptContacts(persist)
    again.restore(dict(records))
    assert set(again.all()) == set(kept.all())
    again.forget(everyone[0].node)
    assert everyone[0].node.hex() not in records


def test_a_forged_rolled_back_or_oversized_record_never_wins() -> None:
    world = network(3)
    owner, storer, hostile = world.machines.values()
    assert owner.ask("dht.put", {"kind": "capability", "name": "x", "value": {"price": "1"}, "version": 5})["stored"] == 3
    (first,) = hostile.ask("dht.get", {"kind": "capability", "name": "x"})["records"]
    assert owner.ask("dht.put", {"kind": "capability", "name": "x", "value": {"price": "2"}, "version": 6})["stored"] == 3
    signature = first.pop("signature")
    forged = {**first, "version": 7}
    for request, record in ((1, first), (2, forged), (3, {**first, "value": {"x": "9" * 9_000}})):
        body = {"request": request, "record": record, "signature": signature}
        assert hostile.ask("message.send", {"to": "n1", "type": "dht_store", "body": body})["status"] == 200
    world.run(SECOND)
    assert [params["code"] for params in told(storer, "message.refused")] == ["DHT_ERROR", "DHT_ERROR"]
    assert {params["peer"] for params in told(storer, "dht.misbehaved")} == {"n2"}
    assert owner.ask("dht.put", {"kind": "capability", "name": "x", "value": {}, "version": 5})["stored"] == 0
    for machine in world.machines.values():
        assert [row["value"] for row in machine.ask("dht.get", {"kind": "capability", "name": "x"})["records"]] == [{"price": "2"}]
    for params in ({"name": "x", "value": {"x": "9" * 9_000}}, {"name": "x", "value": {}, "ttl_s": 86_401}, {"name": "\n", "value": {}}):
        refused = owner.ask("dht.put", {"kind": "capability", **params})
        assert isinstance(refused, CallRefused) and refused.code == "INVALID_MESSAGE"


def test_messages_of_no_shape_are_told_and_end_nothing() -> None:
    world = network(2)
    one, other = world.machines.values()
    bodies: List[JsonObject] = [{}, {"request": 0}, {"request": 1, "target": "x"}, {"request": 1, "key": "00"}, {"request": True}, {"request": 1}]
    for body in bodies:
        for kind in ("dht_find", "dht_get", "dht_store"):
            assert other.ask("message.send", {"to": "n0", "type": kind, "body": body})["status"] == 200
    for kind in ("dht_found", "dht_stored", "dht_pong"):
        assert other.ask("message.send", {"to": "n0", "type": kind, "body": {"request": 77}})["status"] == 200
    world.run(SECOND)
    assert {params["code"] for params in told(one, "message.refused")} == {"DHT_ERROR"} and len(told(one, "message.refused")) == 18
    assert contacts(one) == ["n1"]


def test_a_peer_without_a_table_says_so_and_meets_no_stranger() -> None:
    world = World(1)
    one = world.add("a", versions=("1.1",))
    for method, params in (("dht.table", {}), ("dht.leave", {}), ("dht.get", {"kind": "entity", "name": "a"})):
        refused = one.ask(method, dict(params))
        assert isinstance(refused, CallRefused) and refused.code == "INVALID_STATE"
    other = world.add("b", versions=("1.1",))
    other.ask("peer.add", {"name": "a", "address": one.address, "key": one.key.public.hex()})
    refused = other.ask("session.open", {"to": "a"})
    assert isinstance(refused, CallRefused) and refused.code == "UNKNOWN_SENDER"
