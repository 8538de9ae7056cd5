"""Relays: what is signed and wrapped, who counts as a member, and whole processes of which one is reached by a relay alone."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from entity_py.codes import Refusal
from entity_py.config import ConfigError, read
from entity_py.crypto import SigningKey
from entity_py.encoding import parse_stamp, to_base64
from entity_py.http import Client, Handled, Headers, Server, Switch
from entity_py.layers import Layers
from entity_py.peer.outputs import Transmit
from entity_py.relay_wire import (
    ANSWER_WITHIN, LIFETIME, REGISTERED, RELAYS_MAX, TAMPERED_MIN, TAMPERED_WITHIN, Forward, Impersonated, Membership, Refused, Relay, Watch,
    ack, parse_relays, read_control, read_forward, write_control,
)  # fmt: skip
from entity_py.relays import WATCHED_MAX, Relays, _Link
from entity_py.socket_wire import CONTROL_MAX, SUBPROTOCOL
from entity_py.strictjson import JsonObject, canonical
from entity_py.times import MINUTE, Now
from entity_py.v11.frame import join
from entity_py.websocket import Data, Socket, accept_key, check_upgrade
from test_sockets import Process
from websockets.protocol import OPEN, SERVER, Protocol

MEMBER, RELAY = SigningKey(bytes([2]) * 32), SigningKey(bytes([9]) * 32)
UNTIL = "2026-01-02T03:04:05.000006+00:00"
NOW = Now(0, parse_stamp(UNTIL) - LIFETIME)
CHALLENGE: JsonObject = {"type": "relay_challenge", "nonce": "ab" * 32, "relay_key": RELAY.public.hex()}


def membership() -> Membership:
    return Membership("carol", MEMBER, Relay("127.0.0.1:1", RELAY.public), lambda count: b"\xcd" * count, NOW)


def registered(signature: str, until: str = UNTIL) -> JsonObject:
    return {"type": "relay_registered", "expires_at": until, "signature": signature}


GENUINE = registered("pNqHPe4eYvBoroCyJG4wvOTbjyoYXM3sJL1qIi+TjkVI70IXTxl7steIAsXV2j9dzEoOXWivsfwKJjj96t1mBQ==")


def test_a_registration_and_a_forward_have_these_bytes() -> None:
    said = membership().handle(CHALLENGE, NOW)
    assert said == {
        "type": "relay_register", "entity_id": "carol", "public_key": MEMBER.public.hex(), "expires_at": UNTIL, "client_nonce": "cd" * 32,
        "signature": "uQ1Heh8+oYTjRdl9WfnmQVJ5pQC8LgB5TyPtq+Ny1mpD3W0HAgpy6tdBaM5+eZN7lGf/yj0m2Po40k8bBTwJAg==",
    }  # fmt: skip
    assert write_control(ack(b"\7" * 16)) == b'\x10{"id":"' + b"07" * 16 + b'","type":"relay_ack"}'
    forward = Forward(1, b"\7" * 16, MEMBER.public, True, b"\x11rest")
    assert forward.write().hex() == "2001" + "07" * 16 + MEMBER.public.hex() + "01" + "1172657374" and read_forward(forward.write()) == forward
    whole = forward.write()
    for wrong in (whole[:51], b"\x21" + whole[1:], whole[:1] + b"\x09" + whole[2:], whole[:50] + b"\x02" + whole[51:], b""):
        with pytest.raises(Refusal):
            read_forward(wrong)
    assert read_control(b"[]") is None and read_control(b"{") is None and read_control(b'{"a":"' + b"x" * CONTROL_MAX + b'"}') is None


def test_whoever_shows_another_key_or_cannot_sign_with_its_own_impersonates_the_relay() -> None:
    with pytest.raises(Impersonated):
        membership().handle({**CHALLENGE, "relay_key": MEMBER.public.hex()}, NOW)
    claimed = to_base64(MEMBER.sign_labelled(REGISTERED, b"{}"))
    for wrong in (registered(claimed), registered(""), {**GENUINE, "expires_at": "2026-01-02T03:04:06.000006+00:00"}, {"type": "relay_registered"}):
        asked = membership()
        asked.handle(CHALLENGE, NOW)
        with pytest.raises(Impersonated):
            asked.handle(wrong, NOW)
        assert asked.until is None


def test_a_registration_is_renewed_at_its_half_and_a_relay_that_does_not_answer_is_left() -> None:
    one = membership()
    assert one.due(NOW) is None and one.handle(GENUINE, NOW) is None, "nothing was asked"
    one.handle(CHALLENGE, NOW)
    assert one.handle({"type": "relay_new"}, NOW) is None and one.deadline == ANSWER_WITHIN
    one.handle(GENUINE, NOW)
    assert (one.until, one.deadline) == (parse_stamp(UNTIL), LIFETIME // 2)
    half = Now(LIFETIME // 2, NOW.wall + LIFETIME // 2)
    again = one.due(half)
    assert again is not None and parse_stamp(again["expires_at"]) == half.wall + LIFETIME and again["signature"] != GENUINE["signature"]
    for late in (one, membership()):
        with pytest.raises(Refused):
            late.due(Now(late.deadline, half.wall + ANSWER_WITHIN))
    refused = membership()
    refused.handle(CHALLENGE, NOW)
    with pytest.raises(Refused, match="UNKNOWN_SENDER"):
        refused.handle({"type": "relay_refused", "code": "UNKNOWN_SENDER"}, NOW)


def test_a_relay_is_suspected_when_several_messages_within_ten_minutes_do_not_open() -> None:
    watch = Watch()
    told = [watch.refused("DECRYPTION_FAILED", Now(n, 0)) for n in range(2 * TAMPERED_MIN)]
    assert told == [False, False, True] * 2
    assert not any(watch.refused("SEQUENCE_ERROR", Now(0, 0)) for _ in range(9))
    slow = Watch()
    assert not any(slow.refused("INVALID_SIGNATURE", Now(n * TAMPERED_WITHIN, 0)) for n in range(9))


def test_the_operator_names_relays_with_their_keys() -> None:
    one = f"ws://127.0.0.1:8000#{RELAY.public.hex()}"
    assert parse_relays(f"{one}, {one}") == [Relay("127.0.0.1:8000", RELAY.public)] * 2
    assert parse_relays(one)[0].mailbox(MEMBER.public) == f"http://127.0.0.1:8000/relay/{MEMBER.public.hex()}"
    ports = [f"ws://127.0.0.1:{port}#{RELAY.public.hex()}" for port in (0, 65_536, 99_999)]
    assert parse_relays(f"ws://127.0.0.1:65535#{RELAY.public.hex()}")
    shapes = ["http://a:1#" + "00" * 32, "ws://a:1", "ws://a#" + "00" * 32, "ws://a:1#" + "AA" * 32, ",".join([one] * (RELAYS_MAX + 1))]
    for wrong in shapes + ports:
        with pytest.raises(ConfigError, match="ENTITY_RELAY"):
            read([], {"ENTITY_RELAY": wrong}, str)
    assert read([], {"ENTITY_RELAY": one}, str).config.websocket and read([], {"ENTITY_RELAY": one}, str).config.http
    assert not read([], {"ENTITY_RELAY": one, "ENTITY_WS": "only"}, str).config.http
    with pytest.raises(ConfigError, match="ENTITY_WS"):
        read([], {"ENTITY_RELAY": one, "ENTITY_WS": "false"}, str)


# -- connections on loopback


class Station:
    """A relay for members and for whoever posts to their mailboxes; `key` signs, `bend` changes what it hands on."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        self.bases: Dict[bytes, str] = {}
        self.acks: List[str] = []
        self.passed: List[Tuple[str, bool]] = []
        self.bend: Callable[[bytes], bytes] = lambda message: message
        self.refuses: Optional[Tuple[int, bytes]] = None
        """What it answers instead of handing anything on."""
        self.curt = 0
        """How many connections it ends in the breath in which it greets."""
        self._members: Dict[bytes, Socket] = {}
        self._client = Client()
        self._server = Server(self._posted, lambda: 1_048_576, self._upgrade)
        self.address = ""

    async def open(self) -> "Station":
        _, port = await self._server.listen("127.0.0.1", 0)
        self.address = f"127.0.0.1:{port}"
        return self

    async def close(self) -> None:
        for socket in self._members.values():
            socket.close()
        await self._server.close()
        await self._client.close()

    async def _posted(self, method: str, path: str, body: bytes, local: bool) -> Handled:
        _, _, key, endpoint = path.split("/")
        frames = [body] if endpoint == "message" else [body[4:]]
        status, answer = await self._hand_on(bytes.fromhex(key), endpoint == "frame", frames[0])
        if endpoint == "frame" and status == 200:
            answer = b'{"results":["ok"]}'
        return status, answer or b"{}", None

    async def _hand_on(self, to: bytes, is_frame: bool, message: bytes) -> Tuple[int, bytes]:
        self.passed.append((to.hex(), is_frame))
        message = self.bend(message)
        if self.refuses is not None:
            return self.refuses
        if to in self._members:
            return await self._members[to].send(Forward(1, os.urandom(16), to, is_frame, message).write())
        status, body = await self._client.request(self.bases[to], "POST", "/frame" if is_frame else "/message", join([message]) if is_frame else message, 5)
        if is_frame and status == 200 and json.loads(body)["results"] != ["ok"]:
            return 400, json.dumps({"error": {"code": json.loads(body)["results"][0]}}).encode()
        return status, body

    def _upgrade(self, method: str, path: str, headers: Headers) -> Optional[Switch]:
        if path != "/ws":
            return None
        answer = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(check_upgrade(method, headers))),
            ("Sec-WebSocket-Protocol", SUBPROTOCOL),
        ]  # fmt: skip
        nonce = os.urandom(32).hex()

        def control(socket: Socket, data: bytes) -> None:
            value = json.loads(data)
            if value["type"] == "relay_ack":
                self.acks.append(value["id"])
                return
            signed = {name: value[name] for name in ("entity_id", "public_key", "expires_at", "client_nonce")}
            signature = self.key.sign_labelled(REGISTERED, canonical({**signed, "nonce": nonce, "relay_key": RELAY.public.hex()}))
            self._members[bytes.fromhex(value["public_key"])] = socket
            socket.tell(write_control(registered(to_base64(signature), value["expires_at"])))

        def taken(socket: Socket, data: Data) -> "asyncio.Future[Handled]":
            assert isinstance(data, bytes)
            forward = read_forward(data)

            async def handed() -> Handled:
                status, body = await self._hand_on(forward.to, forward.is_frame, forward.message)
                return status, body, None

            return asyncio.get_running_loop().create_task(handed())

        async def switched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
            challenge = write_control({"type": "relay_challenge", "nonce": nonce, "relay_key": RELAY.public.hex()})
            if self.curt:
                self.curt -= 1
                wire = Protocol(SERVER, state=OPEN)
                wire.send_binary(challenge)
                wire.send_close(1001)
                writer.write(b"".join(wire.data_to_send()))
                await reader.read()
                return
            socket = Socket(reader, writer, False, 1_048_576, taken, control)
            socket.tell(challenge)
            await socket.run(first)

        return answer, switched


