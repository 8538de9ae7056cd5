use super::*;
use crate::conformance;
use crate::kdf::KdfParameters;
use crate::memory::{MemoryKeyFiles, Stop};

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed([byte; 32])
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes()).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn entropy() -> Entropy {
    Entropy::from_seed([8; 32])
}

/// A wallet with the key `[byte; 32]` under each name, all protected by "passphrase one".
fn wallet(keys: &[(&str, u8)]) -> Wallet<MemoryKeyFiles> {
    let mut wallet = Wallet::new(MemoryKeyFiles::default());
    let one = passphrase("passphrase one");
    for (text, byte) in keys {
        let protection = Protection::Passphrase(&one, KdfParameters::LEAST);
        wallet.add(name(text), &key(*byte), protection, at(1), &mut entropy()).unwrap();
    }
    wallet
}

fn seed_of(
    wallet: &Wallet<MemoryKeyFiles>,
    key: &str,
    passphrase: Option<&Passphrase>,
) -> Result<u8, WalletError> {
    wallet.unlock(&name(key), passphrase).map(|unlocked| unlocked.key.seed()[0])
}

#[test]
fn key_files_in_memory_keep_the_rules_of_the_seam() {
    conformance::check(MemoryKeyFiles::default(), |files| files.restarted());
}

#[test]
fn the_first_key_is_the_default_and_another_can_be_chosen() {
    let mut wallet = wallet(&[]);
    assert!(matches!(wallet.default_key(), Err(WalletError::NoKey)));
    wallet = self::wallet(&[("b", 1), ("a", 2)]);
    assert_eq!(wallet.default_key().unwrap(), name("b"));
    wallet.set_default(&name("a")).unwrap();
    assert_eq!(wallet.default_key().unwrap(), name("a"));
    assert!(matches!(wallet.set_default(&name("c")), Err(WalletError::Unknown { .. })));
    wallet.remove(&name("a")).unwrap();
    assert_eq!(wallet.default_key().unwrap(), name("b"), "the only one left");
}

#[test]
fn a_default_that_was_removed_is_not_guessed_among_several() {
    let mut wallet = wallet(&[("a", 1), ("b", 2), ("c", 3)]);
    wallet.remove(&name("a")).unwrap();
    assert!(matches!(wallet.default_key(), Err(WalletError::NoDefault)));
    assert!(matches!(wallet.remove(&name("a")), Err(WalletError::Unknown { .. })));
}

#[test]
fn a_key_is_never_overwritten() {
    let mut wallet = wallet(&[("a", 1)]);
    let again = wallet.add(name("a"), &key(2), Protection::None, at(2), &mut entropy());
    assert!(matches!(again, Err(WalletError::Exists { .. })), "{again:?}");
    assert_eq!(seed_of(&wallet, "a", Some(&passphrase("passphrase one"))).unwrap(), 1);
}

#[test]
fn a_weak_passphrase_protects_no_key() {
    let mut wallet = wallet(&[("a", 1)]);
    let (one, weak) = (passphrase("passphrase one"), passphrase("short"));
    let weak = Protection::Passphrase(&weak, KdfParameters::LEAST);
    let refused = |outcome: Result<KeyInfo, WalletError>| {
        assert!(matches!(outcome, Err(WalletError::Passphrase(_))), "{outcome:?}");
    };
    refused(wallet.add(name("b"), &key(2), weak, at(2), &mut entropy()));
    refused(wallet.protect(&name("a"), Some(&one), weak, &mut entropy()));
    assert_eq!(seed_of(&wallet, "a", Some(&one)).unwrap(), 1);
    assert!(!wallet.contains(&name("b")).unwrap());
}

#[test]
fn a_file_in_the_place_of_another_is_refused() {
    let files = wallet(&[("a", 1), ("b", 2)]).into_files();
    let bytes = files.read(&name("a").file_name()).unwrap().unwrap();
    let mut files = files;
    files.replace(&name("b").file_name(), &bytes).unwrap();
    let wallet = Wallet::new(files);
    let one = passphrase("passphrase one");
    assert!(matches!(wallet.show(&name("b")), Err(WalletError::Misplaced { .. })));
    assert!(matches!(seed_of(&wallet, "b", Some(&one)), Err(WalletError::Misplaced { .. })));
    let listed = wallet.list().unwrap();
    assert!(listed[0].claim.is_ok() && listed[1].claim.is_err(), "{listed:?}");
}

