//! Tasks between peers that reach each other.

use entity_peer::command::{Complete, Delegate, Send};
use entity_peer::config::Protocols;
use entity_peer::view::{Direction, TaskState, TaskView};
use entity_peer::{Command, CommandError, CommandResult, PeerEvent};
use entity_wire::id::TaskId;
use entity_wire::json::{Object, RULES_1_0_HARDENED};
use entity_wire::kind::MessageKind;
use entity_wire::payload::task::{Capability, TaskDelegate, TaskOutcome, TaskRefusal};

use crate::world::{World, config, name, open};

fn world(protocols: Protocols) -> World {
    let mut world = World::new(["a", "b", "c"].map(|id| config(id, protocols)));
    for (one, other) in [("a", "b"), ("a", "c"), ("b", "c")] {
        world.acquaint(one, other);
    }
    open(&mut world, "a", "b");
    open(&mut world, "c", "b");
    world
}

fn task(n: u8, capability: Option<&str>) -> Delegate {
    Delegate {
        to: name("b"),
        task_id: Some(TaskId::from_random([n; 16])),
        description: "count".to_owned(),
        capability: capability.and_then(Capability::new),
        input: None,
        reward: None,
    }
}

fn delegate(world: &mut World, task: Delegate) -> Result<TaskId, CommandError> {
    match world.run("a", Command::Delegate(task)).unwrap()? {
        CommandResult::Task(id) => Ok(id),
        other => panic!("{other:?}"),
    }
}

fn able(world: &mut World, at: &str, words: &[&str]) {
    let able = words.iter().filter_map(|word| Capability::new(word)).collect();
    assert_eq!(world.run(at, Command::SetCapabilities { able }), Some(Ok(CommandResult::Done)));
}

fn complete(world: &mut World, id: TaskId, words: u64) -> Result<CommandResult, CommandError> {
    let result = Object::new().with("words", words);
    let end = Complete { task_id: id, from: None, outcome: TaskOutcome::Done, result };
    world.run("b", Command::CompleteTask(end)).unwrap()
}

fn tasks(world: &mut World, at: &str) -> Vec<(Direction, TaskState)> {
    world.peer(at).tasks().map(|task| (task.direction, task.state)).collect()
}

/// The events of tasks at a peer, by name.
fn told(world: &World, at: &str) -> Vec<(&'static str, TaskView)> {
    let event = |event: &PeerEvent| match event {
        PeerEvent::TaskReceived(task) => Some(("received", task.clone())),
        PeerEvent::TaskAccepted(task) => Some(("accepted", task.clone())),
        PeerEvent::TaskRefused(task) => Some(("refused", task.clone())),
        PeerEvent::TaskDone(task) => Some(("done", task.clone())),
        _ => None,
    };
    world.events.iter().filter(|(peer, _)| peer == at).filter_map(|(_, e)| event(e)).collect()
}

fn words(world: &World, at: &str) -> Vec<&'static str> {
    told(world, at).into_iter().map(|(word, _)| word).collect()
}

#[test]
fn a_task_is_taken_done_and_its_result_comes_back_once() {
    let mut world = world(Protocols::OnlyV1_1);
    able(&mut world, "b", &["text.count"]);
    let id = delegate(&mut world, task(1, Some("text.count"))).unwrap();
    assert_eq!(tasks(&mut world, "a"), [(Direction::Delegated, TaskState::Accepted)]);
    assert_eq!(complete(&mut world, id, 2), Ok(CommandResult::Done));
    assert_eq!(complete(&mut world, id, 2), Ok(CommandResult::Done), "the same end again");
    assert!(complete(&mut world, id, 3).is_err(), "another end");
    assert_eq!(delegate(&mut world, task(1, Some("text.count"))), Ok(id), "the same task again");
    assert_eq!(words(&world, "b"), ["received"]);
    assert_eq!(words(&world, "a"), ["accepted", "done"]);
    let (_, done) = told(&world, "a").pop().unwrap();
    assert_eq!(done.result, Some(Object::new().with("words", 2_u64)));
    assert_eq!(done.state, TaskState::Done);
}

