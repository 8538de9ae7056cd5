"""Questions of the distributed hash table: whom they go to, that they go twice, and which answer belongs to which.

Source: docs/protocol/1.1.md#dht-messages, docs/protocol/1.1.md#dht-lookup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Union

from ..codes import BadParams, CallRefused
from ..crypto import check_public_key
from ..dht.records import Contact, Record, read_contacts, read_record
from ..dht.slots import OWNERS_MAX
from ..encoding import SECOND
from ..peer.courier import Outcome
from ..peer.feature import Message
from ..peer.line import Outgoing
from ..strictjson import JsonObject, canonical
from ..times import Now, Timer

if TYPE_CHECKING:
    from ..peer.core import Core

AGAIN_AFTER = SECOND
ANSWER_WITHIN = 3 * SECOND
GUESTS_MAX = 384
"""Peers that only the table has brought; contacts beyond it are not followed."""
ANSWERS = {"dht_ping": "dht_pong", "dht_store": "dht_stored", "dht_find": "dht_found", "dht_get": "dht_found"}
Told = Callable[[Optional[JsonObject], Now], None]
"""The answer to a question, or None."""


class _Asked:
    """One question under way."""

    def __init__(self, contact: Contact, kind: str, body: JsonObject, told: Told, late: Callable[[Now], None]) -> None:
        self.contact, self.kind, self.body, self.told, self.late = contact, kind, body, told, late
        self.is_opening = self.is_late = False
        self.sent = 0
        self.timer: Optional[Timer] = None
        self.again: Optional[Timer] = None


class Questions:
    """`takes_part(core, peer)`: whether a session with it has the table. `silent(contact)` hears who did not answer."""

    def __init__(self, takes_part: Callable[["Core", str], bool], silent: Callable[[Contact], None]) -> None:
        self._takes_part = takes_part
        self._silent = silent
        self._asked: Dict[int, _Asked] = {}
        self._count = 0

    def meets(self, core: "Core", contact: Contact, now: Now) -> bool:
        """Whether this contact is in the roster, under its key, or can be."""
        peer = core.roster.get(contact.id)
        if contact.id == core.name or contact.key == core.key.public:
            return False
        if peer is None:
            if core.guests >= GUESTS_MAX or core.peer_of(contact.key) is not None or not check_public_key(contact.key):
                return False
            try:
                core.add_peer(contact.id, contact.address, contact.key, False, now, guest=True)
            except (CallRefused, BadParams):  # a roster that is full: somebody else is asked
                return False
            return True
        return peer.key == contact.key

    def ask(
        self, core: "Core", contact: Contact, kind: str, body: JsonObject, told: Told, now: Now, late: Callable[[Now], None] = lambda now: None
    ) -> None:
        """One question, within 3 s; whoever has no session gets one. `late` hears that a second has passed, and it is asked once more."""
        if not self.meets(core, contact, now):
            core.soon(lambda then: told(None, then))
            return
        self._count += 1
        request = self._count
        asked = self._asked[request] = _Asked(contact, kind, {"request": request, **body}, told, late)
        asked.timer = core.after(now, ANSWER_WITHIN, lambda then: self._unanswered(request, then))
        asked.again = core.after(now, AGAIN_AFTER, lambda then: self._again(core, request, then))
        self._open(core, request, now)

    def _open(self, core: "Core", request: int, now: Now) -> None:
        asked = self._asked[request]
        asked.is_opening = True

        def opened(result: Union[JsonObject, CallRefused]) -> None:
            core.soon(lambda then: go(result, then))

        def go(result: Union[JsonObject, CallRefused], then: Now) -> None:
            if request not in self._asked:
                return
            asked.is_opening = False
            if isinstance(result, CallRefused):
                self._lost(request, result.status, then)
            elif not self._takes_part(core, asked.contact.id):
                self._unanswered(request, then)
            else:
                self._send(core, request, then)

        core.line(asked.contact.id).open(opened, now, patient=False)

    def _send(self, core: "Core", request: int, now: Now) -> None:
        asked = self._asked[request]
        asked.sent += 1
        if asked.sent == 1:
            # Its second begins when it leaves.
            if asked.again is not None:
                asked.again.cancel()
            asked.again = core.after(now, AGAIN_AFTER, lambda then: self._again(core, request, then))

        def sent(outcome: Outcome, then: Now) -> None:
            if not outcome.ok:
                self._lost(request, outcome.status, then)

        size = len(canonical(asked.body))
        try:
            core.line(asked.contact.id).send(Outgoing(asked.kind, asked.body, size, sent, attempts=1, only_new=True), now, always=True)
        except CallRefused:
            self._unanswered(request, now)

    def _again(self, core: "Core", request: int, now: Now) -> None:
        """It is late: once more, in whatever session there is now, unless it waits for one as it is."""
        asked = self._asked.get(request)
        if asked is None:
            return
        if not asked.is_late:
            asked.is_late = True
            asked.late(now)
        if not asked.is_opening and request in self._asked and asked.sent < 2:
            self._open(core, request, now)

    def _lost(self, request: int, status: Optional[int], now: Now) -> None:
        """It was not taken. Where nobody is, nobody will be in a second; a refusal may be of a session that is gone by then."""
        asked = self._asked.get(request)
        if asked is not None and (status is None or asked.is_late):
            self._unanswered(request, now)

    def _unanswered(self, request: int, now: Now) -> None:
        asked = self._over(request)
        if asked is not None:
            self._silent(asked.contact)
            asked.told(None, now)

    def _over(self, request: int) -> Optional[_Asked]:
        asked = self._asked.pop(request, None)
        if asked is not None:
            for timer in (asked.timer, asked.again):
                if timer is not None:
                    timer.cancel()
        return asked

    def take_answer(self, message: Message, request: int, now: Now) -> None:
        """What nobody asked for is ignored. Raises ValueError."""
        asked = self._asked.get(request)
        if asked is None or asked.contact.id != message.peer or ANSWERS[asked.kind] != message.kind:
            return
        answer: JsonObject = {"outcome": message.body.get("outcome")}
        if message.kind == "dht_found":
            records = message.body.get("records", [])
            if not isinstance(records, list) or len(records) > OWNERS_MAX:
                raise ValueError("records")
            answer = {
                "contacts": read_contacts(message.body.get("contacts")), "more": message.body.get("more") is True,
                "records": [_read(item) for item in records],
            }  # fmt: skip
        elif message.kind == "dht_stored" and not isinstance(answer["outcome"], str):
            raise ValueError("outcome")
        self._over(request)
        asked.told(answer, now)


def _read(item: Any) -> Record:
    if not isinstance(item, dict) or set(item) != {"record", "signature"}:
        raise ValueError("a signed record")
    return read_record(item["record"], item["signature"])
