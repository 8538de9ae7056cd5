//! Certified transfers between whole peers.

use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_peer::config::Protocols;
use entity_peer::tokens::{
    ACCOUNTS_MAX, Paid, Payment, QUEUED_PER_ACCOUNT_MAX, TokenCommand, TokenError, TokenEvent,
    TokenResult, Until, WAITING_MAX, Way,
};
use entity_peer::{Command, CommandError, CommandId, CommandResult, PeerEvent};
use entity_wire::code::ErrorCode;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::token::{
    Amount, Balance, Genesis, TokenCode, TokenGenesis, TokenName, TransferId,
};

use crate::world::{World, config, message, name, open, public_key};

type Ended = Result<TokenResult, TokenError>;

fn agt() -> TokenName {
    "AGT".parse().unwrap()
}

fn genesis(committee: &[&str], issuer: PublicKey) -> Genesis {
    let cap = Amount::new(1_000_000).unwrap();
    let committee = committee.iter().map(|member| public_key(member)).collect();
    Genesis::new(committee, vec![TokenGenesis { token: agt(), issuer, cap }]).unwrap()
}

/// Peers of 1.1 that all know each other.
fn world(names: &[&str]) -> World {
    let mut world = World::new(names.iter().map(|name| config(name, Protocols::OnlyV1_1)));
    for (at, a) in names.iter().enumerate() {
        for b in &names[at + 1..] {
            world.acquaint(a, b);
        }
    }
    world
}

fn token(command: TokenCommand) -> Command {
    Command::Token(command)
}

