"""Tasks: work that one peer delegates to another, each taken once and answered once, whatever is repeated.

Every change of a task is one batch with the message that tells of it.

Source: docs/protocol/1.1.md#tasks.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Optional, Tuple

from ..codes import BadParams, CallRefused
from ..encoding import is_uuid4, uuid4_of
from ..peer.core import Core
from ..peer.feature import BOOL, COUNT, NAME, OBJECT, TEXT, UUID, Feature, Field, Message, Records, listing, method, optional, texts
from ..strictjson import JsonObject, NotJson, canonical, checked, parse
from ..times import Now

TASKS_MAX = 65_536
"""Tasks of either direction that are remembered. Beyond it nothing new is delegated or taken."""
OPEN_MAX = 1_024
"""Open tasks that are taken of one peer."""
DESCRIPTION_MAX = 4_096
"""Bytes of a description."""
CAPABILITY_MAX = 128
"""Bytes of a capability."""
OBJECT_MAX = 65_536
"""Bytes of an input or a result in canonical form."""
REASON_MAX = 1_024
"""Bytes of the reason of a refusal."""
CODE_MAX = 128
"""Bytes of the code of a refusal."""
CAPABILITIES_MAX = 64
"""Capabilities that a peer names."""

TASKS = "task"
ABILITIES = "task.abilities"
_REWARD = re.compile(r"[1-9][0-9]{0,38}\Z")
REWARD = Field("a positive amount in digits", lambda value: isinstance(value, str) and _REWARD.match(value) is not None)
_REASONS = {
    "CAPABILITY_MISSING": "this peer has not that capability",
    "TOO_MANY_TASKS": "this peer has taken as many tasks as it takes of one peer",
    "DUPLICATE_WITH_OTHER_CONTENT": "another task has this id",
}


@dataclass(frozen=True)
class Task:
    """A task as one side knows it."""

    id: str
    peer: str
    direction: str
    state: str
    description: str
    capability: Optional[str]
    input: Optional[JsonObject]
    reward: Optional[str]
    code: Optional[str] = None
    result: Optional[JsonObject] = None

    @property
    def content(self) -> JsonObject:
        """What makes it this task and no other: the body of `task_delegate`."""
        found: JsonObject = {"task_id": self.id, "description": self.description}
        for name in ("capability", "input", "reward"):
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        return found

    @property
    def is_open(self) -> bool:
        """Whether somebody has still to do something."""
        return self.state in ("sent", "accepted")


def _is_text(value: Any, low: int, high: int) -> bool:
    return isinstance(value, str) and low <= len(value.encode("utf-8", "surrogatepass")) <= high


def is_small_object(value: Any) -> bool:
    """Whether it is an object that an input or a result may be."""
    if not isinstance(value, dict):
        return False
    try:
        checked(value, depth_max=28)
    except (NotJson, RecursionError):
        return False
    return len(canonical(value)) <= OBJECT_MAX


def parse_delegate(peer: str, body: JsonObject) -> Optional[Task]:
    """A task as its worker knows it first; None where the body is not of its shape."""
    task_id, description = body.get("task_id"), body.get("description")
    capability, given, reward = body.get("capability"), body.get("input"), body.get("reward")
    fits = (
        is_uuid4(task_id)
        and _is_text(description, 0, DESCRIPTION_MAX)
        and (capability is None or _is_text(capability, 1, CAPABILITY_MAX))
        and (given is None or is_small_object(given))
        and (reward is None or REWARD.check(reward))
    )
    return Task(str(task_id), peer, "received", "accepted", str(description), capability, given, reward) if fits else None


class Book:
    """All tasks, in the order in which they came, by direction, peer and id."""

    def __init__(self) -> None:
        self._tasks: Dict[Tuple[str, str, str], Tuple[int, Task]] = {}
        self._open: Dict[str, int] = {}
        self._next = 1

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return (task for _, task in self._tasks.values())

    def restore(self, key: str, value: JsonObject) -> None:
        """Takes a kept record back; records come in the order of their keys."""
        self._put(int(key, 16), Task(**value))

    def _put(self, place: int, task: Task) -> None:
        key = (task.direction, task.peer, task.id)
        before = self._tasks.get(key)
        if task.direction == "received":
            was = before is not None and before[1].is_open
            self._open[task.peer] = self._open.get(task.peer, 0) + int(task.is_open) - int(was)
        self._tasks[key] = (place, task)
        self._next = max(self._next, place + 1)

    def delegated(self, peer: str, task_id: str) -> Optional[Task]:
        """Our own task of this id that a peer was given."""
        return self._tasks.get(("delegated", peer, task_id), (0, None))[1]

    def received(self, peer: str, task_id: str) -> Optional[Task]:
        """The task that a peer calls so."""
        return self._tasks.get(("received", peer, task_id), (0, None))[1]

    def open_of(self, peer: str) -> int:
        """Tasks of a peer that are taken and not done."""
        return self._open.get(peer, 0)

    def keep(self, task: Task) -> Tuple[str, bytes]:
        """Adds or changes a task: the key and value of its record."""
        key = (task.direction, task.peer, task.id)
        place = self._tasks[key][0] if key in self._tasks else self._next
        self._put(place, task)
        return f"{place:016x}", canonical(asdict(task))


class Tasks(Feature):
    """Delegator and worker."""

    name = "tasks"
    kinds: FrozenSet[str] = frozenset({"task_delegate", "task_accept", "task_refuse", "task_result"})
    spaces = (TASKS, ABILITIES)
    events = ("task.received", "task.accepted", "task.refused", "task.done")

    def __init__(self, announce: Callable[[List[str]], None]) -> None:
        self._announce = announce
        self._abilities: List[str] = []
        self._book = Book()

    def start(self, core: Core, records: Records, now: Now) -> None:
        """Tasks and capabilities as they were kept."""
        for value in records.get(ABILITIES, {}).values():
            self._abilities = list(parse(value).value)
        self._announce(self._abilities)
        tasks = records.get(TASKS, {})
        for key in sorted(tasks):
            self._book.restore(key, parse(tasks[key]).value)

    def _keep(self, core: Core, task: Task) -> None:
        key, value = self._book.keep(task)
        core.persist(TASKS, key, value)

    # Delegator.

    @method(
        "task.delegate",
        to=NAME,
        description=TEXT,
        id=optional(UUID),
        capability=optional(TEXT),
        input=optional(OBJECT),
        reward=optional(REWARD),
    )
    def task_delegate(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """Keeps a task and sends it; the same again changes nothing, and goes once more while it has no answer."""
        core.line(params["to"])
        task = self._wanted(core, params)
        known = self._book.delegated(task.peer, task.id)
        if known is not None:
            if known.content != task.content:
                raise CallRefused("DUPLICATE_WITH_OTHER_CONTENT", _REASONS["DUPLICATE_WITH_OTHER_CONTENT"])
            if known.state == "sent":
                core.send(task.peer, "task_delegate", task.content, now, durable=True)
            return {"id": task.id}
        told = core.roster[task.peer].capabilities
        if task.capability is not None and told is not None:
            able = told.get("tasks", [])
            if not isinstance(able, list) or task.capability not in able:
                raise CallRefused("CAPABILITY_MISSING", f"{task.peer} has said that it is not able to do {task.capability!r}")
        if len(self._book) >= TASKS_MAX:
            raise CallRefused("SERVICE_UNAVAILABLE", f"{TASKS_MAX} tasks are remembered, which is all that there is room for")
        core.send(task.peer, "task_delegate", task.content, now, durable=True)
        self._keep(core, task)
        return {"id": task.id}

    def _wanted(self, core: Core, params: JsonObject) -> Task:
        task_id = params.get("id") or uuid4_of(core.random(16))
        if not is_uuid4(task_id):
            raise BadParams("id: not a lower-case UUID of version 4")
        body = {"task_id": task_id, **{name: value for name, value in params.items() if name not in ("to", "id")}}
        task = parse_delegate(params["to"], body)
        if task is None:
            raise CallRefused("INVALID_MESSAGE", "a field of the task is too long, or holds what 1.1 has no place for")
        return replace(task, direction="delegated", state="sent")

    def _answered(self, core: Core, message: Message, now: Now) -> None:
        """An answer of the peer that we delegated to; a task goes forward only."""
        body = message.body
        task = self._book.delegated(message.peer, str(body.get("task_id")))
        if task is None:
            return
        changed, event = _forward(task, message.kind, body)
        if changed is not None:
            self._keep(core, changed)
            core.event(event, asdict(changed))

    # Worker.

    def handle_message(self, core: Core, message: Message, now: Now) -> None:
        """A task, or an answer to one. In 1.0 it is an ordinary message."""
        if message.version != "1.1":
            core.event("message.received", core.inbox.add(message, now))
        elif message.kind == "task_delegate":
            task = parse_delegate(message.peer, message.body)
            if task is not None:
                self._asked(core, task, now)
        else:
            self._answered(core, message, now)

    def _asked(self, core: Core, task: Task, now: Now) -> None:
        known = self._book.received(task.peer, task.id)
        if known is not None:
            if known.content == task.content:
                self._say(core, known, now)
            else:
                self._refuse(core, replace(task, state="refused", code="DUPLICATE_WITH_OTHER_CONTENT"), now)
            return
        if task.capability is not None and task.capability not in self._abilities:
            task = replace(task, state="refused", code="CAPABILITY_MISSING")
        elif self._book.open_of(task.peer) >= OPEN_MAX:
            task = replace(task, state="refused", code="TOO_MANY_TASKS")
        if len(self._book) >= TASKS_MAX or not self._say(core, task, now):
            core.log("warn", f"there is no room for task {task.id} of {task.peer}")
            return
        self._keep(core, task)
        if task.state == "accepted":
            core.event("task.received", asdict(task))

    def _say(self, core: Core, task: Task, now: Now) -> bool:
        """The answer that this task has; False where there is no room to send it."""
        if task.state == "refused":
            return self._refuse(core, task, now)
        answers: List[Tuple[str, JsonObject]] = [("task_accept", {"task_id": task.id})]
        if task.result is not None:
            answers.append(("task_result", _result(task)))
        return all(_sent(core, task.peer, kind, body, now) for kind, body in answers)

    def _refuse(self, core: Core, task: Task, now: Now) -> bool:
        code = str(task.code)
        return _sent(core, task.peer, "task_refuse", {"task_id": task.id, "code": code, "reason": _REASONS.get(code, code)}, now)

    @method("task.complete", id=UUID, result=OBJECT, failed=optional(BOOL), from_=optional(NAME))
    def task_complete(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """Tells the delegator what came of a task; the same again changes nothing."""
        named = [task for task in self._book if task.direction == "received" and task.id == params["id"]]
        found = [task for task in named if params.get("from") in (None, task.peer)]
        if len(found) != 1:
            why = "two peers have a task of this id: say `from`" if found else "there is no such task"
            raise CallRefused("INVALID_MESSAGE", why)
        if not is_small_object(params["result"]):
            raise CallRefused("INVALID_MESSAGE", f"a result has at most {OBJECT_MAX} bytes and no floating-point numbers")
        (task,) = found
        done = replace(task, state="failed" if params.get("failed") else "done", result=params["result"])
        if task == done:
            return {}
        if task.state != "accepted":
            raise CallRefused("INVALID_MESSAGE", "the task is over")
        core.send(task.peer, "task_result", _result(done), now, durable=True)
        self._keep(core, done)
        return {}

    @method("capability.set", capabilities=texts(CAPABILITIES_MAX, 1, CAPABILITY_MAX))
    def capability_set(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """What tasks are taken from here on."""
        self._abilities = sorted(set(params["capabilities"]))
        core.persist(ABILITIES, "all", canonical(self._abilities))
        self._announce(self._abilities)
        return {}

    @method("task.list", id=optional(UUID), after=optional(COUNT), limit=optional(COUNT))
    def task_list(self, core: Core, params: JsonObject, now: Now) -> JsonObject:
        """All tasks of both directions, in the order in which they came."""
        after, limit = listing(params, default_limit=1_000)
        chosen = [task for task in self._book if params.get("id") in (None, task.id)]
        tasks = [asdict(task) for task in chosen[after : after + limit]]
        return {"tasks": tasks, "next": after + len(tasks)}


def _result(task: Task) -> JsonObject:
    return {"task_id": task.id, "state": task.state, "result": task.result}


def _sent(core: Core, to: str, kind: str, body: JsonObject, now: Now) -> bool:
    try:
        core.send(to, kind, body, now, durable=True)
    except CallRefused as refused:
        core.log("warn", f"{kind} to {to} has no room: {refused}")
        return False
    return True


def _forward(task: Task, kind: str, body: JsonObject) -> Tuple[Optional[Task], str]:
    """The task one step further, and the event that says so; None where the answer does not fit."""
    if kind == "task_accept" and task.state == "sent":
        return replace(task, state="accepted"), "task.accepted"
    if kind == "task_refuse" and task.state == "sent":
        code = body.get("code")
        if _is_text(code, 1, CODE_MAX) and _is_text(body.get("reason"), 0, REASON_MAX):
            return replace(task, state="refused", code=code), "task.refused"
    if kind == "task_result" and task.state == "accepted" and body.get("state") in ("done", "failed"):
        if is_small_object(body.get("result")):
            return replace(task, state=body["state"], result=body["result"]), "task.done"
    return None, ""