#[test]
fn a_change_of_passphrase_that_is_stopped_anywhere_leaves_one_readable_file() {
    let (one, two) = (passphrase("passphrase one"), passphrase("passphrase two"));
    let change = |wallet: &mut Wallet<MemoryKeyFiles>| {
        let new = Protection::Passphrase(&two, KdfParameters::LEAST);
        wallet.protect(&name("a"), Some(&one), new, &mut entropy()).map(|_| ())
    };
    let outcome = at_every_stop(&[("a", 1)], change, |after| {
        let readable = [&one, &two].map(|passphrase| seed_of(after, "a", Some(passphrase)));
        assert_eq!(readable.iter().filter(|seed| matches!(seed, Ok(1))).count(), 1);
        assert_eq!(after.list().unwrap().len(), 1);
    });
    assert_eq!(outcome, 1, "one atomic change");
}

#[test]
fn a_rotation_that_is_stopped_anywhere_loses_no_key_and_can_be_done_again() {
    let one = passphrase("passphrase one");
    let old_key = key(1).public_key();
    let retired: String = old_key.to_hex().chars().take(16).collect();
    let retired = format!("a~{retired}");
    let rotate = |wallet: &mut Wallet<MemoryKeyFiles>| {
        wallet.rotate(&name("a"), Some(&one), &key(2), at(5), &mut entropy()).map(|_| ())
    };
    let changes = at_every_stop(&[("a", 1)], rotate, |after| {
        let current = seed_of(after, "a", Some(&one)).unwrap();
        if current == 1 {
            let mut again = Wallet::new(after.files.restarted());
            rotate(&mut again).unwrap();
            assert_eq!(seed_of(&again, "a", Some(&one)).unwrap(), 2);
            assert_eq!(seed_of(&again, &retired, Some(&one)).unwrap(), 1);
        } else {
            assert_eq!(seed_of(after, &retired, Some(&one)).unwrap(), 1);
        }
    });
    assert_eq!(changes, 2);
}

/// Does something with a stop before and after each of its changes, shows what a restart finds, and returns how many
/// changes it makes.
fn at_every_stop(
    keys: &[(&str, u8)],
    action: impl Fn(&mut Wallet<MemoryKeyFiles>) -> Result<(), WalletError>,
    look: impl Fn(&Wallet<MemoryKeyFiles>),
) -> usize {
    let start = || wallet(keys).into_files().restarted();
    let mut whole = Wallet::new(start());
    action(&mut whole).unwrap();
    let changes = whole.into_files().changes();
    for stop in (0..changes).flat_map(|at| [Stop::Before(at), Stop::After(at)]) {
        let mut wallet = Wallet::new(start().stopping(stop));
        action(&mut wallet).unwrap_err();
        look(&Wallet::new(wallet.into_files().restarted()));
    }
    changes
}

#[test]
fn a_rotated_key_names_its_predecessor_and_the_retired_one_is_no_identity() {
    let mut wallet = wallet(&[("a", 1)]);
    let one = passphrase("passphrase one");
    for byte in [2, 3] {
        let info =
            wallet.rotate(&name("a"), Some(&one), &key(byte), at(5), &mut entropy()).unwrap();
        let handover = info.handover.unwrap();
        assert_eq!(handover.old_key(), key(byte - 1).public_key());
        assert_eq!(handover.new_key(), key(byte).public_key());
    }
    let names: Vec<_> =
        wallet.list().unwrap().into_iter().map(|listed| listed.claim.unwrap().0).collect();
    assert_eq!(names.len(), 3);
    let retired: Vec<_> =
        names.into_iter().filter(|info| info.purpose == Purpose::Retired).collect();
    assert_eq!(retired.len(), 2);
    assert!(retired.iter().any(|info| info.handover.is_some()), "the chain is kept");
    let again = wallet.rotate(&retired[0].name, Some(&one), &key(9), at(6), &mut entropy());
    assert!(matches!(again, Err(WalletError::Retired { .. })));
    assert!(matches!(wallet.set_default(&retired[0].name), Err(WalletError::Retired { .. })));
    assert_eq!(wallet.default_key().unwrap(), name("a"));
}

#[test]
fn a_rotation_never_takes_the_place_of_another_key() {
    let mut wallet = wallet(&[("a", 1)]);
    let one = passphrase("passphrase one");
    let retired = retired_name(&name("a"), &wallet.show(&name("a")).unwrap().0).unwrap();
    wallet.add(retired.clone(), &key(7), Protection::None, at(2), &mut entropy()).unwrap();
    let outcome = wallet.rotate(&name("a"), Some(&one), &key(2), at(5), &mut entropy());
    assert!(matches!(outcome, Err(WalletError::Exists { .. })), "{outcome:?}");
    assert_eq!(seed_of(&wallet, retired.as_str(), None).unwrap(), 7);
}

