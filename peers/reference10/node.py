"""The state of one 1.0 peer: who it knows, its sessions, and what each message does."""

import collections
import concurrent.futures
import datetime
import json
import os
import re
import threading
import time
import uuid

import chunks
import crypto
from envelope import Refused, build, canonical, check, iso_now
from wire import Connections

HANDSHAKE_TIMEOUT = 30  # seconds a handshake POST may take, and an open session may be waited for
SESSION_TTL = 3600  # seconds after which a session is refused
CLOCK_TOLERANCE = 60  # seconds that the time inside a confirm may differ
INBOX_MAX = 10_000
SEEN_MAX = 4_096
SESSIONS_PER_PEER_MAX = 16
HANDSHAKE_TYPES = ("handshake", "handshake_ack", "handshake_confirm")
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)


class Remote:
    """A peer this one knows."""

    def __init__(self, name, address, key, trust):
        self.name, self.address, self.key, self.trust = name, address, key, trust
        self.proved = self.healthy = None
        self.connections = Connections(address)
        # One worker, so that messages leave in the order in which they were asked for.
        self.worker = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"to-{name}")


class Session:
    def __init__(self, session_id, peer, role, state):
        self.id, self.peer, self.role, self.state = session_id, peer, role, state
        self.created = time.monotonic()
        self.expected, self.sent = 1, 1
        self.private, self.challenge = os.urandom(32), os.urandom(32).hex()
        self.e2e_id, self.gcm, self.e2e_last = None, None, 0
        self.ready = threading.Event()


