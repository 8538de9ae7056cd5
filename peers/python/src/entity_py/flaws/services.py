"""Flaws of tokens, tasks, transfers, key files and JWT, and leaks."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, List

from .planting import around, replace

Function = Callable[..., Any]
_LEAKED: List[Any] = []


def takes_any_task() -> None:
    from ..services.tasks import Tasks

    def made(asked: Function) -> Function:
        def flawed(self: Any, core: Any, task: Any, now: Any) -> None:
            able, self._abilities = self._abilities, [*self._abilities, task.capability]
            try:
                asked(self, core, task, now)
            finally:
                self._abilities = able

        return flawed

    around(Tasks, "_asked", made)


def credits_twice() -> None:
    from ..ledger.state import State

    def made(move: Function) -> Function:
        def flawed(self: Any, order: Any) -> None:
            move(self, order)
            payee = (order.payee, order.token)
            view = self.account(payee)
            self._put(payee, dataclasses.replace(view, balance=view.balance + order.amount))

        return flawed

    around(State, "_move", made)


def applies_without_quorum() -> None:
    from ..ledger.genesis import Genesis

    replace(Genesis, "quorum", property(lambda self: 1))


def ignores_overdraft() -> None:
    from ..ledger.member import Member, No, Vote
    from ..ledger.owner import Owner

    def made(judge: Function) -> Function:
        def flawed(self: Any, order: Any, others: int, now: Any) -> Any:
            judged = judge(self, order, others, now)
            if isinstance(judged, No) and judged.code in ("CAP_EXCEEDED", "INSUFFICIENT_FUNDS"):
                return Vote(order.vote(self._key))
            return judged

        return flawed

    def rich(order: Function) -> Function:
        def flawed(self: Any, own: Any, request: Any, now: Any) -> None:
            own.asked_balance = request.amount
            order(self, own, request, now)

        return flawed

    around(Member, "judge", made)
    around(Owner, "_order", rich)


def loses_last_chunk() -> None:
    # Before anything else imports it by name.
    from ..transfer import pieces

    around(pieces, "cut", lambda cut: lambda id, kind, payload: cut(id, kind, payload)[:-1])


def skips_chunk_digest() -> None:
    import base64
    import hashlib

    from ..transfer.files import Files

    def made(write: Function) -> Function:
        def flawed(self: Any, part: str, start: int, length: int, data: str, sha256: str) -> Any:
            try:
                sha256 = hashlib.sha256(base64.b64decode(data)).hexdigest()
            except ValueError:
                pass
            return write(self, part, start, length, data, sha256)

        return flawed

    around(Files, "write", made)


def accepts_expired_jwt() -> None:
    from .. import jwt
    from ..encoding import SECOND

    def made(check: Function) -> Function:
        return lambda claims, me, aud, now: check(claims, me, aud, min(now, claims.exp * SECOND))

    around(jwt, "_check", made)


def ignores_jwt_audience() -> None:
    from .. import jwt

    def made(check: Function) -> Function:
        return lambda claims, me, aud, now: check(dataclasses.replace(claims, aud=aud), me, aud, now)

    around(jwt, "_check", made)


def writes_unprotected_key() -> None:
    import json

    from ..services import keys

    def made(write_key: Function) -> Function:
        def flawed(form: str, name: str, passphrase: Any, created_at: str, random: bytes) -> Any:
            data, key = write_key(form, name, passphrase, created_at, random)
            if form == "keystore-1.0":
                plain = {"version": 1, "entity_id": name, "public_key": key.public.hex(), "created_at": created_at}
                data = json.dumps({**plain, "encrypted": False, "private_key": key.seed.hex()}).encode("utf-8")
            return data, key

        return flawed

    around(keys, "write_key", made)


def reads_mismatched_key() -> None:
    from ..crypto import SigningKey
    from ..wallet import older

    replace(older, "_checked", lambda value, seed: SigningKey(seed))


def leaks_descriptor() -> None:
    _leak(lambda: open("/dev/null", "rb"))


def leaks_memory() -> None:
    _leak(lambda: bytearray(b"x" * 8192))


def _leak(made: Callable[[], Any]) -> None:
    from ..peer.core import Core

    def leaking(handle: Function) -> Function:
        def flawed(self: Any, *arguments: Any) -> None:
            _LEAKED.append(made())
            handle(self, *arguments)

        return flawed

    around(Core, "handle_request", leaking)
