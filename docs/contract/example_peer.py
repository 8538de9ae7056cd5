#!/usr/bin/env python3
"""A peer of the contract in plain Python: the whole contract, and a toy protocol under it.

Peers greet each other by POST and believe everything. Only the contract is to be learnt here.
"""
import json, os, sys, threading, time, urllib.error, urllib.request, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.environ.get("HANDFAST_NAME", "example")
HOST, PORT = os.environ.get("HANDFAST_LISTEN", "127.0.0.1:0").rsplit(":", 1)
lock, peers, sessions, inbox, events = threading.RLock(), {}, {}, [], 0


class Refused(Exception):
    """A refusal in the words of the protocol: becomes error -32000 with data.code."""


def write(message):
    with lock:
        print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def emit(event, params):
    """Sends a notification; `n` counts them from 1 without a gap."""
    global events
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
                inbox.append({"index": len(inbox), "received_at": time.time(), **message})
                emit("message.received", message)
        self.send_response(200)
        self.end_headers()

    def log_message(self, text, *values):
        print(text % values, file=sys.stderr)  # stdout belongs to the contract


def ready(session, peer, role):
    sessions[session] = {"id": session, "peer": peer, "peer_key": None, "version": "toy", "role": role,
                         "state": "ready", "generation": None, "sealed": False}
    emit("session.ready", {"id": session, "peer": peer, "version": "toy", "role": role})


def post(to, type, body, session):
    if to not in peers:
        raise Refused("UNKNOWN_RECIPIENT")
    message = {"from": NAME, "type": type, "body": body, "session": session, "sequence": None,
               "number": None, "version": "toy", "sealed": False}
    data = json.dumps(message).encode()
    with urllib.request.urlopen(urllib.request.Request(peers[to] + "/", data), timeout=5) as answer:
        return {"session": session, "sequence": None, "number": None, "version": "toy",
                "sealed": False, "status": answer.status}


def initialize(contract):
    return {"contract": "1", "name": NAME, "version": "1", "protocol_versions": ["toy"],
            "methods": sorted(METHODS), "events": ["session.ready", "message.received"],
            "addresses": {"http": f"http://{server.server_address[0]}:{server.server_address[1]}"}, "keys": {}}


def peer_add(name, address, key=None, connect=False):
    peers[name] = address
    if connect:
        session_open(name)
    return {}


def peer_list():
    return {"peers": [{"name": name, "address": address, "key": None, "trust": "first_use",
                       "proved": None, "healthy": None} for name, address in peers.items()]}


def session_open(to):
    session = str(uuid.uuid4())
    post(to, "hello", {}, session)
    ready(session, to, "initiator")
    return {key: sessions[session][key] for key in ("id", "peer", "version", "role", "state")}


def message_send(to, body, type="message", seal="auto", flavour=None):
    session = next((s["id"] for s in sessions.values() if s["peer"] == to), None)
    return post(to, type, body, session)


def message_inbox(after=-1, limit=100, **also):
    if not isinstance(limit, int) or not set(also) <= {"from"}:
        raise TypeError("bad parameters")
    found = [m for m in inbox if m["index"] > after and m["from"] == also.get("from", m["from"])][:limit]
    return {"messages": found, "next": found[-1]["index"] if found else None}


METHODS = {"initialize": initialize, "shutdown": dict, "peer.add": peer_add, "peer.list": peer_list,
           "session.open": session_open, "session.list": lambda: {"sessions": list(sessions.values())},
           "message.send": message_send, "message.inbox": message_inbox}


def answer(request):
    method, fail = METHODS.get(request["method"]), lambda code, text, **more: {"error": {"code": code, "message": text, **more}}
    try:
        reply = {"result": method(**request.get("params", {}))} if method else fail(-32601, "unknown method")
    except TypeError as error:
        reply = fail(-32602, str(error))
    except (Refused, urllib.error.URLError) as error:
        reply = fail(-32000, "refused", data={"code": str(error), "status": None})
    write({"id": request["id"], **reply})


server = ThreadingHTTPServer((HOST, int(PORT)), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for line in sys.stdin:  # the end of stdin is the end of the peer, too
    request = json.loads(line)
    if "id" in request:  # `$/cancel` has none, and every call here is short
        worker = threading.Thread(target=answer, args=(request,), daemon=True)
        worker.start()
        if request["method"] == "shutdown":
            worker.join()
            break
