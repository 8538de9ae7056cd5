"""One whole peer without input and output: what features see of it, and what the node drives it by.

Inputs are the `handle_*` functions; each is called with the time, and `drain` after it returns what is to be done: first the changes
to keep, then everything that may leave once they are durable. Nothing here reads a clock, a file or a socket.
"""

from __future__ import annotations

import json
import traceback
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Set, Union

from ..codes import BadParams, CallRefused
from ..config import Config
from ..crypto import SigningKey
from ..encoding import is_id, uuid4_of
from ..strictjson import JsonObject, NotJson, canonical, checked
from ..times import Now, Timer, Timers
from . import inbox as inboxes
from . import outbox as outboxes
from . import roster
from .courier import Courier, Done, Outcome
from .feature import Feature, Later, Message, Method, Records
from .inbound import Answer as InboundAnswer
from .inbound import Inbound
from .line import Line, Outgoing
from .outputs import Answer, Change, Event, Output, Reply, Step, Stopped, Transmit, Work
from .roster import Peer

SESSIONS = "session"
SPACES = (roster.SPACE, SESSIONS, outboxes.SPACE, outboxes.PLACES, inboxes.SPACE, inboxes.SEEN)
CORE_EVENTS = (
    "peer.added", "session.ready", "session.resumed", "session.rekeyed", "session.closed", "message.received", "message.refused",
    "message.acknowledged", "message.given_up", "peer.health", "handshake.failed", "relay.suspected",
)  # fmt: skip
LARGE = 524_288
"""A body of more canonical bytes goes as a transfer."""

Result = Union[JsonObject, Later]


