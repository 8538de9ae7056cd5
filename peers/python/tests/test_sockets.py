"""WebSockets: what is said about messages, connections on loopback, and whole processes that lose theirs."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import random
import sys
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple

import pytest
from entity_py.http import Client, Handled, Headers, Server, Switch
from entity_py.layers import Layers
from entity_py.peer.outputs import Transmit
from entity_py.socket_wire import (
    ACCEPT_EVERY, UNANSWERED_BYTES_MAX, UNANSWERED_MAX, Accepted, Answering, Owed, Refused, Violation, read_answer, write_accepted,
    write_refused,
)  # fmt: skip
from entity_py.websocket import Broken, Data, Refusal400, Socket, accept_key, check_upgrade, dial
from websockets.protocol import OPEN, SERVER, Protocol

OPENING = {
    "upgrade": "websocket", "connection": "keep-alive, Upgrade", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "chat, entity.v1",
}  # fmt: skip


def test_answers_have_these_bytes() -> None:
    assert write_accepted(258).hex() == "01" + "0000000000000102"
    assert write_refused(3, 404, b"{}").hex() == "02" + "0000000000000003" + "0194" + "7b7d"
    assert read_answer(write_accepted(7)) == Accepted(7) and read_answer(write_refused(3, 404, b"{}")) == Refused(3, 404, b"{}")
    for wrong in (b"\1", write_accepted(1) + b"\0", b"\2" + bytes(9), write_refused(1, 200, b"")):
        with pytest.raises(Violation):
            read_answer(wrong)


@pytest.mark.parametrize("seed", range(30))
def test_each_message_gets_the_answer_it_was_judged_with_whatever_is_told_together(seed: int) -> None:
    chance = random.Random(seed)
    owed: Owed[int] = Owed()
    answering = Answering()
    judged = [chance.choice([200, 200, 200, 409]) for _ in range(300)]
    told: Dict[int, int] = {}
    wire: List[Optional[bytes]] = []
    for index, status in enumerate(judged, 1):
        assert owed.add(index, 1) == index
        wire.append(answering.judged(index, status, b""))
        if chance.random() < 0.1:
            wire.append(answering.due())
    wire.append(answering.due())
    for data in wire:
        if data is not None:
            for waiting, (status, _) in owed.settle(read_answer(data)):
                assert waiting not in told
                told[waiting] = status
    assert [told[index] for index in range(1, 301)] == judged and len(owed) == 0
    assert sum(1 for data in wire if data is not None and data[0] == 1) >= judged.count(200) // ACCEPT_EVERY


def test_what_is_unanswered_is_bounded_and_an_answer_to_nothing_ends_the_connection() -> None:
    owed: Owed[int] = Owed()
    for index in range(UNANSWERED_MAX):
        assert owed.has_room(1)
        owed.add(index, 1)
    assert not owed.has_room(1)
    for wrong in (Accepted(UNANSWERED_MAX + 1), Refused(0, 400, b""), Refused(UNANSWERED_MAX + 1, 400, b"")):
        with pytest.raises(Violation):
            owed.settle(wrong)
    assert owed.settle(Refused(1, 409, b"")) == [(0, (409, b""))] and owed.settle(Refused(1, 409, b"")) == []
    assert len(owed.give_up()) == UNANSWERED_MAX - 1
    assert owed.has_room(UNANSWERED_BYTES_MAX + 1), "a single one may be larger"
    owed.add(0, UNANSWERED_BYTES_MAX)
    assert not owed.has_room(1)


def test_an_opening_is_that_of_rfc_6455_with_the_subprotocol() -> None:
    assert check_upgrade("GET", OPENING) == OPENING["sec-websocket-key"]
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the example of RFC 6455, section 1.3"
    wrong = [("upgrade", "h2c"), ("connection", "close"), ("sec-websocket-version", "8"), ("sec-websocket-key", "x"), ("sec-websocket-key", "AAAA"),
             ("sec-websocket-protocol", "entity.v2")]  # fmt: skip
    for name, value in wrong:
        with pytest.raises(Refusal400):
            check_upgrade("GET", {**OPENING, name: value})
    with pytest.raises(Refusal400):
        check_upgrade("POST", OPENING)


# -- connections on loopback


class Site:
    """A server with `/ws`, which judges what comes by a function."""

    def __init__(self, name: str, judge: Callable[[Data], Handled]) -> None:
        self.got: List[Data] = []
        self.sockets: List[Socket] = []
        self.links: List[Tuple[str, int]] = []
        self.bases: Dict[str, str] = {}

        def taken(socket: Socket, data: Data) -> "asyncio.Future[Handled]":
            self.got.append(data)
            if socket not in self.sockets:
                self.sockets.append(socket)
            answer: "asyncio.Future[Handled]" = asyncio.get_running_loop().create_future()
            answer.set_result(judge(data))
            return answer

        async def handler(method: str, path: str, body: bytes, local: bool) -> Handled:
            self.got.append(b"http " + path.encode())
            return judge(body)

        self.client = Client()
        self.layers = Layers(name, self.client, True, lambda: 1_048_576, taken, self.bases.get, lambda peer, n: self.links.append((peer, n)))
        self.server = Server(handler, lambda: 1_048_576, self.layers.upgrade)
        self.port = 0

    async def open(self) -> "Site":
        _, self.port = await self.server.listen("127.0.0.1", 0)
        return self

    async def close(self) -> None:
        await self.layers.close()
        await self.server.close()
        await self.client.close()


def judge(data: Data) -> Handled:
    """Whatever ends in `no` is refused."""
    return (409, b'{"detail":"no"}', None) if data[-2:] in ("no", b"no") else (200, b"{}", None)


def both(check: Callable[[Site, Site], Awaitable[None]]) -> None:
    async def main() -> None:
        one, other = await Site("a", judge).open(), await Site("b", judge).open()
        try:
            await asyncio.wait_for(check(one, other), 30)
        finally:
            await one.close()
            await other.close()

    asyncio.run(main())


def letter(base: str, body: bytes, path: str = "/message", to: Optional[str] = "b") -> Transmit:
    return Transmit(1, base, "POST", path, body, 10_000_000, to)


def test_messages_go_over_one_connection_and_each_gets_its_answer() -> None:
    async def check(one: Site, other: Site) -> None:
        base = one.bases["b"] = f"http://127.0.0.1:{other.port}"
        told = await asyncio.gather(*(one.layers.transmit(letter(base, b"%d %s" % (n, b"no" if n % 3 == 0 else b"ok"))) for n in range(1, 300)))
        assert [status for status, _ in told] == [409 if n % 3 == 0 else 200 for n in range(1, 300)]
        assert told[2][1] == b'{"detail":"no"}'
        assert len(other.sockets) == 1 and all(isinstance(data, str) for data in other.got)
        assert other.got == [f"{n} {'no' if n % 3 == 0 else 'ok'}" for n in range(1, 300)]
        frame = b"\x11" + bytes(50)
        assert (await one.layers.transmit(letter(base, len(frame).to_bytes(4, "big") + frame, "/frame")))[0] == 200
        assert other.got[-1] == frame
        # The other way, over the same connection, once it is known who is there.
        other.layers.bind(other.sockets[0], "a")
        assert await other.layers.transmit(letter("", b"back", to="a")) == (200, b"") and one.got == ["back"]
        assert one.links == [("b", 1)] and other.links == [("a", 1)]

    both(check)


def test_what_a_broken_connection_did_not_answer_goes_by_http_and_the_connection_returns() -> None:
    async def check(one: Site, other: Site) -> None:
        base = one.bases["b"] = f"http://127.0.0.1:{other.port}"
        assert await one.layers.transmit(letter(base, b"one")) == (200, b"")
        other.sockets[0].close()
        assert (await one.layers.transmit(letter(base, b"two")))[0] == 200
        while len(other.sockets) < 2:
            assert (await one.layers.transmit(letter(base, b"more")))[0] == 200
            await asyncio.sleep(0)
        assert set(other.got) <= {"one", "two", "more", b"http /message"}

    both(check)


def test_connections_that_end_at_once_are_dialled_again_with_pauses() -> None:
    async def check(one: Site, other: Site) -> None:
        dialled: List[float] = []
        clock = asyncio.get_running_loop().time

        async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
            writer.close()

        answers = other.server._upgrade

        def upgrade(method: str, path: str, headers: Headers) -> Optional[Switch]:
            found = answers(method, path, headers)
            if found is None:
                return None
            dialled.append(clock())
            return found[0], at_once

        other.server._upgrade = upgrade
        base = one.bases["b"] = f"http://127.0.0.1:{other.port}"
        while len(dialled) < 4:
            # Messages do not wait for that: they go by HTTP.
            assert (await one.layers.transmit(letter(base, b"by http")))[0] == 200
            await asyncio.sleep(0)
        pauses = [later - earlier for earlier, later in zip(dialled, dialled[1:])]
        assert all(pause >= least for pause, least in zip(pauses, (0.125, 0.25, 0.5))), pauses

    both(check)


def test_without_a_websocket_at_the_other_end_http_is_used() -> None:
    async def check(one: Site, other: Site) -> None:
        other.layers._serves = False
        base = one.bases["b"] = f"http://127.0.0.1:{other.port}"
        assert (await one.layers.transmit(letter(base, b"one")))[0] == 200
        assert (await one.layers.transmit(letter(base, b"x", to=None)))[0] == 200
        assert other.got[-1] == b"http /message"

    both(check)


def test_a_peer_of_websockets_alone_is_unreachable_while_there_is_none() -> None:
    async def check(one: Site, other: Site) -> None:
        base = one.bases["b"] = f"ws://127.0.0.1:{other.port}"
        assert await one.layers.transmit(letter(base, b"one")) == (200, b"") and other.got == ["one"]
        with pytest.raises(ConnectionError):
            await one.layers.transmit(letter("", b"two", to="nobody"))

    both(check)


def test_rubbish_ends_a_connection_and_a_message_that_is_too_long_too() -> None:
    async def check(one: Site, other: Site) -> None:
        async def socket() -> Tuple[Socket, "asyncio.Task[None]"]:
            reader, writer, first = await dial("127.0.0.1", other.port, "")
            made = Socket(reader, writer, True, 1_048_576, lambda socket, data: asyncio.get_running_loop().create_future())
            return made, asyncio.get_running_loop().create_task(made.run(first))

        for rubbish in (write_accepted(1), b"\1", b"\2"):
            made, running = await socket()
            made.tell(rubbish)
            await running
            with pytest.raises(Broken):
                await made.send("late")
        made, running = await socket()
        with pytest.raises(Broken):
            await made.send("x" * (1_048_576 + 65))
        await running
        made, running = await socket()
        assert (await made.send("x" * (1_048_576 + 64)))[0] == 200
        assert (await made.send(b"\x77 no"))[0] == 409
        made.tell(b"\x10{}")
        assert (await made.send(b""))[0] == 200
        made.close()
        await running

    both(check)


def test_nothing_goes_over_a_connection_that_the_other_side_has_ended() -> None:
    async def main() -> None:
        failures: List[BaseException] = []

        def control(socket: Socket, data: bytes) -> None:
            # In the same read as the end of the connection, which is known already.
            socket.tell(b"\x10{}")
            sending = socket.send("late")
            try:
                sending.send(None)
            except BaseException as failure:
                failures.append(failure)
            assert not socket.is_open

        async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            wire = Protocol(SERVER, state=OPEN)
            wire.send_binary(b"\x10{}")
            wire.send_close(1001)
            writer.write(b"".join(wire.data_to_send()))
            await reader.read()
            writer.close()

        server = await asyncio.start_server(ends, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        made = Socket(reader, writer, True, 1_048_576, lambda socket, data: asyncio.get_running_loop().create_future(), control)
        await asyncio.wait_for(made.run(), 30)
        assert [type(failure) for failure in failures] == [Broken]
        server.close()

    asyncio.run(main())


def test_a_connection_whose_other_side_takes_nothing_can_be_ended() -> None:
    async def main() -> None:
        over = asyncio.Event()

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await over.wait()
            writer.close()

        server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1_024)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        made = Socket(reader, writer, True, 1_048_576, lambda socket, data: asyncio.get_running_loop().create_future())
        running = asyncio.get_running_loop().create_task(made.run())
        await asyncio.sleep(0)
        while not writer.transport.get_write_buffer_size():
            made.tell(bytes(1_048_576))
        made.close()
        await asyncio.wait_for(running, 5)
        over.set()
        server.close()

    asyncio.run(main())


def test_an_opening_without_the_subprotocol_is_answered_400() -> None:
    async def check(one: Site, other: Site) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", other.port)
        head = {**OPENING, "sec-websocket-protocol": "chat"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"GET /ws HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()

    both(check)


# -- whole processes


class Process:
    """One peer as a program, driven by the contract."""

    def __init__(self, name: str, folder: pathlib.Path, **env: str) -> None:
        self.name, self.folder, self.env = name, folder, env
        self.events: List[Dict[str, Any]] = []
        self.key = self.address = ""
        self._count = 0
        self._open: Dict[int, "asyncio.Future[Any]"] = {}

    async def start(self) -> "Process":
        env = {
            **os.environ, "HANDFAST_NAME": self.name, "HANDFAST_LISTEN": "127.0.0.1:0", "HANDFAST_DATA_DIR": str(self.folder / self.name),
            "HANDFAST_PROTOCOL": "1.1", "ENTITY_WS": "true", "ENTITY_FRAMES": "auto", "PYTHONPATH": "src", **self.env,
        }  # fmt: skip
        (self.folder / self.name).mkdir(exist_ok=True)
        pipe = asyncio.subprocess.PIPE
        here = pathlib.Path(__file__).resolve().parents[1]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "entity_py", "--test-peer", "--log", "warn", stdin=pipe, stdout=pipe, env=env, cwd=here, limit=1 << 22
        )
        self._reading = asyncio.get_running_loop().create_task(self._read())
        told = await self.call("initialize", contract="1")
        self.key, self.address = told["keys"]["ed25519"], told["addresses"]["http"]
        return self

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            value = json.loads(line)
            if "id" in value:
                self._open.pop(value["id"]).set_result(value)
            else:
                self.events.append(value)

    async def call(self, method: str, **params: Any) -> Any:
        self._count += 1
        self._open[self._count] = asyncio.get_running_loop().create_future()
        assert self.process.stdin is not None
        answer = self._open[self._count]
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": self._count, "method": method, "params": params}).encode() + b"\n")
        value = await asyncio.wait_for(answer, 60)
        assert "result" in value, value
        return value["result"]

    def received(self) -> List[Any]:
        return [event["params"]["body"] for event in self.events if event["method"] == "message.received"]

    async def stop(self) -> None:
        await self.call("shutdown")
        assert await asyncio.wait_for(self.process.wait(), 30) == 0
        await self._reading


class Wire:
    """Passes connections on to an address, and remembers how each began; WebSockets can be cut."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.split("//")[1].rpartition(":")
        self._port = int(port)
        self.begun: List[bytes] = []
        self.sockets: List[asyncio.StreamWriter] = []
        self._tasks: List["asyncio.Task[None]"] = []

    async def open(self) -> "Wire":
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection(self._host, self._port)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, note: bool) -> None:
            try:
                while data := await source.read(65_536):
                    if note and data[:5] in (b"POST ", b"GET /"):
                        self.begun.append(data.split(b" HTTP", 1)[0])
                        if data.startswith(b"GET /ws"):
                            self.sockets.append(writer)
                    target.write(data)
            except OSError:
                pass
            target.close()

        loop = asyncio.get_running_loop()
        self._tasks += [loop.create_task(pump(reader, to, True)), loop.create_task(pump(there, writer, False))]

    def cut(self) -> None:
        for writer in self.sockets:
            writer.transport.abort()
        self.sockets.clear()

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()