class Node:
    def __init__(self, name, seed, flavour, ack_after, emit):
        self.name, self.seed, self.flavour, self.ack_after, self.emit = name, seed, flavour, ack_after, emit
        self.public = crypto.ed25519_public(seed)
        self.lock = threading.RLock()
        self.remotes, self.sessions = {}, {}
        self.inbox, self.received = collections.deque(maxlen=INBOX_MAX), 0
        self.seen = collections.OrderedDict()
        self.chunks = chunks.Assembly()

    # --- What the contract asks for ---

    def add(self, name, address, key=None):
        trust = "pinned" if key else "first_use"
        remote = Remote(name, address, key and crypto.from_hex_key(key), trust)
        if key is None:
            status, body = remote.connections.request("GET", "/public-key")
            try:
                remote.key = crypto.from_hex_key(json.loads(body)["public_key"])
            except (ValueError, KeyError, TypeError):
                raise Refused(status, "no public key at that address") from None
        with self.lock:
            self.remotes[name] = remote
        self.emit("peer.added", name=name)

    def remote(self, name):
        with self.lock:
            if name not in self.remotes:
                raise Refused(404, f"no peer {name} was added")
            return self.remotes[name]

    def current(self, name):
        """Returns the newest live session with a peer, or None."""
        with self.lock:
            live = [s for s in self.sessions.values() if s.peer == name and s.state == "established"]
            live = [s for s in live if time.monotonic() - s.created < SESSION_TTL]
            return max(live, key=lambda s: s.created, default=None)

    def open(self, name):
        """Does a handshake as initiator and returns the established session."""
        remote = self.remote(name)
        session = self._remember(Session(str(uuid.uuid4()), name, "initiator", "handshake_sent"))
        payload = {
            "version": "1.0",
            "session_id": session.id,
            "challenge": session.challenge,
            "public_key": self.public.hex(),
            "supported_versions": ["1.0", "0.3"],
            "capabilities": ["e2e_encryption", "aes_256_gcm", "x25519"],
            "e2e_enabled": True,
            "e2e_session_id": str(uuid.uuid4()),
            "e2e_ephemeral_key": crypto.to_base64(crypto.x25519_public(session.private)),
        }
        body = build("iso", self.seed, self.name, "handshake", payload, session.id, 1, name)
        deadline = time.monotonic() + HANDSHAKE_TIMEOUT
        try:
            self._post(remote, body, handshake=True)
            # The ack came inside our POST, or it comes after it.
            if not session.ready.wait(max(0, deadline - time.monotonic())):
                raise Refused(503, "the peer took the handshake and did not answer it")
        except Refused as refusal:
            self._forget(session)
            self.emit("handshake.failed", peer=name, code=code_of(refusal), reason=refusal.detail)
            raise
        return session

    def send(self, name, msg_type, payload, seal="auto", flavour=None, handshaken=True):
        """Sends one message, in chunks where it is large, and returns what the contract's `message.send` answers."""
        for piece in chunks.cut(msg_type, payload) or ():
            answer = self.send(name, "chunk", piece, seal, flavour, handshaken)
            if piece["is_last"]:
                return answer
        remote = self.remote(name)
        session = self.current(name) or (self.open(name) if handshaken else None)
        with self.lock:
            if session:
                session.sent += 1
            session_id, sequence = (session.id, session.sent) if session else (str(uuid.uuid4()), 1)
        sealed = seal != "never" and (seal == "require" or bool(session and session.gcm))
        if sealed:
            payload = self._seal(remote, session, payload)
        body = build(flavour or self.flavour, self.seed, self.name, msg_type, payload, session_id, sequence)
        self._post(remote, body)
        answer = {"session": session_id, "sequence": sequence, "number": None}
        return dict(answer, version="1.0", sealed=sealed, status=200)

    # --- What arrives ---

    def receive(self, body):
        """Takes the body of a POST /message; raises Refused for every answer but 200."""
        try:
            envelope = check(body, lambda sender: self.remotes[sender].key if sender in self.remotes else None)
            msg_type = envelope["msg_type"]
            key = tuple(str(envelope.get(field)) for field in ("sender_id", "signature", "session_id", "sequence_num"))
            # A retry of what was taken before is answered 200 and not handled again.
            if key not in self.seen:
                if envelope["version"] == "1.0" and msg_type not in HANDSHAKE_TYPES:
                    self._check_sequence(envelope)
                payload, sealed = self._open_payload(envelope)
                self._handle(envelope, payload, sealed)
                self._record(key)
        except Refused as refusal:
            sender = _claimed_sender(body)
            self.emit("message.refused", **{"from": sender}, code=code_of(refusal), detail=refusal.detail, status=refusal.status)
            raise
        return {"status": "received", "entity_id": self.name, "verification": "passed"}

    def _record(self, key):
        with self.lock:
            self.seen[key] = True
            if len(self.seen) > SEEN_MAX:
                self.seen.popitem(last=False)

    def _check_sequence(self, envelope):
        sender, sequence = envelope["sender_id"], envelope["sequence_num"]
        with self.lock:
            session = self.sessions.get(envelope["session_id"])
            if session is None or session.peer != sender or session.state == "handshake_sent":
                if self.current(sender):
                    raise Refused(400, "SESSION_EXPIRED")
                return  # Without a handshake any id and number pass.
            if time.monotonic() - session.created >= SESSION_TTL:
                raise Refused(400, "SESSION_EXPIRED")
            if sequence < session.expected:
                raise Refused(400, "SEQUENCE_ERROR")
            session.expected = sequence + 1

    def _open_payload(self, envelope):
        """Returns the payload as its sender meant it, and whether it was sealed."""
        payload = envelope["payload"]
        if payload.get("_e2e_encrypted") is True:
            with self.lock:
                session = next((s for s in self.sessions.values() if s.gcm and s.e2e_id == payload.get("session_id")), None)
                if session is None or session.peer != envelope["sender_id"]:
                    return payload, False  # As the protocol has it: the handler gets the ciphertext.
                sequence = envelope.get("sequence_num", 0)
                try:
                    if not session.e2e_last < int(sequence) < 2**31:
                        raise ValueError("sequence")
                    nonce, data = crypto.from_base64(payload.get("nonce"), 12), crypto.from_base64(payload.get("data"))
                    opened = _json_object(session.gcm.open(nonce, data))
                except (TypeError, ValueError):
                    raise Refused(400, "E2E decryption error: DECRYPTION_FAILED") from None
                session.e2e_last = int(sequence)
                return opened, True
        if "_encrypted_payload" in payload:
            try:
                inner = payload["_encrypted_payload"]
                key = crypto.static_key(self.seed, self.remote(envelope["sender_id"]).key)
                nonce, data = crypto.from_base64(inner["nonce"], 16), crypto.from_base64(inner["ciphertext"])
                return _json_object(crypto.Gcm(key).open(nonce, data)), True
            except (KeyError, TypeError, ValueError):
                raise Refused(400, "Decryption failed") from None
        return payload, False

    def _seal(self, remote, session, payload):
        text = json.dumps(payload, sort_keys=True).encode("ascii")
        if session and session.gcm:
            nonce = os.urandom(12)
            data = crypto.to_base64(session.gcm.seal(nonce, text))
            return {"_e2e_encrypted": True, "session_id": session.e2e_id, "data": data, "nonce": crypto.to_base64(nonce)}
        nonce = os.urandom(16)
        data = crypto.Gcm(crypto.static_key(self.seed, remote.key)).seal(nonce, text)
        return {"_encrypted_payload": {"ciphertext": crypto.to_base64(data), "nonce": crypto.to_base64(nonce)}}

    def _handle(self, envelope, payload, sealed):
        sender, msg_type = envelope["sender_id"], envelope["msg_type"]
        if msg_type in HANDSHAKE_TYPES:
            # A handshake that is not taken is answered 200 all the same: the initiator sees its own timeout.
            getattr(self, "_on_" + msg_type)(envelope["session_id"], sender, payload)
            return
        if msg_type == "chunk":
            with self.lock:
                whole = self.chunks.take(sender, payload)
            if whole is None or whole[0] in (*HANDSHAKE_TYPES, "chunk"):
                return
            msg_type, payload = whole
        session, sequence = envelope.get("session_id"), envelope.get("sequence_num")
        message = {"from": sender, "type": msg_type, "body": payload, "session": session, "sequence": sequence}
        message.update(number=None, version=envelope["version"], sealed=sealed)
        with self.lock:
            self.received += 1
            self.inbox.append(dict(message, index=self.received, received_at=iso_now()))
        self.emit("message.received", **message)
        if msg_type == "capability_query":
            self._answer(sender, "capability_response", {"capabilities": self._capabilities()})
        if msg_type == "wake_up":
            answer = {"acknowledged": True, "reason": payload.get("reason"), "timestamp": iso_now()}
            self._answer(sender, "wake_up_ack", answer)

    def _answer(self, name, msg_type, payload):
        try:
            self.send(name, msg_type, payload, handshaken=False)
        except Refused:
            pass  # The asker is gone or refuses; its question was still received.

    def _capabilities(self):
        features = dict.fromkeys(("ed25519_signing", "signature_verification", "replay_protection", "payload_encryption"), True)
        return {
            "protocol_version": "1.0",
            "supported_msg_types": ["ping", "status", "heartbeat", "capability_query", "capability_response", "chunk", *HANDSHAKE_TYPES],
            "crypto_features": features,
            "endpoints": ["/", "/health", "/peers", "/public-key", "/message"],
            "entity_id": self.name,
        }

    # --- The handshake: 1 open, 2 ack, 3 confirm ---

    def _on_handshake(self, session_id, sender, payload):
        challenge, offered = payload.get("challenge"), payload.get("e2e_ephemeral_key")
        if session_id in self.sessions or payload.get("session_id") != session_id or not UUID4.fullmatch(session_id):
            return
        if not isinstance(challenge, str) or payload.get("public_key") != self.remote(sender).key.hex():
            return  # A handshake never changes a trusted key.
        session = Session(session_id, sender, "responder", "handshake_acked")
        if payload.get("e2e_enabled") and offered and not self._agree(session, str(uuid.uuid4()), offered):
            return
        self._remember(session)
        answer = {
            "session_id": session_id,
            "public_key": self.public.hex(),
            "challenge_response": crypto.to_base64(crypto.ed25519_sign(self.seed, canonical(challenge))),
            "selected_version": "1.0",
            "confirm": True,
            "e2e_accepted": session.gcm is not None,
        }
        if session.gcm:
            answer["e2e_session_id"] = session.e2e_id
            answer["e2e_ephemeral_key"] = crypto.to_base64(crypto.x25519_public(session.private))
        if self.ack_after:
            threading.Thread(target=self._step, args=(session, "handshake_ack", answer, 1), daemon=True).start()
        else:
            self._step(session, "handshake_ack", answer, 1)

    def _on_handshake_ack(self, session_id, sender, payload):
        with self.lock:
            session = self.sessions.get(session_id)
            if session is None or (session.peer, session.role, session.state) != (sender, "initiator", "handshake_sent"):
                return
            key, response = self.remote(sender).key, payload.get("challenge_response")
            if payload.get("public_key") != key.hex():
                return
            if response is not None and not self._proves(key, session.challenge, response):
                return
            accepted, offered = payload.get("e2e_accepted"), payload.get("e2e_ephemeral_key")
            if accepted and not self._agree(session, payload.get("e2e_session_id"), offered):
                return
            session.state = "handshake_acked"
        confirm = {"session_id": session_id, "confirm": True, "timestamp": iso_now()}
        if self._step(session, "handshake_confirm", confirm, 2):
            self._established(session)

    def _on_handshake_confirm(self, session_id, sender, payload):
        with self.lock:
            session = self.sessions.get(session_id)
            if session is None or (session.peer, session.role, session.state) != (sender, "responder", "handshake_acked"):
                return
            if payload.get("session_id") != session_id or not payload.get("confirm") or not _is_fresh(payload.get("timestamp")):
                return
        self._established(session)

    def _step(self, session, msg_type, payload, sequence):
        """Sends the ack or the confirm; a session whose step cannot be delivered is forgotten."""
        try:
            body = build(self.flavour, self.seed, self.name, msg_type, payload, session.id, sequence)
            self._post(self.remote(session.peer), body, handshake=True)
            return True
        except Refused as refusal:
            self._forget(session)
            self.emit("handshake.failed", peer=session.peer, code=code_of(refusal), reason=refusal.detail)
            return False

    def _agree(self, session, e2e_id, offered):
        try:
            session.gcm = crypto.Gcm(crypto.session_key(session.private, crypto.from_base64(offered, 32)))
        except ValueError:
            return False
        session.e2e_id = e2e_id
        return isinstance(e2e_id, str)

    def _proves(self, key, challenge, response):
        try:
            return crypto.ed25519_verify(key, canonical(challenge), crypto.from_base64(response, 64))
        except ValueError:
            return False

    def _established(self, session):
        with self.lock:
            session.state = "established"
            self.remotes[session.peer].proved = "1.0"
        self.emit("session.ready", id=session.id, peer=session.peer, version="1.0", role=session.role)
        session.ready.set()

    def _remember(self, session):
        with self.lock:
            self.sessions[session.id] = session
            of_peer = sorted((s for s in self.sessions.values() if s.peer == session.peer), key=lambda s: s.created)
            for old in of_peer[:-SESSIONS_PER_PEER_MAX]:
                del self.sessions[old.id]
        return session

    def _forget(self, session):
        with self.lock:
            self.sessions.pop(session.id, None)

    def _post(self, remote, body, handshake=False):
        """Delivers a message by the client rules; raises Refused unless the answer is 200."""
        pauses = () if handshake else (1, 2)
        try:
            remote.connections.deliver(body, pauses, HANDSHAKE_TIMEOUT if handshake else 10)
            remote.healthy = True
        except Refused as refusal:
            remote.healthy = refusal.status != 503
            raise


