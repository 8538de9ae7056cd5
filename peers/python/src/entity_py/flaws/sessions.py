"""Flaws of sessions of 1.1: sequences, handshakes, restarts."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, List

from .planting import around, replace

Function = Callable[..., Any]


def takes_sequence_twice() -> None:
    from ..v11.window import ReplayWindow

    replace(ReplayWindow, "is_new", lambda self, sequence: True)


def window_off_by_one() -> None:
    from ..v11 import window

    around(
        window.ReplayWindow,
        "is_new",
        lambda is_new: lambda self, sequence: is_new(self, sequence) and self.highest - sequence < window.SIZE - 1,
    )


def reopens_on_repeat() -> None:
    from ..peer.eleven import Eleven

    replace(Eleven, "_repeat", lambda self, envelope, now: False)


def reuses_sequence() -> None:
    from ..v11.session import Session

    def made(seal: Function) -> Function:
        def flawed(self: Any, *arguments: Any, **named: Any) -> Any:
            traffic = self.traffic[self.sending]
            traffic.next_sequence = min(traffic.next_sequence, 8)
            return seal(self, *arguments, **named)

        return flawed

    around(Session, "seal", made)


def answers_from_wrong_session() -> None:
    from ..v11.session import Session

    first: List[str] = []

    def made(seal: Function) -> Function:
        def flawed(self: Any, *arguments: Any, **named: Any) -> Any:
            if not first:
                first.append(self.id)
            own, self.writer = self.writer, dataclasses.replace(self.writer, session=first[0])
            try:
                return seal(self, *arguments, **named)
            finally:
                self.writer = own

        return flawed

    around(Session, "seal", made)


def resumes_under_new_id() -> None:
    from ..peer.core import SESSIONS, Core

    replace(Core, "_restore_session", lambda self, id, record, now: self.persist(SESSIONS, id, None))


def resumes_with_wrong_counter() -> None:
    from ..v11.numbers import OutNumbers

    def made(restore: Function) -> Function:
        def flawed(self: Any, reserved: int, acked: int, places: Any) -> None:
            restore(self, reserved, acked, places)
            self.next = 1
            self.sent.clear()

        return flawed

    around(OutNumbers, "restore", made)


def closes_silently() -> None:
    from ..peer.eleven import Eleven

    replace(Eleven, "close", lambda self, session, reason, now: self.end(session, "closed", now))
