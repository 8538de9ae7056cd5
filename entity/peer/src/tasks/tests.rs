use entity_journal::{Journal as _, MemoryJournal, Record, Space, Write};
use proptest::prelude::*;

use super::book::{Book, Place, Task};
use super::*;

fn id(n: u16) -> TaskId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    TaskId::from_random(bytes)
}

fn content(n: u16) -> TaskDelegate {
    let (capability, input, reward) = (None, None, None);
    TaskDelegate { task_id: id(n), description: "d".to_owned(), capability, input, reward }
}

fn place(direction: Direction, n: u16) -> Place {
    Place { direction, id: id(n), peer: "b c".parse().unwrap() }
}

fn book_of(count: u16, direction: Direction, state: TaskState) -> Book {
    let mut book = Book::default();
    for n in 0..count {
        let gone = book.insert(place(direction, n), Task::new(content(n), state)).unwrap();
        assert_eq!(gone, None);
    }
    book
}

/// What a journal has kept of one write, as it comes back.
fn kept(writes: &[Write]) -> Stored {
    let mut journal = MemoryJournal::default();
    journal.commit(&[writes.to_vec().into()]).unwrap();
    journal.load().unwrap()
}

fn record_of(stored: &mut Stored) -> (String, String) {
    let Record { key, value } = stored.take(Space::state("task")).next().unwrap();
    (String::from_utf8(key).unwrap(), String::from_utf8(value).unwrap())
}

fn refused() -> Task {
    let task = TaskDelegate {
        capability: Capability::new("text.count"),
        input: Some(Object::new().with("n", 1_u64)),
        ..content(7)
    };
    Task { order: 3, ..Task::new(task, TaskState::Refused(TaskRefusal::CapabilityMissing)) }
}

#[test]
fn the_oldest_task_that_is_over_gives_way_and_open_ones_stay() {
    let max = u16::try_from(Book::TASKS_MAX).unwrap();
    let mut book = book_of(max, Direction::Delegated, TaskState::Sent);
    let more = || (place(Direction::Delegated, max), Task::new(content(max), TaskState::Sent));
    let (at, task) = more();
    assert_eq!(book.insert(at, task), Err(CommandError::Overloaded { limit: "TASKS_MAX" }));
    let over = place(Direction::Delegated, 5);
    assert!(book.change(&over, TaskState::Done, None).is_some());
    let (at, task) = more();
    assert_eq!(book.insert(at, task), Ok(Some(over.clone())));
    assert_eq!((book.iter().count(), book.get(&over)), (Book::TASKS_MAX, None));
    assert_eq!(book.iter().last().unwrap().0.id, id(max), "the newest is the last");
}

#[test]
fn a_peer_may_give_so_many_tasks_until_one_of_them_is_over() {
    let max = u16::try_from(Book::OPEN_PER_PEER_MAX).unwrap();
    let mut book = book_of(max - 1, Direction::Received, TaskState::Accepted);
    let peer = place(Direction::Received, 0).peer;
    assert!(!book.is_full_for(&peer));
    let last = place(Direction::Received, max);
    book.insert(last, Task::new(content(max), TaskState::Accepted)).unwrap();
    assert!(book.is_full_for(&peer));
    assert!(!book.is_full_for(&"other".parse().unwrap()));
    book.change(&place(Direction::Received, 3), TaskState::Failed, None);
    assert!(!book.is_full_for(&peer));
}

#[test]
fn an_id_that_two_peers_chose_does_not_say_which_task_is_meant() {
    let mut book = Book::default();
    let one = place(Direction::Received, 1);
    let other = Place { peer: "d".parse().unwrap(), ..one.clone() };
    book.insert(one.clone(), Task::new(content(1), TaskState::Accepted)).unwrap();
    assert_eq!(book.received(id(1), None), Some(one));
    book.insert(other.clone(), Task::new(content(1), TaskState::Accepted)).unwrap();
    assert_eq!(book.received(id(1), None), None);
    assert_eq!(book.received(id(1), Some(&other.peer)), Some(other));
    assert_eq!(book.received(id(2), None), None);
}

#[test]
fn a_task_is_kept_as_pinned_and_comes_back() {
    let (at, task) = (place(Direction::Received, 7), refused());
    let write = record::put(&at, &task);
    let (key, value) = record_of(&mut kept(std::slice::from_ref(&write)));
    assert_eq!(key, "received 00070000-0000-4000-8000-000000000000 b c");
    assert_eq!(
        value,
        r#"{"code":"CAPABILITY_MISSING","order":3,"state":"refused","task":{"capability":"text.count","description":"d","input":{"n":1},"task_id":"00070000-0000-4000-8000-000000000000"}}"#
    );
    let book = record::restore(&mut kept(&[write])).unwrap();
    assert_eq!(book.iter().collect::<Vec<_>>(), [(&at, &task)]);
    let gone = [record::put(&at, &task), record::delete(&at)];
    assert_eq!(record::restore(&mut kept(&gone)).unwrap().iter().count(), 0);
}

#[test]
fn a_damaged_record_is_named() {
    let good = record_of(&mut kept(&[record::put(&place(Direction::Received, 7), &refused())]));
    let check = |key: &str, value: &str, reason: &str| {
        let write = Write::put(Space::state("task"), key, value);
        let error = record::restore(&mut kept(&[write])).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    check("received 7 b", &good.1, "its key names no task");
    check("sent 00070000-0000-4000-8000-000000000000 b", &good.1, "its key names no task");
    check("received 00080000-0000-4000-8000-000000000000 b", &good.1, "of another task");
    check(&good.0, &good.1.replace("refused", "done"), "not a state");
    check(&good.0, &good.1.replace("CAPABILITY", "OTHER"), "not a code");
    check(&good.0, "{}", "missing");
    let one = record::put(&place(Direction::Received, 7), &refused());
    let other = Task { content: content(8), ..refused() };
    let both = [one, record::put(&place(Direction::Received, 8), &other)];
    let error = record::restore(&mut kept(&both)).unwrap_err().to_string();
    assert!(error.contains("the same place in the order"), "{error}");
}

fn any_state() -> impl Strategy<Value = TaskState> {
    prop::sample::select(vec![
        TaskState::Sent,
        TaskState::Accepted,
        TaskState::Refused(TaskRefusal::TooMany),
        TaskState::Done,
        TaskState::Failed,
    ])
}

proptest! {
    /// However the answers come, a task is answered at most twice, and what is over stays as it is.
    #[test]
    fn a_task_only_goes_forward(answers in prop::collection::vec(any_state(), 0..20)) {
        let mut state = TaskState::Sent;
        let mut changes = 0;
        for answer in answers {
            if state.may_become(answer) {
                prop_assert!(!state.is_over());
                state = answer;
                changes += 1;
            }
        }
        prop_assert!(changes <= 2);
    }

    /// Whatever was kept comes back, at its place.
    #[test]
    fn a_book_comes_back_as_it_was(tasks in prop::collection::vec((any_state(), any::<bool>()), 0..20)) {
        let mut book = Book::default();
        let mut writes = Vec::new();
        for (n, (state, is_received)) in (0..).zip(tasks) {
            let direction = if is_received { Direction::Received } else { Direction::Delegated };
            let at = place(direction, n);
            book.insert(at.clone(), Task::new(content(n), state)).unwrap();
            writes.push(record::put(&at, book.get(&at).unwrap()));
        }
        let back = record::restore(&mut kept(&writes)).unwrap();
        prop_assert!(back.iter().eq(book.iter()));
    }
}
