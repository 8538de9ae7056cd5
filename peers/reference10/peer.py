#!/usr/bin/env python3
"""A peer of protocol 1.0 under test: JSON-RPC 2.0, one message a line, on standard input and output."""

import hashlib
import json
import os
import sys
import threading
import time
import traceback

import crypto
import keys
from envelope import FLAVOURS, Refused
from node import Node, code_of
from wire import Server

LINE_MAX = 4 * 1024 * 1024
EVENTS = ["peer.added", "session.ready", "message.received", "message.refused", "handshake.failed"]
# Parameters of each method: name, type, whether it must be there.
METHODS = {
    "initialize": [("contract", str, True)],
    "shutdown": [],
    "peer.add": [("name", str, True), ("address", str, True), ("key", str, False), ("connect", bool, False)],
    "peer.list": [],
    "session.open": [("to", str, True)],
    "session.list": [],
    "message.send": [
        ("to", str, True), ("body", dict, True), ("type", str, False), ("seal", ("auto", "never", "require"), False),
        ("flavour", FLAVOURS, False),
    ],
    "message.inbox": [("from", str, False), ("after", int, False), ("limit", int, False)],
    "jwt.issue": [("aud", str, False), ("ttl_s", int, False), ("sub", str, False)],
    "jwt.verify": [("token", str, True), ("aud", str, False), ("sub", str, False)],
    "key.read": [("file", str, True), ("passphrase", str, False)],
    "key.write": [("format", keys.FORMATS, True), ("passphrase", str, False)],
}


class BadParams(Exception):
    pass


