"""When a peer that did not answer is tried again (docs/design/delivery.md, circuit)."""

from __future__ import annotations

from entity_py.peer.roster import CIRCUIT_FAILURES, CIRCUIT_PAUSE, CIRCUIT_PAUSE_MAX, Circuit


def opened(failures: int = CIRCUIT_FAILURES) -> Circuit:
    circuit = Circuit()
    for _ in range(failures):
        circuit.failed(0, 0)
    return circuit


def test_some_failures_in_a_row_open_it_for_a_while() -> None:
    assert opened(CIRCUIT_FAILURES - 1).admits(0)
    circuit = opened()
    assert (circuit.state, circuit.admits(0), circuit.admits(CIRCUIT_PAUSE)) == ("open", False, True)
    assert not circuit.admits(CIRCUIT_PAUSE), "one thing at a time"


def test_what_was_under_way_when_it_opened_makes_the_pause_no_longer() -> None:
    circuit = opened(CIRCUIT_FAILURES + 13)
    assert circuit.until == CIRCUIT_PAUSE


def test_each_failed_probe_doubles_the_pause_up_to_half_a_minute() -> None:
    circuit, now, pauses = opened(), 0, []
    for _ in range(7):
        pauses.append(circuit.until - now)
        now = circuit.until
        assert circuit.admits(now)
        circuit.failed(now, 0)
    assert pauses == [min(CIRCUIT_PAUSE << times, CIRCUIT_PAUSE_MAX) for times in range(7)]


def test_whoever_is_heard_is_tried_at_once() -> None:
    circuit = opened()
    circuit.heard()
    assert circuit.admits(0)
    circuit.answered()
    assert circuit.state == "closed"
