"""Two clocks in one value, and timers.

`Now.mono` never jumps and is what limits and pauses follow; `Now.wall` is what messages are stamped with and checked against, and can be set.
"""

from __future__ import annotations

import heapq
import itertools
from typing import Callable, List, NamedTuple, Optional, Tuple

from .encoding import SECOND

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


class Now(NamedTuple):
    """A moment, in microseconds: of a clock that only goes forward, and of the wall clock since 1970."""

    mono: int
    wall: int


class Timer:
    """Something to be done later, unless it is cancelled."""

    __slots__ = ("due", "function")

    def __init__(self, due: int, function: Callable[[Now], None]) -> None:
        self.due = due
        self.function: Optional[Callable[[Now], None]] = function

    def cancel(self) -> None:
        """It does not happen. Harmless when it already has."""
        self.function = None


class Timers:
    """All timers of a peer, in order of their time."""

    def __init__(self) -> None:
        self._heap: List[Tuple[int, int, Timer]] = []
        self._count = itertools.count()

    def after(self, now: Now, delay: int, function: Callable[[Now], None]) -> Timer:
        """Calls `function(now)` `delay` microseconds later, or soon after."""
        timer = Timer(now.mono + max(delay, 0), function)
        heapq.heappush(self._heap, (timer.due, next(self._count), timer))
        return timer

    def next_deadline(self) -> Optional[int]:
        """When `take` has something next (mono), or None."""
        while self._heap and self._heap[0][2].function is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: Now) -> Optional[Callable[[Now], None]]:
        """One function that is due; it is forgotten here."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now.mono:
            return None
        timer = heapq.heappop(self._heap)[2]
        function, timer.function = timer.function, None
        return function
