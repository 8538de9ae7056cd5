"""Planted flaws: each can be planted and changes the peer, and no peer has one that was not told to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from entity_py.flaws import CATALOGUE

SOURCES = Path(__file__).resolve().parents[1] / "src"
AFTER = """
import sys
sys.path.insert(0, {sources!r})
from entity_py.flaws import plant
plant({name!r})
import entity_py.node
from entity_py.flaws import planting
print("planted")
"""


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words], env={"PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=False, timeout=60, input=""
    )


def test_there_are_at_least_twenty_flaws_and_each_says_what_is_wrong() -> None:
    listed = run("-m", "entity_py", "--list-flaws").stdout.splitlines()
    assert [line.split("\t")[0] for line in listed] == list(CATALOGUE)
    assert len(CATALOGUE) >= 20
    assert all(line.count("\t") == 1 and line.endswith(".") for line in listed)


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_flaw_finds_what_it_replaces(name: str) -> None:
    done = run("-c", AFTER.format(sources=str(SOURCES), name=name))
    assert (done.returncode, done.stdout) == (0, "planted\n"), done.stderr


def test_only_a_test_peer_has_a_flaw_and_only_one_of_the_list() -> None:
    for words in (["--flaw", "credits-twice"], ["--test-peer", "--flaw"], ["--test-peer", "--flaw", "nonsense"]):
        done = run("-m", "entity_py", *words)
        assert done.returncode == 2 and "--flaw" in done.stderr, words


def test_a_peer_without_a_flaw_does_not_even_load_them() -> None:
    code = "import sys, entity_py.node; print(any(name.startswith('entity_py.flaws') for name in sys.modules))"
    assert run("-c", code).stdout == "False\n"
