#!/usr/bin/env python3
"""A peer of the contract in plain Python, over a toy protocol that believes everything it is sent."""
import json, os, sys, threading, time, urllib.request, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.environ.get("HANDFAST_NAME", "example")
HOST, PORT = os.environ.get("HANDFAST_LISTEN", "127.0.0.1:0").rsplit(":", 1)
lock, peers, sessions, inbox, events = threading.RLock(), {}, {}, [], 0

def write(message):
    with lock:
        print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def emit(event, params):
    global events  # they are counted from 1 without a gap
    with lock:
        events += 1
        write({"method": event, "params": {"n": events, **params}})

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            if message["type"] == "hello":
                ready(message["session"], message["from"], "responder")
            else:
                inbox.append({"index": len(inbox) + 1, "received_at": time.time(), **message})
                emit("message.received", message)
        self.send_response(200)
        self.end_headers()

    def log_message(self, text, *values):  # stdout belongs to the contract
        print(text % values, file=sys.stderr)

def ready(session, peer, role):
    known = {"id": session, "peer": peer, "version": "toy", "role": role}
    sessions[session] = {**known, "state": "ready", "peer_key": None, "generation": None, "sealed": False}
    emit("session.ready", known)

def post(to, type, body, session):
    if to not in peers:
        raise LookupError("UNKNOWN_RECIPIENT")
    sent = {"session": session, "sequence": None, "number": None, "version": "toy", "sealed": False}
    data = json.dumps({"from": NAME, "type": type, "body": body, **sent}).encode()
    with urllib.request.urlopen(peers[to] + "/message", data, timeout=5) as answer:
        return {**sent, "status": answer.status}

def initialize(contract):
    return {"contract": "1", "name": NAME, "version": "1", "protocol_versions": ["toy"],
            "methods": list(METHODS), "events": ["session.ready", "message.received"],
            "addresses": {"http": "http://%s:%d" % server.server_address}, "keys": {}}

def peer_add(name, address, key=None, connect=False):
    peers[name] = address
    return session_open(name) and {} if connect else {}

def peer_list():
    return {"peers": [{"name": name, "address": address, "key": None, "trust": "first_use",
                       "proved": None, "healthy": None} for name, address in peers.items()]}

def session_open(to):
    session = str(uuid.uuid4())
    post(to, "hello", {}, session)
    ready(session, to, "initiator")
    return {key: sessions[session][key] for key in ("id", "peer", "version", "role", "state")}

def message_send(to, body, type="message", seal="auto", flavour=None):
    return post(to, type, body, next((s["id"] for s in sessions.values() if s["peer"] == to), None))

def message_inbox(after=0, limit=100, **also):
    if not isinstance(limit, int) or not set(also) <= {"from"}:
        raise TypeError("bad parameters")
    found = [m for m in inbox if m["index"] > after and m["from"] == also.get("from", m["from"])][:limit]
    return {"messages": found, "next": found[-1]["index"] if found else after}

METHODS = {"initialize": initialize, "shutdown": dict, "peer.add": peer_add, "peer.list": peer_list,
           "session.open": session_open, "session.list": lambda: {"sessions": list(sessions.values())},
           "message.send": message_send, "message.inbox": message_inbox}

def answer(request):
    method = METHODS.get(request["method"])
    try:
        reply = {"result": method(**request.get("params", {}))} if method else \
            {"error": {"code": -32601, "message": "unknown method"}}
    except TypeError as error:
        reply = {"error": {"code": -32602, "message": str(error)}}
    except (LookupError, OSError) as error:  # a refusal, in the words of the protocol
        reply = {"error": {"code": -32000, "message": "refused", "data": {"code": str(error)}}}
    write({"id": request["id"], **reply})

server = ThreadingHTTPServer((HOST, int(PORT)), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for line in sys.stdin:  # the end of stdin is the end of the peer, too
    request = json.loads(line)
    if "id" in request:  # `$/cancel` has none, and every call here is short
        if request["method"] == "shutdown":
            answer(request)
            break
        threading.Thread(target=answer, args=(request,), daemon=True).start()