def code_of(refusal):
    """Maps the text of an answer to the code that the contract reports."""
    detail = refusal.detail
    for beginning, code in (
        ("Invalid signature", "INVALID_SIGNATURE"),
        ("Missing signature", "INVALID_SIGNATURE"),
        ("Unknown sender", "UNKNOWN_SENDER"),
        ("Unsupported version", "INVALID_VERSION"),
        ("SESSION_EXPIRED", "SESSION_EXPIRED"),
        ("SEQUENCE_ERROR", "SEQUENCE_ERROR"),
        ("Decryption failed", "DECRYPTION_FAILED"),
        ("E2E decryption error", "DECRYPTION_FAILED"),
        ("rate_limited", "RATE_LIMITED"),
    ):
        if detail.startswith(beginning):
            return code
    return {404: "UNKNOWN_RECIPIENT", 503: "SERVICE_UNAVAILABLE"}.get(refusal.status, "INVALID_MESSAGE")


def _json_object(data):
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _claimed_sender(body):
    try:
        sender = json.loads(body)["sender_id"]
        return sender if isinstance(sender, str) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _is_fresh(timestamp):
    """Tells whether a confirm's time is near; a missing one is not checked."""
    if timestamp is None:
        return True
    try:
        then = datetime.datetime.fromisoformat(timestamp).timestamp()
    except (TypeError, ValueError):
        return False
    return abs(time.time() - then) <= CLOCK_TOLERANCE
