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
from entity_py.relay_wire import (
    ANSWER_WITHIN, LIFETIME, REGISTERED, RELAYS_MAX, TAMPERED_MIN, TAMPERED_WITHIN, Forward, Impersonated, Membership, Refused, Relay, Watch,
    ack, parse_relays, read_control, read_forward, write_control,
)  # fmt: skip
from entity_py.socket_wire import CONTROL_MAX, SUBPROTOCOL
from entity_py.strictjson import JsonObject, canonical
from entity_py.times import Now
from entity_py.v11.frame import join
from entity_py.websocket import Data, Socket, accept_key, check_upgrade
from test_sockets import Process

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
    for wrong in ("http://a:1#" + "00" * 32, "ws://a:1", "ws://a#" + "00" * 32, "ws://a:1#" + "AA" * 32, ",".join([one] * (RELAYS_MAX + 1))):
        with pytest.raises(ConfigError, match="ENTITY_RELAY"):
            read([], {"ENTITY_RELAY": wrong}, str)
    assert read([], {"ENTITY_RELAY": one}, str).config.websocket and read([], {"ENTITY_RELAY": one}, str).config.http
    assert not read([], {"ENTITY_RELAY": one, "ENTITY_WS": "only"}, str).config.http
    with pytest.raises(ConfigError, match="ENTITY_WS"):
        read([], {"ENTITY_RELAY": one, "ENTITY_WS": "false"}, str)


# -- whole processes


class Station:
    """A relay for members and for whoever posts to their mailboxes; `key` signs, `bend` changes what it hands on."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        self.bases: Dict[bytes, str] = {}
        self.acks: List[str] = []
        self.passed: List[Tuple[str, bool]] = []
        self.bend: Callable[[bytes], bytes] = lambda message: message
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
            socket = Socket(reader, writer, False, 1_048_576, taken, control)
            socket.tell(write_control({"type": "relay_challenge", "nonce": nonce, "relay_key": RELAY.public.hex()}))
            await socket.run(first)

        return answer, switched


async def eventually(holds: Any, what: str) -> None:
    deadline = asyncio.get_running_loop().time() + 60
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.02)


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
