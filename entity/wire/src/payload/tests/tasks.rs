use super::super::task::{
    Capability, Reward, TaskAccept, TaskDelegate, TaskOutcome, TaskRefusal, TaskRefuse, TaskResult,
};
use super::*;
use crate::canonical;
use crate::id::TaskId;
use crate::limits::{LIST_ENTRY_LEN_MAX, TASK_DATA_LEN_MAX, TASK_DESCRIPTION_LEN_MAX};

fn id() -> TaskId {
    TaskId::from_random([7; 16])
}

fn delegate() -> TaskDelegate {
    TaskDelegate {
        task_id: id(),
        description: "count the words".to_owned(),
        capability: Capability::new("text.count"),
        input: Some(Object::new().with("text", "one two")),
        reward: Reward::new("100"),
    }
}

#[track_caller]
fn golden(object: &Object, expected: &str) {
    let written = String::from_utf8(canonical::object_to_vec(object)).unwrap();
    assert_eq!(written, expected);
}

#[test]
fn tasks_are_written_as_pinned_and_read_strictly() {
    let written = delegate().to_object();
    golden(
        &written,
        r#"{"capability":"text.count","description":"count the words","input":{"text":"one two"},"reward":"100","task_id":"07070707-0707-4707-8707-070707070707"}"#,
    );
    assert_eq!(TaskDelegate::from_object(&written), Ok(delegate()));
    strict(&written, TaskDelegate::from_object, &["capability", "input", "reward"], &[]);

    let accept = TaskAccept { task_id: id() };
    golden(&accept.to_object(), r#"{"task_id":"07070707-0707-4707-8707-070707070707"}"#);
    strict(&accept.to_object(), TaskAccept::from_object, &[], &[]);

    let refuse = TaskRefuse {
        task_id: id(),
        code: TaskRefusal::CapabilityMissing,
        reason: "it has not text.count".to_owned(),
    };
    golden(
        &refuse.to_object(),
        r#"{"code":"CAPABILITY_MISSING","reason":"it has not text.count","task_id":"07070707-0707-4707-8707-070707070707"}"#,
    );
    assert_eq!(TaskRefuse::from_object(&refuse.to_object()), Ok(refuse.clone()));
    strict(&refuse.to_object(), TaskRefuse::from_object, &[], &[]);

    let result = TaskResult {
        task_id: id(),
        outcome: TaskOutcome::Done,
        result: Object::new().with("words", 2_u64),
    };
    golden(
        &result.to_object(),
        r#"{"result":{"words":2},"state":"done","task_id":"07070707-0707-4707-8707-070707070707"}"#,
    );
    assert_eq!(TaskResult::from_object(&result.to_object()), Ok(result.clone()));
    strict(&result.to_object(), TaskResult::from_object, &[], &[]);
}

#[test]
fn the_bounds_of_a_task_are_reached_and_not_passed() {
    let read = |delegate: &TaskDelegate| TaskDelegate::from_object(&delegate.to_object());
    let described = |len| TaskDelegate { description: "x".repeat(len), ..delegate() };
    assert!(read(&described(TASK_DESCRIPTION_LEN_MAX)).is_ok());
    assert!(read(&described(TASK_DESCRIPTION_LEN_MAX + 1)).is_err());
    // {"t":".."} is 8 bytes more than its text.
    let given = |len: usize| {
        let input = Some(Object::new().with("t", "x".repeat(len - 8)));
        TaskDelegate { input, ..delegate() }
    };
    assert!(read(&given(TASK_DATA_LEN_MAX)).is_ok());
    assert!(read(&given(TASK_DATA_LEN_MAX + 1)).is_err());
    assert!(Capability::new(&"x".repeat(LIST_ENTRY_LEN_MAX)).is_some());
    assert!(Capability::new(&"x".repeat(LIST_ENTRY_LEN_MAX + 1)).is_none());
    assert!(Capability::new("").is_none());
}

#[test]
fn a_reward_is_a_positive_amount_in_digits() {
    for good in ["1", "100", &"9".repeat(39)] {
        assert_eq!(Reward::new(good).unwrap().as_str(), good);
    }
    for bad in ["", "0", "01", "-1", "1.5", "1e3", " 1", &"9".repeat(40)] {
        assert!(Reward::new(bad).is_none(), "{bad}");
    }
}

#[test]
fn codes_and_words_are_read_as_they_are_written() {
    for code in TaskRefusal::ALL {
        assert_eq!(TaskRefusal::from_text(code.as_str()), Some(code));
    }
    for outcome in [TaskOutcome::Done, TaskOutcome::Failed] {
        assert_eq!(TaskOutcome::from_text(outcome.as_str()), Some(outcome));
    }
    assert_eq!(TaskRefusal::from_text("capability_missing"), None);
    assert_eq!(TaskOutcome::from_text("accepted"), None);
}

proptest! {
    #[test]
    fn any_task_is_read_as_it_was_written(
        description in ".{0,60}",
        capability in prop::option::of("[a-z.]{1,20}"),
        reward in prop::option::of(1_u64..),
        text in prop::option::of(".{0,60}"),
    ) {
        let task = TaskDelegate {
            task_id: id(),
            description,
            capability: capability.and_then(|text| Capability::new(&text)),
            input: text.map(|text| Object::new().with("text", text)),
            reward: reward.and_then(|amount| Reward::new(&amount.to_string())),
        };
        prop_assert_eq!(TaskDelegate::from_object(&task.to_object()), Ok(task));
    }
}
