"""Flaws that only a fault shows: a kill, a pause, a lost answer, a clock that is set, a limit that is reached."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from typing import Any, Callable, Deque

from .planting import around, replace

Function = Callable[..., Any]
LATE_MAX = 16
"""What the sentence of the flaw says."""
AT_ONCE = 50_000
"""Microseconds between attempts of who does not wait."""
NEVER = 10**15


def acknowledges_before_keeping() -> None:
    from ..store import Store

    late: Deque[Any] = deque()
    sound = Store.commit

    def commit(self: Any, batches: Any) -> None:
        late.extend(batches)
        due = [late.popleft() for _ in range(len(late) - LATE_MAX)]
        if due:
            sound(self, due)

    def made(close: Function) -> Function:
        def flawed(self: Any) -> None:
            sound(self, list(late))
            close(self)

        return flawed

    replace(Store, "commit", commit)
    around(Store, "close", made)


def retries_as_new() -> None:
    from ..encoding import uuid4_of
    from ..peer.eleven import Eleven

    def made(again: Function) -> Function:
        def flawed(self: Any, session: Any, kept: Any, now: Any) -> None:
            outbox = self.core.outbox
            if kept.session != session.id or outbox.find(kept.to, kept.id) is None:
                again(self, session, kept, now)
                return
            outbox.remove(kept)
            outbox.keep(uuid4_of(self.core.random(16)), kept.to, kept.kind, kept.body)
            self.core.soon(self.line.pump)

        return flawed

    around(Eleven, "_again", made)


def handles_moved_again() -> None:
    from ..peer.inbox import SeenIds

    replace(SeenIds, "is_known", lambda self, peer, id: False)


def queues_without_limit() -> None:
    from ..peer import outbox

    for name in ("MESSAGES_PER_PEER_MAX", "BYTES_PER_PEER_MAX", "MESSAGES_MAX", "BYTES_MAX"):
        replace(outbox, name, NEVER)


def retries_at_once() -> None:
    from ..peer import line, roster
    from ..peer.outbox import Kept

    replace(Kept, "next_pause", lambda self, chance: AT_ONCE)
    for owner, first, most in ((roster, "CIRCUIT_PAUSE", "CIRCUIT_PAUSE_MAX"), (line, "RETRY_FIRST", "RETRY_MAX")):
        replace(owner, first, AT_ONCE)
        replace(owner, most, AT_ONCE)


def waits_ever_longer() -> None:
    from ..peer.outbox import FIRST_PAUSE, Kept
    from ..peer.roster import Circuit

    def next_pause(self: Any, chance: int) -> int:
        self.pause = max(self.pause * 10, FIRST_PAUSE)
        return int(self.pause)

    def made(failed: Function) -> Function:
        def flawed(self: Any, now: int, chance: int) -> None:
            failed(self, now, chance)
            if self.pause:
                self.pause *= 5
                self.until = now + self.pause

        return flawed

    replace(Kept, "next_pause", next_pause)
    around(Circuit, "failed", made)


def gives_up_unanswered() -> None:
    from ..peer.eleven import Eleven
    from ..peer.ten import Ten

    def give_up(core: Any, kept: Any) -> None:
        core.outbox.remove(kept)
        core.event("message.given_up", {"id": kept.id, "peer": kept.to, "code": "SERVICE_UNAVAILABLE"})

    def of_1_1(again: Function) -> Function:
        def flawed(self: Any, session: Any, kept: Any, now: Any) -> None:
            # The window is 1 after an attempt that failed.
            if kept.session == session.id and self._window == 1:
                kept.again = None
                give_up(self.core, kept)
            else:
                again(self, session, kept, now)

        return flawed

    def of_1_0(settle: Function) -> Function:
        def flawed(self: Any, kept: Any, outcome: Any, now: Any) -> None:
            if outcome.status is None and self.core.outbox.find(kept.to, kept.id) is not None:
                give_up(self.core, kept)
            else:
                settle(self, kept, outcome, now)

        return flawed

    around(Eleven, "_again", of_1_1)
    around(Ten, "_settle", of_1_0)


def keeps_circuit_open() -> None:
    from ..peer.roster import CIRCUIT_FAILURES, Circuit

    replace(Circuit, "admits", lambda self, now: self.failures < CIRCUIT_FAILURES)
    around(Circuit, "answered", lambda answered: lambda self: answered(self) if self.failures < CIRCUIT_FAILURES else None)
    replace(Circuit, "heard", lambda self: None)


def gives_up_sessions() -> None:
    from ..peer.line import Line

    def begin_again(self: Any, now: Any) -> None:
        self._retry = None
        if self.has_work or self.eleven.is_suspended:
            self.begin(now)

    replace(Line, "_begin_again", begin_again)


def decides_races_wrong() -> None:
    from ..codes import Refusal
    from ..peer.renewal import Renewal

    def made(answer: Function) -> Function:
        def flawed(self: Any, envelope: Any, now: Any) -> None:
            session = self.eleven.session
            if self.proposal is not None and session is not None:
                if self.core.key.public > session.peer_key:
                    raise Refusal("HANDSHAKE_IN_PROGRESS", "both propose")
                self.proposal = None
            answer(self, envelope, now)

        return flawed

    around(Renewal, "_answer", made)


def forgets_life_after_resume() -> None:
    from ..peer.core import Core
    from ..peer.line import Line

    def told(event: Function) -> Function:
        def flawed(self: Any, name: str, params: Any) -> None:
            event(self, name, params)
            line = self.lines.get(params.get("peer")) if name == "session.resumed" else None
            if line is not None:
                line.is_forgotten = True
                if line._beat is not None:
                    line._beat.cancel()

        return flawed

    around(Core, "event", told)
    around(
        Line,
        "_schedule_beat",
        lambda schedule: lambda self, now: None if getattr(self, "is_forgotten", False) else schedule(self, now),
    )


def bears_no_skew() -> None:
    from ..encoding import SECOND
    from ..peer import eleven

    replace(eleven, "AGE_MAX", 2 * SECOND)


def waits_for_the_slowest() -> None:
    from ..node import Node

    turn = asyncio.Lock()

    def made(transmit: Function) -> Function:
        async def flawed(self: Any, what: Any) -> None:
            async with turn:
                await transmit(self, what)

        return flawed

    around(Node, "_transmit", made)


def redials_at_once() -> None:
    from .. import layers

    replace(layers, "PAUSE_FIRST", AT_ONCE / 10**7)
    replace(layers, "PAUSE_MAX", AT_ONCE / 10**7)


def never_redials() -> None:
    from .. import layers

    replace(layers, "PAUSE_FIRST", 10.0**6)
    replace(layers, "PAUSE_MAX", 10.0**6)


def starts_transfer_over() -> None:
    from ..transfer.outgoing import Outgoing

    def made(acknowledge: Function) -> Function:
        def flawed(self: Any, ranges: object, now: Any) -> None:
            was_asked, had = self.asked, self.have
            under_way = sum(1 << index for index in self.flying)
            acknowledge(self, ranges, now)
            # Of what was sent before the interruption it will not know anything.
            self.have = 0 if was_asked else self.have & (had | under_way)

        return flawed

    around(Outgoing, "acknowledge", made)


def never_repeats_chunks() -> None:
    from ..transfer.outgoing import Outgoing

    def made(acknowledge: Function) -> Function:
        def flawed(self: Any, ranges: object, now: Any) -> None:
            flying = set(self.flying)
            acknowledge(self, ranges, now)
            self.flying = {index for index in flying if not self.have >> index & 1}

        return flawed

    replace(Outgoing, "lost", lambda self, index, round: None)
    replace(Outgoing, "resend", lambda self, ranges: None)
    around(Outgoing, "acknowledge", made)


def asks_for_votes_once() -> None:
    from ..ledger.owner import Owner

    def ask(self: Any, pending: Any, now: Any) -> None:
        for pause in pending.pauses.values():
            if pause.is_due(now):
                pause.rest(now)

    replace(Owner, "_ask_for_votes", ask)


def shows_certificates_once() -> None:
    from ..ledger.presenting import Presenting

    replace(Presenting, "next_deadline", lambda self: None)
    replace(Presenting, "handle_deadline", lambda self, now: None)
    replace(Presenting, "handle_ready", lambda self, peer, now: None)


def pays_again_after_silence() -> None:
    from ..encoding import SECOND
    from ..ledger.owner import Owner, Request

    def made(ask: Function) -> Function:
        def flawed(self: Any, pending: Any, now: Any) -> None:
            order = pending.order
            late = any(member not in pending.votes and pause.is_due(now) for member, pause in pending.pauses.items())
            if late and not self._accounts[order.account].queue:
                again = Request(order.account, order.payee, order.amount, str(uuid.uuid4()), None, 3_600 * SECOND, pending.receiver)
                self.pay(again, now)
            ask(self, pending, now)

        return flawed

    around(Owner, "_ask_for_votes", made)


def forgets_orders_on_restart() -> None:
    from ..ledger.owner import Owner

    def made(restore: Function) -> Function:
        def flawed(self: Any, space: str, key: str, value: Any) -> None:
            if space != "token.pending":
                restore(self, space, key, value)

        return flawed

    around(Owner, "restore", made)


def forgets_certificates_on_restart() -> None:
    from ..ledger.presenting import Presenting

    around(
        Presenting,
        "restore",
        lambda restore: lambda self, digest, value, now: restore(self, digest, {**value, "waiting": []}, now),
    )


def forgets_tasks_on_restart() -> None:
    from ..services.tasks import Book

    replace(Book, "restore", lambda self, key, value: None)
