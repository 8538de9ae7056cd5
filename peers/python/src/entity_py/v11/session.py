"""A session of 1.1: its generations, its secrets, its numbers, its limits.

Source: docs/protocol/1.1.md#generations, docs/protocol/1.1.md#session-limits, docs/protocol/1.1.md#which-secrets-are-kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple, Union

from ..codes import Refusal
from ..encoding import SECOND, parse_hex
from ..times import HOUR, Now
from . import frame as frames
from .envelope import Envelope, Plain, Writer, open_sealed, seal_body, sealed_parts
from .frame import Frame, Inner
from .numbers import InNumbers, OutNumbers
from .schedule import Keys
from .window import ReplayWindow

IDLE = HOUR
ABSOLUTE = 24 * HOUR
MESSAGES_MAX = 2**21
REKEY_MESSAGES = 2**20
REKEY_AGE = HOUR
LINGER = 30 * SECOND
"""How long the keys before are good to open with."""
GENERATION_MAX = 65_535

INITIATOR = "initiator"
RESPONDER = "responder"


NEEDS_ENVELOPE = frozenset({"session_confirm", "ready", "rekey", "rekey_request", "rekey_ack", "session_close"})
"""Types that a session begins, renews and ends with: signed, also where everything else goes in frames."""


class Sealed(NamedTuple):
    """A sealed message on its way: as an envelope, or as one frame."""

    body: bytes
    sequence: int
    is_frame: bool = False


@dataclass
class Traffic:
    """The keys of one generation and what was done with them."""

    generation: int
    seal_key: bytes
    open_key: bytes
    born: int
    next_sequence: int = 0
    window: ReplayWindow = field(default_factory=ReplayWindow)
    sent: int = 0
    received: int = 0
    dies: Optional[int] = None

    def __repr__(self) -> str:
        return f"Traffic({self.generation}, ..)"


@dataclass
class Secrets:
    """Which R are held. `confirmed`: the other side has shown to hold it; `proposed`, `pending`: made on our, on its proposal."""

    confirmed: Optional[Tuple[int, bytes]] = None
    proposed: Optional[Tuple[int, bytes]] = None
    pending: Optional[Tuple[int, bytes]] = None

    def __repr__(self) -> str:
        return "Secrets(..)"

    def of(self, generation: int) -> Optional[bytes]:
        """R of a generation, from any of the three."""
        for held in (self.confirmed, self.proposed, self.pending):
            if held is not None and held[0] == generation:
                return held[1]
        return None

    def to_propose(self) -> Optional[Tuple[int, bytes]]:
        """What a proposal goes from: never the pending one."""
        return self.proposed or self.confirmed

    def confirm(self, generation: int) -> bool:
        """The other side holds R of this generation: older ones are forgotten, newer ones stay. False where nothing changed."""
        secret = self.of(generation)
        if secret is None or self.confirmed is not None and self.confirmed[0] >= generation:
            return False
        self.confirmed = (generation, secret)
        if self.proposed is not None and self.proposed[0] <= generation:
            self.proposed = None
        if self.pending is not None and self.pending[0] <= generation:
            self.pending = None
        return True


class Session:
    """One session with one peer, from the end of its handshake to its own."""

    def __init__(self, writer: Writer, peer: str, peer_key: bytes, role: str, now: Now, capabilities: Iterable[str] = ()) -> None:
        self.writer = writer
        self.id = writer.session
        self.peer = peer
        self.peer_key = peer_key
        self.role = role
        self.capabilities: FrozenSet[str] = frozenset(capabilities)
        """What both sides listed in the handshake."""
        self.sends_frames = False
        """Whether messages leave as frames, which are taken wherever they were agreed on."""
        self.created = now
        self.used = now.mono
        self.used_kept = now.wall
        self.secrets = Secrets()
        self.highest = 0
        """The highest generation ever proposed or accepted."""
        self.traffic: Dict[int, Traffic] = {}
        self.sending: Optional[int] = None
        """The generation that seals; None while suspended."""
        self.doubted = False
        self.out = OutNumbers()
        self.into = InNumbers()
        self.steps: Dict[bytes, Optional[bytes]] = {}
        """Digest of each handshake step or resumption message taken -> the stored answer."""
        self.heard = now.mono
        self.may_send = True
        self.retiring: Optional[int] = None
        """When a replaced session stops receiving (mono)."""

    # -- state

    @property
    def state(self) -> str:
        """`ready`, or `suspended` where it has no keys to seal with."""
        return "suspended" if self.sending is None else "ready"

    @property
    def generation(self) -> int:
        """The generation that seals; of a suspended session the newest that was agreed on."""
        if self.sending is not None:
            return self.sending
        held = [pair[0] for pair in (self.secrets.confirmed, self.secrets.proposed) if pair]
        return max(held, default=0)

    def is_over(self, now: Now, lifetime: Optional[int] = None) -> bool:
        """Whether a limit has passed; `lifetime` is one that this node sets itself."""
        if now.mono - self.used >= IDLE or now.mono - self.created.mono >= ABSOLUTE:
            return True
        return lifetime is not None and now.mono - self.created.mono >= lifetime

    # -- keys

    def install(self, generation: int, keys: Keys, now: int, send: bool) -> None:
        """New traffic keys: good to open with at once, to seal with where `send`."""
        mine, theirs = keys.initiator_to_responder, keys.responder_to_initiator
        if self.role == RESPONDER:
            mine, theirs = theirs, mine
        self.traffic[generation] = Traffic(generation, mine, theirs, now)
        self.highest = max(self.highest, generation)
        if send:
            self.switch(generation, now)

    def switch(self, generation: int, now: int) -> None:
        """Seals under this generation from here on; those before die 30 s later."""
        self.sending = generation
        for number, traffic in self.traffic.items():
            if number < generation and traffic.dies is None:
                traffic.dies = now + LINGER

    def bury(self, now: int) -> None:
        """Forgets traffic keys whose time is over."""
        for number in [number for number, traffic in self.traffic.items() if traffic.dies is not None and traffic.dies <= now]:
            del self.traffic[number]

    # -- messages

    def can_seal(self) -> bool:
        """Whether the generation that seals has not carried its 2^21 messages."""
        return self.sending is not None and self.traffic[self.sending].sent < MESSAGES_MAX

    def rekey_due(self, now: int) -> bool:
        """After 2^20 messages of either direction, or an hour."""
        if self.sending is None:
            return False
        traffic = self.traffic[self.sending]
        return traffic.sent >= REKEY_MESSAGES or traffic.received >= REKEY_MESSAGES or now - traffic.born >= REKEY_AGE

    def seal(
        self, kind: str, body: Dict[str, Any], wall: int, nonce: bytes, number: Optional[int] = None, durable: Optional[str] = None
    ) -> Sealed:
        """What is sent. Each pair (generation, sequence) is used once, in whichever form."""
        traffic, sequence = self._next()
        plain = Plain(number, self.into.handled, body, durable)
        self.into.unacknowledged = 0
        if self.sends_frames and kind not in NEEDS_ENVELOPE:
            frame = frames.seal_message(traffic.seal_key, self.writer.session, traffic.generation, sequence, kind, wall, plain)
            return Sealed(frame, sequence, True)
        head = self.writer.head(kind, sequence, wall, nonce)
        return Sealed(seal_body(self.writer, traffic.seal_key, traffic.generation, head, plain), sequence)

    def seal_chunk(self, wall: int, number: int, transfer: str, index: int, data: bytes) -> Sealed:
        """One chunk as a frame of its own kind."""
        traffic, sequence = self._next()
        ack, self.into.unacknowledged = self.into.handled, 0
        key, generation = traffic.seal_key, traffic.generation
        return Sealed(frames.seal_chunk(key, self.writer.session, generation, sequence, wall, number, ack, transfer, index, data), sequence, True)

    def _next(self) -> Tuple[Traffic, int]:
        if self.sending is None:
            raise RuntimeError("a suspended session has no keys to seal with")
        traffic = self.traffic[self.sending]
        sequence = traffic.next_sequence
        traffic.next_sequence += 1
        traffic.sent += 1
        return traffic, sequence

    @property
    def has_frames(self) -> bool:
        """docs/protocol/1.1.md#compact-frames: both sides listed them."""
        return frames.CAPABILITY in self.capabilities

    def look(self, envelope: Envelope, now: int) -> Tuple[Traffic, bytes]:
        """Checks 11 and 12: the generation is held and the sequence new in it. Raises Refusal."""
        if not envelope.is_sealed:
            raise Refusal("ENCRYPTION_REQUIRED", f"{envelope.kind} in plain text")
        generation, sealed = sealed_parts(envelope.payload)
        return self._look(generation, envelope.sequence, now), sealed

    def look_frame(self, frame: Frame, now: int) -> Traffic:
        """The same of a frame. Raises Refusal."""
        if not self.has_frames:
            raise Refusal("INVALID_MESSAGE", "frames were not agreed on")
        return self._look(frame.generation, frame.sequence, now)

    def _look(self, generation: int, sequence: int, now: int) -> Traffic:
        self.bury(now)
        traffic = self.traffic.get(generation)
        if traffic is None:
            if not self.traffic:
                raise Refusal("SESSION_NOT_FOUND", "the keys of this session are gone")
            raise Refusal("SEQUENCE_ERROR", f"no keys of generation {generation}")
        if not traffic.window.is_new(sequence):
            raise Refusal("SEQUENCE_ERROR", f"sequence {sequence} was seen, or is behind the window")
        return traffic

    def open(self, envelope: Envelope, traffic: Traffic, sealed: bytes) -> Plain:
        """Check 14. Raises Refusal(DECRYPTION_FAILED)."""
        return open_sealed(envelope, traffic.open_key, traffic.generation, sealed)

    def open_frame(self, frame: Frame, traffic: Traffic) -> Inner:
        """The same of a frame. Raises Refusal."""
        return frames.open_frame(frame, traffic.open_key)

    def record(self, arrived: Union[Envelope, Frame], traffic: Traffic, now: Now) -> bool:
        """Check 15. True where this message shows for the first time that the other side has these keys."""
        traffic.window.record(arrived.sequence)
        traffic.received += 1
        self.used = self.heard = now.mono
        return self.secrets.confirm(traffic.generation)

    # -- what is kept

    def encode(self) -> bytes:
        """The record of the session: never a traffic key."""

        def pair(held: Optional[Tuple[int, bytes]]) -> Any:
            return None if held is None else [held[0], held[1].hex()]

        return json.dumps(
            {
                "peer": self.peer,
                "peer_key": self.peer_key.hex(),
                "role": self.role,
                "capabilities": sorted(self.capabilities),
                "created": self.created.wall,
                "used": self.used_kept,
                "confirmed": pair(self.secrets.confirmed),
                "proposed": pair(self.secrets.proposed),
                "pending": pair(self.secrets.pending),
                "highest": self.highest,
                "reserved": self.out.reserved,
                "acked": self.out.acked,
                "handled": self.into.committed,
            },
            separators=(",", ":"),
        ).encode("ascii")


def decode(record: bytes, writer: Writer, now: Now, places: Dict[int, str]) -> Session:
    """A session as it was kept: suspended. Raises ValueError, KeyError."""
    value = json.loads(record)
    # A record of before there were frames has no capabilities.
    session = Session(writer, value["peer"], parse_hex(value["peer_key"], 32), value["role"], now, value.get("capabilities", ()))
    session.created = Now(now.mono - max(0, now.wall - value["created"]), value["created"])
    session.used = now.mono - max(0, now.wall - value["used"])
    session.used_kept = value["used"]
    held: List[Optional[Tuple[int, bytes]]] = []
    for name in ("confirmed", "proposed", "pending"):
        pair = value[name]
        held.append(None if pair is None else (pair[0], parse_hex(pair[1], 32)))
    session.secrets = Secrets(*held)
    session.highest = value["highest"]
    session.out.restore(value["reserved"], value["acked"], places)
    session.into = InNumbers(value["handled"], value["handled"])
    return session
