"""Transfers between whole peers, with real files."""

from __future__ import annotations

import base64
import functools
import hashlib
import pathlib
import random
from typing import Any, Dict, List

import pytest
from cores import Body, Cores

BIG = {"text": "abc" * 400_000}


def rows(world: Cores, name: str) -> List[Dict[str, Any]]:
    """Its `transfer.list`."""
    found: List[Dict[str, Any]] = world.bodies[name].call("transfer.list")["transfers"]
    return found


def is_offered(body: Body) -> bool:
    """Whether a transfer was offered to it."""
    return bool(body.told("transfer.offered"))


def test_a_file_arrives_identical_and_is_told_of_on_both_sides(tmp_path: pathlib.Path) -> None:
    world = Cores("a", "b", versions=("1.1",), folder=str(tmp_path))
    a, b = world.bodies.values()
    made = a.call("file.make", name="data.bin", size=1_000_001, seed=7)
    id = a.call("transfer.send", to="b", path=made["path"])["id"]
    world.run(5)
    (offered,) = b.told("transfer.offered")
    assert (offered["id"], offered["name"], offered["size"], offered["state"]) == (id, "data.bin", 1_000_001, "open")
    (done,) = b.told("transfer.done")
    assert b.call("file.digest", path=done["path"]) == {"size": 1_000_001, "sha256": made["sha256"]}
    assert [row["state"] for name in "ab" for row in rows(world, name)] == ["done", "done"]
    assert [event["received"] for event in a.told("transfer.done")] == [1_000_001]
    assert not list((tmp_path / "b" / "parts").iterdir())


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_message_of_more_than_a_megabyte_arrives_once_as_that_message(version: str, tmp_path: pathlib.Path) -> None:
    world = Cores("a", "b", versions=(version,), folder=str(tmp_path))
    a, b = world.bodies.values()
    a.call("session.open", to="b")
    answer = a.call("message.send", to="b", body=BIG)
    assert (answer["version"], answer["sealed"], answer["status"]) == (version, True, 200)
    world.run(5)
    (received,) = b.told("message.received")
    assert (received["type"], received["body"], received["sealed"]) == ("message", BIG, True)


def test_small_data_and_nothing_at_all_are_transfers_too(tmp_path: pathlib.Path) -> None:
    world = Cores("a", "b", versions=("1.1",), folder=str(tmp_path))
    a, b = world.bodies.values()
    for data in (b"", b"x", b"y" * 65_536, b"z" * 65_537):
        a.call("transfer.send", to="b", data=base64.b64encode(data).decode(), name="../../etc/x\u00e4")
        world.run(2)
        done = b.told("transfer.done")[-1]
        path = pathlib.Path(done["path"])
        assert path.read_bytes() == data
        assert path.parent == tmp_path / "b" / "received"
    assert not list((tmp_path / "a" / "sending").iterdir())


def test_a_transfer_goes_on_after_a_kill_of_either_side(tmp_path: pathlib.Path) -> None:
    for seed in range(12):
        chance = random.Random(seed)
        world = Cores("a", "b", versions=("1.1",), folder=str(tmp_path / str(seed)))
        a, b = world.bodies.values()
        a.call("session.open", to="b")
        made = a.call("file.make", name="data.bin", size=3_000_000, seed=seed)
        left = [chance.randrange(1, 200) for _ in range(4)]

        def hook(count: List[int] = left, chance: random.Random = chance) -> bool:
            """Whether this request finds nobody, because somebody was killed."""
            if count:
                count[0] -= 1
                if count[0] == 0:
                    count.pop(0)
                    killed = chance.choice([a, b])
                    killed.kill()
                    killed.start()
                    return True
            return chance.random() < 0.03

        world.loses = hook
        a.call("transfer.send", to="b", path=made["path"])
        world.run(900, until=lambda: bool(b.told("transfer.done")) and bool(a.told("transfer.done")))
        world.loses = lambda: False
        assert [event["sha256"] for event in b.told("transfer.done")] == [made["sha256"]], seed
        found = b.call("file.digest", path=b.told("transfer.done")[0]["path"])
        assert found["sha256"] == made["sha256"]
        assert a.told("transfer.done"), seed


