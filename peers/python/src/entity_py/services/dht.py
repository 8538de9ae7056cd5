"""The distributed hash table: messages `dht_*`, methods `dht.*`. What is decided is in `dht/`; here it is asked, answered and kept.

Source: docs/protocol/1.1.md#distributed-hash-table to docs/protocol/1.1.md#dht-upkeep, docs/contract/README.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Union

from ..codes import CallRefused
from ..dht.kept import KeptContacts
from ..dht.lookup import Lookup
from ..dht.records import (
    LIFETIME_MAX, VERSION_MAX, Contact, Forged, Record, is_address, is_capability, node_id, read_point, read_record, read_way,
    record_key, sign,
)  # fmt: skip
from ..dht.slots import Slots
from ..dht.table import K, Table
from ..encoding import SECOND, is_id, parse_hex, stamp, to_base64
from ..peer.feature import KEY, NAME, OBJECT, POSITIVE, Feature, Field, Later, Message, Records, method, one_of, optional, text
from ..strictjson import JsonObject, canonical, parse
from ..times import HOUR, MINUTE, Now, Timer
from .dht_questions import ANSWER_WITHIN, Questions

if TYPE_CHECKING:
    from ..peer.core import Core

SPACE = "dht.slot"
CONTACTS = "dht.contact"
LOOKUPS_MAX = 64
LEAVE_WITHIN = 30 * SECOND
TTL = 7_200
TICK = SECOND
PINGED_AFTER = 15 * MINUTE
PAGES_MAX = 4
KINDS = frozenset({"dht_ping", "dht_pong", "dht_find", "dht_get", "dht_found", "dht_store", "dht_stored", "dht_leave"})
VERSION = Field("an integer from 1 to 2^53 - 1", lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= VERSION_MAX)
REJOIN_FIRST = SECOND
REJOIN_MAX = MINUTE
"""The pauses after which a node that is alone asks again are doubled up to this one, each shortened at random by up to half."""


class Dht(Feature):
    """See the module's text."""

    name = "dht"
    kinds = KINDS
    spaces = (SPACE, CONTACTS)
    events = ("dht.joined", "dht.alone", "dht.left", "dht.misbehaved")

    def __init__(self, abilities: Callable[[], List[str]]) -> None:
        self._abilities = abilities
        self.table = Table(bytes(32))
        self.slots = Slots(bytes(32))
        self.state = "here"
        self._questions = Questions(self._takes_part, self._silent)
        self._kept: KeptContacts = KeptContacts(lambda key, value: None)
        self._lookups = 0
        self._joined = self._joining = self._is_alone = False
        self._rejoin: Optional[Timer] = None
        self._rejoin_pause = 0
        self._announced: Tuple[str, ...] = ()
        self._announce_at = 0
        self._announced_to = 0
        self._refresh_at = 0

    # -- start and end

    def start(self, core: "Core", records: Records, now: Now) -> None:
        """What was stored is there again, and whoever was known is asked."""
        self.table = Table(node_id(core.key.public))
        self.slots = Slots(core.random(32))
        self._on = core.config.dht and core.config.speaks("1.1")
        for key, value in records.get(SPACE, {}).items():
            found = parse(value).value
            if self._on and self.slots.store(read_record(found["record"], found["signature"]), now.wall, now.mono) != "stored":
                core.persist(SPACE, key, None)
        self._kept = KeptContacts(lambda key, value: core.persist(CONTACTS, key, value))
        self._kept.restore(records.get(CONTACTS, {}))
        if self._on:
            if self._kept.all():
                core.soon(lambda then: self._join(core, then))
            self._refresh_at = now.mono + HOUR
            core.after(now, TICK, lambda then: self._tick(core, then))

    def handle_session(self, core: "Core", peer: str, now: Now) -> None:
        """Somebody who takes part is a contact from here on."""
        self._heard(core, peer, now)

    def handle_removed(self, core: "Core", peer: str, now: Now) -> None:
        """Who is forgotten is no contact."""
        for known in [known for known in self.table.all() if known.contact.id == peer]:
            self._drop(known.node)

    def _drop(self, node: bytes) -> None:
        self.table.drop(node)
        self._kept.forget(node)

    def _takes_part(self, core: "Core", peer: str) -> bool:
        line = core.lines.get(peer)
        session = None if line is None else line.eleven.session
        return self._on and session is not None and "dht" in session.capabilities

    def _heard(self, core: "Core", peer: str, now: Now) -> None:
        entry = core.roster.get(peer)
        if entry is None or entry.key is None or not is_address(entry.address) or not self._takes_part(core, peer) or self.state != "here":
            return
        contact = Contact(peer, entry.key, str(entry.address))
        stale = self.table.heard(contact, now.mono, now.wall)
        if self.table.find(contact.node) is not None:
            self._kept.heard(contact)
        if stale is not None and now.mono - stale.heard > PINGED_AFTER:
            self._questions.ask(core, stale.contact, "dht_ping", {}, lambda answer, then: None, now)
        if not self._joined and not self._joining:
            # Who was alone joins through whoever speaks; at most once in a while, should it never answer.
            if self._rejoin is None:
                self._join(core, now)
            elif self._rejoin.due - now.mono > REJOIN_FIRST:
                self._join_after(core, REJOIN_FIRST, now)

    def _silent(self, contact: Contact) -> None:
        """A question was not answered. The last ones are kept, so that a node that is alone has somebody to ask."""
        self.table.failed(contact.node)
        if self._joined and self.table.find(contact.node) is None and any(self.table.all()):
            self._kept.forget(contact.node)

    # -- joining

    def _join(self, core: "Core", now: Now) -> None:
        """Looks up its own point: among its contacts and, where it was alone, all whom it could ask."""
        self._joining = True
        if self._rejoin is not None:
            self._rejoin.cancel()
            self._rejoin = None

        def over(lookup: Lookup, then: Now) -> None:
            self._joining = False
            if not lookup.nodes:
                self._alone(core, then)
                return
            self._joined, self._is_alone, self._rejoin_pause = True, False, 0
            core.event("dht.joined", {"contacts": len(list(self.table.all()))})
            self._announce(core, then)

        start = {contact.node: contact for contact in self._kept.all()}
        if self._is_alone:
            start.update({contact.node: contact for contact in _named(core)})
        start.update({known.node: known.contact for known in self.table.nearest(self.table.node)})
        self._walk(core, self.table.node, None, over, now, start=list(start.values()))

    def _alone(self, core: "Core", now: Now) -> None:
        if self.state != "here":
            return
        self._joined = False
        if not self._is_alone:
            self._is_alone = True
            core.event("dht.alone", {})
        self._rejoin_pause = min(max(self._rejoin_pause * 2, REJOIN_FIRST), REJOIN_MAX)
        self._join_after(core, self._rejoin_pause - self._rejoin_pause * core.random(1)[0] // 512, now)

    def _join_after(self, core: "Core", delay: int, now: Now) -> None:
        if self._rejoin is not None:
            self._rejoin.cancel()

        def due(then: Now) -> None:
            self._rejoin = None
            if self.state == "here" and not self._joined and not self._joining and not core.stopping:
                self._join(core, then)

        self._rejoin = core.after(now, delay, due)

    # -- questions

    def _walk(self, core: "Core", target: bytes, key: Optional[bytes], over: Callable[[Lookup, Now], None], now: Now,
              found: Optional[Callable[[Contact, List[Record]], None]] = None, start: Optional[List[Contact]] = None) -> None:  # fmt: skip
        """A lookup of contacts, or of the records of `key`, which `found` gets as they come."""
        lookup = Lookup(target, self.table.node, start or [known.contact for known in self.table.nearest(target)])
        ended: List[bool] = []

        def step(then: Now) -> None:
            while True:
                contact = lookup.next()
                if contact is None:
                    break
                question(contact, b"", 1, then)
            if lookup.is_over and not ended:
                ended.append(True)
                over(lookup, then)

        def question(contact: Contact, after: bytes, page: int, then: Now) -> None:
            kind, body = ("dht_find", {"target": target.hex()}) if key is None else ("dht_get", {"key": key.hex()})
            if after:
                body["after"] = after.hex()
            self._questions.ask(core, contact, kind, body, lambda answer, later: answered(contact, page, answer, later), then,
                                lambda later: late(contact))  # fmt: skip

        def late(contact: Contact) -> None:
            lookup.late(contact)
            core.soon(step)

        def answered(contact: Contact, page: int, answer: Optional[JsonObject], then: Now) -> None:
            if answer is None:
                lookup.failed(contact)
            else:
                records: List[Record] = answer["records"]
                if found is not None:
                    found(contact, records)
                if answer["more"] and records and page < PAGES_MAX and key is not None:
                    question(contact, records[-1].owner, page + 1, then)
                    return
                lookup.answered(contact, answer["contacts"])
            core.soon(step)

        step(now)

    # -- messages

    def handle_message(self, core: "Core", message: Message, now: Now) -> None:
        """A message of the table; what is not of its shape is told as DHT_ERROR."""
        try:
            if not self._takes_part(core, message.peer):
                raise ValueError("no table here, or none there")
            if self.state == "left":
                return
            if message.kind == "dht_leave":
                entry = core.roster.get(message.peer)
                if entry is not None and entry.key is not None:
                    self._drop(node_id(entry.key))
                return
            request = message.body.get("request")
            if not isinstance(request, int) or isinstance(request, bool) or not 1 <= request <= VERSION_MAX:
                raise ValueError("request")
            self._heard(core, message.peer, now)
            if message.kind in ("dht_pong", "dht_found", "dht_stored"):
                self._questions.take_answer(message, request, now)
            else:
                self._take_question(core, message, request, now)
        except Forged as error:
            self._wrong(core, message, str(error))
            key = core.peer_key(message.peer)
            core.event("dht.misbehaved", {"node": node_id(key or b"").hex(), "peer": message.peer})
        except ValueError as error:
            self._wrong(core, message, str(error))

    def _wrong(self, core: "Core", message: Message, why: str) -> None:
        core.event("message.refused", {"from": message.peer, "code": "DHT_ERROR", "detail": why[:200], "status": 200})
        core.log("info", f"message refused from={message.peer!r} code=DHT_ERROR: {message.kind}: {why[:200]}")

    def _take_question(self, core: "Core", message: Message, request: int, now: Now) -> None:
        if message.kind == "dht_ping":
            self._say(core, message.peer, "dht_pong", {"request": request}, now)
        elif message.kind == "dht_store":
            try:
                outcome = self._store(core, read_record(message.body.get("record"), message.body.get("signature")), now)
            except Forged:
                self._say(core, message.peer, "dht_stored", {"request": request, "outcome": "refused"}, now)
                raise
            self._say(core, message.peer, "dht_stored", {"request": request, "outcome": outcome}, now)
        else:
            point = read_point(message.body.get("target" if message.kind == "dht_find" else "key"))
            asker = core.peer_key(message.peer)
            near = [known.contact for known in self.table.nearest(point, K + 1, good=True) if known.contact.key != asker][:K]
            answer: JsonObject = {"request": request, "contacts": [contact.write() for contact in near]}
            if message.kind == "dht_get":
                after = read_point(message.body["after"]) if "after" in message.body else b""
                found, more = self.slots.get(point, now.wall, after)
                answer["records"] = [record.write() for record in found]
                if more:
                    answer["more"] = True
            self._say(core, message.peer, "dht_found", answer, now)

    def _say(self, core: "Core", peer: str, kind: str, body: JsonObject, now: Now) -> None:
        try:
            core.send(peer, kind, body, now)
        except CallRefused as refusal:
            core.log("info", f"{kind} to {peer}: {refusal}")

    def _store(self, core: "Core", record: Record, now: Now) -> str:
        outcome = self.slots.store(record, now.wall, now.mono)
        if outcome == "stored":
            core.persist(SPACE, f"{record.key.hex()}/{record.owner.hex()}", canonical(record.write()))
        return outcome

    # -- records of one's own

    def _publish(self, core: "Core", record: Record, told: Callable[[int, int, Now], None], now: Now) -> None:
        """Looks the key up and stores at the k nearest, this node among them; `told(stored, refused)`."""
        outcomes: List[str] = []

        def over(lookup: Lookup, then: Now) -> None:
            nearest = lookup.nearest()
            points = sorted([node_id(contact.key) for contact in nearest] + [self.table.node], key=lambda node: _far(node, record.key))[:K]
            chosen = [contact for contact in nearest if contact.node in points]
            if self.table.node in points:
                outcomes.append(self._store(core, record, then))
            left = [len(chosen)]

            def answered(answer: Optional[JsonObject], later: Now) -> None:
                left[0] -= 1
                if answer is not None:
                    outcomes.append(str(answer["outcome"]))
                if left[0] == 0:
                    done(later)

            for contact in chosen:
                self._questions.ask(core, contact, "dht_store", record.write(), answered, then)
            if not chosen:
                done(then)

        def done(then: Now) -> None:
            told(outcomes.count("stored"), len(outcomes) - outcomes.count("stored"), then)

        self._walk(core, record.key, None, over, now)

    def _announce(self, core: "Core", now: Now) -> None:
        """docs/protocol/1.1.md#registry: the records about this node, a new version each time."""
        address = core.announced
        self._announced = tuple(self._abilities())
        self._announce_at = now.mono + core.config.dht_lifetime // 2
        self._announced_to = len(list(self.table.all()))
        if address is None or not is_address(address):
            return
        way: JsonObject = {"entity_id": core.name, "addresses": [address]}
        expires = now.wall + core.config.dht_lifetime
        names = [("entity", core.name, {**way, "capabilities": list(self._announced)})]
        names += [("capability", name, way) for name in self._announced if is_capability(name)]
        for kind, name, value in names:
            try:
                record = sign(core.key, kind, name, value, now.wall, now.wall, expires)
            except Forged as error:
                core.log("warn", f"no record about this node: {error}")
                continue
            self._publish(core, record, lambda stored, refused, then: None, now)

    def _tick(self, core: "Core", now: Now) -> None:
        core.after(now, TICK, lambda then: self._tick(core, then))
        if self.state != "here":
            return
        contacts = len(list(self.table.all()))
        if self._joined and not contacts:
            self._alone(core, now)
        if self._joined:
            doubled = contacts >= 2 * max(1, self._announced_to)
            if now.mono >= self._announce_at or doubled or tuple(self._abilities()) != self._announced:
                self._announce(core, now)
        if now.mono >= self._refresh_at:
            self._refresh_at = now.mono + HOUR
            self._walk(core, core.random(32), None, lambda lookup, then: None, now)
        for slot in self.slots.all():
            if now.mono - slot.came >= HOUR and slot.record.holds(now.wall) and self._lookups < LOOKUPS_MAX:
                slot.came = now.mono
                self._lookups += 1
                self._publish(core, slot.record, self._sent_on, now)

    def _sent_on(self, stored: int, refused: int, now: Now) -> None:
        self._lookups -= 1

    # -- methods

    def _begin(self, core: "Core") -> None:
        if not self._on or self.state != "here":
            raise CallRefused("INVALID_STATE", "this peer takes no part in a table, or has left it")
        if self._lookups >= LOOKUPS_MAX:
            raise CallRefused("SERVICE_UNAVAILABLE", f"too much is looked up: lookups_max is {LOOKUPS_MAX}")
        self._lookups += 1

    @method("dht.put", kind=one_of("entity", "capability"), name=text(1, 128), value=OBJECT, ttl_s=optional(POSITIVE), version=optional(VERSION))
    def dht_put(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """Signs a record and stores it at the nodes nearest to its key."""
        ttl = params.get("ttl_s", TTL) * SECOND
        self._begin(core)
        try:
            if ttl > LIFETIME_MAX:
                raise Forged("a record lives for at most 24 h")
            record = sign(core.key, params["kind"], params["name"], params["value"], params.get("version", now.wall), now.wall, now.wall + ttl)
        except Forged as error:
            self._lookups -= 1
            raise CallRefused("INVALID_MESSAGE", str(error)) from error
        later = core.later()

        def told(stored: int, refused: int, then: Now) -> None:
            self._lookups -= 1
            head: JsonObject = {"key": record.key.hex(), "version": record.version, "expires_at": stamp(record.expires)}
            later.resolve({**head, "stored": stored, "refused": refused})

        self._publish(core, record, told, now)
        return later

    def _collect(self, core: "Core", key: bytes, told: Callable[[List[Record], Lookup, Now], None], now: Now) -> None:
        """The winners of each slot of a key, which those that are behind get, too."""
        seen: Dict[bytes, Dict[bytes, Record]] = {self.table.node: {record.owner: record for record in self.slots.get(key, now.wall)[0]}}

        def found(contact: Contact, records: List[Record]) -> None:
            held = seen.setdefault(contact.node, {})
            held.update({record.owner: record for record in records if record.key == key})

        def over(lookup: Lookup, then: Now) -> None:
            self._lookups -= 1
            winners: Dict[bytes, Record] = {}
            for held in seen.values():
                for owner, record in held.items():
                    if owner not in winners or record.rank > winners[owner].rank:
                        winners[owner] = record
            # A winner that does not hold hides those it has beaten.
            good = {owner: record for owner, record in winners.items() if record.holds(then.wall)}
            for contact in lookup.nearest():
                for owner, record in good.items():
                    mine = seen.get(contact.node, {}).get(owner)
                    if mine is None or mine.rank < record.rank:
                        self._questions.ask(core, contact, "dht_store", record.write(), lambda answer, later: None, then)
            told([good[owner] for owner in sorted(good)], lookup, then)

        self._walk(core, key, key, over, now, found)

    @method("dht.get", kind=one_of("entity", "capability"), name=text(1, 128), owner=optional(KEY))
    def dht_get(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """Of each owner the record that won."""
        self._begin(core)
        later, key = core.later(), record_key(params["kind"], params["name"])
        owner = parse_hex(params["owner"], 32) if "owner" in params else None

        def told(records: List[Record], lookup: Lookup, then: Now) -> None:
            rows = [{**record.fields(), "signature": to_base64(record.signature)} for record in records if owner in (None, record.owner)]
            later.resolve({"key": key.hex(), "records": rows, "questions": lookup.questions, "hops": lookup.hops})

        self._collect(core, key, told, now)
        return later

    @method("dht.find", id=optional(NAME), capability=optional(text(1, 128)), key=optional(KEY))
    def dht_find(self, core: "Core", params: JsonObject, now: Now) -> Union[JsonObject, Later]:
        """How an entity is reached, by its id or by what it is able to do."""
        if ("id" in params) == ("capability" in params):
            raise CallRefused("INVALID_MESSAGE", "dht.find needs either 'id' or 'capability'")
        pinned = parse_hex(params["key"], 32) if "key" in params else None
        if "id" in params:
            peer = core.roster.get(params["id"])
            if peer is not None and peer.key is not None and not peer.guest and is_address(peer.address):
                if pinned not in (None, peer.key):
                    return {"ways": []}
                return {"ways": [_way(peer.name, peer.key, str(peer.address), "static", None, None)]}
        if "id" in params and not is_id(params["id"]):
            raise CallRefused("INVALID_MESSAGE", "'id' is no id")
        self._begin(core)
        kind, name = ("entity", params["id"]) if "id" in params else ("capability", params["capability"])
        later = core.later()

        def told(records: List[Record], lookup: Lookup, then: Now) -> None:
            ways: List[JsonObject] = []
            for record in records:
                try:
                    id, addresses, able = read_way(record)
                except ValueError:
                    continue
                if pinned in (None, record.owner):
                    known = able if record.kind == "entity" else None
                    ways += [_way(id, record.owner, address, "table", known, stamp(record.expires)) for address in addresses]
                    contact = Contact(id, record.owner, addresses[0])
                    self._questions.meets(core, contact, then)
            later.resolve({"ways": ways})

        self._collect(core, record_key(kind, name), told, now)
        return later

    @method("dht.table")
    def dht_table(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """Who is known, and how much is stored."""
        if not self._on:
            raise CallRefused("INVALID_STATE", "this peer takes no part in a table")
        contacts = [
            {"id": known.contact.id, "key": known.contact.key.hex(), "address": known.contact.address, "node": known.node.hex(),
             "heard_at": stamp(known.wall), "good": known.failures == 0}
            for known in self.table.all()
        ]  # fmt: skip
        sizes = {"slots": self.slots.count, "bytes": self.slots.bytes}
        return {"node": self.table.node.hex(), "state": self.state, "contacts": contacts, "buckets": self.table.sizes(), **sizes}

    @method("dht.leave")
    def dht_leave(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """Hands everything over, says so to its contacts, and takes no part any more."""
        self._begin(core)
        self._lookups -= 1
        self.state = "leaving"
        later = core.later()
        records = [slot.record for slot in self.slots.all() if slot.record.holds(now.wall)]

        def handed(stored: int, refused: int, then: Now) -> None:
            following(then)

        def following(then: Now) -> None:
            if later.done:
                return
            if records and then.mono - now.mono < LEAVE_WITHIN - ANSWER_WITHIN:
                self._publish(core, records.pop(), handed, then)
                return
            for known in list(self.table.all()):
                self._say(core, known.contact.id, "dht_leave", {}, then)
            self.state = "left"
            core.event("dht.left", {})
            later.resolve({})

        following(now)
        return later


def _named(core: "Core") -> List[Contact]:
    """The operator's peers, as far as they can be asked."""
    named = [peer for peer in core.roster.values() if not peer.guest and peer.key is not None and is_address(peer.address)]
    return [Contact(peer.name, peer.key, str(peer.address)) for peer in named[:K] if peer.key is not None]


def _far(node: bytes, point: bytes) -> int:
    return int.from_bytes(node, "big") ^ int.from_bytes(point, "big")


def _way(id: str, key: bytes, address: str, source: str, able: Optional[List[str]], expires: Optional[str]) -> JsonObject:
    return {"id": id, "key": key.hex(), "address": address, "source": source, "capabilities": able, "expires_at": expires}
