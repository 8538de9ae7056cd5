"""When something is said again.

Source: docs/protocol/1.1.md#token-messages.
"""

from __future__ import annotations

from ..encoding import SECOND
from ..times import Now

PAUSE_MIN = SECOND // 2
PAUSE_MAX = 30 * SECOND


class Pause:
    """Doubles from half a second up to 30 s; a ready session begins it anew."""

    __slots__ = ("at", "_pause")

    def __init__(self, now: Now) -> None:
        self.at = now.mono
        self._pause = PAUSE_MIN

    def said(self, now: Now) -> None:
        """Said just now: the next time comes after a pause, and the pause after that is longer."""
        self.at = now.mono + self._pause
        self._pause = min(2 * self._pause, PAUSE_MAX)

    def begin_anew(self, now: Now) -> None:
        """Due at once, with the shortest pause after it."""
        self.at = now.mono
        self._pause = PAUSE_MIN

    def is_due(self, now: Now) -> bool:
        """Whether it is to be said again."""
        return self.at <= now.mono

    def rest(self, now: Now) -> None:
        """Not before the longest pause is over."""
        self.at = now.mono + PAUSE_MAX
        self._pause = PAUSE_MAX
