//! Which secret is kept, and which is proposed from.

use super::*;

fn secret(generation: u16) -> Secret {
    let byte = u8::try_from(generation % 251).unwrap();
    Secret::new(Generation::new(generation), Zeroizing::new([byte; 32]))
}

fn generation(value: u16) -> Generation {
    Generation::new(value)
}

/// Confirmed, proposed, pending.
fn held(secrets: &Secrets) -> (u16, Option<u16>, Option<u16>) {
    let of = |secret: Option<&Secret>| secret.map(|secret| secret.generation().get());
    (secrets.confirmed().generation().get(), of(secrets.proposed()), of(secrets.pending()))
}

#[test]
fn the_newest_secret_is_proposed_from_but_never_a_pending_one() {
    let mut secrets = Secrets::new(secret(0));
    secrets.accept_pending(generation(0), secret(1), Renewal::Resumption);
    assert_eq!(secrets.newest().generation(), generation(0));
    secrets.accept_proposed(generation(0), secret(2));
    assert_eq!(secrets.newest().generation(), generation(2));
    assert_eq!(held(&secrets), (0, Some(2), Some(1)));
}

#[test]
fn a_late_message_under_an_older_generation_costs_the_newer_secret_nothing() {
    let mut secrets = Secrets::new(secret(0));
    secrets.accept_pending(generation(0), secret(1), Renewal::Resumption);
    secrets.accept_proposed(generation(0), secret(2));
    assert_eq!(secrets.confirm(generation(1)), Some(Confirmed::Pending(Renewal::Resumption)));
    assert_eq!(held(&secrets), (1, Some(2), None));
    assert_eq!(secrets.confirm(generation(2)), Some(Confirmed::Proposed));
    assert_eq!(held(&secrets), (2, None, None));
    assert_eq!(secrets.confirm(generation(1)), None);
}

#[test]
fn a_newer_pending_secret_takes_the_place_of_an_older_one() {
    let mut secrets = Secrets::new(secret(0));
    secrets.accept_pending(generation(0), secret(1), Renewal::Resumption);
    secrets.accept_pending(generation(0), secret(3), Renewal::Rekey);
    assert_eq!(held(&secrets), (0, None, Some(3)));
    secrets.accept_pending(generation(3), secret(4), Renewal::Resumption);
    assert_eq!(held(&secrets), (3, None, Some(4)), "a proposal from it confirms it");
}

#[test]
fn a_generation_is_made_once_and_only_upwards() {
    let mut secrets = Secrets::new(secret(0));
    secrets.propose(generation(5));
    let refused = |secrets: &Secrets, base, offered| {
        secrets.look(generation(base), generation(offered)).map(drop).unwrap_err()
    };
    let too_low = GenerationRefusal::NotAbove { offered: generation(5), highest: generation(5) };
    assert_eq!(refused(&secrets, 0, 5), too_low);
    let unknown = GenerationRefusal::UnknownBase { base: generation(5) };
    assert_eq!(refused(&secrets, 5, 6), unknown);
    assert!(secrets.look(generation(0), generation(6)).is_ok());
}

#[test]
fn the_last_generation_is_proposed_once() {
    let mut secrets = Secrets::new(secret(0));
    secrets.propose(generation(65_530));
    assert_eq!(secrets.next(4_096), Ok(generation(65_535)));
    secrets.propose(generation(65_535));
    assert_eq!(secrets.next(1), Err(GenerationsUsedUp { highest: generation(65_535) }));
}

#[test]
fn a_secret_is_not_shown() {
    let mut secrets = Secrets::new(secret(7));
    secrets.accept_pending(generation(7), secret(8), Renewal::Resumption);
    let shown = format!("{secrets:?}");
    assert!(shown.contains("Secret(7, ..)") && !shown.contains("7, 7"), "{shown}");
}

#[test]
fn what_contradicts_itself_is_not_restored() {
    let restore = |proposed: Option<u16>, pending: Option<u16>, highest| {
        Secrets::restore(secret(3), proposed.map(secret), pending.map(secret), generation(highest))
    };
    assert!(restore(Some(5), Some(4), 5).is_some());
    assert!(restore(None, None, 3).is_some());
    for (proposed, pending, highest) in [
        (Some(5), None, 4),
        (Some(3), None, 5),
        (None, Some(2), 5),
        (Some(5), Some(5), 5),
        (None, None, 2),
    ] {
        assert!(
            restore(proposed, pending, highest).is_none(),
            "{proposed:?} {pending:?} {highest}"
        );
    }
}

#[test]
fn an_answer_to_a_proposal_confirms_what_it_started_from() {
    let mut secrets = Secrets::new(secret(0));
    secrets.accept_proposed(generation(0), secret(1));
    assert_eq!(held(&secrets), (0, Some(1), None));
    secrets.accept_proposed(generation(1), secret(2));
    assert_eq!(held(&secrets), (1, Some(2), None), "the first one is forgotten");
}
