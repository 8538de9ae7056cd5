"""Laws of transfers without whole peers: sets and ranges, and both sides over a wire that loses, repeats, reorders and breaks, with restarts at every write."""

from __future__ import annotations

import random
from typing import Any, Dict, List, Optional, Tuple

import pytest

from entity_py.encoding import SECOND
from entity_py.times import Now
from entity_py.transfer.incoming import BAD_MAX, Incoming
from entity_py.transfer.offer import COUNT_MAX, Offer, is_name, read_offer
from entity_py.transfer.outgoing import EXPIRES, OVERLOADED_MAX, SILENCE_MAX, Outgoing
from entity_py.transfer.ranges import RANGES_MAX, lowest, read_ranges, run, span, to_ranges

ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def offer_of(chunks: int, last: int = 1, chunk_size: int = 1_024) -> Offer:
    """So many chunks, the last one of `last` bytes."""
    return Offer(ID, "file", None, (chunks - 1) * chunk_size + last if chunks else 0, chunk_size, "0" * 64)


def test_ranges_say_a_set_and_are_read_as_that_set() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        count = chance.randrange(1, 900)
        bits = chance.getrandbits(count) if seed % 3 else chance.getrandbits(count) | chance.getrandbits(count) | chance.getrandbits(count)
        ranges = to_ranges(bits)
        read = read_ranges(ranges, count)
        if len(ranges) < RANGES_MAX:
            assert read == bits
        else:
            assert read == bits & ((1 << (ranges[-1][1] + 1)) - 1)
        indexes = [index for index in range(count) if bits >> index & 1]
        if bits:
            assert lowest(bits) == indexes[0]
        assert run(bits) == next(index for index in range(count + 1) if not bits >> index & 1)


def test_more_than_256_ranges_are_the_first_256() -> None:
    bits = sum(1 << index for index in range(0, 2_000, 2))
    assert to_ranges(bits) == [[index, index] for index in range(0, 512, 2)]


@pytest.mark.parametrize(
    "value",
    [None, {}, [[1]], [[1, 2, 3]], [[2, 1]], [[0, 1], [1, 2]], [[0, 1], [2, 3]], [[3, 4], [0, 1]], [[-1, 0]], [[0, 10]], [[True, 1]], [[0.0, 1]], [[0, 0]] * 257],
)
def test_ranges_of_another_form_are_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        read_ranges(value, 10)


def test_an_offer_is_read_as_it_was_written_and_each_wrong_field_is_refused() -> None:
    offer = Offer(ID, "file", "a name", 200_000, 65_536, "ab" * 32)
    assert read_offer(offer.body()) == offer
    assert [offer.length(index) for index in range(offer.count)] == [65_536, 65_536, 65_536, 3_392]
    wrong: List[Dict[str, Any]] = [
        {"transfer_id": ID.upper()}, {"transfer_id": None}, {"total_size": -1}, {"total_size": 200_000.0}, {"total_size": True},
        {"chunk_size": 1_023, "total_chunks": 196}, {"chunk_size": 524_289, "total_chunks": 1}, {"total_chunks": 3}, {"total_chunks": 5},
        {"sha256": "AB" * 32}, {"sha256": "ab"}, {"msg_type": ""}, {"msg_type": "x" * 65}, {"msg_type": None}, {"name": ""},
        {"name": "x" * 256}, {"name": "a\nb"}, {"name": 7},
        {"total_size": (COUNT_MAX + 1) * 1_024, "chunk_size": 1_024, "total_chunks": COUNT_MAX + 1},
    ]  # fmt: skip
    for fields in wrong:
        with pytest.raises(ValueError):
            read_offer({**offer.body(), **fields})
    assert read_offer({**offer.body(), "more": 1}) == offer
    assert is_name("ä" * 127) and not is_name("ä" * 128)
    assert offer_of(0).count == offer_of(0).full == 0


