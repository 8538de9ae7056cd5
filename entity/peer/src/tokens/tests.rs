use std::time::Duration;

use entity_crypto::signing::{PublicKey, SigningKey};
use entity_journal::{Record, Stored, Write};
use entity_ledger::{Keys, TransferRequest};
use entity_wire::payload::token::{Amount, TransferId};
use entity_wire::time::Timestamp;

use super::accounts::{Accounts, Signers};
use super::payments::{Payments, QUEUED_PER_ACCOUNT_MAX, WAITING_MAX, Waiter};
use super::vocabulary::{TokenError, Until};
use crate::command::CommandId;
use crate::config::Config;
use crate::core::Core;
use crate::output::Output;
use crate::restore::RestoreError;

fn identity() -> SigningKey {
    SigningKey::from_seed(std::array::from_fn(|at| u8::try_from(at).unwrap()))
}

fn core() -> Core {
    let config = Config::new("a".parse().unwrap());
    Core::restore(config, identity(), [1; 32], &mut Stored::default()).unwrap()
}

fn key(number: u8) -> PublicKey {
    SigningKey::from_seed([number; 32]).public_key()
}

#[test]
fn an_account_in_use_is_kept_in_one_fixed_form() {
    let (mut core, mut accounts) = (core(), Accounts::default());
    let taken = accounts.take(&mut core, 1).unwrap();
    assert_eq!(accounts.take(&mut core, 1), Some(taken), "once is enough");
    let Some(Output::Persist(batch)) = core.poll_output() else { panic!("it is kept") };
    let [Write::Put { space, key, value }] = batch.writes() else { panic!("{batch:?}") };
    assert_eq!((space.name(), &key[..]), ("token.key", &b"0000000000000001"[..]));
    let text = r#"{"key":"23211627d5d398e0d551aac10ee5235976e26ac728df0c12a8b11df2c2ac2684"}"#;
    assert_eq!(std::str::from_utf8(value).unwrap(), text);
    let mut stored = Stored::default();
    stored.put("token.key", Record { key: key.clone(), value: value.clone() });
    let restored = Accounts::restore(core.public_key, &mut stored).unwrap();
    let all: Vec<_> = restored.iter().collect();
    assert_eq!(all, [(0, core.public_key), (1, taken)]);
}

#[test]
fn what_is_no_account_is_refused_by_name() {
    let good = br#"{"key":"23211627d5d398e0d551aac10ee5235976e26ac728df0c12a8b11df2c2ac2684"}"#;
    let damaged: [(&[u8], &[u8]); 5] = [
        (b"1", good),
        (b"0000000000000000", good),
        (b"0000000000000400", good),
        (b"0000000000000001", br#"{"key":"00"}"#),
        (b"0000000000000001", b"{}"),
    ];
    for (key, value) in damaged {
        let mut stored = Stored::default();
        stored.put("token.key", Record { key: key.to_vec(), value: value.to_vec() });
        let refused = Accounts::restore(identity().public_key(), &mut stored);
        let Err(RestoreError::Damaged { space, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(space, "token.key");
    }
}

#[test]
fn each_account_signs_with_its_own_key_and_nobody_elses() {
    let (mut core, mut accounts) =
        (core(), Accounts::restore(identity().public_key(), &mut Stored::default()).unwrap());
    let first = accounts.take(&mut core, 1).unwrap();
    let keys = Signers { identity: &core.key, accounts: &accounts };
    for account in [core.public_key, first] {
        let signature = keys.sign(&account, b"order").unwrap();
        assert!(account.verify(b"order", &signature).is_ok());
    }
    assert_eq!(keys.sign(&key(9), b"order"), None);
}

fn request(from: PublicKey) -> TransferRequest {
    TransferRequest {
        id: TransferId::from_bytes([1; 16]),
        token: "AGT".parse().unwrap(),
        from,
        to: key(2),
        amount: Amount::new(1).unwrap(),
        expires_at: Timestamp::UNIX_EPOCH.plus(Duration::from_secs(1)),
        memo: None,
        receiver: None,
    }
}

fn waiter(command: u64) -> Waiter {
    Waiter { command: CommandId(command), until: Until::Applied }
}

#[test]
fn payments_of_one_account_that_wait_are_bounded_and_so_are_all() {
    let mut payments = Payments::default();
    for command in 0..QUEUED_PER_ACCOUNT_MAX {
        payments.queue(request(key(1)), waiter(command as u64)).unwrap();
    }
    let full = payments.queue(request(key(1)), waiter(0));
    assert_eq!(full, Err(TokenError::Overloaded { limit: "payments of one account" }));
    for command in QUEUED_PER_ACCOUNT_MAX..WAITING_MAX {
        assert_eq!(payments.has_room(), Ok(()));
        payments.wait(key(1), TransferId::from_bytes([7; 16]), waiter(command as u64));
    }
    assert_eq!(payments.has_room(), Err(TokenError::Overloaded { limit: "payments waited for" }));
    // Whoever waits no more makes room.
    assert!(payments.withdraw(CommandId(0)) && !payments.withdraw(CommandId(0)));
    assert!(payments.withdraw(CommandId(WAITING_MAX as u64 - 1)));
    assert_eq!(payments.has_room(), Ok(()));
    let taken = payments.take(key(1), TransferId::from_bytes([7; 16]), Until::Applied);
    assert_eq!(taken.len(), WAITING_MAX - QUEUED_PER_ACCOUNT_MAX - 1);
}

#[test]
fn who_waits_for_less_is_answered_earlier() {
    let (mut payments, id) = (Payments::default(), TransferId::from_bytes([1; 16]));
    payments.wait(key(1), id, Waiter { command: CommandId(1), until: Until::Kept });
    payments.wait(key(1), id, waiter(2));
    let kept = payments.take(key(1), id, Until::Kept);
    assert_eq!(kept.iter().map(|waiter| waiter.command).collect::<Vec<_>>(), [CommandId(1)]);
    let applied = payments.take(key(1), id, Until::Applied);
    assert_eq!(applied.iter().map(|waiter| waiter.command).collect::<Vec<_>>(), [CommandId(2)]);
}
