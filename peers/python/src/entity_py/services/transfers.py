"""Files and large messages in chunks: messages `chunk*`, methods `transfer.*` and `file.*`.

What is decided is in `transfer.outgoing` and `transfer.incoming`; here it is spoken, kept, and handed to the disk. Pieces of 1.0 are put together here, too.

Source: docs/protocol/1.1.md#chunked-transfer to docs/protocol/1.1.md#chunked-messages, docs/protocol/1.0.md#chunks, docs/contract/README.md.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from ..codes import BadParams, CallRefused, OldRefusal, Refusal
from ..encoding import SECOND, is_uuid4, parse_base64, uuid4_of
from ..peer.basics import MAKES_ITSELF
from ..peer.courier import Done, Outcome
from ..peer.feature import BASE64, COUNT, NAME, SOME_TEXT, UUID, Feature, Field, Later, Message, Records, listing, method, optional, page, text
from ..peer.line import Line, Outgoing as Letter
from ..strictjson import JsonObject, canonical
from ..times import HOUR, Now, Timer
from ..transfer.files import Files
from ..transfer.incoming import ACK_AFTER, SYNC_BYTES, Incoming
from ..transfer.offer import CHUNK_DEFAULT, CHUNK_MAX, COUNT_MAX, FILE, Offer, is_count, is_digest, is_name, read_offer
from ..transfer.outgoing import Outgoing
from ..transfer.pieces import Assembly

if TYPE_CHECKING:
    from ..peer.core import Core

SPACE = "transfer"
WINDOW = 16
"""Chunks of one peer under way; the protocol allows 32."""
OPEN_MAX = 16
PROMISED_MAX = 4 * 1024**3
FILE_MAX = 1024**3
BODY_MAX = 8 * 1_048_576
UNWRITTEN_MAX = 64
QUEUE_MAX = 64
"""Open transfers to one peer; those beyond `OPEN_MAX` wait."""
ENDED_MAX = 64
ENDED_FOR = 24 * HOUR
TICK = SECOND
CODE = "CHUNK_ERROR"
REASONS = frozenset({"too_large", "overloaded", "unknown", "mismatch", "cancelled", "expired", "storage", "refused"})
CHUNK_KINDS = frozenset({"chunk_init", "chunk", "chunk_ack", "chunk_resend", "chunk_complete"})
TOKEN_KINDS = frozenset(
    {"vote_request", "vote", "vote_refusal", "token_transfer", "token_receipt", "account_query", "account_state"}
)
NOT_IN_CHUNKS = MAKES_ITSELF | CHUNK_KINDS | TOKEN_KINDS
SEED = Field("an integer from 0 to 2^53 - 1", lambda value: is_count(value, 2**53 - 1))
FILE_SIZE = Field("an integer from 0 to 2^32", lambda value: is_count(value, 2**32))
FILE_NAME = Field(
    "a name of 1 to 64 of A-Z a-z 0-9 . _ - that does not begin with a point",
    lambda value: isinstance(value, str) and 1 <= len(value) <= 64 and value[0] != "." and all(c.isascii() and (c.isalnum() or c in "._-") for c in value),
)


class Transfers(Feature):
    """See the module's text."""

    name = "transfers"
    kinds = CHUNK_KINDS
    spaces = (SPACE,)
    events = ("transfer.offered", "transfer.done", "transfer.failed")
    test_only = frozenset({"file.make", "file.digest"})

    def __init__(self) -> None:
        self.files = Files("")
        self.out: Dict[str, Outgoing] = {}
        self.into: Dict[Tuple[str, str], Incoming] = {}
        self._order = 0
        self._waiting: Dict[str, Done] = {}
        self._unwritten = 0
        self._ticking: Optional[Timer] = None
        self._pieces = Assembly(32, False)

    # -- start and end

    def start(self, core: "Core", records: Records, now: Now) -> None:
        """Open transfers go on: their senders ask, their receivers wait to be asked."""
        self.files = Files(core.config.folder)
        core.large = lambda line, letter, then: self._send_large(core, line, letter, then)
        compat = not core.config.hardened and core.config.speaks("1.0")
        self._pieces = Assembly(200 if compat else 32, compat)
        for key, record in records.get(SPACE, {}).items():
            self._restore(core, key, record, now)
        parts = {transfer.part for transfer in self.into.values() if transfer.state == "open"}
        sending = {os.path.basename(transfer.path) for transfer in self.out.values() if transfer.owned and transfer.state == "open"}
        if records.get(SPACE):
            core.work(lambda: self.files.sweep(parts, sending), lambda result, then: None)
        for into in [one for one in self.into.values() if one.state == "open"]:
            self._begin_part(core, into, lambda then: None)
        for out in [one for one in self.out.values() if one.state == "open"]:
            self._ask(core, out, now)
        self._tick_later(core, now)

    def _restore(self, core: "Core", key: str, record: bytes, now: Now) -> None:
        value = json.loads(record)
        offer = read_offer(value["offer"])
        peer = value["peer"]
        if peer not in core.roster:
            core.persist(SPACE, key, None)
            return
        ended = {"state": value["state"], "reason": value["reason"], "ended": value["ended"]}
        touched = min(value["touched"], now.wall)
        if key.startswith("out/"):
            self.out[offer.id] = Outgoing(offer, peer, value["path"], value["owned"], value["order"], touched, **ended)
        else:
            into = Incoming(offer, peer, value["key"], value["part"], value["order"], touched, path=value["path"], **ended)
            into.have = int(value["have"], 16)
            into.synced_at = now.mono
            self.into[peer, offer.id] = into
        self._order = max(self._order, value["order"])

    def handle_stop(self, core: "Core", now: Now) -> None:
        """An orderly end keeps everything that is written."""
        for into in self.into.values():
            if into.state == "open" and into.unsynced and not into.completing:
                try:
                    self.files.sync(into.part)
                except OSError:
                    continue
                self._keep_in(core, into, into.have)

    def handle_removed(self, core: "Core", peer: str, now: Now) -> None:
        """The peer is forgotten, and what went to it or came from it."""
        for out in [one for one in self.out.values() if one.peer == peer]:
            if out.state == "open":
                self._end_out(core, out, "cancelled", now)
            self._forget_out(core, out)
        for into in [one for one in self.into.values() if one.peer == peer]:
            if into.state == "open":
                self._end_in(core, into, "cancelled", now)
            self._forget_in(core, into)
        self._pieces.forget(peer)

    def handle_session(self, core: "Core", peer: str, now: Now) -> None:
        """docs/protocol/1.1.md#resuming-a-transfer: the sender asks."""
        for out in self._active(peer):
            out.forget_way()
            self._ask(core, out, now)

    # -- methods

    @method("transfer.send", to=NAME, path=optional(SOME_TEXT), data=optional(BASE64), name=optional(text(1, 255)))
    def transfer_send(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """Offers a file, or something small."""
        if ("path" in params) == ("data" in params):
            raise BadParams("transfer.send needs either 'path' or 'data'")
        line = core.line(params["to"])
        if line.speaks() != "1.1":
            raise CallRefused("INVALID_VERSION", "1.0 has no transfers")
        label = params.get("name")
        if label is None and "path" in params:
            base = os.path.basename(params["path"])
            label = base if is_name(base) else None
        if label is not None and not is_name(label):
            raise CallRefused("INVALID_MESSAGE", "a name has 1 to 255 bytes and no control characters")
        self._check_queue(params["to"])
        id = uuid4_of(core.random(16))
        later = core.later()

        def kept(result: Any, then: Now) -> None:
            if isinstance(result, Exception):
                later.refuse(CallRefused(CODE, f"storage: {result}"))
                return
            path, size, sha256, owned = result
            if params["to"] not in core.lines:
                later.refuse(CallRefused("UNKNOWN_RECIPIENT", "the peer was removed"))
                return
            offer = _cut(id, FILE, label, size, sha256)
            if offer is None:
                later.refuse(CallRefused("MESSAGE_TOO_LARGE", f"a transfer has at most {COUNT_MAX * CHUNK_MAX} bytes"))
                return
            self._offer(core, offer, params["to"], path, owned, then)
            later.resolve({"id": id})

        if "path" in params:
            path = os.path.abspath(params["path"])
            core.work(lambda: (path, *self.files.look(path), False), kept)
        else:
            data = parse_base64(params["data"])
            core.work(lambda: (*self.files.keep(id, data), True), kept)
        return later

    @method("transfer.list", id=optional(UUID), after=optional(COUNT), limit=optional(COUNT))
    def transfer_list(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """Transfers in both directions, ended ones first."""
        rows: List[Tuple[bool, int, JsonObject]] = []
        for out in self.out.values():
            rows.append((out.state == "open", out.order, _listed_out(out)))
        for into in self.into.values():
            rows.append((into.state == "open", into.order, _listed_in(into)))
        rows.sort(key=lambda row: row[:2])
        wanted = params.get("id")
        found, following = page([row for _, _, row in rows if wanted is None or row["id"] == wanted], *listing(params))
        return {"transfers": found, "next": following}

    @method("transfer.cancel", id=UUID)
    def transfer_cancel(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """Withdraws a transfer, on either side."""
        out = self.out.get(params["id"])
        found: List[Any] = [one for one in [out, *self.into.values()] if one is not None and one.offer.id == params["id"]]
        if not found:
            raise CallRefused("INVALID_STATE", f"there is no transfer {params['id']}")
        for one in found:
            if one.state == "open":
                self._say_failed(core, one.peer, one.offer.id, "cancelled", now)
                if isinstance(one, Outgoing):
                    self._end_out(core, one, "cancelled", now)
                else:
                    self._end_in(core, one, "cancelled", now)
        return {}

    @method("file.make", name=FILE_NAME, size=FILE_SIZE, seed=SEED)
    def file_make(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """A file of pseudo-random bytes."""
        return self._beside(
            core, lambda: self.files.make(params["name"], params["size"], params["seed"]), lambda found: {"path": found[0], "sha256": found[1]}
        )

    @method("file.digest", path=SOME_TEXT)
    def file_digest(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """What is in a file now."""
        return self._beside(core, lambda: self.files.look(params["path"]), lambda found: {"size": found[0], "sha256": found[1]})

    def _beside(self, core: "Core", function: Callable[[], Any], told: Callable[[Any], JsonObject]) -> Later:
        later = core.later()

        def done(result: Any, then: Now) -> None:
            if isinstance(result, Exception):
                later.refuse(CallRefused("INVALID_STATE", str(result)))
            else:
                later.resolve(told(result))

        core.work(function, done)
        return later

    # -- messages

    def handle_message(self, core: "Core", message: Message, now: Now) -> None:
        """A message about a transfer. What is not of its shape is ignored."""
        if message.version != "1.1":
            self._take_old(core, message, now)
            return
        id = message.body.get("transfer_id")
        if not isinstance(id, str) or not is_uuid4(id):
            return
        if message.kind == "chunk_init":
            self._take_init(core, message, id, now)
        elif message.kind == "chunk":
            self._take_chunk(core, message, id, now)
        elif message.kind == "chunk_complete":
            self._take_complete(core, message, id, now)
        else:
            out = self.out.get(id)
            if out is None or out.peer != message.peer or out.state != "open":
                return
            try:
                if message.kind == "chunk_ack":
                    out.acknowledge(message.body.get("received"), now)
                else:
                    out.resend(message.body.get("ranges"))
            except ValueError as error:
                core.log("info", f"{message.kind} from {message.peer}: {error}")
            self._pump(core, message.peer, now)

    def _take_old(self, core: "Core", message: Message, now: Now) -> None:
        if message.kind != "chunk":
            core.event("message.received", core.inbox.add(message, now))
            return
        whole = self._pieces.take(message.peer, message.body, message.sealed, now)
        if whole is None:
            return
        kind, payload, sealed = whole
        if kind == "token_transfer" and not core.config.legacy_token_transfer:
            return
        put = Message(message.peer, kind, payload, message.version, message.session, message.sequence, None, sealed, None)
        try:
            core.deliver(put, now)
        except (Refusal, OldRefusal) as refusal:
            core.log("info", f"{kind} in pieces from {message.peer}: {refusal}")

    # -- receiving

    def _take_init(self, core: "Core", message: Message, id: str, now: Now) -> None:
        peer, key = message.peer, (core.peer_key(message.peer) or b"").hex()
        try:
            offer = read_offer(message.body)
        except ValueError as error:
            core.log("info", f"chunk_init from {peer}: {error}")
            return
        into = self.into.get((peer, id))
        if into is not None and into.key != key:
            self._forget_in(core, into)
            into = None
        others = any(one.offer.id == id and one.peer != peer for one in self.into.values()) or id in self.out
        if others or into is not None and into.offer != offer:
            self._say_failed(core, peer, id, "refused", now)
        elif into is not None:
            self._answer_question(core, into, now)
        else:
            reason = self._judge(offer, peer)
            if reason is None:
                self._accept(core, offer, peer, key, now)
            else:
                self._say_failed(core, peer, id, reason, now)

    def _judge(self, offer: Offer, peer: str) -> Optional[str]:
        """Why an offer is not taken."""
        if offer.kind in NOT_IN_CHUNKS:
            return "refused"
        if offer.size > (FILE_MAX if offer.kind == FILE else BODY_MAX):
            return "too_large"
        held = [one for one in self.into.values() if one.peer == peer and one.state == "open"]
        if len(held) >= OPEN_MAX or sum(one.offer.size for one in held) + offer.size > PROMISED_MAX:
            return "overloaded"
        return None

    def _accept(self, core: "Core", offer: Offer, peer: str, key: str, now: Now) -> None:
        self._order += 1
        into = Incoming(offer, peer, key, core.random(16).hex(), self._order, now.wall)
        into.synced_at = into.gap_at = now.mono
        self.into[peer, offer.id] = into
        self._keep_in(core, into, 0)
        core.event("transfer.offered", _listed_in(into))
        self._tick_later(core, now)

        def begun(then: Now) -> None:
            if into.is_whole:
                self._complete(core, into)
            else:
                self._say(core, peer, "chunk_ack", {"transfer_id": offer.id, "received": into.all()}, then)

        self._begin_part(core, into, begun)

    def _begin_part(self, core: "Core", into: Incoming, begun: Callable[[Now], None]) -> None:
        def done(result: Any, now: Now) -> None:
            if into.state != "open":
                return
            if isinstance(result, Exception):
                self._storage(core, into, result, now)
                return
            if not result:
                into.have = 0
            begun(now)
            if into.is_whole:
                self._complete(core, into)

        core.work(lambda: self.files.begin(into.part), done)

    def _answer_question(self, core: "Core", into: Incoming, now: Now) -> None:
        """How far is it? Chunks that are being written count first."""
        if into.state != "open":
            self._say_end(core, into, now)
            return

        def answered(result: Any, then: Now) -> None:
            if into.state == "open" and not into.completing:
                self._stop_ack(into)
                self._say(core, into.peer, "chunk_ack", {"transfer_id": into.offer.id, "received": into.all()}, then)

        core.work(lambda: None, answered)

    def _say_end(self, core: "Core", into: Incoming, now: Now) -> None:
        if into.state == "done":
            self._say(core, into.peer, "chunk_complete", {"transfer_id": into.offer.id, "sha256": into.offer.sha256}, now)
        else:
            self._say_failed(core, into.peer, into.offer.id, into.reason or "refused", now)

    def _take_chunk(self, core: "Core", message: Message, id: str, now: Now) -> None:
        index, data, sha256 = (message.body.get(name) for name in ("index", "data", "sha256"))
        raw = message.data
        if not is_count(index, 2**53 - 1) or raw is None and (not isinstance(data, str) or not is_digest(sha256)):
            return
        into = self.into.get((message.peer, id))
        if into is None:
            self._say_failed(core, message.peer, id, "unknown", now)
            return
        if into.state != "open":
            self._say_end(core, into, now)
            return
        if index >= into.offer.count:
            self._break(core, into, "refused", now)
            return
        if self._unwritten >= UNWRITTEN_MAX or not into.admits(index):
            return
        self._unwritten += 1
        length, start = into.offer.length(index), index * into.offer.chunk_size
        part, files = into.part, self.files
        core.work(
            lambda: files.write(part, start, length, str(data), str(sha256)) if raw is None else files.write_raw(part, start, length, raw),
            lambda result, then: self._wrote(core, into, index, result, then),
        )

    def _wrote(self, core: "Core", into: Incoming, index: int, result: Any, now: Now) -> None:
        self._unwritten -= 1
        if into.state != "open":
            return
        if isinstance(result, Exception):
            self._storage(core, into, result, now)
        elif result == "length":
            self._break(core, into, "refused", now)
        elif result == "digest":
            if into.refused(index):
                self._say(core, into.peer, "chunk_resend", {"transfer_id": into.offer.id, "ranges": [[index, index]]}, now)
            else:
                self._break(core, into, "refused", now)
        else:
            due = into.written(index, now)
            if into.is_whole:
                self._complete(core, into)
            elif due:
                self._say_ack(core, into, now)
            elif into.ack_timer is None:
                into.ack_timer = core.after(now, ACK_AFTER, lambda then: self._say_ack(core, into, then))
            if into.unsynced >= SYNC_BYTES:
                self._sync(core, into, now)

    def _stop_ack(self, into: Incoming) -> None:
        if into.ack_timer is not None:
            into.ack_timer.cancel()
            into.ack_timer = None

    def _say_ack(self, core: "Core", into: Incoming, now: Now) -> None:
        self._stop_ack(into)
        if into.state == "open" and not into.completing and into.fresh:
            self._say(core, into.peer, "chunk_ack", {"transfer_id": into.offer.id, "received": into.news()}, now)

    def _sync(self, core: "Core", into: Incoming, now: Now) -> None:
        """docs/protocol/1.1.md#resuming-a-transfer: which chunks are durable is kept after they are."""
        if not into.sync_due(now):
            return
        into.syncing = True
        durable, into.unsynced = into.have, 0

        def synced(result: Any, then: Now) -> None:
            into.syncing = False
            into.synced_at = then.mono
            if into.state != "open":
                return
            if isinstance(result, Exception):
                self._storage(core, into, result, then)
            else:
                self._keep_in(core, into, durable)

        core.work(lambda: self.files.sync(into.part), synced)

    def _complete(self, core: "Core", into: Incoming) -> None:
        if into.completing:
            return
        into.completing = True
        self._stop_ack(into)
        offer, part, files = into.offer, into.part, self.files
        if offer.kind == FILE:
            core.work(
                lambda: files.complete_file(part, offer.id, offer.name, offer.size, offer.sha256),
                lambda result, now: self._completed(core, into, result, now),
            )
        else:
            core.work(
                lambda: files.complete_body(part, offer.size, offer.sha256), lambda result, now: self._completed(core, into, result, now)
            )

    def _completed(self, core: "Core", into: Incoming, result: Any, now: Now) -> None:
        if into.state != "open":
            # Called off in the meantime: what got its last name goes again.
            if isinstance(result, str):
                core.work(lambda: self.files.remove(result), lambda gone, then: None)
            return
        if isinstance(result, Exception):
            self._storage(core, into, result, now)
            return
        if result is None:
            self._break(core, into, "mismatch", now)
            return
        into.state, into.ended = "done", now.wall
        if into.offer.kind == FILE:
            into.path = result
        self._keep_in(core, into, 0)
        if into.offer.kind != FILE:
            session = core.lines[into.peer].eleven.session
            put = Message(into.peer, into.offer.kind, result, "1.1", None if session is None else session.id, None, None, True, None)
            try:
                core.deliver(put, now)
            except Refusal as refusal:
                core.log("info", f"{put.kind} in chunks from {into.peer}: {refusal}")
        core.event("transfer.done", _listed_in(into))
        self._say_end(core, into, now)
        core.work(lambda: self.files.remove_part(into.part), lambda gone, then: None)
        self._trim(core, now)

    def _storage(self, core: "Core", into: Incoming, error: Exception, now: Now) -> None:
        core.log("error", f"transfer {into.offer.id} from {into.peer}: {error}")
        self._break(core, into, "storage", now)

    def _break(self, core: "Core", into: Incoming, reason: str, now: Now) -> None:
        """It ends here, and the sender is told."""
        self._say_failed(core, into.peer, into.offer.id, reason, now)
        self._end_in(core, into, reason, now)

    def _end_in(self, core: "Core", into: Incoming, reason: str, now: Now) -> None:
        into.state, into.reason, into.ended = "failed", reason, now.wall
        self._stop_ack(into)
        self._keep_in(core, into, 0)
        core.event("transfer.failed", _listed_in(into))
        core.work(lambda: self.files.remove_part(into.part), lambda gone, then: None)
        self._trim(core, now)

    # -- sending

    def _send_large(self, core: "Core", line: Line, letter: Letter, now: Now) -> None:
        """docs/protocol/1.1.md#chunked-messages: a body above 524,288 bytes."""

        def refuse(code: str, why: str) -> None:
            core.soon(lambda then: letter.done(Outcome(None, code, why), then))

        peer = line.peer.name
        if letter.size > BODY_MAX:
            refuse("MESSAGE_TOO_LARGE", f"a body has at most {BODY_MAX} bytes")
            return
        if letter.kind == FILE or letter.kind in NOT_IN_CHUNKS:
            refuse("INVALID_MESSAGE", f"a message of type {letter.kind} does not go in chunks")
            return
        try:
            self._check_queue(peer)
        except CallRefused as refusal:
            refuse(refusal.code, refusal.message)
            return
        id, data = uuid4_of(core.random(16)), canonical(letter.body)

        def kept(result: Any, then: Now) -> None:
            if isinstance(result, Exception) or peer not in core.lines:
                letter.done(Outcome(None, CODE, f"storage: {result}"), then)
                return
            path, size, sha256 = result
            self._waiting[id] = letter.done
            self._offer(core, Offer(id, letter.kind, None, size, CHUNK_DEFAULT, sha256), peer, path, True, then)

        core.work(lambda: self.files.keep(id, data), kept)

    def _check_queue(self, peer: str) -> None:
        if sum(1 for out in self.out.values() if out.peer == peer and out.state == "open") >= QUEUE_MAX:
            raise CallRefused("SERVICE_UNAVAILABLE", f"too many transfers to {peer} are open: transfers_per_peer_max is {QUEUE_MAX}")

    def _offer(self, core: "Core", offer: Offer, peer: str, path: str, owned: bool, now: Now) -> None:
        self._order += 1
        out = Outgoing(offer, peer, path, owned, self._order, now.wall)
        self.out[offer.id] = out
        self._keep_out(core, out)
        self._ask(core, out, now)
        self._tick_later(core, now)

    def _active(self, peer: str) -> List[Outgoing]:
        """The transfers to a peer that are offered to it: the oldest that are open."""
        found = sorted((out for out in self.out.values() if out.peer == peer and out.state == "open"), key=lambda out: out.order)
        return found[:OPEN_MAX]

    def _ask(self, core: "Core", out: Outgoing, now: Now) -> None:
        if out in self._active(out.peer):
            self._say(core, out.peer, "chunk_init", out.ask(now), now, always=False)

    def _pump(self, core: "Core", peer: str, now: Now) -> None:
        """Sends chunks, in turn for each transfer, as long as the window has room."""
        active = self._active(peer)
        flying = sum(len(out.flying) for out in active)
        while flying < WINDOW:
            found: Optional[Tuple[Outgoing, int]] = None
            for out in sorted(active, key=lambda one: len(one.flying)):
                index = out.next()
                if index is not None:
                    found = (out, index)
                    break
            if found is None:
                return
            self._read(core, *found)
            flying += 1

    def _read(self, core: "Core", out: Outgoing, index: int) -> None:
        offer, round = out.offer, out.round

        def done(result: Any, now: Now) -> None:
            if out.state != "open" or out.round != round:
                return
            if isinstance(result, Exception):
                core.log("error", f"transfer {offer.id} to {out.peer}: {result}")
                self._say_failed(core, out.peer, offer.id, "storage", now)
                self._end_out(core, out, "storage", now)
                return
            if not self._say_chunk(core, out.peer, {"transfer_id": offer.id, "index": index}, result, now, sent):
                out.lost(index, round)

        def sent(outcome: Outcome, now: Now) -> None:
            if not outcome.ok:
                out.lost(index, round)
                core.soon(lambda then: self._pump_if_up(core, out.peer, outcome, then))

        core.work(lambda: self.files.read(out.path, index * offer.chunk_size, offer.length(index)), done)

    def _pump_if_up(self, core: "Core", peer: str, outcome: Outcome, now: Now) -> None:
        """After a loss; where the peer is gone its session or the tick goes on."""
        line = core.lines.get(peer)
        if line is not None and line.eleven.can_send and line.peer.circuit.state == "closed":
            self._pump(core, peer, now)

    def _take_complete(self, core: "Core", message: Message, id: str, now: Now) -> None:
        error = message.body.get("error")
        out = self.out.get(id)
        if error is None:
            if out is not None and out.peer == message.peer and out.state == "open" and is_digest(message.body.get("sha256")):
                self._end_out(core, out, None if message.body["sha256"] == out.offer.sha256 else "mismatch", now)
            return
        if not isinstance(error, dict) or not isinstance(error.get("reason"), str):
            return
        reason = error["reason"] if error["reason"] in REASONS else "refused"
        if out is not None and out.peer == message.peer and out.state == "open":
            if reason == "unknown":
                out.start_again(now, out.pause)
                if not out.pause:
                    self._ask(core, out, now)
            elif reason == "overloaded":
                out.put_off(now)
            else:
                self._end_out(core, out, reason, now)
            return
        into = self.into.get((message.peer, id))
        if into is not None and into.state == "open":
            self._end_in(core, into, reason, now)

    def _end_out(self, core: "Core", out: Outgoing, reason: Optional[str], now: Now) -> None:
        out.state, out.reason, out.ended = "done" if reason is None else "failed", reason, now.wall
        out.forget_way()
        self._keep_out(core, out)
        core.event("transfer.done" if reason is None else "transfer.failed", _listed_out(out))
        if out.owned:
            core.work(lambda: self.files.remove(out.path), lambda gone, then: None)
        done = self._waiting.pop(out.offer.id, None)
        if done is not None:
            line = core.lines.get(out.peer)
            session = None if line is None else line.eleven.session
            id = None if session is None else session.id
            done(Outcome(200, "", None, id, None, None, "1.1", True) if reason is None else Outcome(None, CODE, reason), now)
        following = self._active(out.peer)
        if len(following) == OPEN_MAX and not following[-1].asked and not following[-1].trusted:
            self._ask(core, following[-1], now)
        self._trim(core, now)
        core.soon(lambda then: self._pump(core, out.peer, then))

    # -- both

    def _say(
        self, core: "Core", peer: str, kind: str, body: JsonObject, now: Now, always: bool = True, attempts: int = 3, done: Optional[Done] = None
    ) -> bool:
        return self._send(core, peer, Letter(kind, body, len(canonical(body)), done or _ignore, attempts=attempts, only_new=True), now, always)

    def _say_chunk(self, core: "Core", peer: str, body: JsonObject, data: bytes, now: Now, done: Done) -> bool:
        """One chunk; what form it has is known when it is sealed."""
        return self._send(core, peer, Letter("chunk", body, len(data) + 256, done, attempts=1, only_new=True, chunk=data), now, False)

    @staticmethod
    def _send(core: "Core", peer: str, letter: Letter, now: Now, always: bool) -> bool:
        line = core.lines.get(peer)
        if line is None or line.speaks() != "1.1":
            return False
        try:
            line.send(letter, now, always=always)
        except CallRefused:
            return False
        return True

    def _say_failed(self, core: "Core", peer: str, id: str, reason: str, now: Now) -> None:
        self._say(core, peer, "chunk_complete", {"transfer_id": id, "error": {"code": CODE, "reason": reason}}, now)

    def _keep_out(self, core: "Core", out: Outgoing) -> None:
        core.persist(SPACE, f"out/{out.peer}/{out.offer.id}", out.encode())

    def _keep_in(self, core: "Core", into: Incoming, durable: int) -> None:
        core.persist(SPACE, f"in/{into.peer}/{into.offer.id}", into.encode(durable))

    def _forget_out(self, core: "Core", out: Outgoing) -> None:
        del self.out[out.offer.id]
        core.persist(SPACE, f"out/{out.peer}/{out.offer.id}", None)

    def _forget_in(self, core: "Core", into: Incoming) -> None:
        del self.into[into.peer, into.offer.id]
        core.persist(SPACE, f"in/{into.peer}/{into.offer.id}", None)
        if into.state == "open":
            into.state = "failed"
            core.work(lambda: self.files.remove_part(into.part), lambda gone, then: None)

    def _trim(self, core: "Core", now: Now) -> None:
        """Of each peer and direction the last 64 that ended are remembered, for 24 h."""
        ended: Dict[Tuple[str, bool], List[Any]] = {}
        everything: List[Any] = [*self.out.values(), *self.into.values()]
        for one in everything:
            if one.state != "open":
                ended.setdefault((one.peer, isinstance(one, Outgoing)), []).append(one)
        for group in ended.values():
            group.sort(key=lambda one: (one.ended, one.order))
            for at, one in enumerate(group):
                if at < len(group) - ENDED_MAX or now.wall - one.ended >= ENDED_FOR:
                    if isinstance(one, Outgoing):
                        self._forget_out(core, one)
                    else:
                        self._forget_in(core, one)

    # -- time

    def _tick_later(self, core: "Core", now: Now) -> None:
        busy = any(one.state == "open" for one in self.out.values()) or any(one.state == "open" for one in self.into.values())
        if self._ticking is None and (busy or self.out or self.into):
            self._ticking = core.after(now, TICK if busy else HOUR, lambda then: self._tick(core, then))
        elif self._ticking is not None and busy and self._ticking.due > now.mono + TICK:
            self._ticking.cancel()
            self._ticking = core.after(now, TICK, lambda then: self._tick(core, then))

    def _tick(self, core: "Core", now: Now) -> None:
        self._ticking = None
        for out in [one for one in self.out.values() if one.state == "open"]:
            if out.is_expired(now):
                self._say_failed(core, out.peer, out.offer.id, "expired", now)
                self._end_out(core, out, "expired", now)
            elif now.mono >= out.ask_at:
                self._ask(core, out, now)
        for into in [one for one in self.into.values() if one.state == "open" and not one.completing]:
            if into.is_expired(now):
                self._break(core, into, "expired", now)
                continue
            gaps = into.gaps(now)
            if gaps:
                self._say(core, into.peer, "chunk_resend", {"transfer_id": into.offer.id, "ranges": gaps}, now, always=False)
            self._sync(core, into, now)
        self._trim(core, now)
        self._tick_later(core, now)


def _ignore(outcome: Outcome, now: Now) -> None:
    """Chunks and their answers repair themselves."""


def _cut(id: str, kind: str, label: Optional[str], size: int, sha256: str) -> Optional[Offer]:
    """An offer in chunks of the usual size, or larger ones where there would be too many."""
    chunk_size = CHUNK_DEFAULT
    while -(-size // chunk_size) > COUNT_MAX:
        chunk_size *= 2
    return None if chunk_size > CHUNK_MAX else Offer(id, kind, label, size, chunk_size, sha256)


def _listed(offer: Offer, peer: str, direction: str, one: Any) -> JsonObject:
    code = CODE if one.state == "failed" else None
    return {
        "id": offer.id, "peer": peer, "direction": direction, "type": offer.kind, "name": offer.name, "size": offer.size,
        "received": one.received, "state": one.state, "sha256": offer.sha256, "path": one.path, "code": code, "reason": one.reason,
    }  # fmt: skip


def _listed_out(out: Outgoing) -> JsonObject:
    listed = _listed(out.offer, out.peer, "outgoing", out)
    if out.owned:
        listed["path"] = None
    return listed


def _listed_in(into: Incoming) -> JsonObject:
    return _listed(into.offer, into.peer, "incoming", into)
