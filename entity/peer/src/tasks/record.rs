//! How tasks are kept: space `task`, one record a task.
//!
//! | key | value |
//! |---|---|
//! | `delegated UUID PEER`, `received UUID PEER` | `task` (the payload of `task_delegate`), `order`, `state`, `code`?, `result`? |

use entity_journal::{Record, Space, Stored, Write};
use entity_wire::json::{Fields, Object};
use entity_wire::payload::task::{TaskDelegate, TaskRefusal};

use super::book::{Book, Place, Task};
use crate::record::{damaged, put as put_object, read};
use crate::restore::RestoreError;
use crate::view::{Direction, TaskState};

const SPACE: Space = Space::state("task");

/// Keeps a task.
pub(super) fn put(place: &Place, task: &Task) -> Write {
    let mut object = Object::new()
        .with("task", task.content.to_object())
        .with("order", task.order)
        .with("state", task.state.as_str());
    if let TaskState::Refused(code) = task.state {
        object.insert("code", code.as_str());
    }
    if let Some(result) = &task.result {
        object.insert("result", result.clone());
    }
    put_object(SPACE, key(place), &object)
}

/// Forgets a task.
pub(super) fn delete(place: &Place) -> Write {
    Write::delete(SPACE, key(place))
}

/// Reads everything back.
///
/// # Errors
///
/// A record is damaged.
pub(super) fn restore(stored: &mut Stored) -> Result<Book, RestoreError> {
    let mut book = Book::default();
    for record in stored.take(SPACE) {
        let place = place_of(&record)?;
        let task = task_of(&record)?;
        if task.content.task_id != place.id {
            return Err(damaged(SPACE, &record, "it is of another task than its key says"));
        }
        if !book.put_back(place, task) {
            return Err(damaged(SPACE, &record, "two tasks have the same place in the order"));
        }
    }
    Ok(book)
}

fn key(place: &Place) -> String {
    format!("{} {} {}", place.direction.as_str(), place.id, place.peer)
}

fn place_of(record: &Record) -> Result<Place, RestoreError> {
    let text = std::str::from_utf8(&record.key).ok();
    let place = text.and_then(|text| {
        let mut parts = text.splitn(3, ' ');
        Some(Place {
            direction: Direction::from_text(parts.next()?)?,
            id: parts.next()?.parse().ok()?,
            peer: parts.next()?.parse().ok()?,
        })
    });
    place.ok_or_else(|| damaged(SPACE, record, "its key names no task"))
}

fn task_of(record: &Record) -> Result<Task, RestoreError> {
    read(SPACE, record, &["task", "order", "state", "code", "result"], |fields: Fields<'_>| {
        let code = fields.read_optional("code", "a code", TaskRefusal::from_text)?;
        let state = fields.read("state", "a state", |word| TaskState::from_text(word, code))?;
        let result = fields.optional("result").map(|_| fields.object("result")).transpose()?;
        Ok(Task {
            content: TaskDelegate::from_object(fields.object("task")?)?,
            order: fields.unsigned("order")?,
            state,
            result: result.cloned(),
        })
    })
}