class Member:
    """The relays of a node without the node: what it was told, and what it had to say."""

    def __init__(self, *stations: Station) -> None:
        self.now = 0
        self.misled: List[Tuple[str, str]] = []
        self.logged: List[str] = []
        self.relays = Relays(
            "carol", MEMBER, tuple(Relay(station.address, RELAY.public) for station in stations), lambda: 1_048_576,
            lambda message, is_frame: asyncio.get_running_loop().create_future(), lambda: Now(self.now, NOW.wall + self.now),
            lambda address, key, why: self.misled.append((address, why)), lambda level, text: self.logged.append(text),
        )  # fmt: skip

    async def send(self, message: bytes) -> Tuple[int, bytes]:
        return await self.relays.send(MEMBER.public, False, message, 10)


def refusal(code: str) -> bytes:
    return json.dumps({"detail": code, "error": {"code": code, "message": code}}).encode()


def with_stations(count: int, check: Callable[..., Any]) -> None:
    async def main() -> None:
        stations = [await Station(RELAY).open() for _ in range(count)]
        try:
            await asyncio.wait_for(check(*stations), 30)
        finally:
            for station in stations:
                await station.close()

    asyncio.run(main())


async def eventually(holds: Any, what: str) -> None:
    deadline = asyncio.get_running_loop().time() + 60
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.02)