def test_two_processes_talk_over_websockets_and_nothing_is_lost_or_doubled_when_these_break(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        one, other = await Process("a", tmp_path).start(), await Process("b", tmp_path).start()
        wire = await Wire(other.address).open()
        await one.call("peer.add", name="b", address=wire.address, key=other.key)
        await other.call("peer.add", name="a", address=one.address, key=one.key)
        await one.call("session.open", to="b")
        await one.call("message.send", to="b", body={"n": -1})
        assert any(begun.startswith(b"GET /ws") for begun in wire.begun)
        before = len(wire.begun)
        for count in range(200):
            await one.call("message.send", to="b", body={"n": count})
            await other.call("message.send", to="a", body={"n": count})
        assert len(wire.begun) == before, "everything went over the WebSocket"
        for count in range(200, 500):
            if count % 30 == 0:
                wire.cut()
            await one.call("message.send", to="b", body={"n": count}, durable=True)
            await other.call("message.send", to="a", body={"n": count}, durable=True)
        deadline = asyncio.get_running_loop().time() + 40
        while len(other.received()) < 501 or len(one.received()) < 500:
            assert asyncio.get_running_loop().time() < deadline, (len(other.received()), len(one.received()))
            await one.call("stats")
            await asyncio.sleep(0.05)
        assert other.received() == [{"n": count} for count in range(-1, 500)]
        assert one.received() == [{"n": count} for count in range(500)]
        assert sum(begun.startswith(b"GET /ws") for begun in wire.begun) > 1, "the connection came back"
        await one.stop()
        await other.stop()
        await wire.close()

    asyncio.run(main())


def test_a_peer_that_nobody_can_dial_is_reached_over_the_connection_it_opened(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        one, other = await Process("a", tmp_path).start(), await Process("b", tmp_path).start()
        # What `a` announces leads nowhere: only its own connection does.
        await one.call("peer.add", name="b", address=other.address.replace("http", "ws"), key=other.key)
        await other.call("peer.add", name="a", address="ws://127.0.0.1:1", key=one.key)
        await one.call("session.open", to="b")
        sent = await other.call("message.send", to="a", body={"n": 1})
        assert sent["status"] == 200
        await one.call("message.send", to="b", body={"n": 2})
        assert one.received() == [{"n": 1}] and other.received() == [{"n": 2}]
        await one.stop()
        await other.stop()

    asyncio.run(main())
