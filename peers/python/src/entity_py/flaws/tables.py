"""Flaws of the distributed hash table."""

from __future__ import annotations

from typing import Any, Callable

from .planting import around, replace

Function = Callable[..., Any]


def takes_forged_records() -> None:
    from ..dht import records

    replace(records, "verify_labelled", lambda key, label, data, signature: True)


def takes_older_records() -> None:
    from ..dht.slots import Slots

    def made(store: Function) -> Function:
        def flawed(self: Any, record: Any, wall: int, mono: int) -> Any:
            self._won.pop((record.key, record.owner), None)
            return store(self, record, wall, mono)

        return flawed

    around(Slots, "store", made)


def takes_large_records() -> None:
    from ..dht import records

    replace(records, "SIZE_MAX", 10**9)


def shows_expired_records() -> None:
    from ..dht.records import Record
    from ..dht.slots import Slots

    replace(Record, "holds", lambda self, wall: True)
    replace(Slots, "_forget", lambda self, wall: None)


def never_announces_again() -> None:
    from ..services.dht import Dht

    def made(announce: Function) -> Function:
        def flawed(self: Any, core: Any, now: Any) -> None:
            if not self._announced_to:
                announce(self, core, now)

        return flawed

    around(Dht, "_announce", made)


def names_nobody() -> None:
    from ..dht.table import Table

    def made(nearest: Function) -> Function:
        def flawed(self: Any, point: bytes, count: int = 20, good: bool = False) -> Any:
            return [] if good else nearest(self, point, count)

        return flawed

    around(Table, "nearest", made)