#[test]
fn a_task_without_its_capability_is_refused_by_the_worker_and_not_sent_by_who_knows() {
    let mut world = world(Protocols::OnlyV1_1);
    delegate(&mut world, task(1, Some("text.count"))).unwrap();
    let refused = TaskState::Refused(TaskRefusal::CapabilityMissing);
    assert_eq!(tasks(&mut world, "a"), [(Direction::Delegated, refused)]);
    assert_eq!((words(&world, "a"), words(&world, "b")), (vec!["refused"], vec![]));
    let known = Command::QueryCapabilities { to: name("b") };
    world.run("a", known.clone()).unwrap().unwrap();
    let passed = world.passed.len();
    let error = CommandError::Task {
        id: TaskId::from_random([2; 16]),
        code: TaskRefusal::CapabilityMissing,
    };
    assert_eq!(delegate(&mut world, task(2, Some("text.count"))), Err(error));
    assert_eq!(world.passed.len(), passed, "nothing was sent");
    assert!(delegate(&mut world, task(3, None)).is_ok(), "what anybody can do");
    able(&mut world, "b", &["other", "text.count"]);
    world.run("a", known).unwrap().unwrap();
    assert!(delegate(&mut world, task(4, Some("text.count"))).is_ok());
    assert_eq!(words(&world, "b"), ["received", "received"]);
}

#[test]
fn another_task_under_the_same_id_is_refused_and_the_first_one_stays() {
    let mut world = world(Protocols::OnlyV1_1);
    let id = delegate(&mut world, task(1, None)).unwrap();
    let other = Delegate { description: "another".to_owned(), ..task(1, None) };
    let code = TaskRefusal::DuplicateWithOtherContent;
    assert_eq!(delegate(&mut world, other.clone()), Err(CommandError::Task { id, code }));
    // A delegator without memory would send it.
    let sent = TaskDelegate {
        description: other.description,
        ..world.peer("a").tasks().next().unwrap().content
    };
    let message = Send::new(name("b"), MessageKind::TaskDelegate, sent.to_object());
    world.run("a", Command::Send(message)).unwrap().unwrap();
    assert_eq!(words(&world, "b"), ["received"]);
    assert_eq!(tasks(&mut world, "a"), [(Direction::Delegated, TaskState::Accepted)]);
    // Another peer may choose the same id.
    let from_c = Command::Delegate(task(1, None));
    world.run("c", from_c).unwrap().unwrap();
    assert_eq!(words(&world, "b"), ["received", "received"]);
    assert_eq!(complete(&mut world, id, 1), Err(CommandError::UnknownTask { id }));
}

#[test]
fn only_the_peer_that_was_asked_answers() {
    let mut world = world(Protocols::OnlyV1_1);
    open(&mut world, "a", "c");
    let id = delegate(&mut world, task(1, Some("text.count"))).unwrap();
    let body = Object::new()
        .with("task_id", id.to_string())
        .with("state", "done")
        .with("result", Object::new());
    let lie = Send::new(name("a"), MessageKind::TaskResult, body);
    world.run("c", Command::Send(lie.clone())).unwrap().unwrap();
    assert_eq!(words(&world, "a"), ["refused"]);
    // And what is over stays over.
    world.run("b", Command::Send(lie)).unwrap().unwrap();
    assert_eq!(words(&world, "a"), ["refused"]);
}

#[test]
fn a_task_of_1_0_is_kept_in_the_inbox_and_has_no_answer() {
    let mut world = world(Protocols::OnlyV1_0);
    delegate(&mut world, task(1, None)).unwrap();
    let kinds: Vec<_> = world.received("b").iter().map(|received| received.kind.clone()).collect();
    assert_eq!(kinds, [MessageKind::TaskDelegate]);
    assert_eq!(tasks(&mut world, "b"), []);
    assert_eq!(tasks(&mut world, "a"), [(Direction::Delegated, TaskState::Sent)]);
}

