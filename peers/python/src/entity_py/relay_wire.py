"""What a member and its relay say to each other, and how a message is wrapped for somebody else. Pure.

Source: docs/protocol/1.1.md#relay-registration, docs/protocol/1.1.md#relay-forward, docs/protocol/1.1.md#relay-suspicion.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Deque, List, Optional

from .codes import Refusal
from .crypto import SigningKey, verify_labelled
from .encoding import SECOND, parse_base64, parse_hex, parse_stamp, stamp, to_base64
from .socket_wire import CONTROL, CONTROL_MAX, FORWARD
from .strictjson import JsonObject, NotJson, canonical, parse
from .times import HOUR, MINUTE, Now

REGISTER = "peer-v1.1-relay-register"
REGISTERED = "peer-v1.1-relay-registered"
HEAD = 51
"""Bytes of a forward before the message: kind, hops, id, recipient, form."""
HOPS_MAX = 8
LIFETIME = HOUR
ANSWER_WITHIN = 10 * SECOND
"""How long a challenge, and then the answer to a registration, may take."""
TAMPERED_MIN = 3
TAMPERED_WITHIN = 10 * MINUTE
RELAYS_MAX = 8
PORT_MAX = 65_535
_WAY = re.compile(r"ws://([^/\s#]+):([0-9]{1,5})/?#([0-9a-f]{64})\Z")


@dataclass(frozen=True)
class Relay:
    """A relay that the operator names: where it is, and the key that it has to show."""

    where: str
    key: bytes

    @property
    def address(self) -> str:
        """As the operator wrote it."""
        return f"ws://{self.where}"

    def mailbox(self, member: bytes) -> str:
        """The base address at which a member is reached through it."""
        return f"http://{self.where}/relay/{member.hex()}"


def parse_relays(text: str) -> List[Relay]:
    """`ws://HOST:PORT#KEY`, several with commas between. Raises ValueError."""
    found = []
    for part in text.split(","):
        way = _WAY.match(part.strip())
        if way is None or not 1 <= int(way.group(2)) <= PORT_MAX:
            raise ValueError(
                f"{part.strip()!r} is no relay; write it like ws://HOST:PORT#KEY, with a port from 1 to {PORT_MAX} and the 64 hex digits of its key"
            )
        found.append(Relay(f"{way.group(1)}:{way.group(2)}", bytes.fromhex(way.group(3))))
    if len(found) > RELAYS_MAX:
        raise ValueError(f"at most {RELAYS_MAX} relays")
    return found


@dataclass(frozen=True)
class Forward:
    """A message for somebody else, untouched."""

    hops: int
    id: bytes
    to: bytes
    is_frame: bool
    message: bytes

    def write(self) -> bytes:
        """A WebSocket message of kind 0x20."""
        return bytes([FORWARD, self.hops]) + self.id + self.to + bytes([self.is_frame]) + self.message


def read_forward(data: bytes) -> Forward:
    """A WebSocket message of kind 0x20. Raises Refusal(INVALID_MESSAGE)."""
    if len(data) <= HEAD or data[0] != FORWARD or data[1] > HOPS_MAX or data[50] > 1:
        raise Refusal("INVALID_MESSAGE", "no forward")
    return Forward(data[1], data[2:18], data[18:50], data[50] == 1, data[HEAD:])


def write_control(value: JsonObject) -> bytes:
    """A WebSocket message of kind 0x10."""
    return bytes([CONTROL]) + canonical(value)


def read_control(data: bytes) -> Optional[JsonObject]:
    """What follows the byte 0x10; None where it is no object of an acceptable size."""
    try:
        value: Any = parse(data).value if len(data) <= CONTROL_MAX else None
    except NotJson:
        return None
    return value if isinstance(value, dict) else None


class Impersonated(Exception):
    """Whoever is at the other end is not the relay that the operator named."""


class Refused(Exception):
    """The relay does not register us, or has not answered in time."""


class Membership:
    """This member on one connection with its relay; `handle` and `due` return what is to be said."""

    def __init__(self, name: str, key: SigningKey, relay: Relay, draw: Callable[[int], bytes], now: Now) -> None:
        self._name, self._key, self._relay, self._draw = name, key, relay, draw
        self._nonce: Optional[str] = None
        self._asked: Optional[JsonObject] = None
        self.until: Optional[int] = None
        """Registered until then (wall); None while it is not."""
        self.deadline = now.mono + ANSWER_WITHIN
        """When `due` has something to do (mono)."""

    def handle(self, value: JsonObject, now: Now) -> Optional[JsonObject]:
        """A control object of the relay. Raises Impersonated, Refused."""
        kind = value.get("type")
        if kind == "relay_challenge" and self._nonce is None:
            if value.get("relay_key") != self._relay.key.hex():
                raise Impersonated("it shows another key than the one that was named")
            try:
                self._nonce = parse_hex(value.get("nonce"), 32).hex()
            except ValueError as error:
                raise Refused("a challenge without a nonce") from error
            return self._register(now)
        if kind == "relay_registered" and self._asked is not None:
            self._check(value)
            self.until = parse_stamp(self._asked["expires_at"])
            self.deadline = now.mono + max((self.until - now.wall) // 2, SECOND)
            self._asked = None
        elif kind == "relay_refused" and self._asked is not None:
            raise Refused(str(value.get("code"))[:64])
        return None

    def due(self, now: Now) -> Optional[JsonObject]:
        """The time has come to renew, or to give up. Raises Refused."""
        if now.mono < self.deadline:
            return None
        if self._nonce is None or self._asked is not None:
            raise Refused("no answer within 10 s")
        return self._register(now)

    def _register(self, now: Now) -> JsonObject:
        self._asked = {
            "entity_id": self._name, "expires_at": stamp(now.wall + LIFETIME), "nonce": self._nonce,
            "public_key": self._key.public.hex(), "relay_key": self._relay.key.hex(), "client_nonce": self._draw(32).hex(),
        }  # fmt: skip
        self.deadline = now.mono + ANSWER_WITHIN
        signed = {name: item for name, item in self._asked.items() if name != "client_nonce"}
        told = {name: self._asked[name] for name in ("entity_id", "public_key", "expires_at", "client_nonce")}
        return {"type": "relay_register", **told, "signature": to_base64(self._key.sign_labelled(REGISTER, canonical(signed)))}

    def _check(self, value: JsonObject) -> None:
        try:
            signature = parse_base64(value.get("signature"), 64)
        except ValueError as error:
            raise Impersonated("it does not sign") from error
        if value.get("expires_at") != (self._asked or {}).get("expires_at") or not verify_labelled(
            self._relay.key, REGISTERED, canonical(self._asked), signature
        ):
            raise Impersonated("it cannot sign with the key that was named")


def ack(id: bytes) -> JsonObject:
    """A forward has been dealt with."""
    return {"type": "relay_ack", "id": id.hex()}


class Watch:
    """What a relay hands on and nobody can open casts suspicion on it, `tampers`; see docs/protocol/1.1.md#relay-suspicion."""

    def __init__(self) -> None:
        self._seen: Deque[int] = deque(maxlen=TAMPERED_MIN)

    def refused(self, code: str, now: Now) -> bool:
        """Something that came by it was refused; whether it is suspected from now on."""
        if code not in ("INVALID_SIGNATURE", "DECRYPTION_FAILED"):
            return False
        self._seen.append(now.mono)
        if len(self._seen) < TAMPERED_MIN or self._seen[0] < now.mono - TAMPERED_WITHIN:
            return False
        self._seen.clear()
        return True
