"""The replay window: the 1,024 newest sequences of a direction, and which of them were seen.

Source: docs/protocol/1.1.md#order-of-checks.
"""

from __future__ import annotations

SIZE = 1_024


class ReplayWindow:
    """Looks first (`is_new`), records later (`record`): a check that fails behind it consumes nothing."""

    __slots__ = ("highest", "_seen")

    def __init__(self) -> None:
        self.highest = -1
        self._seen = 0

    def is_new(self, sequence: int) -> bool:
        """Whether it is above all, or inside the window and not seen."""
        if sequence > self.highest:
            return True
        behind = self.highest - sequence
        return behind < SIZE and not self._seen >> behind & 1

    def record(self, sequence: int) -> None:
        """It was seen."""
        if sequence > self.highest:
            shift = sequence - self.highest
            self._seen = (self._seen << shift) & ((1 << SIZE) - 1) | 1 if shift < SIZE else 1
            self.highest = sequence
        else:
            behind = self.highest - sequence
            if behind < SIZE:
                self._seen |= 1 << behind