class Contract:
    """Answers requests; every request but initialize and shutdown runs on a thread of its own."""

    def __init__(self, environment):
        self.output, self.counter = threading.Lock(), 0
        self.name = environment.get("HANDFAST_NAME", "reference10")
        self.protocol = environment.get("HANDFAST_PROTOCOL", "1.0")
        flavour = environment.get("REFERENCE10_FLAVOUR", "iso")
        if flavour not in FLAVOURS:
            raise SystemExit(f"REFERENCE10_FLAVOUR is one of {FLAVOURS}")
        ack_after = environment.get("REFERENCE10_ACK") == "after"
        self.node = Node(self.name, identity(environment, self.name), flavour, ack_after, self.emit)
        host, _, port = environment.get("HANDFAST_LISTEN", "127.0.0.1:0").rpartition(":")
        self.server = Server(host, int(port), self.node)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def run(self):
        for line in iter(lambda: sys.stdin.buffer.readline(LINE_MAX + 1), b""):
            try:
                request = json.loads(line)
                method, params = request["method"], request.get("params", {})
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                self.write(id=None, error={"code": -32700, "message": "not a JSON-RPC request"})
                continue
            if "id" not in request:
                continue  # A notification: `$/cancel` comes too late for a peer whose steps are this short.
            if method == "shutdown":
                self.write(id=request["id"], result={})
                return
            if method == "initialize":
                self.answer(request["id"], method, params)
            elif method == "message.send" and isinstance(params, dict) and params.get("to") in self.node.remotes:
                remote = self.node.remotes[params["to"]]
                remote.worker.submit(self.answer, request["id"], method, params)
            else:
                threading.Thread(target=self.answer, args=(request["id"], method, params), daemon=True).start()

    def answer(self, request_id, method, params):
        try:
            if method not in METHODS:
                return self.fail(request_id, -32601, f"no method {method}")
            check_params(METHODS[method], params)
            return self.write(id=request_id, result=getattr(self, "do_" + method.replace(".", "_"))(**renamed(params)))
        except BadParams as error:
            return self.fail(request_id, -32602, str(error))
        except Refused as refusal:
            data = {"code": getattr(refusal, "code", None) or code_of(refusal), "status": refusal.status, "detail": refusal.detail}
            return self.fail(request_id, -32000, refusal.detail, data)
        except Exception:  # The caller must get an answer whatever went wrong here.
            traceback.print_exc()
            return self.fail(request_id, -32603, "the peer failed; see its log")

    def fail(self, request_id, code, message, data=None):
        error = {"code": code, "message": message}
        self.write(id=request_id, error=error if data is None else dict(error, data=data))

    def emit(self, event, **params):
        with self.output:
            self.counter += 1
            self._write(method=event, params=dict(params, n=self.counter))

    def write(self, **message):
        with self.output:
            self._write(**message)

    def _write(self, **message):
        sys.stdout.buffer.write(json.dumps(dict(jsonrpc="2.0", **message)).encode("ascii") + b"\n")
        sys.stdout.buffer.flush()

    def do_initialize(self, contract):
        if contract != "1":
            raise BadParams("this peer speaks contract 1")
        if self.protocol not in ("1.0", "both"):
            raise Refused(400, f"Unsupported version: {self.protocol}")
        host, port = self.server.server_address[:2]
        return {
            "contract": "1", "name": self.name, "version": "reference10 0.1.0", "protocol_versions": ["1.0"],
            "methods": sorted(METHODS), "events": EVENTS, "addresses": {"http": f"http://{host}:{port}"},
            "keys": {"ed25519": self.node.public.hex()},
        }

    def do_peer_add(self, name, address, key=None, connect=False):
        try:
            self.node.add(name, address, key)
        except ValueError as error:
            raise BadParams(str(error)) from None
        if connect:
            threading.Thread(target=self._connect, args=(name,), daemon=True).start()
        return {}

    def _connect(self, name):
        try:
            self.node.open(name)
        except Refused:
            pass  # Reported as handshake.failed.

    def do_peer_list(self):
        with self.node.lock:
            remotes = list(self.node.remotes.values())
        fields = ("name", "address", "trust", "proved", "healthy")
        return {"peers": [dict({f: getattr(r, f) for f in fields}, key=r.key.hex()) for r in remotes]}

    def do_session_open(self, to):
        session = self.node.open(to)
        return {"id": session.id, "peer": to, "version": "1.0", "role": session.role, "state": "ready"}

    def do_session_list(self):
        with self.node.lock:
            return {"sessions": [{
                "id": s.id, "peer": s.peer, "peer_key": self.node.remotes[s.peer].key.hex(), "version": "1.0", "role": s.role,
                "state": "ready" if s.state == "established" else s.state, "generation": None, "sealed": s.gcm is not None,
            } for s in self.node.sessions.values()]}

    def do_message_send(self, to, body, type="message", seal="auto", flavour=None):
        return self.node.send(to, type, body, seal, flavour)

    def do_message_inbox(self, sender=None, after=0, limit=None):
        """Lists messages whose index, from 1, is above `after`; `next` is the `after` of the next call."""
        with self.node.lock:
            found = [m for m in self.node.inbox if m["index"] > after and sender in (None, m["from"])]
        page = found[:limit]
        return {"messages": page, "next": page[-1]["index"] if page else after}


    def do_jwt_issue(self, aud=None, ttl_s=keys.LIFETIME, sub=None):
        if not 1 <= ttl_s <= keys.LIFETIME:
            raise BadParams("a token is good for 1 to 300 seconds")
        return {"token": keys.issue(self.node.seed, sub or self.name, aud, ttl_s, time.time())}

    def do_jwt_verify(self, token, aud=None, sub=None):
        def key_of(subject):
            with self.node.lock:
                remote = self.node.remotes.get(subject)
            return self.node.public if subject == self.name else remote and remote.key

        return keys.verify(token, key_of, self.name, aud, sub, time.time())

    def do_key_read(self, file, passphrase=None):
        form, public, name = keys.read(crypto.from_base64(file), passphrase)
        return {"format": form, "public_key": public, "id": name}

    def do_key_write(self, format, passphrase=None):
        if format != "seed-hex" and not passphrase:
            raise BadParams("parameter passphrase is missing")
        file, public = keys.write(format, self.name, passphrase)
        return {"file": crypto.to_base64(file), "public_key": public}


def check_params(spec, params):
    if not isinstance(params, dict):
        raise BadParams("params is an object")
    for name in params:
        if name not in [known for known, _, _ in spec]:
            raise BadParams(f"no parameter {name}")
    for name, kind, needed in spec:
        if name not in params:
            if needed:
                raise BadParams(f"parameter {name} is missing")
        elif isinstance(kind, tuple) and params[name] not in kind:
            raise BadParams(f"parameter {name} is one of {', '.join(kind)}")
        elif isinstance(kind, type) and (not isinstance(params[name], kind) or kind is int and isinstance(params[name], bool)):
            raise BadParams(f"parameter {name} is of another type")


def renamed(params):
    return {"sender" if name == "from" else name: value for name, value in params.items()}


def identity(environment, name):
    """Returns the Ed25519 seed: of HANDFAST_SEED, of the data folder, or a new one."""
    if environment.get("HANDFAST_SEED"):
        return hashlib.sha256(f"reference10 identity\0{environment['HANDFAST_SEED']}\0{name}".encode()).digest()
    folder = environment.get("HANDFAST_DATA_DIR")
    if not folder:
        return os.urandom(32)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "identity.seed")
    if not os.path.exists(path):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(32).hex())
    with open(path, encoding="ascii") as file:
        return bytes.fromhex(file.read())


if __name__ == "__main__":
    Contract(os.environ).run()
    sys.stdout.flush()
    os._exit(0)  # Open requests of other peers must not hold up the end.
