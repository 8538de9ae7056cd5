//! One book for all programs with one key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use entity_moltbook::exchange::Failure;
use entity_moltbook::{ApiKey, Call};
use entity_moltbook_client::store::{Store, StoreError};
use entity_moltbook_client::{CallError, Cancel, DiaryError, clock::Clock};

use crate::support::{KEY, Place, draft};

#[test]
fn many_clients_at_once_post_as_often_as_one_may() {
    let place = Place::new();
    place.client();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let clients = (0..8).map(|nth| {
            let client = place.client_with(KEY, 10);
            scope.spawn(move || client.call(draft(&format!("T {nth}"), "text")))
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let denied = |outcome: &&Result<_, CallError>| {
        matches!(outcome, Err(CallError::Failed(Failure::Denied(_))))
    };
    assert_eq!(outcomes.iter().filter(denied).count(), 7);
    assert_eq!(place.server.fake().seen().len(), 1);
}

#[test]
fn a_hundred_requests_are_sent_and_not_one_more() {
    let place = Place::new();
    let client = place.client_with(KEY, 10);
    for _ in 0..100 {
        client.call(Call::Status).unwrap();
    }
    let over = client.call(Call::Status);
    assert!(matches!(over, Err(CallError::Failed(Failure::Denied(_)))), "{over:?}");
    let mut fake = place.server.fake();
    assert_eq!(fake.seen().len(), 100);
    assert_eq!(fake.service.account(KEY).unwrap().limited, 0);
}

#[test]
fn a_damaged_book_stops_everything_and_is_left_as_it_is() {
    let place = Place::new();
    place.client().call(Call::Status).unwrap();
    let account = ApiKey::parse(KEY).unwrap().account();
    let path = place.books().join(format!("moltbook-{account}.json"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&path).unwrap();
    let half = &bytes[..bytes.len() / 2];
    fs::write(&path, half).unwrap();
    let client =
        entity_moltbook_client::Client::open(place.settings(KEY, 1), Cancel::default()).unwrap();
    let outcome = client.call(Call::Status);
    assert!(matches!(outcome, Err(CallError::Store(StoreError::Damaged { .. }))), "{outcome:?}");
    assert_eq!(fs::read(&path).unwrap(), half);
    assert_eq!(place.server.fake().seen().len(), 1, "and nothing was sent");
}

#[test]
fn a_book_that_cannot_be_kept_sends_nothing() {
    let place = Place::new();
    let client = place.client();
    fs::remove_dir_all(place.books()).unwrap();
    let outcome = client.call(Call::Status);
    assert!(matches!(outcome, Err(CallError::Store(StoreError::Io { .. }))), "{outcome:?}");
    assert!(place.server.fake().seen().is_empty());
}

#[test]
fn a_lock_that_another_holds_is_given_up_when_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    let store = Store::open(folder.path(), "one", Clock::start(), cancel.clone()).unwrap();
    let other = Store::open(folder.path(), "one", Clock::start(), Cancel::default()).unwrap();
    let inner = other.change(|_, _| {
        cancel.cancel();
        store.look().map(|_| ())
    });
    assert!(matches!(inner.unwrap(), Err(StoreError::Locked { .. })));
    assert!(store.look().is_ok(), "it is free again");
}

#[test]
fn the_duties_of_an_account_are_done_by_one_program() {
    let place = Place::new();
    let (diary, memory) = place.client().duties().unwrap();
    assert!(memory.is_empty());
    let taken = place.client().duties();
    assert!(matches!(taken, Err(DiaryError::Taken { .. })), "{taken:?}");
    diary.keep(&memory).unwrap();
    drop(diary);
    let (_diary, again) = place.client().duties().unwrap();
    assert_eq!(again, memory);
}

#[test]
fn a_damaged_memory_stops_the_duties_and_is_left_as_it_is() {
    let place = Place::new();
    let (diary, memory) = place.client().duties().unwrap();
    diary.keep(&memory).unwrap();
    drop(diary);
    let account = ApiKey::parse(KEY).unwrap().account();
    let path = place.books().join(format!("moltbook-{account}.memory.json"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for bad in [b"{}".to_vec(), vec![b' '; 600_000]] {
        fs::write(&path, &bad).unwrap();
        let error = place.client().duties().unwrap_err();
        assert!(matches!(error, DiaryError::Damaged { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bad);
    }
}