#[test]
fn what_is_not_of_its_shape_changes_nothing() {
    let mut world = world(Protocols::OnlyV1_1);
    for kind in [
        MessageKind::TaskDelegate,
        MessageKind::TaskAccept,
        MessageKind::TaskRefuse,
        MessageKind::TaskResult,
    ] {
        let message = Send::new(name("b"), kind, Object::new().with("task_id", "no id"));
        world.run("a", Command::Send(message)).unwrap().unwrap();
    }
    assert_eq!((tasks(&mut world, "b"), words(&world, "b")), (vec![], vec![]));
}

#[test]
fn a_capability_too_many_is_refused_and_changes_nothing() {
    let mut world = world(Protocols::OnlyV1_1);
    let many = |count: usize| {
        let able = (0..count).filter_map(|n| Capability::new(&n.to_string())).collect();
        Command::SetCapabilities { able }
    };
    assert_eq!(world.run("b", many(64)), Some(Ok(CommandResult::Done)));
    let error = CommandError::Overloaded { limit: "CAPABILITIES_MAX" };
    assert_eq!(world.run("b", many(65)), Some(Err(error)));
    delegate(&mut world, task(1, Some("63"))).unwrap();
    assert_eq!(words(&world, "b"), ["received"]);
}

#[test]
fn a_result_that_no_peer_takes_does_not_end_the_task() {
    let mut world = world(Protocols::OnlyV1_1);
    let id = delegate(&mut world, task(1, None)).unwrap();
    let float = entity_wire::json::parse(b"{\"x\":1.5}", &RULES_1_0_HARDENED).unwrap();
    let result = float.into_object().unwrap();
    let end = Complete { task_id: id, from: None, outcome: TaskOutcome::Done, result };
    let refused = world.run("b", Command::CompleteTask(end)).unwrap();
    assert!(matches!(refused, Err(CommandError::Malformed { .. })), "{refused:?}");
    assert_eq!(tasks(&mut world, "b"), [(Direction::Received, TaskState::Accepted)]);
    assert_eq!(complete(&mut world, id, 2), Ok(CommandResult::Done));
    assert_eq!(tasks(&mut world, "a"), [(Direction::Delegated, TaskState::Done)]);
}

/// Two peers of which the one called `full` has no room for durable messages.
fn cramped(full: &str) -> World {
    let configs = ["a", "b"].map(|id| {
        let mut config = config(id, Protocols::OnlyV1_1);
        if id == full {
            config.limits.durable_messages_per_peer_max = 0;
        }
        config
    });
    let mut world = World::new(configs);
    world.acquaint("a", "b");
    open(&mut world, "a", "b");
    world
}

#[test]
fn a_task_for_which_the_queue_has_no_room_is_refused_and_not_kept() {
    let mut world = cramped("a");
    let refused = delegate(&mut world, task(1, None));
    let limit = "durable_messages_per_peer_max";
    assert_eq!(refused, Err(CommandError::Overloaded { limit }));
    assert_eq!(tasks(&mut world, "a"), []);
}

#[test]
fn a_task_that_cannot_be_answered_is_not_taken_and_may_be_delegated_again() {
    let mut world = cramped("b");
    let asked = |world: &World| {
        let received = world.received("b");
        received.iter().filter(|received| received.kind == MessageKind::TaskDelegate).count()
    };
    for times in 1..=2 {
        delegate(&mut world, task(1, None)).unwrap();
        assert_eq!(asked(&world), times);
        assert_eq!(tasks(&mut world, "b"), []);
        assert_eq!(tasks(&mut world, "a"), [(Direction::Delegated, TaskState::Sent)]);
    }
}