def test_a_relay_that_greets_and_ends_the_connection_in_one_breath_is_come_back_to() -> None:
    async def check(station: Station) -> None:
        station.curt = 2
        member = Member(station)
        member.relays.start()
        await eventually(lambda: member.relays._links[0].is_registered, "it registers in the end")
        assert station.curt == 0 and member.logged == []
        await member.relays.close()

    with_stations(1, check)


def test_a_failure_that_nobody_thought_of_is_logged_and_the_relay_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(station: Station) -> None:
        member, handle = Member(station), Membership.handle

        def failing(self: Membership, value: JsonObject, now: Now) -> Optional[JsonObject]:
            monkeypatch.setattr(Membership, "handle", handle)
            raise RuntimeError("no idea")

        monkeypatch.setattr(Membership, "handle", failing)
        member.relays.start()
        await eventually(lambda: member.relays._links[0].is_registered, "it registers in the end")
        assert member.logged == [f"the connection with relay ws://{station.address} failed: RuntimeError: no idea"]
        await member.relays.close()

    with_stations(1, check)


def test_a_relay_that_does_not_register_us_is_left_without_spinning() -> None:
    async def main() -> None:
        class Slow:
            """A connection that is slow to end."""

            is_open = True

            def close(self) -> None:
                self.is_open = False

        station = Station(RELAY)
        member, link = Member(station), _Link(Relay("127.0.0.1:1", RELAY.public))
        link.membership, link.socket = membership(), Slow()  # type: ignore[assignment]
        member.now = ANSWER_WITHIN
        await asyncio.wait_for(member.relays._watch(link), 5)
        assert len(member.logged) == 1 and "no answer" in member.logged[0]

    asyncio.run(main())


