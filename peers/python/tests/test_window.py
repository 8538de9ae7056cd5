"""The replay window against the plainest model of it."""

from __future__ import annotations

import random
from typing import Set

import pytest
from entity_py.v11.window import SIZE, ReplayWindow


@pytest.mark.parametrize("seed", range(30))
def test_it_agrees_with_a_set_of_everything_seen(seed: int) -> None:
    chance, window = random.Random(seed), ReplayWindow()
    seen: Set[int] = set()
    top = -1
    for _ in range(3_000):
        jump = chance.choice((1, 2, 5, 50, 1_023, 1_024, 1_025, 4_000)) if chance.random() < 0.1 else 1
        sequence = top + jump if chance.random() < 0.5 else max(0, top - chance.randrange(1_100))
        expected = sequence > top or (top - sequence < SIZE and sequence not in seen)
        assert window.is_new(sequence) == expected
        if expected and chance.random() < 0.9:
            window.record(sequence)
            seen.add(sequence)
            top = max(top, sequence)


def test_its_edges() -> None:
    window = ReplayWindow()
    window.record(SIZE)
    assert window.is_new(1)
    assert not window.is_new(0)
    window.record(1)
    assert not window.is_new(1)
    window.record(2**48 - 1)
    assert not window.is_new(SIZE)
