"""HTTP both ways: a threading server, and a client that keeps its connections."""

import http.client
import http.server
import json
import threading
import time
import urllib.parse

from envelope import Refused

BODY_MAX = 20 * 1024 * 1024
FINAL = (400, 401, 403, 404)


class Connections:
    """Idle connections to one address. Several requests may be open at once, as nested handshakes need."""

    def __init__(self, address):
        parts = urllib.parse.urlsplit(address)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("not an http address")
        self.host, self.port, self.prefix = parts.hostname, parts.port or 80, parts.path.rstrip("/")
        self.lock, self.idle = threading.Lock(), []

    def request(self, method, path, body=None, timeout=10):
        """Returns status and body; raises Refused 503 when there is no answer."""
        while True:
            with self.lock:
                kept = self.idle.pop() if self.idle else None
            connection = kept or http.client.HTTPConnection(self.host, self.port, timeout=5)
            try:
                if connection.sock is None:
                    connection.connect()
                connection.sock.settimeout(timeout)
                headers = {"Content-Type": "application/json"} if body is not None else {}
                connection.request(method, self.prefix + path, body, headers)
                response = connection.getresponse()
                data = response.read(BODY_MAX)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # A kept connection may have been closed by the other side meanwhile; only a new one is a verdict.
                if kept is None or isinstance(error, TimeoutError):
                    raise Refused(503, f"no answer: {error}") from None
                continue
            if response.will_close:
                connection.close()
            else:
                with self.lock:
                    self.idle.append(connection)
            return response.status, data

    def deliver(self, body, pauses, timeout):
        """POSTs a message until it is answered 200, finally refused, or the pauses are used up."""
        for pause in (*pauses, None):
            try:
                status, answer = self.request("POST", "/message", body, timeout)
                if status == 200:
                    return
                refusal = Refused(status, _detail(answer))
            except Refused as no_answer:
                refusal = no_answer
            if pause is None or refusal.status in FINAL:
                raise refusal
            time.sleep(pause)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host, port, node):
        self.node = node
        super().__init__((host, port), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # Head and body leave in one write.
    timeout = 120

    def do_GET(self):
        node = self.server.node
        with node.lock:
            remotes = list(node.remotes.values())
        crypto = {"crypto_available": True, "signing_enabled": True, "verification_enabled": True}
        if self.path == "/":
            head = {"entity_id": node.name, "service": "peer-communication", "version": "1.0"}
            self._answer(200, {**head, "peers_count": len(remotes), **crypto})
        elif self.path == "/health":
            healthy = sum(remote.healthy is True for remote in remotes)
            words = {True: "healthy", False: "unhealthy", None: "unknown"}
            states = {remote.name: words[remote.healthy] for remote in remotes}
            self._answer(200, {
                "entity_id": node.name, "port": self.server.server_port, "peers": len(remotes), "healthy_peers": healthy,
                "total_stats_entries": len(remotes), **crypto, "public_key": node.public.hex(), "status": "healthy",
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
                "queue": {"size": 0, "stats": {"queued": 0, "sent": 0, "failed": 0, "discarded": 0}},
                "heartbeat": {"peer_status": states, "healthy_count": healthy},
            })
        elif self.path == "/peers":
            peers = [{"entity_id": r.name, "address": r.address, "has_public_key": True} for r in remotes]
            self._answer(200, {"entity_id": node.name, "peers": peers, "count": len(peers)})
        elif self.path == "/public-key":
            self._answer(200, {"entity_id": node.name, "public_key": node.public.hex()})
        elif self.path == "/message":
            self._answer(405, {"detail": "Method Not Allowed"})
        else:
            self._answer(404, {"detail": "Not Found"})

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > BODY_MAX:
            self.close_connection = True
            return self._answer(413 if length.isdigit() else 411, {"detail": "Length Required"})
        body = self.rfile.read(int(length))
        if self.path != "/message":
            known = self.path in ("/", "/health", "/peers", "/public-key")
            return self._answer(*((405, {"detail": "Method Not Allowed"}) if known else (404, {"detail": "Not Found"})))
        try:
            return self._answer(200, self.server.node.receive(body))
        except Refused as refusal:
            return self._answer(refusal.status, {"detail": refusal.detail})

    def _refuse_method(self):
        self.close_connection = True
        self._answer(405, {"detail": "Method Not Allowed"})

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse_method

    def _answer(self, status, value):
        body = json.dumps(value, separators=(",", ":")).encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass  # Standard error is for what a person must see.


def _detail(answer):
    try:
        return str(json.loads(answer)["detail"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return answer[:200].decode("utf-8", "replace")