def test_either_side_cancels_and_the_other_is_told(tmp_path: pathlib.Path) -> None:
    for who in "ab":
        world = Cores("a", "b", versions=("1.1",), folder=str(tmp_path / who))
        a, b = world.bodies.values()
        a.call("session.open", to="b")
        made = a.call("file.make", name="data.bin", size=4_000_000, seed=1)
        world.loses = functools.partial(is_offered, b)
        id = a.call("transfer.send", to="b", path=made["path"])["id"]
        world.loses = lambda: False
        assert b.told("transfer.offered") and not b.told("transfer.done")
        world.bodies[who].call("transfer.cancel", id=id)
        world.run(60)
        for body in (a, b):
            assert [event["reason"] for event in body.told("transfer.failed")] == ["cancelled"], who
        assert not list((tmp_path / who / "b" / "parts").iterdir())


def test_more_than_sixteen_transfers_wait_for_their_turn(tmp_path: pathlib.Path) -> None:
    world = Cores("a", "b", versions=("1.1",), folder=str(tmp_path))
    a, b = world.bodies.values()
    for number in range(40):
        a.call("transfer.send", to="b", data=base64.b64encode(bytes([number]) * 1000).decode())
    world.run(120)
    assert len(b.told("transfer.done")) == len(a.told("transfer.done")) == 40


def test_one_that_is_too_large_is_refused(tmp_path: pathlib.Path) -> None:
    world = Cores("a", "b", versions=("1.1",), folder=str(tmp_path))
    a, b = world.bodies.values()
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(1024**3 + 1)
    a.call("transfer.send", to="b", path=str(path))
    world.run(2)
    assert [event["reason"] for event in a.told("transfer.failed")] == ["too_large"]
    assert not b.told("transfer.offered")
    assert a.refused("transfer.send", to="b", path=str(tmp_path / "none")) == "CHUNK_ERROR"


def test_a_file_that_changes_while_it_is_sent_is_a_mismatch(tmp_path: pathlib.Path) -> None:
    world = Cores("a", "b", versions=("1.1",), folder=str(tmp_path))
    a, b = world.bodies.values()
    path = tmp_path / "file"
    path.write_bytes(b"1" * 200_000)
    b.kill()
    a.call("transfer.send", to="b", path=str(path))
    path.write_bytes(b"2" * 200_000)
    b.start()
    world.run(120)
    assert [event["reason"] for body in (a, b) for event in body.told("transfer.failed")] == ["mismatch", "mismatch"]


def test_nothing_new_for_half_an_hour_ends_it_on_both_sides(tmp_path: pathlib.Path) -> None:
    world = Cores("a", "b", versions=("1.1",), folder=str(tmp_path))
    a, b = world.bodies.values()
    a.call("session.open", to="b")
    made = a.call("file.make", name="data.bin", size=4_000_000, seed=1)
    world.loses = lambda: bool(b.told("transfer.offered"))
    a.call("transfer.send", to="b", path=made["path"])
    world.run(1_900)
    assert b.told("transfer.offered")
    assert [event["reason"] for event in a.told("transfer.failed")] == ["expired"]
    assert [event["reason"] for event in b.told("transfer.failed")] == ["expired"]


def test_digests_of_what_is_made_follow_from_the_seed(tmp_path: pathlib.Path) -> None:
    world = Cores("a", folder=str(tmp_path))
    a = world.bodies["a"]
    first = a.call("file.make", name="x", size=70_000, seed=1)
    assert first["sha256"] == hashlib.sha256(pathlib.Path(first["path"]).read_bytes()).hexdigest()
    assert a.call("file.make", name="x", size=70_000, seed=1) == first
    assert a.call("file.make", name="x", size=70_000, seed=2) != first
