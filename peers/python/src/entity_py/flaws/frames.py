"""Flaws of compact frames."""

from __future__ import annotations

from typing import Any, Callable

from .planting import around, replace

Function = Callable[..., Any]


def never_sends_frames() -> None:
    from ..peer.eleven import Eleven

    def chosen(self: Any, session: Any) -> None:
        session.sends_frames = False

    replace(Eleven, "_choose_form", chosen)


def wrong_frame_generation() -> None:
    from ..v11 import frame

    def made(seal: Function) -> Function:
        return lambda key, session, generation, *rest: seal(key, session, generation + 1, *rest)

    around(frame, "seal_message", made)


def reuses_frame_sequence() -> None:
    from ..v11 import frame

    def made(seal: Function) -> Function:
        return lambda key, session, generation, sequence, *rest: seal(key, session, generation, min(sequence, 8), *rest)

    around(frame, "seal_message", made)


def takes_frames_twice() -> None:
    from ..v11.session import Session

    def made(look: Function) -> Function:
        def flawed(self: Any, frame: Any, now: int) -> Any:
            for traffic in self.traffic.values():
                traffic.window = type(traffic.window)()
            return look(self, frame, now)

        return flawed

    around(Session, "look_frame", made)


def sends_frames_unasked() -> None:
    from ..peer.eleven import Eleven

    def made(choose: Function) -> Function:
        def flawed(self: Any, session: Any) -> None:
            choose(self, session)
            session.sends_frames = self.core.config.frames == "always"

        return flawed

    around(Eleven, "_choose_form", made)