@pytest.mark.parametrize("code", ["UNKNOWN_RECIPIENT", "SERVICE_UNAVAILABLE", "DECRYPTION_FAILED", "INVALID_SIGNATURE"])
def test_what_one_relay_does_not_take_goes_by_the_next_one_as_it_is(code: str) -> None:
    async def check(near: Station, far: Station) -> None:
        member = Member(near, far)
        near.refuses, far.refuses = (400, refusal(code)), (200, b"")
        member.relays.start()
        assert (await member.send(b"{}"))[0] == 200
        assert len(near.passed) == len(far.passed) == 1
        # Where none takes it, the first has said why; and what the recipient does not want goes nowhere else.
        far.refuses = (404, refusal("UNKNOWN_RECIPIENT"))
        assert await member.send(b"{}") == near.refuses
        near.refuses = (409, refusal("SEQUENCE_ERROR"))
        assert await member.send(b"{}") == near.refuses and len(far.passed) == 2
        await member.relays.close()

    with_stations(2, check)


def test_what_fails_by_http_goes_by_a_relay_but_for_questions_whether_a_peer_lives() -> None:
    async def check(near: Station, far: Station) -> None:
        member, client = Member(far), Client()
        far.refuses = (200, b"")
        member.relays.start()
        layers = Layers(
            "carol", client, True, lambda: 1_048_576, lambda socket, data: asyncio.get_running_loop().create_future(), lambda peer: None,
            lambda peer, n: None, True, member.relays, lambda peer: MEMBER.public,
        )  # fmt: skip
        gone = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        base = f"http://127.0.0.1:{gone.sockets[0].getsockname()[1]}"

        def letter(base: str, path: str = "/message", to: Optional[str] = "b") -> Transmit:
            return Transmit(1, base, "POST", path, b"{}", 10_000_000, to)

        assert (await layers.transmit(letter(base)))[0] == 200 and len(far.passed) == 1
        for what in (letter(base, "/health"), letter(base, to=None)):
            with pytest.raises(OSError):
                await layers.transmit(what)
        # A mailbox is a relay as well.
        near.refuses = (404, refusal("UNKNOWN_RECIPIENT"))
        assert (await layers.transmit(letter(f"http://{near.address}/relay/{MEMBER.public.hex()}")))[0] == 200 and len(far.passed) == 2
        far.refuses = (503, refusal("SERVICE_UNAVAILABLE"))
        assert await layers.transmit(letter(f"http://{near.address}/relay/{MEMBER.public.hex()}")) == near.refuses
        # And the one that was asked by HTTP is not asked once more.
        assert await layers.transmit(letter(f"http://{far.address}/relay/{MEMBER.public.hex()}")) == far.refuses and len(far.passed) == 4
        with pytest.raises(ConnectionResetError):
            await member.relays.close()
            await layers.transmit(letter(base))
        gone.close()
        await layers.close()
        await client.close()

    with_stations(2, check)


def test_a_suspicion_is_told_once_until_it_lapses() -> None:
    member = Member()
    for minute, told in ((0, 1), (9, 1), (18, 1), (28, 2)):
        member.now = minute * MINUTE
        member.relays._suspect("ws://r:1", None, "impersonates")
        assert len(member.misled) == told, minute
    member.relays._suspect("ws://r:1", None, "tampers")
    member.relays._suspect("ws://r:2", None, "impersonates")
    assert member.misled[2:] == [("ws://r:1", "tampers"), ("ws://r:2", "impersonates")]
    for count in range(2 * WATCHED_MAX):
        member.relays._suspect(f"ws://{count}:1", None, "tampers")
    assert len(member.relays._suspected) == WATCHED_MAX