class Pair:
    """A sender, a receiver, a disk, and a wire between them; everything is drawn from one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.offer = offer_of(self.chance.randrange(1, 120), self.chance.randrange(1, 1_024))
        self.now = Now(0, 1_795_000_000 * SECOND)
        self.wire: List[Tuple[str, Any]] = []
        self.written = 0
        self.durable = 0
        self.sent = 0
        self.disk: Dict[int, int] = {}
        self.sender = self.new_sender()
        self.receiver = self.new_receiver()

    def new_sender(self) -> Outgoing:
        """After a start."""
        return Outgoing(self.offer, "b", "/x", False, 1, self.now.wall)

    def new_receiver(self) -> Incoming:
        """After a start: what is durable, and no more."""
        into = Incoming(self.offer, "a", "00", "part", 1, self.now.wall)
        into.have = self.durable
        self.disk = {index: self.disk[index] for index in self.disk if self.durable >> index & 1}
        return into

    def send(self, kind: str, what: Any) -> None:
        """Lost, repeated, or put anywhere among what is under way."""
        for _ in range(self.chance.choice([0, 1, 1, 1, 1, 1, 2])):
            self.wire.insert(self.chance.randrange(len(self.wire) + 1), (kind, what))

    def restart(self) -> None:
        """One of them; either way there is a new session, and what was under way is gone."""
        self.wire.clear()
        if self.chance.random() < 0.5:
            self.sender = self.new_sender()
        else:
            self.receiver = self.new_receiver()
        self.sender.forget_way()
        self.send("init", self.sender.ask(self.now))

    def step(self) -> None:
        """One thing happens."""
        draw = self.chance.random()
        if draw < 0.01:
            self.restart()
        elif draw < 0.5 and self.wire:
            self.take(*self.wire.pop(0))
        elif draw < 0.9 and len(self.sender.flying) < 16:
            index = self.sender.next()
            if index is not None:
                self.sent += 1
                self.send("chunk", (index, self.chance.random() < 0.05))
        else:
            self.tick()

    def tick(self) -> None:
        """Time passes."""
        self.now = Now(self.now.mono + SECOND, self.now.wall + SECOND)
        if self.now.mono >= self.sender.ask_at:
            self.send("init", self.sender.ask(self.now))
        gaps = self.receiver.gaps(self.now)
        if gaps:
            self.send("resend", gaps)
        if self.receiver.sync_due(self.now):
            self.durable = self.receiver.have
            self.receiver.unsynced, self.receiver.synced_at = 0, self.now.mono
        if self.receiver.fresh:
            self.send("ack", self.receiver.news())

    def take(self, kind: str, what: Any) -> None:
        """A message comes."""
        if kind == "init":
            assert read_offer(what) == self.offer
            self.send("ack", self.receiver.all())
        elif kind == "chunk":
            index, broken = what
            if not self.receiver.admits(index):
                return
            if self.chance.random() < 0.01:
                self.restart()
                return
            if broken:
                assert self.receiver.refused(index)
                self.send("resend", [[index, index]])
                return
            self.disk[index] = self.offer.length(index)
            self.written += 1
            if self.receiver.written(index, self.now):
                self.send("ack", self.receiver.news())
        elif kind == "ack":
            self.sender.acknowledge(what, self.now)
        else:
            self.sender.resend(what)

    def play(self) -> Optional[int]:
        """Until everything is there: how many steps it took."""
        self.send("init", self.sender.ask(self.now))
        for steps in range(40_000):
            # Nobody claims what is not on the disk, and every flying chunk is one of the offer.
            assert self.receiver.have & ~sum(1 << index for index in self.disk) == 0
            assert len(self.sender.flying) <= 16
            if self.receiver.is_whole:
                return steps
            self.step()
        return None


def test_a_transfer_ends_whole_whatever_the_wire_does_and_whoever_restarts() -> None:
    for seed in range(400):
        pair = Pair(seed)
        assert pair.play() is not None, seed
        assert sum(pair.disk.values()) == pair.offer.size == pair.receiver.received, seed


def test_what_is_encoded_is_what_is_durable_and_not_what_is_written() -> None:
    into = Incoming(offer_of(10), "a", "00", "part", 1, 0)
    for index in range(5):
        assert into.admits(index)
        into.written(index, Now(0, 0))
    assert b'"have":"3"' in into.encode(3)
    assert not into.admits(0)


def test_an_acknowledgement_says_all_from_the_beginning_and_what_is_new() -> None:
    into = Incoming(offer_of(100), "a", "00", "part", 1, 0)
    for index in [0, 1, 2, 10]:
        into.admits(index)
        assert not into.written(index, Now(0, 0))
    assert into.news() == [[0, 2], [10, 10]]
    due = []
    for index in [3, 20, 21, 22, 23, 24, 25, 26]:
        into.admits(index)
        due.append(into.written(index, Now(0, 0)))
    assert due == [False] * 7 + [True]
    assert into.news() == [[0, 3], [20, 26]]
    assert into.all() == [[0, 3], [10, 10], [20, 26]]


def test_what_is_missing_below_is_asked_for_after_two_seconds_and_then_ever_later() -> None:
    into = Incoming(offer_of(100), "a", "00", "part", 1, 0)
    into.admits(3)
    into.written(3, Now(0, 0))
    asked = []
    for second in range(120):
        if into.gaps(Now(second * SECOND, 0)):
            asked.append(second)
    assert asked == [2, 4, 8, 16, 32, 62, 92]


def test_a_sender_asks_after_pauses_that_double_and_gives_up_after_half_an_hour() -> None:
    out = Outgoing(offer_of(10), "b", "/x", False, 1, 0)
    pauses = []
    for _ in range(6):
        out.ask(Now(0, 0))
        pauses.append(out.ask_at // SECOND)
    assert pauses == [3, 6, 12, 24, 30, 30]
    assert SILENCE_MAX == 30 * SECOND
    for _ in range(10):
        out.put_off(Now(0, 0))
    assert out.ask_at == OVERLOADED_MAX
    assert not out.is_expired(Now(0, EXPIRES - 1)) and out.is_expired(Now(0, EXPIRES))


def test_an_answer_replaces_what_the_sender_believed_and_other_acknowledgements_add_to_it() -> None:
    out = Outgoing(offer_of(10), "b", "/x", False, 1, 0)
    assert out.next() is None
    out.ask(Now(0, 0))
    out.acknowledge([[0, 7]], Now(0, 0))
    assert [out.next(), out.next(), out.next()] == [8, 9, None]
    out.acknowledge([[8, 8]], Now(0, 0))
    assert out.received == 9 * 1_024
    out.resend([[2, 3]])
    assert [out.next(), out.next(), out.next()] == [2, 3, None]
    out.ask(Now(0, 0))
    out.acknowledge([[0, 4]], Now(0, 0))
    assert out.received == 5 * 1_024
    assert out.next() == 5


def test_so_many_broken_chunks_end_a_transfer() -> None:
    into = Incoming(offer_of(10), "a", "00", "part", 1, 0)
    answers = []
    for _ in range(BAD_MAX + 1):
        assert into.admits(1)
        answers.append(into.refused(1))
    assert answers == [True] * BAD_MAX + [False]


def test_the_largest_transfer_costs_little_memory_whatever_the_order() -> None:
    into = Incoming(offer_of(COUNT_MAX), "a", "00", "part", 1, 0)
    into.have = int("55" * (COUNT_MAX // 8), 16)
    assert into.have.__sizeof__() < 160 * 1024
    assert len(into.all()) == RANGES_MAX
    assert read_ranges([[0, COUNT_MAX - 1]], COUNT_MAX) == span(0, COUNT_MAX - 1)
