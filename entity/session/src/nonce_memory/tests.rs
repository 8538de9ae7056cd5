use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;
const SMALL: NonceLimits = NonceLimits { senders_max: 2, nonces_per_sender_max: 3 };

fn after(duration: Duration) -> Timestamp {
    START.plus(duration)
}

/// Records `nonces` of sender 1 at [`START`], then looks at `nonce` of `sender` after `elapsed`.
#[track_caller]
fn check(
    nonces: &[&str],
    (sender, nonce): (u8, &str),
    elapsed: Duration,
    expected: Result<(), NonceRefusal>,
) {
    let mut memory = NonceMemory::new(SMALL);
    for nonce in nonces {
        memory.record(1_u8, nonce.as_bytes(), START);
    }
    memory.expire(after(elapsed));
    assert_eq!(memory.look(&sender, nonce.as_bytes(), after(elapsed)), expected);
}

#[test]
fn a_new_nonce_is_accepted_and_the_same_one_refused() {
    check(&["a"], (1, "b"), Duration::ZERO, Ok(()));
    check(&["a"], (1, "a"), Duration::ZERO, Err(NonceRefusal::Seen));
}

#[test]
fn another_sender_may_use_the_same_nonce() {
    check(&["a"], (2, "a"), Duration::ZERO, Ok(()));
}

#[test]
fn a_nonce_is_remembered_for_exactly_its_lifetime() {
    check(&["a"], (1, "a"), LIFETIME, Err(NonceRefusal::Seen));
    check(&["a"], (1, "a"), LIFETIME + Duration::from_micros(1), Ok(()));
}

#[test]
fn a_full_share_refuses_until_the_oldest_nonce_expires() {
    let elapsed = Duration::from_secs(100);
    let expected = Err(NonceRefusal::Full { retry_after: Duration::from_secs(200) });
    check(&["a", "b", "c"], (1, "d"), elapsed, expected);
    check(&["a", "b", "c"], (1, "d"), LIFETIME + Duration::from_micros(1), Ok(()));
}

#[test]
fn a_full_share_still_recognises_a_replay() {
    check(&["a", "b", "c"], (1, "b"), Duration::ZERO, Err(NonceRefusal::Seen));
}

#[test]
fn a_full_share_of_one_sender_costs_the_others_nothing() {
    check(&["a", "b", "c"], (2, "d"), Duration::ZERO, Ok(()));
}

#[test]
fn a_third_sender_is_refused_while_two_fill_the_memory() {
    let mut memory = NonceMemory::new(SMALL);
    memory.record(1_u8, b"a", START);
    memory.record(2_u8, b"a", START);
    assert_eq!(memory.look(&3, b"a", START), Err(NonceRefusal::Full { retry_after: LIFETIME }));
    let later = after(LIFETIME + Duration::from_micros(1));
    memory.expire(later);
    assert_eq!(memory.look(&3, b"a", later), Ok(()));
    assert!(memory.is_empty());
}

#[test]
fn what_was_refused_is_not_recorded() {
    let mut memory = NonceMemory::new(SMALL);
    for nonce in ["a", "b", "c", "d", "a"] {
        memory.record(1_u8, nonce.as_bytes(), START);
    }
    assert_eq!(memory.len(), 3);
}

#[test]
fn a_nonce_reused_after_its_expiry_is_remembered_anew() {
    let mut memory = NonceMemory::new(SMALL);
    memory.record(1_u8, b"a", START);
    let second = after(LIFETIME + Duration::from_secs(1));
    memory.record(1_u8, b"a", second);
    let third = second.plus(SWEEP_INTERVAL);
    memory.expire(third);
    assert_eq!(memory.look(&1, b"a", third), Err(NonceRefusal::Seen));
}

proptest! {
    #[test]
    fn the_memory_agrees_with_a_slow_map(
        steps in prop::collection::vec((0_u8..3, 0_u8..12, 0_u64..60_000), 1..200)
    ) {
        let limits = NonceLimits { senders_max: 2, nonces_per_sender_max: 4 };
        let mut memory = NonceMemory::new(limits);
        let mut slow: BTreeMap<(u8, u8), Timestamp> = BTreeMap::new();
        let mut now = START;
        for (sender, nonce, pause_ms) in steps {
            // Longer than a sweep, so that both sides forget at the same moment.
            now = now.plus(SWEEP_INTERVAL + Duration::from_millis(pause_ms));
            memory.expire(now);
            slow.retain(|_, accepted_at| now <= accepted_at.plus(LIFETIME));
            let of_sender = slow.keys().filter(|(owner, _)| *owner == sender).count();
            let senders = slow.keys().map(|(owner, _)| *owner).collect::<std::collections::BTreeSet<_>>();
            let expected = !slow.contains_key(&(sender, nonce))
                && of_sender < limits.nonces_per_sender_max
                && (senders.contains(&sender) || senders.len() < limits.senders_max);
            let accepted = memory.look(&sender, &[nonce], now).is_ok();
            prop_assert_eq!(accepted, expected);
            if accepted {
                memory.record(sender, &[nonce], now);
                slow.insert((sender, nonce), now);
            }
        }
    }
}