#[test]
fn an_unprotected_key_stays_unprotected_only_where_it_was() {
    let mut wallet = wallet(&[]);
    wallet.add(name("a"), &key(1), Protection::None, at(1), &mut entropy()).unwrap();
    wallet.rotate(&name("a"), None, &key(2), at(2), &mut entropy()).unwrap();
    assert_eq!(wallet.show(&name("a")).unwrap().1, Protected::None);
    let two = passphrase("passphrase two");
    let protection = Protection::Passphrase(&two, KdfParameters::LEAST);
    wallet.protect(&name("a"), None, protection, &mut entropy()).unwrap();
    assert!(seed_of(&wallet, "a", None).is_err());
    assert_eq!(seed_of(&wallet, "a", Some(&two)).unwrap(), 2);
}

#[test]
fn a_key_that_was_rotated_knows_the_keys_it_comes_after() {
    let mut wallet = wallet(&[("a", 1), ("b", 9)]);
    let one = passphrase("passphrase one");
    let public = |byte| key(byte).public_key();
    let predecessors = |wallet: &Wallet<MemoryKeyFiles>| {
        let unlocked = wallet.unlock(&name("a"), Some(&one)).unwrap();
        wallet.predecessors(&unlocked.info).unwrap()
    };
    assert_eq!(predecessors(&wallet), []);
    for byte in [2, 3, 4] {
        wallet.rotate(&name("a"), Some(&one), &key(byte), at(2), &mut entropy()).unwrap();
    }
    // The hand-over of another name does not count.
    wallet.rotate(&name("b"), Some(&one), &key(10), at(2), &mut entropy()).unwrap();
    assert_eq!(predecessors(&wallet), [public(3), public(2), public(1)]);
    // Without the file of the key between, nothing links the first one.
    let between = wallet.list().unwrap().into_iter().filter_map(|listed| listed.claim.ok());
    let mut between = between.filter(|(info, _)| info.public_key == public(3));
    let gone = between.next().unwrap().0.name;
    wallet.remove(&gone).unwrap();
    assert_eq!(predecessors(&wallet), [public(3)]);
}

#[test]
fn a_rotation_never_destroys_a_file_that_it_cannot_read() {
    let one = passphrase("passphrase one");
    let mut files = wallet(&[("a", 1), ("b", 2)]).into_files();
    let key_b = files.read(&name("b").file_name()).unwrap().unwrap();
    let shown = Wallet::new(files.restarted()).show(&name("a")).unwrap().0;
    let place = retired_name(&name("a"), &shown).unwrap().file_name();
    // The only copy of another key, moved there by hand; and something that is no key file of ours.
    for bytes in [key_b.as_slice(), b"{\"version\": 1}"] {
        files.replace(&place, bytes).unwrap();
        let mut wallet = Wallet::new(files.restarted());
        wallet.rotate(&name("a"), Some(&one), &key(3), at(5), &mut entropy()).unwrap_err();
        assert_eq!(wallet.files.read(&place).unwrap().unwrap().as_slice(), bytes);
        assert_eq!(seed_of(&wallet, "a", Some(&one)).unwrap(), 1, "nothing was changed");
    }
}

#[test]
fn the_hand_over_of_another_name_to_the_same_key_hides_no_predecessor() {
    let one = passphrase("passphrase one");
    let public = |byte| key(byte).public_key();
    // Under either name the same key comes second, so whichever file is listed first, one of them finds the other's.
    let mut wallet = wallet(&[("a", 1), ("b", 9)]);
    for (text, third) in [("a", 3), ("b", 4)] {
        for byte in [2, third] {
            wallet.rotate(&name(text), Some(&one), &key(byte), at(2), &mut entropy()).unwrap();
        }
    }
    for (text, expected) in [("a", [public(2), public(1)]), ("b", [public(2), public(9)])] {
        let info = wallet.unlock(&name(text), Some(&one)).unwrap().info;
        assert_eq!(wallet.predecessors(&info).unwrap(), expected, "{text}");
    }
}

#[test]
fn predecessors_end_where_keys_come_back_or_the_hand_over_is_another_ones() {
    let one = passphrase("passphrase one");
    let public = |byte| key(byte).public_key();
    let mut wallet = wallet(&[("a", 1)]);
    let mut rotate = |byte| {
        wallet.rotate(&name("a"), Some(&one), &key(byte), at(2), &mut entropy()).unwrap();
        let info = wallet.unlock(&name("a"), Some(&one)).unwrap().info;
        (wallet.predecessors(&info).unwrap(), info)
    };
    rotate(2);
    assert_eq!(rotate(1).0, [public(2)], "the key itself is not among them");
    rotate(2);
    let (predecessors, info) = rotate(3);
    assert_eq!(predecessors, [public(2), public(1)], "each once");
    let other_name = KeyInfo { name: name("b"), ..info.clone() };
    assert_eq!(wallet.predecessors(&other_name).unwrap(), []);
    let other_key = KeyInfo { public_key: public(4), ..info };
    assert_eq!(wallet.predecessors(&other_key).unwrap(), []);
}
