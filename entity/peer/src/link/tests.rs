use proptest::prelude::*;

use super::*;
use crate::output::FailureKind;

#[test]
fn pauses_double_up_to_half_a_minute() {
    let pauses = [0, 1, 2, 6, 7, 8, 1_000].map(|failures| retry_pause(failures).as_millis());
    assert_eq!(pauses, [250, 500, 1_000, 16_000, 30_000, 30_000, 30_000]);
}

#[test]
fn waiters_are_bounded() {
    let mut link = Link::default();
    assert!(link.wait(Waiter::Open(CommandId(1)), 1).is_ok());
    assert!(link.wait(Waiter::Open(CommandId(2)), 1).is_err());
    assert!(link.withdraw(CommandId(1)).is_some());
    assert!(link.wait(Waiter::Open(CommandId(2)), 1).is_ok());
}

fn refused(detail: &str) -> CommandError {
    CommandError::Refused { status: 400, detail: detail.to_owned(), code: None }
}

/// Lets a handshake of `failed` fail, and returns the version to try next.
#[track_caller]
fn check(
    failed: Version,
    protocols: Protocols,
    proved: Option<Version>,
    error: &CommandError,
    expected: Option<Version>,
) {
    let mut link = Link { opening: Some(failed), ..Link::default() };
    assert_eq!(link.switch_version(protocols, proved, error), expected);
}

#[test]
fn a_peer_without_1_1_is_met_by_1_0() {
    let no = refused("Unsupported version: 1.1");
    let (both, v1_0, v1_1) = (Protocols::Both, Some(Version::V1_0), Some(Version::V1_1));
    check(Version::V1_1, both, None, &no, v1_0);
    check(Version::V1_1, both, v1_0, &no, v1_0);
    check(Version::V1_1, both, v1_1, &no, None);
    check(Version::V1_1, Protocols::OnlyV1_1, None, &no, None);
}

#[test]
fn no_other_failure_leads_to_1_0() {
    for error in [
        refused("Unsupported version: 1.0"),
        refused("Unsupported version: 1.10"),
        refused("Invalid JSON"),
        CommandError::Refused {
            status: 500,
            detail: "Unsupported version: 1.1".to_owned(),
            code: None,
        },
        CommandError::TimedOut { what: "the handshake" },
        CommandError::Unreachable { kind: FailureKind::Refused },
    ] {
        check(Version::V1_1, Protocols::Both, None, &error, None);
    }
}

#[test]
fn a_downgrade_that_is_noticed_leads_back_to_1_1() {
    let v1_1 = Some(Version::V1_1);
    check(Version::V1_0, Protocols::Both, None, &refused("Unsupported version: 1.0"), v1_1);
    let noticed =
        CommandError::Handshake { code: ErrorCode::InvalidVersion, reason: String::new() };
    check(Version::V1_0, Protocols::Both, None, &noticed, v1_1);
}

#[test]
fn versions_do_not_change_for_ever() {
    let mut link = Link { opening: Some(Version::V1_1), ..Link::default() };
    let mut tried = Vec::new();
    while let Some(version) = link.opening {
        tried.push(version);
        let error = refused(&format!("Unsupported version: {version}"));
        if link.switch_version(Protocols::Both, None, &error).is_none() {
            break;
        }
    }
    assert_eq!(tried, [Version::V1_1, Version::V1_0, Version::V1_1]);
}

fn name(number: u8) -> PeerName {
    format!("peer-{number}").parse().unwrap()
}

fn at(ms: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH.plus(Duration::from_millis(ms))
}

/// When the next handshake is to be tried again, by looking at every link.
fn earliest(links: &Links) -> Option<Timestamp> {
    links.links.values().filter_map(|link| link.retry_at).min()
}

#[derive(Debug, Clone)]
enum Input {
    Keep(u8, bool),
    Failed(u8),
    Reopen(u8),
    Succeeded(u8),
    Postpone(u8, u16),
    Forget(u8),
    Pass(u16),
}

fn input() -> impl Strategy<Value = Input> {
    let peer = 0..6_u8;
    prop_oneof![
        (peer.clone(), any::<bool>()).prop_map(|(peer, keep)| Input::Keep(peer, keep)),
        peer.clone().prop_map(Input::Failed),
        peer.clone().prop_map(Input::Reopen),
        peer.clone().prop_map(Input::Succeeded),
        (peer.clone(), any::<u16>()).prop_map(|(peer, ms)| Input::Postpone(peer, ms)),
        peer.prop_map(Input::Forget),
        any::<u16>().prop_map(Input::Pass),
    ]
}

proptest! {
    #[test]
    fn whatever_is_due_is_found_without_looking_at_every_link(
        inputs in prop::collection::vec(input(), 0..60)
    ) {
        let (mut links, mut ms) = (Links::default(), 0);
        for input in inputs {
            match input {
                Input::Keep(peer, keep) => links.to(&name(peer)).keep = keep,
                Input::Failed(peer) => links.failed(&name(peer), at(ms)),
                Input::Reopen(peer) => links.reopen(&name(peer), at(ms)),
                Input::Succeeded(peer) => links.to(&name(peer)).succeeded(),
                Input::Postpone(peer, more) => links.postpone(&name(peer), at(ms + u64::from(more))),
                Input::Forget(peer) => drop(links.forget(&name(peer))),
                Input::Pass(more) => ms += u64::from(more),
            }
            // Never later than it has to be, and exact once it was asked for.
            if let Some(earliest) = earliest(&links) {
                prop_assert!(links.next_deadline().is_some_and(|deadline| deadline <= earliest));
            }
            if links.next_deadline().is_some_and(|deadline| deadline <= at(ms)) {
                while links.next_due(at(ms)).is_some() {}
                prop_assert_eq!(links.next_deadline(), earliest(&links));
            }
            prop_assert!(earliest(&links).is_none_or(|earliest| earliest > at(ms)));
        }
    }
}