class Core:
    """See the module's text; `README.md` has the table of what features use."""

    def __init__(self, config: Config, key: SigningKey, draw: Callable[[int], bytes], features: List[Feature]) -> None:
        self.config = config
        self.name = config.name
        self.key = key
        self.random = draw
        self.features = features
        self.timers = Timers()
        self.roster: Dict[str, Peer] = {}
        self.lines: Dict[str, Line] = {}
        self.outbox = outboxes.Outbox(self.persist)
        self.inbox = inboxes.Inbox(self.persist)
        self.seen = inboxes.SeenIds(self.persist)
        self.courier = Courier(self.timers, self._emit, draw)
        self.inbound = Inbound(self)
        self.large_from = LARGE
        self.large: Optional[Callable[[Line, Outgoing, Now], None]] = None
        """Set by the feature that sends large bodies as transfers."""
        self.kinds: Dict[str, Feature] = {kind: feature for feature in features for kind in feature.kinds}
        self.methods: Dict[str, Method] = {}
        for feature in features:
            for name, found in feature.methods().items():
                if name not in feature.test_only or config.test_peer:
                    self.methods[name] = found
        self.address: Optional[str] = None
        """Where the node listens; set before the first request."""
        self._changes: List[Change] = []
        self._outputs: List[Output] = []
        self._soon: Deque[Callable[[Now], None]] = deque()
        self._offset = 0
        self._calls: Set[object] = set()
        self._works: Dict[int, Callable[[Any, Now], None]] = {}
        self._works_begun = 0
        self.stopping = False
        self.started_wall = 0

    # -- for features

    def send(
        self, to: str, kind: str, body: JsonObject, now: Now, durable: bool = False, done: Optional[Done] = None, seal: str = "auto",
        flavour: Optional[str] = None,
    ) -> Optional[str]:  # fmt: skip
        """Sends a message; see the README. The id of a durable one."""
        line = self.line(to)
        encoded = self._fit_to_send(line, body)
        if not durable:
            line.send(Outgoing(kind, body, len(encoded), done or _ignore, seal, flavour), now)
            return None
        if len(encoded) > LARGE:
            raise CallRefused("MESSAGE_TOO_LARGE", f"a durable message has at most {LARGE} bytes")
        kept = self.outbox.keep(uuid4_of(self.random(16)), to, kind, body)
        self.soon(line.pump)
        return kept.id

    def _fit_to_send(self, line: Line, body: JsonObject) -> bytes:
        try:
            if line.speaks() == "1.1":
                checked(body, depth_max=30)
            return canonical(body)
        except (NotJson, ValueError, RecursionError) as error:
            raise CallRefused("INVALID_MESSAGE", str(error)) from error

    def persist(self, space: str, key: str, value: Optional[bytes]) -> None:
        """Keeps or forgets a record; durable before anything of this input leaves."""
        self._changes.append((space, key, value))

    def event(self, name: str, params: JsonObject) -> None:
        """A notification."""
        self._outputs.append(Event(name, params))

    def after(self, now: Now, delay: int, function: Callable[[Now], None]) -> Timer:
        """Calls `function(now)` `delay` microseconds later."""
        return self.timers.after(now, delay, function)

    def soon(self, function: Callable[[Now], None]) -> None:
        """Calls it at the end of this input."""
        self._soon.append(function)

    def work(self, function: Callable[[], Any], done: Callable[[Any, Now], None]) -> None:
        """Has `function` done beside, in the order of these calls; `done(result, now)` gets what it returned, or the exception it raised."""
        self._works_begun += 1
        self._works[self._works_begun] = done
        self._outputs.append(Work(self._works_begun, function))

    def later(self) -> Later:
        """An answer that comes with another input."""
        return Later()

    def peer_key(self, name: str) -> Optional[bytes]:
        """The key of a peer, or our own."""
        if name == self.name:
            return self.key.public
        peer = self.roster.get(name)
        return None if peer is None else peer.key

    def peer_of(self, key: bytes) -> Optional[str]:
        """Who has this key; ourselves, too."""
        if key == self.key.public:
            return self.name
        return next((peer.name for peer in self.roster.values() if peer.key == key), None)

    def peers(self) -> List[str]:
        """Names in the roster."""
        return list(self.roster)

    def log(self, level: str, text: str) -> None:
        """A line in the log; never a secret, never a body."""
        self.config.log(level, text)

    # -- roster

    def line(self, name: str) -> Line:
        """The line to a peer. Raises CallRefused(UNKNOWN_RECIPIENT)."""
        line = self.lines.get(name)
        if line is None:
            raise CallRefused("UNKNOWN_RECIPIENT", f"there is no peer {name!r}; peer.add makes it known")
        return line

    def add_peer(self, name: str, address: str, key: Optional[bytes], connect: Optional[bool], now: Now, guest: bool = False) -> None:
        """An operator names a peer, or the table does (`guest`). A key that is there is replaced by another one only through removal."""
        if not is_id(name) or name == self.name:
            raise BadParams("name: 1 to 128 of A-Z a-z 0-9 . _ -, and not this peer's own")
        peer = self.roster.get(name)
        if peer is None:
            if len(self.roster) >= roster.PEERS_MAX:
                raise CallRefused("SERVICE_UNAVAILABLE", f"the roster is full: peers_max is {roster.PEERS_MAX}")
            peer = Peer(name, address, key, "first_use" if key is None else "pinned")
            self._join(peer)
        if key is not None and peer.key != key:
            if peer.key is not None and peer.trust == "pinned":
                raise CallRefused("INVALID_SIGNATURE", f"{name!r} is known under another key; peer.remove forgets it")
            self.lines[name].drop_sessions("replaced", now)
            peer.key, peer.trust, peer.proved = key, "pinned", None
        elif key is not None:
            peer.trust = "pinned"
        peer.address = address
        peer.connect = bool(connect)
        peer.guest = guest
        self.keep_peer(peer)
        self.event("peer.added", {"name": name})
        line = self.lines[name]
        self.soon(line.introduced)

    @property
    def guests(self) -> int:
        """How many peers nobody has named."""
        return sum(peer.guest for peer in self.roster.values())

    def take_stranger(self, name: str) -> Line:
        """Somebody whom nobody named; its key is pinned when its first session is ready."""
        self._join(Peer(name, None, None, "first_use", guest=True))
        return self.lines[name]

    def _join(self, peer: Peer) -> None:
        peer.rates.configured = self.config.rates
        self.roster[peer.name] = peer
        self.lines[peer.name] = Line(self, peer)

    def keep_peer(self, peer: Peer) -> None:
        """Its record, as it is now."""
        self.persist(roster.SPACE, peer.name, peer.encode())

    def remove_peer(self, name: str, now: Now) -> None:
        """Its key, its sessions and what waits for it are forgotten."""
        line = self.line(name)
        line.remove(now)
        for kept in self.outbox.of(name):
            self.outbox.remove(kept)
        self.seen.forget(name)
        del self.roster[name], self.lines[name]
        self.persist(roster.SPACE, name, None)
        for feature in self.features:
            feature.handle_removed(self, name, now)

    # -- inputs

    def handle_start(self, records: Records, now: Now) -> None:
        """What was kept, before anything else."""
        now = self._time(now)
        # docs/protocol/1.0.md#profile-hardened: a restart has forgotten nonces; who never ran before has not.
        self.started_wall = now.wall if any(records.values()) else 0
        empty: Mapping[str, bytes] = {}
        for name, record in records.get(roster.SPACE, empty).items():
            self._join(roster.decode(name, record))
        self.outbox.restore(records.get(outboxes.SPACE, empty), records.get(outboxes.PLACES, empty))
        self.inbox.restore(records.get(inboxes.SPACE, empty))
        self.seen.restore(records.get(inboxes.SEEN, empty))
        for id, record in records.get(SESSIONS, empty).items():
            self._restore_session(id, record, now)
        for kept in self.outbox.all():
            line = self.lines.get(kept.to)
            if kept.session is not None and (line is None or not line.eleven.holds(kept.session)):
                self.outbox.displace(kept.to, kept.session)
        for feature in self.features:
            feature.start(self, records, now)
        for line in self.lines.values():
            self.soon(line.introduced)
        self._finish(now)

    def _restore_session(self, id: str, record: bytes, now: Now) -> None:
        line = self.lines.get(json.loads(record)["peer"])
        if line is None or not self.config.speaks("1.1"):
            self.persist(SESSIONS, id, None)
            return
        line.eleven.restore(id, record, now)

    def handle_request(self, token: object, method: str, path: str, body: bytes, loopback: bool, now: Now) -> None:
        """An inbound HTTP request; its answer comes out with this token."""
        now = self._time(now)

        self._judge(token, lambda: self.inbound.handle(method, path, body, loopback, now), f"{method} {path}", now)

    def handle_frame(self, token: object, frame: bytes, now: Now) -> None:
        """One frame that came by itself; it is answered like a message."""
        now = self._time(now)
        self._judge(token, lambda: self.inbound.frame(frame, now), "a frame", now)

    def _judge(self, token: object, handle: Callable[[], InboundAnswer], what: str, now: Now) -> None:
        self.inbound.accepted = None

        def judged() -> None:
            status, answer, retry = handle()
            self._outputs.append(Answer(token, status, answer, retry, self.inbound.accepted))

        if not self._guard(judged, what):
            self._outputs.append(Answer(token, 500, b'{"detail":"Internal Server Error"}'))
        self._finish(now)

    def handle_linked(self, peer: str, count: int, now: Now) -> None:
        """So many connections there are with a peer."""
        now = self._time(now)
        line = self.lines.get(peer)
        if line is not None:
            line.peer.linked = count
            if count:
                line.peer.circuit.heard()
                # What failed while there was none goes now, and shows the other side who is there.
                line.eleven.send_again_at_once(now)
                line.ten.try_again_at_once()
        self._finish(now)

    @property
    def announced(self) -> Optional[str]:
        """The base address at which others reach this node by HTTP, themselves or by a relay; None where there is none."""
        if self.config.http:
            return self.config.advertise or self.address
        return self.config.relays[0].mailbox(self.key.public) if self.config.relays else None

    def handle_misled(self, relay: str, key: Optional[bytes], why: str, now: Now) -> None:
        """A relay is suspected of something."""
        self.event("relay.suspected", {"relay": relay, "key": None if key is None else key.hex(), "why": why})
        self.log("warn", f"relay suspected relay={relay} why={why}")
        self._finish(self._time(now))

    def socket_base(self, peer: str) -> Optional[str]:
        """Where a WebSocket with this peer is opened; None where it has none, or this node does not want any."""
        line = self.lines.get(peer)
        address = None if line is None else line.peer.address
        if line is None or address is None or not self.config.websocket or "/relay/" in address:
            return None
        if not self.config.http:
            return address
        session = line.eleven.session
        has = session is not None and "websocket" in session.capabilities
        return address if address.startswith("ws://") or has else None

    def handle_transmitted(self, id: int, status: Optional[int], body: bytes, error: str, now: Now) -> None:
        """A request of ours has ended; `status` is None where nobody answered."""
        now = self._time(now)
        self._guard(lambda: self.courier.ended(id, status, body, error, now), "an answer")
        self._finish(now)

    def handle_worked(self, id: int, result: Any, now: Now) -> None:
        """Work is done: its result, or the exception it ended in."""
        now = self._time(now)
        done = self._works.pop(id, None)
        if done is not None:
            self._guard(lambda: done(result, now), "work")
        self._finish(now)

    def handle_call(self, call: object, method: str, params: Any, now: Now) -> None:
        """A call of the contract; its answer comes out with this `call`."""
        now = self._time(now)
        found = self.methods.get(method)
        if found is None:
            self._outputs.append(Reply(call, LookupError(method)))
            return

        def answered(outcome: Any) -> None:
            if call in self._calls:
                self._calls.discard(call)
                self._outputs.append(Reply(call, outcome))

        self._calls.add(call)
        try:
            result = found.function(self, found.bind({} if params is None else params), now)
            if isinstance(result, Later):
                result.on_done(answered)
            else:
                answered(result)
        except (CallRefused, BadParams) as refusal:
            answered(refusal)
        except Exception as error:  # a bug of ours ends the call, not the process
            self.log("error", f"{method}: {traceback.format_exc()}")
            answered(error)
        self._finish(now)

    def handle_cancel(self, call: object, now: Now) -> None:
        """Nobody waits for this call any more."""
        self._calls.discard(call)

    def handle_deadline(self, now: Now) -> None:
        """Whatever is due."""
        now = self._time(now)
        for _ in range(1_000):
            function = self.timers.take(now)
            if function is None:
                break
            self._guard(lambda function=function: function(now), "a timer")  # type: ignore[misc]
            self._finish(now)

    def handle_stop(self, now: Now) -> None:
        """Ends in order: everything exact is kept, and nothing is sent any more."""
        now = self._time(now)
        self.stopping = True
        for line in self.lines.values():
            line.stop(now)
        for feature in self.features:
            self._guard(lambda feature=feature: feature.handle_stop(self, now), feature.name)  # type: ignore[misc]
        self._finish(now)
        self._outputs = [output for output in self._outputs if not isinstance(output, Transmit)]
        self._outputs.append(Stopped())

    def next_deadline(self) -> Optional[int]:
        """When `handle_deadline` has something to do (mono)."""
        return self.timers.next_deadline()

    def drain(self) -> Optional[Step]:
        """What the inputs since the last time led to, or None."""
        if not self._changes and not self._outputs:
            return None
        step = Step(self._changes, self._outputs)
        self._changes, self._outputs = [], []
        return step

    # -- inside

    def set_offset(self, micros: int) -> None:
        """Shifts the wall clock."""
        self._offset = micros

    def _time(self, now: Now) -> Now:
        return Now(now.mono, now.wall + self._offset)

    def _emit(self, transmit: Transmit) -> None:
        self._outputs.append(transmit)

    def _guard(self, function: Callable[[], None], what: str) -> bool:
        try:
            function()
        except Exception:  # untrusted input, or a bug: never the end of the process
            self.log("error", f"{what}: {traceback.format_exc()}")
            return False
        return True

    def _finish(self, now: Now) -> None:
        for _ in range(100_000):
            if not self._soon:
                return
            function = self._soon.popleft()
            self._guard(lambda function=function: function(now), "soon")  # type: ignore[misc]
        self.log("error", "an input led to more than 100,000 others; the rest is dropped")
        self._soon.clear()

    def deliver(self, message: Message, now: Now) -> None:
        """A message that passed every check: to its feature, or to the inbox."""
        feature = self.kinds.get(message.kind)
        if feature is not None:
            feature.handle_message(self, message, now)
            return
        self.event("message.received", self.inbox.add(message, now))

    def session_ready(self, peer: str, now: Now) -> None:
        """Tells every feature."""
        for feature in self.features:
            self._guard(lambda feature=feature: feature.handle_session(self, peer, now), feature.name)  # type: ignore[misc]


def _ignore(outcome: Outcome, now: Now) -> None:
    """Nobody wants to know."""
