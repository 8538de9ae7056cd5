"""The methods and messages that every peer has: roster, sessions, messages, errors, capabilities, waking.

Source: docs/contract/README.md, docs/protocol/1.0.md#message-types, docs/protocol/1.0.md#wake-up, docs/protocol/1.0.md#error-notification.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Dict, List, Union

from ..codes import BadParams, CallRefused, Refusal
from ..encoding import SECOND, parse_hex, stamp, to_base64
from ..strictjson import JsonObject, canonical
from ..times import Now, Timer
from ..v11.handshake import CAPABILITIES
from .courier import Outcome
from .feature import (
    BASE64, BOOL, COUNT, KEY, NAME, NUMBER, OBJECT, POSITIVE, SOME_TEXT, TEXT, URL, UUID, Feature, Later, Message, method, one_of, optional,
)  # fmt: skip
from .line import Outgoing, refused
from .ten import OldSession

if TYPE_CHECKING:
    from .core import Core

ERRORS_MAX = 100
ERROR_CODE_MAX = 256
ERROR_TEXT_MAX = 1_024
REASON_MAX = 1_024
ANSWER_LIMIT = 10 * SECOND
MAKES_ITSELF = frozenset({
    "handshake", "handshake_ack", "handshake_confirm", "handshake_init", "handshake_init_ack", "challenge_response", "session_established",
    "session_confirm", "ready", "session_resume", "session_resumed", "rekey", "rekey_request", "rekey_ack", "ack", "skip", "session_close",
})  # fmt: skip
"""Types that only the protocol itself sends."""


class Basics(Feature):
    """See the module's text."""

    name = "basics"
    kinds = frozenset({"capability_query", "capability_response", "error", "heartbeat", "wake_up", "wake_up_ack"})
    test_only = frozenset({"clock.offset", "wire.send_raw"})

    def __init__(self) -> None:
        self._errors: Deque[JsonObject] = deque(maxlen=ERRORS_MAX)
        self._error_index = 0
        self._asked: Dict[str, List[Later]] = {}
        self._woken: Dict[str, List[Later]] = {}
        self.abilities: List[str] = []
        """What `capability_response` says under `tasks`; set by whoever does tasks."""

    # -- roster

    @method("peer.add", name=NAME, address=URL, key=optional(KEY), connect=optional(BOOL))
    def peer_add(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """Makes a peer known."""
        key = parse_hex(params["key"], 32) if "key" in params else None
        from ..crypto import check_public_key

        if key is not None and not check_public_key(key):
            raise BadParams("'key' is no public key of Ed25519 that may be pinned")
        core.add_peer(params["name"], params["address"].rstrip("/"), key, params.get("connect"), now)
        return {}

    @method("peer.list")
    def peer_list(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """The roster."""
        return {"peers": [peer.listed() for peer in core.roster.values()]}

    @method("peer.remove", name=NAME)
    def peer_remove(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """Forgets a peer."""
        core.remove_peer(params["name"], now)
        return {}

    @method("stats")
    def stats(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """What was exchanged with each peer."""
        return {"stats": {peer.name: peer.counted() for peer in core.roster.values()}}

    # -- sessions

    @method("session.open", to=NAME)
    def session_open(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """The session that is there, or a new one."""
        later = core.later()

        def told(result: Union[JsonObject, CallRefused]) -> None:
            if isinstance(result, CallRefused):
                later.refuse(result)
            else:
                later.resolve(dict(result))

        core.line(params["to"]).open(told, now)
        return later

    @method("session.list")
    def session_list(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """Sessions, and handshakes under way."""
        rows: List[JsonObject] = []
        for line in core.lines.values():
            rows += line.eleven.listed() + line.ten.listed()
        return {"sessions": rows}

    @method("session.close", id=UUID)
    def session_close(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """Ends a session on both sides."""
        for line in core.lines.values():
            session = line.eleven.session
            if session is not None and session.id == params["id"]:
                line.eleven.close(session, "closed", now)
                return {}
            old: Any = line.ten.established
            if isinstance(old, OldSession) and old.id == params["id"]:
                line.ten.close(old, "closed", now)
                return {}
        raise CallRefused("SESSION_NOT_FOUND", f"there is no session {params['id']}")

    @method("session.rekey", id=UUID)
    def session_rekey(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """New keys for a session of 1.1."""
        for line in core.lines.values():
            if line.eleven.holds(params["id"]):
                later = core.later()

                def told(generation: Any) -> None:
                    if generation is None:
                        later.refuse(CallRefused("INVALID_STATE", "the session takes no messages now"))
                    else:
                        later.resolve({"generation": generation})

                line.eleven.renewal.rekey(told, now)
                return later
        raise CallRefused("SESSION_NOT_FOUND", f"there is no session of 1.1 {params['id']}")

    # -- messages

    @method(
        "message.send", to=NAME, body=OBJECT, type=optional(SOME_TEXT), seal=optional(one_of("auto", "never", "require")),
        flavour=optional(one_of("iso", "dataclass")), durable=optional(BOOL),
    )  # fmt: skip
    def message_send(self, core: "Core", params: JsonObject, now: Now) -> Union[JsonObject, Later]:
        """Sends a message."""
        kind = params.get("type", "message")
        if kind in MAKES_ITSELF or len(kind.encode("utf-8", "replace")) > 64:
            raise CallRefused("INVALID_MESSAGE", f"{kind[:64]!r} is no type of message to send: 1 to 64 bytes, and not of the protocol's own")
        if params.get("durable"):
            if params.get("seal", "auto") != "auto" or "flavour" in params:
                raise BadParams("'durable' goes with neither 'seal' nor 'flavour'")
            return {"id": core.send(params["to"], kind, params["body"], now, durable=True), "queued": True}
        later = core.later()

        def done(outcome: Outcome, then: Now) -> None:
            if not outcome.ok:
                later.refuse(refused(outcome))
                return
            later.resolve(
                {"session": outcome.session, "sequence": outcome.sequence, "number": outcome.number, "version": outcome.version,
                 "sealed": outcome.sealed, "status": outcome.status}
            )  # fmt: skip

        core.send(params["to"], kind, params["body"], now, done=done, seal=params.get("seal", "auto"), flavour=params.get("flavour"))
        return later

    @method("message.inbox", from_=optional(NAME), after=optional(COUNT), limit=optional(POSITIVE))
    def message_inbox(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """What has arrived."""
        found, following = core.inbox.pages(params.get("from"), params.get("after", 0), min(params.get("limit", 1_000), 10_000))
        return {"messages": found, "next": following}

    @method("outbox.list", to=optional(NAME), after=optional(UUID), limit=optional(POSITIVE))
    def outbox_list(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """What is not acknowledged."""
        found, size = core.outbox.pages(params.get("to"), params.get("after"), min(params.get("limit", 1_000), 10_000))
        return {"messages": found, "size": size}

    # -- asking others

    @method("peer.ping", to=NAME)
    def peer_ping(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """How long a message and its answer take."""
        later = core.later()

        def done(outcome: Outcome, then: Now) -> None:
            if outcome.ok:
                later.resolve({"round_trip_us": max(1, then.mono - now.mono)})
            else:
                later.refuse(refused(outcome))

        core.send(params["to"], "ping", {}, now, done=done)
        return later

    @method("capability.query", to=NAME)
    def capability_query(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """Asks what a peer is able to do."""
        return self._ask(core, self._asked, params["to"], "capability_query", {}, "capability_response", now)

    @method("peer.wake", to=NAME, reason=TEXT)
    def peer_wake(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """Wakes a peer and waits until it says that it is awake."""
        if len(params["reason"].encode("utf-8", "replace")) > REASON_MAX:
            raise CallRefused("INVALID_MESSAGE", f"a reason has at most {REASON_MAX} bytes")
        body = {"reason": params["reason"], "timestamp": stamp(now.wall)}
        return self._ask(core, self._woken, params["to"], "wake_up", body, "wake_up_ack", now)

    def _ask(
        self, core: "Core", waiting: Dict[str, List[Later]], to: str, kind: str, body: JsonObject, answer: str, now: Now
    ) -> Later:
        later = core.later()
        limit: List[Timer] = []

        def over(refusal: CallRefused) -> None:
            if later in waiting.get(to, []):
                waiting[to].remove(later)
            later.refuse(refusal)

        def done(outcome: Outcome, then: Now) -> None:
            if not outcome.ok:
                over(refused(outcome))
                return
            late = CallRefused("SERVICE_UNAVAILABLE", f"no {answer} within 10 s")
            limit.append(core.after(then, ANSWER_LIMIT, lambda _: over(late)))

        core.send(to, kind, body, now, done=done)
        waiting.setdefault(to, []).append(later)
        return later

    @method("error.notify", to=NAME, code=TEXT, message=TEXT, original=optional(TEXT))
    def error_notify(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """Tells a peer of an error."""
        body = {"error_code": params["code"], "error_message": params["message"]}
        if "original" in params:
            body["original_message_id"] = params["original"]
        if not _is_error(body):
            raise CallRefused("INVALID_MESSAGE", "code and original have at most 256 bytes, message 1,024")
        later = core.later()

        def done(outcome: Outcome, then: Now) -> None:
            if outcome.ok:
                later.resolve({})
            else:
                later.refuse(refused(outcome))

        core.send(params["to"], "error", body, now, done=done)
        return later

    @method("error.list")
    def error_list(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """The last 100 errors that others told of."""
        return {"errors": list(self._errors)}

    # -- what only tests do

    @method("clock.offset", seconds=NUMBER)
    def clock_offset(self, core: "Core", params: JsonObject, now: Now) -> JsonObject:
        """Shifts the wall clock."""
        seconds = params["seconds"]
        if not -1e9 < seconds < 1e9:
            raise BadParams("'seconds' is out of range")
        core.set_offset(int(seconds * SECOND))
        return {}

    @method("wire.send_raw", to=optional(NAME), address=optional(URL), method=optional(SOME_TEXT), path=optional(SOME_TEXT), body=optional(BASE64))
    def wire_send_raw(self, core: "Core", params: JsonObject, now: Now) -> Later:
        """A request of any content."""
        from ..encoding import parse_base64

        if "address" in params:
            address = params["address"]
        elif "to" in params:
            address = core.line(params["to"]).peer.address
        else:
            raise BadParams("wire.send_raw needs 'to' or 'address'")
        path = params.get("path", "/message")
        if not path.startswith("/"):
            raise BadParams("'path' begins with /")
        later = core.later()

        def told(status: Any, body: bytes, error: str) -> None:
            if status is None:
                later.refuse(CallRefused("SERVICE_UNAVAILABLE", error or "no answer"))
            else:
                later.resolve({"status": status, "body": to_base64(body)})

        body = parse_base64(params["body"]) if "body" in params else b""
        core.courier.raw(address, params.get("method", "POST"), path, body, told)
        return later

    # -- messages of these types

    def handle_message(self, core: "Core", message: Message, now: Now) -> None:
        """Answers what asks, remembers what tells."""
        if message.kind == "capability_query":
            self._answer(core, message.peer, "capability_response", {"capabilities": self.capabilities(core)}, now)
        elif message.kind == "capability_response":
            self._take_capabilities(core, message)
        elif message.kind == "error":
            self._take_error(core, message, now)
        elif message.kind == "wake_up":
            self._take_wake_up(core, message, now)
        elif message.kind == "wake_up_ack":
            for later in self._woken.pop(message.peer, []):
                later.resolve({})

    def capabilities(self, core: "Core") -> JsonObject:
        """What `capability_response` says."""
        told: JsonObject = {
            "protocol_version": core.config.versions[-1],
            "protocol_versions": list(core.config.versions),
            "capabilities": [*CAPABILITIES, *core.config.abilities],
            "supported_msg_types": sorted(core.kinds) + ["message", "ping", "status"],
            "crypto_features": {
                "ed25519_signing": True, "signature_verification": True, "replay_protection": core.config.hardened, "payload_encryption": True,
            },  # fmt: skip
            "endpoints": ["/", "/health", "/peers", "/stats", "/public-key", "/message", "/frame"],
            "entity_id": core.name,
        }
        if self.abilities:
            told["tasks"] = list(self.abilities)
        return told

    def _answer(self, core: "Core", to: str, kind: str, body: JsonObject, now: Now) -> None:
        """An answer passes an open circuit."""
        line = core.lines.get(to)
        if line is None or not line.peer.is_reachable:
            return
        try:
            line.send(Outgoing(kind, body, len(canonical(body)), lambda outcome, then: None), now, always=True)
        except CallRefused as refusal:
            core.log("info", f"no {kind} to {to}: {refusal}")

    def _take_capabilities(self, core: "Core", message: Message) -> None:
        found = message.body.get("capabilities")
        if not isinstance(found, dict) or len(canonical(found)) > 65_536:
            return
        core.roster[message.peer].capabilities = found
        for later in self._asked.pop(message.peer, []):
            later.resolve({"capabilities": found})

    def _take_error(self, core: "Core", message: Message, now: Now) -> None:
        if not _is_error(message.body):
            return
        self._error_index += 1
        self._errors.append(
            {
                "index": self._error_index,
                "from": message.peer,
                "code": message.body["error_code"],
                "message": message.body["error_message"],
                "original": message.body.get("original_message_id"),
                "received_at": stamp(now.wall),
            }
        )

    def _take_wake_up(self, core: "Core", message: Message, now: Now) -> None:
        reason = message.body.get("reason")
        if not isinstance(reason, str) or len(reason.encode("utf-8", "replace")) > REASON_MAX:
            original = f"{message.session}/{message.sequence}"
            body = {"error_code": "INVALID_MESSAGE", "error_message": "a wake_up without a reason", "original_message_id": original}
            self._answer(core, message.peer, "error", body, now)
            return
        told: JsonObject = {"acknowledged": True, "reason": reason, "timestamp": stamp(now.wall)}
        self._answer(core, message.peer, "wake_up_ack", told, now)
        self._answer(core, message.peer, "capability_query", {}, now)

    def handle_removed(self, core: "Core", peer: str, now: Now) -> None:
        """Whoever waits for it hears that it is gone."""
        for waiting in (self._asked, self._woken):
            for later in waiting.pop(peer, []):
                later.refuse(CallRefused("UNKNOWN_RECIPIENT", "the peer was removed"))


def _is_error(body: JsonObject) -> bool:
    original = body.get("original_message_id")
    limits = ((body.get("error_code"), ERROR_CODE_MAX), (body.get("error_message"), ERROR_TEXT_MAX))
    if any(not isinstance(text, str) or len(text.encode("utf-8", "replace")) > most for text, most in limits):
        return False
    return original is None or isinstance(original, str) and len(original.encode("utf-8", "replace")) <= ERROR_CODE_MAX


__all__ = ["Basics", "Refusal"]
