"""Flaws of signatures, recipients, replays, versions, sealing of 1.0, and errors."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Callable

from .planting import around, replace

Function = Callable[..., Any]
FOR_EVER = 10**18


def verifies_nothing() -> None:
    from ..v10 import envelope as old
    from ..v11 import envelope as new

    replace(old, "verify", lambda key, data, signature: True)
    replace(new, "verify", lambda key, data, signature: True)


def skips_added_fields() -> None:
    from ..strictjson import canonical
    from ..v11 import envelope

    def made(read: Function) -> Function:
        def flawed(value: Any, body: bytes) -> Any:
            known = {name: item for name, item in value.items() if name in envelope._FIELDS and name != "signature"}
            return dataclasses.replace(read(value, body), signed=canonical(known))

        return flawed

    around(envelope, "read", made)


def takes_foreign_messages() -> None:
    from ..peer.inbound import Inbound

    def new(check: Function) -> Function:
        return lambda self, envelope, now: check(self, dataclasses.replace(envelope, recipient=self.core.name), now)

    def old(check: Function) -> Function:
        return lambda self, envelope, line, now: check(self, dataclasses.replace(envelope, recipient=None), line, now)

    around(Inbound, "_check_new", new)
    around(Inbound, "_check_hardened", old)


def accepts_downgrade() -> None:
    from ..peer.inbound import Inbound
    from ..peer.line import Line

    def without_proof(function: Function) -> Function:
        def flawed(self: Any, value: Any, body: bytes, now: Any) -> Any:
            line = self.core.lines.get(value.get("sender_id"))
            if line is None:
                return function(self, value, body, now)
            proved, line.peer.proved = line.peer.proved, None
            try:
                return function(self, value, body, now)
            finally:
                line.peer.proved = line.peer.proved or proved

        return flawed

    around(Inbound, "_check_old", without_proof)
    replace(Line, "may_fall_back", property(lambda self: self.core.config.speaks("1.0")))


def speaks_older_version() -> None:
    from ..peer.line import Line

    around(Line, "speaks", lambda speaks: lambda self: "1.0" if self.core.config.speaks("1.0") else speaks(self))


def accepts_replay() -> None:
    from ..peer.limits import NonceMemory
    from ..peer.ten import Ten
    from ..v10.sealing import Sealing

    replace(Ten, "is_repeat", lambda self, body, now: False)
    replace(NonceMemory, "look", lambda self, nonce, now: None)

    def look(inner: Function) -> Function:
        def flawed(self: Any, envelope: Any, now: Any) -> Any:
            for session in (self.established, *self._old):
                if session is not None and session.id == envelope.session:
                    session.expected = 0
            return inner(self, envelope, now)

        return flawed

    def unsealed(inner: Function) -> Function:
        def flawed(self: Any, payload: Any, sequence: int) -> Any:
            self.last_in = -1
            return inner(self, payload, sequence)

        return flawed

    around(Ten, "look", look)
    around(Sealing, "open", unsealed)


def forgets_nonces() -> None:
    from ..peer.limits import NonceMemory

    replace(NonceMemory, "look", lambda self, nonce, now: None)


def forgets_handled_on_restart() -> None:
    from ..peer.core import Core

    def made(start: Function) -> Function:
        def flawed(self: Any, records: Any, now: Any) -> None:
            start(self, records, now)
            self.started_wall = 0

        return flawed

    around(Core, "handle_start", made)


def accepts_stale() -> None:
    from ..peer import eleven, inbound

    replace(eleven, "AGE_MAX", FOR_EVER)
    replace(inbound, "AGE_MAX", FOR_EVER)
    forgets_handled_on_restart()


def wrong_error_code() -> None:
    from ..codes import Refusal
    from ..peer.inbound import Inbound

    def made(check: Function) -> Function:
        def flawed(self: Any, envelope: Any, now: Any) -> None:
            try:
                check(self, envelope, now)
            except Refusal as refusal:
                if refusal.code == "INVALID_SIGNATURE":
                    raise Refusal("INVALID_MESSAGE", refusal.why) from refusal
                raise

        return flawed

    around(Inbound, "_check_new", made)


def wrong_http_status() -> None:
    from .. import codes

    codes.STATUS["SEQUENCE_ERROR"] = 400


def sends_in_clear() -> None:
    from ..peer.ten import Ten

    def made(sealed: Function) -> Function:
        return lambda self, session, payload, seal: payload if sealed(self, session, payload, seal) is not None else None

    around(Ten, "_sealed", made)


def escapes_differently() -> None:
    # Before anything else imports it by name.
    from .. import strictjson

    escape = re.compile(rb"\\u[0-9a-f]{4}")
    around(
        strictjson,
        "canonical",
        lambda canonical: lambda value: escape.sub(lambda found: b"\\u" + found.group()[2:].upper(), canonical(value)),
    )


def reuses_gcm_nonce() -> None:
    from ..v10.sealing import Sealing

    around(Sealing, "seal", lambda seal: lambda self, payload, nonce: seal(self, payload, bytes(12)))


def logs_the_secret() -> None:
    from ..peer.core import Core

    def made(deliver: Function) -> Function:
        def flawed(self: Any, message: Any, now: Any) -> None:
            self.log("warn", f"received {message.body!r}")
            deliver(self, message, now)

        return flawed

    around(Core, "deliver", made)
