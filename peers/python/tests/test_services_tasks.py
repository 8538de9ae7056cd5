"""Tasks between whole peers."""

from __future__ import annotations

import pytest
from cores import Cores

from entity_py.codes import BadParams
from entity_py.services import tasks as tasks_module

ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def test_a_task_is_delegated_taken_done_and_told_once() -> None:
    world = Cores("a", "b", versions=("1.1",))
    a, b = world.bodies.values()
    b.call("capability.set", capabilities=["text.sort", "text.count", "text.count"])
    assert a.call("capability.query", to="b")["capabilities"]["tasks"] == ["text.count", "text.sort"]
    wanted = {"to": "b", "description": "count", "capability": "text.count", "input": {"page": 1}, "reward": "100", "id": ID}
    for _ in range(3):
        assert a.call("task.delegate", **wanted) == {"id": ID}
    world.run(2)
    (received,) = b.told("task.received")
    assert (received["id"], received["peer"], received["state"], received["input"]) == (ID, "a", "accepted", {"page": 1})
    assert [event["state"] for event in a.told("task.accepted")] == ["accepted"]
    for _ in range(2):
        b.call("task.complete", id=ID, result={"words": 3})
    world.run(2)
    assert [(event["state"], event["result"]) for event in a.told("task.done")] == [("done", {"words": 3})]
    assert b.refused("task.complete", id=ID, result={"words": 4}) == "INVALID_MESSAGE"
    assert [task["state"] for body in (a, b) for task in body.call("task.list")["tasks"]] == ["done", "done"]


def test_tasks_survive_restarts_of_both() -> None:
    world = Cores("a", "b", versions=("1.1",))
    a, b = world.bodies.values()
    b.kill()
    a.call("task.delegate", to="b", description="later", id=ID)
    world.run(1)
    a.kill()
    a.start()
    b.start()
    world.run(120)
    assert len(b.told("task.received")) == 1
    b.kill()
    b.start()
    b.call("task.complete", id=ID, result={}, failed=True)
    world.run(120)
    assert a.call("task.list", id=ID)["tasks"][0]["state"] == "failed"


def test_another_task_may_not_take_the_id_of_the_first() -> None:
    world = Cores("a", "b", "c", versions=("1.1",))
    a, b, c = world.bodies.values()
    a.call("task.delegate", to="b", description="one", id=ID)
    assert a.refused("task.delegate", to="b", description="two", id=ID) == "DUPLICATE_WITH_OTHER_CONTENT"
    assert a.call("task.delegate", to="c", description="two", id=ID) == {"id": ID}
    c.call("task.delegate", to="b", description="another's", id=ID)
    world.run(2)
    assert b.refused("task.complete", id=ID, result={}) == "INVALID_MESSAGE"
    b.call("task.complete", id=ID, from_="c", result={})
    # The same id with another content, from a delegator that has forgotten the first.
    assert a.core is not None
    a.core.send("b", "task_delegate", {"task_id": ID, "description": "two"}, world.now, durable=True)
    world.run(2)
    assert [task["description"] for task in b.call("task.list")["tasks"]] == ["one", "another's"]
    assert [(task["peer"], task["state"]) for task in a.call("task.list")["tasks"]] == [("b", "accepted"), ("c", "accepted")]


def test_only_what_a_peer_is_able_to_do_is_delegated_and_taken() -> None:
    world = Cores("a", "b", versions=("1.1",))
    a, b = world.bodies.values()
    task = a.call("task.delegate", to="b", description="count", capability="text.count")["id"]
    world.run(2)
    assert [(event["id"], event["code"]) for event in a.told("task.refused")] == [(task, "CAPABILITY_MISSING")]
    assert b.told("task.received") == []
    a.call("capability.query", to="b")
    assert a.refused("task.delegate", to="b", description="count", capability="text.count") == "CAPABILITY_MISSING"


def test_of_one_peer_no_more_tasks_are_taken_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tasks_module.OPEN_MAX == 1024
    monkeypatch.setattr(tasks_module, "OPEN_MAX", 2)
    world = Cores("a", "b", versions=("1.1",))
    a, b = world.bodies.values()
    ids = [a.call("task.delegate", to="b", description=str(count))["id"] for count in range(3)]
    world.run(2)
    assert [(event["id"], event["code"]) for event in a.told("task.refused")] == [(ids[2], "TOO_MANY_TASKS")]
    b.call("task.complete", id=ids[0], result={})
    a.call("task.delegate", to="b", description="one more")
    world.run(2)
    assert len(b.told("task.received")) == 3


def test_the_book_of_tasks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks_module, "TASKS_MAX", 1)
    world = Cores("a", "b", versions=("1.1",))
    a, b = world.bodies.values()
    a.call("task.delegate", to="b", description="one")
    assert a.refused("task.delegate", to="b", description="two") == "SERVICE_UNAVAILABLE"


def test_what_is_no_task_is_refused() -> None:
    world = Cores("a", "b", versions=("1.1",))
    a, _ = world.bodies.values()
    assert a.refused("task.delegate", to="b", description="é" * 2049) == "INVALID_MESSAGE"
    assert a.refused("task.delegate", to="b", description="x", input={"x": "y" * 65_536}) == "INVALID_MESSAGE"
    assert a.refused("task.delegate", to="b", description="x", input={"x": 1.5}) == "INVALID_MESSAGE"
    assert a.refused("task.delegate", to="nobody", description="x") == "UNKNOWN_RECIPIENT"
    for params in ({"id": "nope"}, {"reward": "0"}, {"reward": "1" * 40}):
        with pytest.raises(BadParams):
            a.call("task.delegate", to="b", description="x", **params)
    assert a.refused("task.complete", id=ID, result={}) == "INVALID_MESSAGE"


def test_in_1_0_a_task_is_an_ordinary_message() -> None:
    world = Cores("a", "b", versions=("1.0",))
    a, b = world.bodies.values()
    a.call("message.send", to="b", type="task_delegate", body={"task_id": ID, "description": "x"})
    assert [message["type"] for message in b.call("message.inbox")["messages"]] == ["task_delegate"]
    assert b.call("task.list")["tasks"] == []