# -- whole processes


def by_relay(tmp_path: pathlib.Path, frames: str, check: Any, key: SigningKey = RELAY) -> None:
    """`a` has a WebSocket with the relay and nothing else; `b` has HTTP and nothing else."""

    async def main() -> None:
        station = await Station(key).open()
        way = f"ws://{station.address}#{RELAY.public.hex()}"
        one = await Process("a", tmp_path, ENTITY_WS="only", ENTITY_RELAY=way, ENTITY_FRAMES=frames).start()
        other = await Process("b", tmp_path, ENTITY_WS="false", ENTITY_FRAMES=frames).start()
        station.bases[bytes.fromhex(other.key)] = other.address
        await one.call("peer.add", name="b", address=other.address, key=other.key)
        await other.call("peer.add", name="a", address=f"http://{station.address}/relay/{one.key}", key=one.key)
        try:
            await check(station, one, other)
        finally:
            await one.stop()
            await other.stop()
            await station.close()

    asyncio.run(main())


@pytest.mark.parametrize("frames", ["never", "always"])
def test_a_peer_of_websockets_alone_and_one_of_http_alone_talk_both_ways_by_a_relay(tmp_path: pathlib.Path, frames: str) -> None:
    async def check(station: Station, one: Process, other: Process) -> None:
        await one.call("session.open", to="b")
        for count in range(5):
            assert (await one.call("message.send", to="b", body={"n": count}))["status"] == 200
            assert (await other.call("message.send", to="a", body={"n": count}))["status"] == 200
            await other.call("message.send", to="a", body={"d": count}, durable=True)
        await eventually(lambda: len(one.received()) == 10, "durable messages come by the relay")
        assert other.received() == [{"n": count} for count in range(5)]
        assert [body for body in one.received() if "d" in body] == [{"d": count} for count in range(5)]
        assert any(is_frame for _, is_frame in station.passed) == (frames == "always")
        to_one = sum(to == one.key for to, _ in station.passed)
        await eventually(lambda: len(station.acks) >= to_one, "everything handed on is acknowledged")
        assert len(set(station.acks)) == len(station.acks)

    by_relay(tmp_path, frames, check)


def test_a_relay_that_changes_what_it_hands_on_is_named_by_both_ends(tmp_path: pathlib.Path) -> None:
    async def check(station: Station, one: Process, other: Process) -> None:
        await one.call("session.open", to="b")
        station.bend = lambda message: message.replace(b'"sealed":"', b'"sealed":"A', 1)
        for count in range(TAMPERED_MIN):
            await other.call("message.send", to="a", body={"n": count}, durable=True)

        def suspected(peer: Process) -> List[Any]:
            return [event["params"] for event in peer.events if event["method"] == "relay.suspected"]

        await eventually(lambda: suspected(one) and suspected(other), "both see that nothing opens")
        assert (suspected(one)[0]["relay"], suspected(one)[0]["key"]) == (f"ws://{station.address}", RELAY.public.hex())
        assert (suspected(other)[0]["relay"], suspected(other)[0]["key"]) == (f"http://{station.address}", None)
        assert {params["why"] for params in suspected(one) + suspected(other)} == {"tampers"} and one.received() == []

    by_relay(tmp_path, "never", check)


def test_a_relay_that_cannot_sign_with_the_named_key_is_named_and_left(tmp_path: pathlib.Path) -> None:
    async def check(station: Station, one: Process, other: Process) -> None:
        await eventually(lambda: [event for event in one.events if event["method"] == "relay.suspected"], "it is named")
        event = next(event["params"] for event in one.events if event["method"] == "relay.suspected")
        assert (event["why"], event["relay"]) == ("impersonates", f"ws://{station.address}") and station.passed == []

    by_relay(tmp_path, "never", check, key=MEMBER)


def test_a_peer_of_websockets_alone_takes_no_message_by_http(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        one = await Process("a", tmp_path, ENTITY_WS="only").start()
        client = Client()
        for path in ("/message", "/frame"):
            assert (await client.request(one.address, "POST", path, b"", 30))[0] == 404
        await client.close()
        await one.stop()

    asyncio.run(main())