#[track_caller]
fn ended(end: Option<Result<CommandResult, CommandError>>) -> Ended {
    match end {
        Some(Ok(CommandResult::Token(result))) => Ok(result),
        Some(Err(CommandError::Token(error))) => Err(error),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn run(world: &mut World, at: &str, command: TokenCommand) -> Ended {
    ended(world.run(at, token(command)))
}

#[track_caller]
fn open_ledger(world: &mut World, names: &[&str], genesis: &Genesis) {
    for at in names {
        let opened = run(world, at, TokenCommand::Open { genesis: genesis.clone() });
        assert_eq!(opened, Ok(TokenResult::Opened(genesis.ledger())));
    }
}

fn id(number: u8) -> TransferId {
    TransferId::from_bytes([number; 16])
}

fn payment(way: Way, amount: u128) -> Payment {
    Payment {
        id: None,
        token: None,
        way,
        amount: Amount::new(amount).unwrap(),
        memo: None,
        expires_in: Duration::from_hours(1),
        until: Until::Applied,
    }
}

fn pay(to: &str, amount: u128) -> Payment {
    payment(Way::Transfer { from: None, to: public_key(to) }, amount)
}

fn named(number: u8, payment: Payment) -> Payment {
    Payment { id: Some(id(number)), ..payment }
}

#[track_caller]
fn paid(ended: Ended) -> Paid {
    match ended {
        Ok(TokenResult::Paid(paid)) => paid,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn applied(world: &mut World, at: &str, payment: Payment) -> Paid {
    let paid = paid(run(world, at, TokenCommand::Pay(payment)));
    assert!(paid.is_applied);
    paid
}

fn refused(world: &mut World, at: &str, payment: Payment) -> TokenCode {
    match run(world, at, TokenCommand::Pay(payment)) {
        Err(TokenError::Refused { code }) => code,
        other => panic!("{other:?}"),
    }
}

fn balance(world: &mut World, at: &str, of: PublicKey) -> i128 {
    let ledger = world.peer(at).ledger().unwrap();
    assert!(ledger.audit().tokens.iter().all(entity_ledger::TokenAudit::holds));
    let balance: Balance = ledger.account(&of, &agt()).unwrap().balance;
    balance.units()
}

fn told(world: &World, at: &str) -> Vec<TokenEvent> {
    let event = |(peer, event): &(String, PeerEvent)| match event {
        PeerEvent::Token(event) if peer == at => Some(event.clone()),
        _ => None,
    };
    world.events.iter().filter_map(event).collect()
}

/// A and B are the committee, an account of A is the issuer; A has 10,000, B 5,000.
fn two() -> World {
    let mut world = world(&["a", "b"]);
    let issuer = run(&mut world, "a", TokenCommand::TakeAccount { index: 1 });
    let Ok(TokenResult::Account(issuer)) = issuer else { panic!("{issuer:?}") };
    open_ledger(&mut world, &["a", "b"], &genesis(&["a", "b"], issuer));
    applied(&mut world, "a", payment(Way::Issue { to: public_key("a") }, 10_000));
    applied(&mut world, "a", payment(Way::Issue { to: public_key("b") }, 5_000));
    world
}

#[track_caller]
fn check(world: &mut World, a: i128, b: i128) {
    for at in ["a", "b"] {
        assert_eq!(balance(world, at, public_key("a")), a, "A at {at}");
        assert_eq!(balance(world, at, public_key("b")), b, "B at {at}");
    }
}

#[test]
fn a_pays_b_and_both_ledgers_agree() {
    let mut world = two();
    let done = applied(&mut world, "a", named(1, pay("b", 250)));
    assert_eq!((done.id, done.sequence.get()), (id(1), 1));
    check(&mut world, 9_750, 5_250);
    let moves = |event: &TokenEvent| match event {
        TokenEvent::Received(movement) => Some((movement.digest, movement.amount.units())),
        _ => None,
    };
    let received: Vec<_> = told(&world, "b").iter().filter_map(moves).collect();
    assert_eq!(received.last(), Some(&(done.digest, 250)));
    let receipt = TokenEvent::Receipt { id: id(1), digest: done.digest, peer: "b".to_owned() };
    assert!(told(&world, "a").contains(&receipt));
    assert!(world.peer("a").ledger().unwrap().under_way().next().is_none());
}

#[test]
fn a_payment_asked_for_again_is_the_same_and_another_under_its_id_is_refused() {
    let mut world = two();
    let first = applied(&mut world, "a", named(1, pay("b", 250)));
    assert_eq!(applied(&mut world, "a", named(1, pay("b", 250))), first);
    let other = refused(&mut world, "a", named(1, pay("b", 251)));
    assert_eq!(other, TokenCode::DuplicateWithOtherContent);
    check(&mut world, 9_750, 5_250);
}

#[test]
fn what_is_not_there_cannot_be_paid_and_nothing_moves() {
    let mut world = two();
    assert_eq!(refused(&mut world, "a", pay("b", 10_001)), TokenCode::InsufficientFunds);
    let issue = payment(Way::Issue { to: public_key("b") }, 1_000_000);
    assert_eq!(refused(&mut world, "a", issue), TokenCode::CapExceeded);
    let stolen = payment(Way::Issue { to: public_key("b") }, 1);
    assert_eq!(refused(&mut world, "b", stolen), TokenCode::NotOwner);
    let unknown = Payment { token: Some("XYZ".parse().unwrap()), ..pay("b", 1) };
    assert_eq!(refused(&mut world, "a", unknown), TokenCode::UnknownToken);
    let own = run(&mut world, "a", TokenCommand::Pay(pay("a", 1)));
    assert_eq!(own, Err(TokenError::SameAccount));
    check(&mut world, 10_000, 5_000);
    // Burning is paying the issuer.
    applied(&mut world, "b", payment(Way::Burn { from: None }, 1_000));
    check(&mut world, 10_000, 4_000);
}

#[test]
fn payments_of_one_account_take_turns() {
    let mut world = two();
    let start = |world: &mut World, payment| world.start("a", token(TokenCommand::Pay(payment)));
    let commands: Vec<CommandId> =
        (1..=5).map(|number| start(&mut world, named(number, pay("b", 1_000)))).collect();
    let poor = start(&mut world, named(6, pay("b", 6_000)));
    let after = start(&mut world, named(7, pay("b", 5_000)));
    world.settle();
    for (command, sequence) in commands.into_iter().zip(1..) {
        let done = paid(ended(world.end_of(command)));
        assert_eq!((done.sequence.get(), done.is_applied), (sequence, true));
    }
    let poor = ended(world.end_of(poor));
    assert_eq!(poor, Err(TokenError::Refused { code: TokenCode::InsufficientFunds }));
    assert_eq!(paid(ended(world.end_of(after))).sequence.get(), 6);
    check(&mut world, 0, 15_000);
}

#[test]
fn a_payment_to_somebody_absent_is_pending_and_goes_on_by_itself() {
    let mut world = two();
    // The first payment of an account asks every member what it knows.
    applied(&mut world, "a", pay("b", 50));
    world.unreachable.push("b".to_owned());
    let kept = Payment { until: Until::Kept, ..named(1, pay("b", 250)) };
    let begun = paid(run(&mut world, "a", TokenCommand::Pay(kept)));
    assert!(!begun.is_applied);
    let waiting = world.start("a", token(TokenCommand::Pay(named(1, pay("b", 250)))));
    world.advance(Duration::from_mins(5));
    assert_eq!(world.end_of(waiting), None);
    assert_eq!(world.peer("a").ledger().unwrap().under_way().count(), 1);
    assert_eq!(balance(&mut world, "a", public_key("a")), 9_950, "an order moves nothing");
    world.unreachable.clear();
    world.advance(Duration::from_mins(2));
    let done = paid(ended(world.end_of(waiting)));
    assert_eq!((done.digest, done.is_applied), (begun.digest, true));
    check(&mut world, 9_700, 5_300);
}

#[test]
fn a_payment_nobody_waits_for_any_more_goes_on_and_one_that_waits_for_its_turn_does_not() {
    let mut world = two();
    world.hold_from = Some("b".to_owned());
    let first = world.start("a", token(TokenCommand::Pay(named(1, pay("b", 1)))));
    let second = world.start("a", token(TokenCommand::Pay(named(2, pay("b", 10)))));
    world.settle();
    for command in [first, second] {
        assert_eq!(world.run("a", Command::Cancel { command }), Some(Ok(CommandResult::Done)));
        assert_eq!(world.end_of(command), Some(Err(CommandError::Cancelled)));
    }
    world.release();
    world.advance(Duration::from_secs(10));
    check(&mut world, 9_999, 5_001);
}

#[test]
fn customers_of_a_treasury_pay_each_other_without_being_members() {
    let mut world = world(&["t", "a", "b"]);
    open_ledger(&mut world, &["t", "a", "b"], &genesis(&["t"], public_key("t")));
    applied(&mut world, "t", payment(Way::Issue { to: public_key("b") }, 7));
    applied(&mut world, "t", payment(Way::Issue { to: public_key("a") }, 1_000));
    applied(&mut world, "a", pay("b", 250));
    assert_eq!(balance(&mut world, "t", public_key("b")), 257);
    let of_b = world.peer("b").ledger().unwrap().account(&public_key("b"), &agt());
    assert_eq!(
        of_b.unwrap().balance.units(),
        257,
        "what B was paid it knows, though it does not see every order"
    );
}

#[test]
fn four_members_go_on_without_one_which_catches_up() {
    let names = ["a", "b", "c", "d"];
    let mut world = world(&names);
    open_ledger(&mut world, &names, &genesis(&names, public_key("a")));
    applied(&mut world, "a", payment(Way::Issue { to: public_key("b") }, 1_000));
    applied(&mut world, "b", pay("c", 1));
    world.unreachable.push("d".to_owned());
    for _ in 0..3 {
        applied(&mut world, "b", pay("c", 100));
    }
    assert_eq!(balance(&mut world, "d", public_key("c")), 1);
    world.unreachable.clear();
    world.advance(Duration::from_mins(3));
    for at in names {
        assert_eq!(balance(&mut world, at, public_key("c")), 301, "at {at}");
    }
    assert!(world.peer("b").ledger().unwrap().under_way().next().is_none());
}

#[test]
fn a_node_takes_part_in_one_ledger() {
    let mut world = two();
    let mine = world.peer("a").ledger().unwrap().genesis().clone();
    let again = run(&mut world, "a", TokenCommand::Open { genesis: mine.clone() });
    assert_eq!(again, Ok(TokenResult::Opened(mine.ledger())));
    let other = genesis(&["a"], public_key("a"));
    let refused = run(&mut world, "a", TokenCommand::Open { genesis: other });
    assert_eq!(refused, Err(TokenError::OtherLedger { ledger: mine.ledger() }));
    let mut world = super::tokens::world(&["a", "b"]);
    let none = run(&mut world, "a", TokenCommand::Pay(pay("b", 1)));
    assert_eq!(none.clone(), Err(TokenError::NoLedger));
    assert_eq!(none.unwrap_err().code(), "INVALID_STATE");
}

#[test]
fn payments_of_an_older_copy_of_a_member_are_refused_one_after_the_other() {
    let mut world = two();
    let copy = world.copy("a");
    applied(&mut world, "a", named(1, pay("b", 250)));
    world.put_back("a", copy);
    let commands: Vec<CommandId> = (2..=4)
        .map(|number| world.start("a", token(TokenCommand::Pay(named(number, pay("b", 1))))))
        .collect();
    world.advance(Duration::from_secs(30));
    for command in commands {
        let refused = Err(TokenError::Refused { code: TokenCode::WrongSequence });
        assert_eq!(ended(world.end_of(command)), refused);
    }
    assert_eq!(balance(&mut world, "b", public_key("b")), 5_250);
    assert_eq!(world.peer("b").ledger().unwrap().audit().evidence, 0);
}

#[test]
fn accounts_and_waiting_payments_are_bounded() {
    let mut world = two();
    let last = run(&mut world, "a", TokenCommand::TakeAccount { index: ACCOUNTS_MAX - 1 });
    assert!(last.is_ok());
    let beyond = run(&mut world, "a", TokenCommand::TakeAccount { index: ACCOUNTS_MAX });
    assert_eq!(beyond, Err(TokenError::NoSuchAccount));
    world.unreachable.push("b".to_owned());
    for _ in 0..=QUEUED_PER_ACCOUNT_MAX {
        let command = world.start("a", token(TokenCommand::Pay(pay("b", 1))));
        assert_eq!(world.end_of(command), None);
    }
    let command = world.start("a", token(TokenCommand::Pay(pay("b", 1))));
    let full = ended(world.end_of(command));
    assert_eq!(full, Err(TokenError::Overloaded { limit: "payments of one account" }));
}

#[test]
fn accounts_pay_whether_they_came_before_the_ledger_or_after_it_and_after_a_restart() {
    let mut world = two();
    let late = run(&mut world, "a", TokenCommand::TakeAccount { index: 2 });
    let Ok(TokenResult::Account(late)) = late else { panic!("{late:?}") };
    applied(&mut world, "a", payment(Way::Issue { to: late }, 100));
    let from_late =
        |amount| payment(Way::Transfer { from: Some(late), to: public_key("b") }, amount);
    applied(&mut world, "a", from_late(30));
    world.restart("a");
    // The session has to be found again first.
    let again = world.start("a", token(TokenCommand::Pay(from_late(40))));
    world.advance(Duration::from_mins(1));
    assert!(paid(ended(world.end_of(again))).is_applied);
    applied(&mut world, "a", payment(Way::Issue { to: public_key("b") }, 1));
    assert_eq!(balance(&mut world, "b", late), 30);
    check(&mut world, 10_000, 5_071);
}

#[test]
fn what_got_lost_is_repeated_in_time_by_a_clock_that_is_wrong() {
    let mut world = two();
    applied(&mut world, "a", pay("b", 1));
    let offset_us = 55_000_000;
    world.run("a", Command::SetClockOffset { offset_us }).unwrap().unwrap();
    world.unreachable.push("b".to_owned());
    let waiting = world.start("a", token(TokenCommand::Pay(pay("b", 1))));
    world.settle();
    world.unreachable.clear();
    world.advance(Duration::from_secs(5));
    assert!(paid(ended(world.end_of(waiting))).is_applied);
}

#[test]
fn an_order_of_no_amount_is_refused_by_its_name() {
    // C keeps no ledger: an answer of the token feature is something that it refuses.
    let mut world = world(&["a", "c"]);
    open_ledger(&mut world, &["a"], &genesis(&["a"], public_key("a")));
    let key = public_key("c").to_hex();
    let order = Object::new()
        .with("amount", "0")
        .with("epoch", 0_u64)
        .with("expires_at", "2026-11-22T09:00:00.000000+00:00")
        .with("from", key.as_str())
        .with("ledger", genesis(&["a"], public_key("a")).ledger().to_string())
        .with("sequence", 1_u64)
        .with("to", public_key("a").to_hex())
        .with("token", "AGT")
        .with("transfer_id", id(1).to_string());
    let none = || entity_wire::json::Value::Array(Vec::new());
    let body = Object::new()
        .with("order", order)
        .with("signature", entity_crypto::signing::Signature::from_bytes([0; 64]).to_base64())
        .with("votes", none())
        .with("certificates", none());
    let mut request = message("a", "");
    request.kind = MessageKind::VoteRequest;
    request.body = body;
    assert!(world.run("c", Command::Send(request)).unwrap().is_ok());
    let answered = |(at, event): &(String, PeerEvent)| {
        matches!(event, PeerEvent::MessageRefused { code: ErrorCode::TransferRefused, from, detail, .. }
            if at == "c" && from.as_deref() == Some("a") && detail == "no ledger is open")
    };
    assert!(world.events.iter().any(answered), "{:?}", world.events);
}

#[test]
fn payments_that_wait_are_bounded_over_all_accounts() {
    let mut world = two();
    let per_account = QUEUED_PER_ACCOUNT_MAX + 1;
    let mut accounts = Vec::new();
    for index in 2..3 + u32::try_from(WAITING_MAX / per_account).unwrap() {
        let account = run(&mut world, "a", TokenCommand::TakeAccount { index });
        let Ok(TokenResult::Account(account)) = account else { panic!("{account:?}") };
        applied(&mut world, "a", payment(Way::Issue { to: account }, 1_000));
        accounts.push(account);
    }
    world.unreachable.push("b".to_owned());
    let mut ends = Vec::new();
    for account in accounts.iter().copied() {
        let way = Way::Transfer { from: Some(account), to: public_key("b") };
        // The other member does not say how it sees the account: the first payment waits for that, the others behind it.
        for _ in 0..per_account {
            let command = world.start("a", token(TokenCommand::Pay(payment(way, 1))));
            ends.extend(world.end_of(command));
        }
    }
    assert_eq!(ends.len(), accounts.len() * per_account - WAITING_MAX);
    let full = Err(TokenError::Overloaded { limit: "payments waited for" });
    assert!(ends.into_iter().all(|end| ended(Some(end)) == full));
}

#[test]
fn a_session_of_1_1_refuses_the_shape_of_1_0_and_lives_on() {
    let mut world = two();
    open(&mut world, "a", "b");
    let body = Object::new()
        .with("transfer_id", "11111111-2222-4333-8444-555555555555")
        .with("sender_address", "a")
        .with("recipient_address", "b")
        .with("amount", 250_u64);
    let mut legacy = message("b", "");
    legacy.kind = MessageKind::TokenTransfer;
    legacy.body = body;
    assert!(world.run("a", Command::Send(legacy)).unwrap().is_ok(), "the session takes it");
    let refusal = |(at, event): &(String, PeerEvent)| {
        matches!(event, PeerEvent::MessageRefused { code: ErrorCode::TransferRefused, from, .. }
            if at == "b" && from.as_deref() == Some(name("a").as_str()))
    };
    assert!(world.events.iter().any(refusal));
    assert_eq!(world.handled("b"), 0);
    applied(&mut world, "a", pay("b", 1));
    check(&mut world, 9_999, 5_001);
}
