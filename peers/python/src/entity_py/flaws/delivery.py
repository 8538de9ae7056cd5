"""Flaws of durable messages, repetition, statistics, rates, and signs of life."""

from __future__ import annotations

from typing import Any, Callable

from .planting import around, replace

Function = Callable[..., Any]


def forgets_durable_on_restart() -> None:
    from ..peer.outbox import Outbox

    replace(Outbox, "restore", lambda self, records, places: None)


def delivers_durable_twice() -> None:
    from ..peer.core import Core

    def made(deliver: Function) -> Function:
        def flawed(self: Any, message: Any, now: Any) -> None:
            deliver(self, message, now)
            if message.durable is not None:
                deliver(self, message, now)

        return flawed

    around(Core, "deliver", made)


def drops_above_limit() -> None:
    from ..codes import CallRefused
    from ..peer.outbox import Kept, Outbox

    def made(keep: Function) -> Function:
        def flawed(self: Any, id: str, to: str, kind: str, body: Any) -> Any:
            try:
                return keep(self, id, to, kind, body)
            except CallRefused:
                return Kept(id, to, kind, body, 0, 0)

        return flawed

    around(Outbox, "keep", made)


def sends_newest_first() -> None:
    from ..peer.outbox import Outbox

    around(Outbox, "of", lambda of: lambda self, to: of(self, to)[::-1])


def never_retries() -> None:
    from ..peer.courier import Courier

    def made(attempt: Function) -> Function:
        def flawed(self: Any, delivery: Any, now: Any) -> None:
            delivery.attempts = 1
            attempt(self, delivery, now)

        return flawed

    around(Courier, "_try", made)


def retries_final_refusals() -> None:
    from ..peer import courier

    replace(courier, "FINAL", frozenset())


def counts_attempts() -> None:
    from ..peer.courier import Courier

    def made(attempt: Function) -> Function:
        def flawed(self: Any, delivery: Any, now: Any) -> None:
            if delivery.tried and delivery.counted:
                delivery.peer.stats.sent += 1
                delivery.peer.stats.failed += 1
            attempt(self, delivery, now)

        return flawed

    around(Courier, "_try", made)


def ignores_rate_limit() -> None:
    from ..peer.limits import RateLimits

    replace(RateLimits, "look", lambda self, kind, now: None)


def shares_rate_limit() -> None:
    from ..peer.limits import RateLimits

    shared: Any = {}

    def made(bucket: Function) -> Function:
        def flawed(self: Any, kind: str, now: int) -> Any:
            self._buckets = shared
            return bucket(self, kind, now)

        return flawed

    around(RateLimits, "_bucket", made)


def never_notices_absence() -> None:
    from ..peer.line import Line

    around(Line, "_lives", lambda lives: lambda self, alive: lives(self, True))
