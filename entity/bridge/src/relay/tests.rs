use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use entity_journal::{Journal as _, MemoryJournal, Record};
use entity_wire::code::ErrorCode;
use entity_wire::relay::{Control, Form, ForwardId, Header, Registration, forward};
use proptest::prelude::*;

use super::seen::Sight;
use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn signing(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn key(seed: u8) -> PublicKey {
    signing(seed).public_key()
}

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// A relay with its journal.
struct Bench {
    relay: Relay,
    journal: MemoryJournal,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self { relay: Relay::new(config, signing(9), [7; 32]), journal: MemoryJournal::default() }
    }

    fn outputs(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Persist(batch) => self.journal.commit(&[batch]).unwrap(),
                output @ (Output::Control { .. } | Output::Send { .. } | Output::Answer { .. }) => {
                    outputs.push(output);
                }
            }
        }
        outputs
    }

    fn restart(&mut self, config: Config) {
        let mut stored = self.journal.load().unwrap();
        self.relay = Relay::restore(config, (signing(9), [8; 32]), &mut stored).unwrap();
    }

    /// Connects and registers; the control object that answers.
    fn register(&mut self, connection: u64, seed: u8, name: &str, now: Timestamp) -> Control {
        let connection = ConnectionId(connection);
        self.relay.handle_opened(connection);
        let outputs = self.outputs();
        let [Output::Control { control: Control::Challenge(challenge), .. }] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        let terms = (now.plus(Duration::from_hours(1)), [5; 32]);
        let registration =
            Registration::sign(challenge, name.parse().unwrap(), terms, &signing(seed));
        self.relay.handle_control(connection, Control::Register(Box::new(registration)), now);
        let at = self.relay.outputs.iter().position(|one| matches!(one, Output::Control { .. }));
        let answer = at.and_then(|at| self.relay.outputs.remove(at));
        let Some(Output::Control { control, .. }) = answer else { panic!("{answer:?}") };
        control
    }

    fn send(&mut self, to: u8, number: u64, now: Timestamp) -> Ticket {
        self.relay.handle_arrival(arrival(to, number, None), now)
    }
}

fn header(to: u8, number: u64) -> Header {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    Header { hops: 0, id: ForwardId::from_bytes(id), recipient: key(to), form: Form::Envelope }
}

fn arrival(to: u8, number: u64, base: Option<&str>) -> Arrival {
    let message = Bytes::from(format!("message {number}"));
    let base = base.map(str::to_owned);
    Arrival { header: header(to, number), message, connection: None, host: HOST, base }
}

fn statuses(outputs: &[Output]) -> Vec<u16> {
    let answer = |output: &Output| match output {
        Output::Answer { answer, .. } => Some(answer.status),
        Output::Persist(_) | Output::Control { .. } | Output::Send { .. } => None,
    };
    outputs.iter().filter_map(answer).collect()
}

fn sends(outputs: &[Output]) -> Vec<(AttemptId, Way, Bytes)> {
    let send = |output: &Output| match output {
        Output::Send { attempt, way, message, .. } => {
            Some((*attempt, way.clone(), message.clone()))
        }
        Output::Persist(_) | Output::Control { .. } | Output::Answer { .. } => None,
    };
    outputs.iter().filter_map(send).collect()
}

#[test]
fn a_message_reaches_a_member_and_its_answer_the_sender() {
    let mut bench = Bench::new(Config::default());
    assert!(matches!(bench.register(1, 2, "carol", START), Control::Registered(_)));
    bench.outputs();
    let ticket = bench.send(2, 1, START);
    let outputs = bench.outputs();
    let [Output::Send { attempt, way, header, message }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!((way, header.hops), (&Way::Connection(ConnectionId(1)), 1));
    assert_eq!(&message[..], b"message 1", "untouched");
    let answer = Answer { status: 409, body: Bytes::from_static(b"no") };
    bench.relay.handle_outcome(*attempt, Outcome::Answered(answer.clone()), START);
    let outputs = bench.outputs();
    let [Output::Answer { ticket: of, answer: given, .. }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!((*of, given), (ticket, &answer));
}

#[test]
fn mail_waits_over_a_restart_comes_in_order_and_goes_only_when_acknowledged() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    bench.relay.handle_closed(ConnectionId(1), START);
    bench.outputs();
    for number in 1..=100 {
        bench.send(2, number, START);
    }
    assert_eq!(statuses(&bench.outputs()), vec![200; 100]);
    bench.restart(Config::default());
    for connection in [2, 3] {
        bench.register(connection, 2, "carol", after(1));
        let sent: Vec<_> =
            sends(&bench.outputs()).into_iter().map(|(.., message)| message).collect();
        let expected: Vec<_> =
            (1..=64).map(|number| Bytes::from(format!("message {number}"))).collect();
        assert_eq!(sent, expected, "from the oldest on, nothing was acknowledged");
    }
    for number in 1..=100 {
        let ack = Control::Ack { id: header(2, number).id };
        bench.relay.handle_control(ConnectionId(2), ack.clone(), after(2));
        assert!(
            bench.relay.mail.find(&key(2), header(2, number).id).is_some(),
            "the old connection"
        );
        bench.relay.handle_control(ConnectionId(3), ack, after(2));
    }
    assert_eq!(sends(&bench.outputs()).len(), 36);
    assert_eq!(bench.relay.usage(), Usage::default());
    bench.restart(Config::default());
    assert_eq!(bench.relay.usage(), Usage::default());
}

#[test]
fn a_connection_is_a_members_from_its_registration_on_and_not_by_a_refused_one() {
    let mut bench = Bench::new(Config::default());
    let on = |bench: &Bench, connection| bench.relay.member_on(ConnectionId(connection));
    bench.relay.handle_opened(ConnectionId(7));
    bench.outputs();
    assert_eq!(on(&bench, 7), None);
    bench.register(1, 2, "carol", START);
    assert_eq!(on(&bench, 1), Some(signing(2).public_key()));
    assert!(matches!(bench.register(2, 3, "carol", START), Control::Refused { .. }));
    assert_eq!(on(&bench, 2), None);
    bench.relay.handle_closed(ConnectionId(1), START);
    assert_eq!(on(&bench, 1), None);
}

#[test]
fn who_is_registered_and_silent_gets_its_message_once_and_the_sender_is_answered() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    bench.send(2, 1, START);
    assert_eq!(sends(&bench.outputs()).len(), 1);
    bench.relay.handle_deadline(after(5));
    let outputs = bench.outputs();
    assert_eq!((statuses(&outputs), sends(&outputs).len()), (vec![200], 0));
    assert_eq!(bench.relay.usage().messages, 1);
    bench.relay.handle_control(ConnectionId(1), Control::Ack { id: header(2, 1).id }, after(6));
    assert_eq!(bench.relay.usage().messages, 0);
}

#[test]
fn what_was_acknowledged_before_its_answer_came_is_not_kept() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    // More than may be on their way at a time: what is acknowledged must not take the place of others for ever.
    for number in 1..=100 {
        bench.send(2, number, START);
        let ack = Control::Ack { id: header(2, number).id };
        bench.relay.handle_control(ConnectionId(1), ack, START);
    }
    let live = sends(&bench.outputs());
    assert_eq!(live.len(), 100);
    // Of half of them the answer is late, and the connection of the rest breaks.
    for (attempt, ..) in &live[..50] {
        bench.relay.handle_outcome(*attempt, Outcome::Failed, after(1));
    }
    bench.relay.handle_deadline(after(5));
    let outputs = bench.outputs();
    assert_eq!((statuses(&outputs), sends(&outputs).len()), (vec![200; 100], 0));
    assert_eq!(bench.relay.usage(), Usage::default());
}

#[test]
fn only_the_recipient_acknowledges_what_is_on_its_way_to_it() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    bench.register(2, 3, "dora", START);
    bench.send(2, 1, START);
    bench.outputs();
    bench.relay.handle_control(ConnectionId(2), Control::Ack { id: header(2, 1).id }, START);
    bench.relay.handle_deadline(after(5));
    assert_eq!(bench.relay.usage().messages, 1);
}

#[test]
fn a_recipient_with_a_base_gets_its_mail_by_http_with_growing_pauses() {
    let mut bench = Bench::new(Config::default());
    let base = "http://127.0.0.1:5";
    bench.relay.handle_arrival(arrival(3, 1, Some(base)), START);
    let sent = sends(&bench.outputs());
    assert_eq!(sent[0].1, Way::Http(base.to_owned()));
    bench.relay.handle_outcome(sent[0].0, Outcome::Failed, START);
    let outputs = bench.outputs();
    assert_eq!((statuses(&outputs), sends(&outputs).len()), (vec![200], 0), "kept");
    for pause in [1, 2, 4] {
        let due = bench.relay.next_deadline().unwrap();
        bench.relay.handle_deadline(due);
        let sent = sends(&bench.outputs());
        assert_eq!(sent.len(), 1, "after {pause} s");
        let full = Answer { status: 503, body: Bytes::new() };
        bench.relay.handle_outcome(sent[0].0, Outcome::Answered(full), due);
    }
    let due = bench.relay.next_deadline().unwrap();
    bench.relay.handle_deadline(due);
    let sent = sends(&bench.outputs());
    let seen = Answer { status: 409, body: Bytes::new() };
    bench.relay.handle_outcome(sent[0].0, Outcome::Answered(seen), due);
    assert_eq!(bench.relay.usage().messages, 0);
}

#[test]
fn further_relays_are_asked_in_order_and_loops_and_hops_end() {
    let mut bench = Bench::new(Config { relays: 2, ..Config::default() });
    bench.send(4, 1, START);
    let unknown = Answer { status: 403, body: Bytes::new() };
    for index in 0..2 {
        let sent = sends(&bench.outputs());
        assert_eq!(sent[0].1, Way::Relay(index));
        bench.relay.handle_outcome(sent[0].0, Outcome::Answered(unknown.clone()), START);
    }
    assert_eq!(statuses(&bench.outputs()), [403]);
    bench.send(4, 1, START);
    let outputs = bench.outputs();
    assert_eq!((statuses(&outputs), sends(&outputs).len()), (vec![403], 0), "seen, and not taken");
    let mut last = arrival(4, 2, None);
    last.header.hops = forward::HOPS_MAX;
    bench.relay.handle_arrival(last, START);
    let outputs = bench.outputs();
    assert_eq!((statuses(&outputs), sends(&outputs).len()), (vec![403], 0), "no further relay");
}

#[test]
fn a_base_that_is_a_mailbox_of_a_relay_is_none() {
    let mut bench = Bench::new(Config::default());
    let own = format!("http://127.0.0.1:5/relay/{}", key(3));
    for (number, base) in [own.clone(), format!("{own}/"), own.to_uppercase()].iter().enumerate() {
        bench.relay.handle_arrival(arrival(3, number as u64, Some(base)), START);
        let outputs = bench.outputs();
        assert_eq!((statuses(&outputs), sends(&outputs).len()), (vec![403], 0), "{base}");
    }
    // One that is learnt while mail waits leads nowhere either, and the mail stays.
    bench.register(1, 3, "dora", START);
    bench.relay.handle_closed(ConnectionId(1), START);
    bench.send(3, 9, START);
    bench.outputs();
    bench.relay.handle_base(key(3), own, START);
    assert_eq!((sends(&bench.outputs()).len(), bench.relay.usage().messages), (0, 1));
    let short = format!("http://127.0.0.1:5/relay/{}", &key(3).to_string()[1..]);
    bench.relay.handle_arrival(arrival(4, 10, Some(&short)), START);
    assert_eq!(sends(&bench.outputs()).len(), 1, "63 digits are no key");
}

#[test]
fn two_forwards_with_one_id_are_one_piece_of_mail_and_block_no_mailbox() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    bench.relay.handle_closed(ConnectionId(1), START);
    bench.outputs();
    let forgotten = START.plus(SEEN_FOR);
    for at in [START, forgotten] {
        bench.send(2, 1, at);
        let outputs = bench.outputs();
        let [Output::Answer { answer, rests_on_disk: true, .. }] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        assert_eq!(&answer.body[..], br#"{"status":"stored"}"#);
    }
    assert_eq!(bench.relay.usage().messages, 1);
    bench.register(2, 2, "carol", forgotten);
    assert_eq!(sends(&bench.outputs()).len(), 1);
    let ack = Control::Ack { id: header(2, 1).id };
    bench.relay.handle_control(ConnectionId(2), ack, forgotten);
    bench.outputs();
    assert_eq!(bench.relay.usage(), Usage::default());
    bench.restart(Config::default());
    assert_eq!(bench.relay.usage(), Usage::default());
}

#[test]
fn taking_mail_out_forgets_its_own_id_and_not_that_of_another_place() {
    let mut mail = Mailboxes::default();
    for number in [1, 2] {
        let message = Bytes::from_static(b"one");
        let (header, sender) = (header(2, 1), Sender::host(HOST));
        mail.insert(number, mailbox::Mail { header, message, sender, expires_at: after(9) });
    }
    mail.take((key(2), 1));
    assert_eq!(mail.find(&key(2), header(2, 1).id), Some((key(2), 2)));
    mail.take((key(2), 2));
    assert_eq!(mail.find(&key(2), header(2, 1).id), None);
}

/// Two relays that ask each other; the statuses that the sender of a message at the first sees.
fn asked_in_a_ring(ring: &mut [Bench; 2], number: u64) -> Vec<u16> {
    ring[0].send(2, number, START);
    let mut asked = Vec::new();
    let mut at = 0;
    for _ in 0..10 {
        let outputs = ring[at].outputs();
        for output in &outputs {
            if let Output::Send { attempt, header, message, .. } = output {
                asked.push((at, *attempt));
                let further =
                    Arrival { header: *header, message: message.clone(), ..arrival(2, 0, None) };
                ring[1 - at].relay.handle_arrival(further, START);
            }
            if let Output::Answer { answer, .. } = output {
                let Some((asker, attempt)) = asked.pop() else { return vec![answer.status] };
                ring[asker].relay.handle_outcome(attempt, Outcome::Answered(answer.clone()), START);
            }
        }
        at = 1 - at;
    }
    panic!("no end")
}

#[test]
fn two_relays_that_ask_each_other_keep_the_mail_of_an_absent_member() {
    let one = || Bench::new(Config { relays: 1, ..Config::default() });
    let mut ring = [one(), one()];
    ring[0].register(1, 2, "carol", START);
    ring[0].relay.handle_closed(ConnectionId(1), START);
    ring[0].outputs();
    assert_eq!(asked_in_a_ring(&mut ring, 1), [200]);
    assert_eq!(ring[0].relay.usage().messages, 1);
    ring.reverse();
    assert_eq!(asked_in_a_ring(&mut ring, 2), [200], "by the other relay");
    assert_eq!((ring[0].relay.usage().messages, ring[1].relay.usage().messages), (0, 2));
}

#[test]
fn two_relays_that_ask_each_other_tell_the_sender_that_nobody_knows_the_recipient() {
    let one = || Bench::new(Config { relays: 1, ..Config::default() });
    let mut ring = [one(), one()];
    assert_eq!(asked_in_a_ring(&mut ring, 1), [403]);
}

#[test]
fn an_id_that_comes_again_is_answered_by_what_became_of_it() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    bench.send(2, 1, START);
    let (attempt, ..) = sends(&bench.outputs())[0].clone();
    bench.send(2, 1, START);
    assert_eq!(statuses(&bench.outputs()), [503], "nobody has it yet");
    let answer = Answer { status: 200, body: Bytes::new() };
    bench.relay.handle_outcome(attempt, Outcome::Answered(answer), START);
    bench.send(2, 1, START);
    let outputs = bench.outputs();
    assert_eq!((statuses(&outputs), sends(&outputs).len()), (vec![200, 200], 0));
}

#[test]
fn what_is_live_is_bounded_in_bytes_until_its_sending_has_ended() {
    let len = forward::HEADER_LEN + b"message 1".len();
    let under_way = Quota { messages: 9, bytes: 2 * len };
    let mut bench = Bench::new(Config { under_way, ..Config::default() });
    bench.register(1, 2, "carol", START);
    for number in 1..=3 {
        bench.send(2, number, START);
    }
    let outputs = bench.outputs();
    assert_eq!(statuses(&outputs), [200], "the third is kept");
    assert_eq!(bench.relay.usage(), Usage { messages: 1, bytes: len });
    let live = sends(&outputs);
    // Who waited for them is answered; what is being sent is still in memory.
    bench.relay.handle_deadline(after(5));
    assert_eq!(statuses(&bench.outputs()), [200, 200]);
    assert_eq!(bench.relay.under_way(), Usage { messages: 2, bytes: 2 * len });
    bench.relay.handle_closed(ConnectionId(1), after(5));
    assert_eq!(bench.relay.under_way(), Usage { messages: 2, bytes: 2 * len });
    for (attempt, ..) in live {
        bench.relay.handle_outcome(attempt, Outcome::Failed, after(6));
    }
    assert_eq!(bench.relay.under_way(), Usage::default());
}

#[test]
fn a_member_goes_when_its_registration_expires_or_with_the_last_of_its_mail() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    bench.register(2, 3, "dora", START);
    bench.relay.handle_closed(ConnectionId(1), START);
    bench.send(2, 1, START);
    bench.outputs();
    assert_eq!(bench.relay.next_deadline(), Some(after(3_600)), "both registrations");
    bench.relay.handle_deadline(after(3_600));
    bench.outputs();
    let names: Vec<_> = bench.relay.boxes().map(|one| one.recipient).collect();
    assert_eq!(names, [key(2)], "it has mail");
    assert_eq!(bench.relay.next_deadline(), Some(after(86_400)), "that of the mail");
    bench.relay.handle_deadline(after(86_400));
    bench.outputs();
    assert_eq!((bench.relay.boxes().count(), bench.relay.next_deadline()), (0, None));
    bench.restart(Config::default());
    assert_eq!(bench.relay.boxes().count(), 0);
}

#[test]
fn a_renewed_registration_expires_once_and_at_its_later_time() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    bench.register(2, 2, "carol", after(60));
    assert_eq!(bench.relay.next_deadline(), Some(after(3_660)));
    bench.relay.handle_deadline(after(3_600));
    assert_eq!(bench.relay.boxes().count(), 1);
}

#[test]
fn what_a_relay_has_seen_is_forgotten_by_count_and_by_age() {
    let mut seen = Seen::default();
    let id = |number: u64| header(2, number).id;
    for number in 0..=SEEN_MAX as u64 {
        assert_eq!(seen.note(id(number), START), Sight::New);
    }
    assert_eq!(seen.len(), SEEN_MAX);
    assert_eq!(seen.note(id(SEEN_MAX as u64), START), Sight::Known);
    seen.take(id(SEEN_MAX as u64));
    assert_eq!(seen.note(id(SEEN_MAX as u64), START), Sight::Taken);
    assert_eq!(seen.note(id(SEEN_MAX as u64), START.plus(SEEN_FOR)), Sight::New);
}

#[test]
fn a_name_belongs_to_its_first_key_until_registration_and_mail_have_expired() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    let refused = Control::Refused { code: ErrorCode::UnknownSender };
    assert_eq!(bench.register(2, 3, "carol", START), refused);
    bench.relay.handle_closed(ConnectionId(1), START);
    bench.send(2, 1, START);
    bench.outputs();
    assert_eq!(bench.register(3, 3, "carol", after(3_700)), refused, "its mail is still here");
    bench.relay.handle_deadline(after(86_400));
    bench.outputs();
    assert_eq!(bench.relay.usage().messages, 0, "expired");
    assert!(matches!(bench.register(4, 3, "carol", after(86_400)), Control::Registered(_)));
    assert_eq!(bench.relay.boxes().count(), 1);
}

#[test]
fn registrations_are_bounded_in_number_in_time_and_in_haste() {
    let mut bench = Bench::new(Config { members_max: 1, ..Config::default() });
    bench.register(1, 2, "carol", START);
    let full = Control::Refused { code: ErrorCode::ServiceUnavailable };
    assert_eq!(bench.register(2, 3, "dora", START), full);
    let mut code = |span: Duration, at: Timestamp| {
        let connection = ConnectionId(1);
        let challenge = bench.relay.conversations[&connection].challenge_of_tests();
        let terms = (START.plus(span), [5; 32]);
        let one = Registration::sign(&challenge, "carol".parse().unwrap(), terms, &signing(2));
        bench.relay.handle_control(connection, Control::Register(Box::new(one)), at);
        bench.outputs().pop()
    };
    let is = |output: Option<Output>, expected: ErrorCode| {
        let Some(Output::Control { control: Control::Refused { code }, .. }) = output else {
            panic!("{output:?}")
        };
        assert_eq!(code, expected);
    };
    is(code(Duration::from_hours(1), START), ErrorCode::RateLimited);
    is(code(Duration::from_hours(25), after(1)), ErrorCode::ExpiredTimestamp);
    is(code(Duration::ZERO, after(2)), ErrorCode::ExpiredTimestamp);
}

#[test]
fn nobody_is_kept_mail_for_who_is_not_known() {
    let mut bench = Bench::new(Config::default());
    bench.send(4, 1, START);
    assert_eq!(statuses(&bench.outputs()), [403]);
}

#[test]
fn records_have_exactly_these_bytes_and_others_are_damaged() {
    let mut bench = Bench::new(Config::default());
    bench.register(1, 2, "carol", START);
    bench.relay.handle_closed(ConnectionId(1), START);
    bench.outputs();
    bench.send(2, 1, START);
    bench.outputs();
    let stored = bench.journal.load().unwrap();
    let records: Vec<_> = stored
        .records(SPACE)
        .map(|(key, value)| (String::from_utf8(key.to_vec()).unwrap(), value.to_vec()))
        .collect();
    let carol = key(2);
    let sender = "0100000000000000000000ffffc0000201";
    let id = "00000000000000000000000000000001";
    let expected = format!("000000141dd76000{sender}2000{id}{carol}00{}", hex(b"message 1"));
    assert_eq!(records[0].0, format!("mail/{carol}/0000000000000001"));
    assert_eq!(hex(&records[0].1), expected);
    assert_eq!(records[1].0, format!("member/{carol}"));
    assert_eq!(hex(&records[1].1), format!("00000000d693a400{}", hex(b"carol")));
    for (name, value) in &records {
        let damaged = Record { key: name.clone().into_bytes(), value: value[..7].to_vec() };
        assert!(Kept::read(&damaged).is_err());
        let elsewhere = Record { key: b"other/x".to_vec(), value: value.clone() };
        assert!(Kept::read(&elsewhere).is_err());
    }
}

fn hex(bytes: &[u8]) -> String {
    entity_crypto::encoding::hex_encode(bytes)
}

/// Bounds that a few messages reach.
fn narrow() -> Config {
    let quota = |messages, bytes| Quota { messages, bytes };
    Config {
        recipient: quota(4, 400),
        sender: quota(6, 600),
        total: quota(8, 700),
        under_way: quota(3, 300),
        ..Config::default()
    }
}

proptest! {
    // Each case checks dozens of signatures, unoptimised.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever sends what to whom, comes and goes, and however often the relay restarts: no bound is ever passed; what was
    /// answered 200 is delivered or still kept; each connection sees mail in the order of arrival, none of it twice.
    #[test]
    fn quotas_hold_and_nothing_taken_is_lost_doubled_or_reordered(
        steps in proptest::collection::vec((0_u8..6, 2_u8..4, 0_u8..3, 0_usize..40), 1..120),
    ) {
        let mut bench = Bench::new(narrow());
        let mut world = World::default();
        bench.register(100, 2, "m2", START);
        bench.register(101, 3, "m3", START);
        bench.outputs();
        bench.relay.handle_closed(ConnectionId(100), START);
        bench.relay.handle_closed(ConnectionId(101), START);
        let mut now = START;
        for (index, (step, to, host, length)) in steps.into_iter().enumerate() {
            now = now.plus(Duration::from_millis(300));
            world.step(&mut bench, (step, to, host, length), index as u64, now);
            world.check(&bench)?;
        }
    }
}

/// What the property above knows from outside.
#[derive(Default)]
struct World {
    connections: BTreeMap<u8, u64>,
    /// What each recipient has got, by connection.
    delivered: BTreeMap<(u8, u64), Vec<u64>>,
    acknowledged: BTreeSet<u64>,
    waiting: BTreeMap<Ticket, u64>,
    taken: BTreeSet<u64>,
    /// Attempts that nobody answers; their sending ends some time.
    silent: Vec<AttemptId>,
}

impl World {
    fn step(&mut self, bench: &mut Bench, what: (u8, u8, u8, usize), index: u64, now: Timestamp) {
        let (step, to, host, length) = what;
        match step {
            0..=2 => {
                let mut one = arrival(to, index, None);
                one.host = IpAddr::V4(Ipv4Addr::new(192, 0, 2, host));
                one.message =
                    Bytes::from([index.to_be_bytes().as_slice(), &vec![0; length]].concat());
                let ticket = bench.relay.handle_arrival(one, now);
                self.waiting.insert(ticket, index);
            }
            3 => {
                let connection = 1_000 + index;
                self.connections.insert(to, connection);
                bench.register(connection, to, &format!("m{to}"), now);
            }
            4 => {
                if let Some(connection) = self.connections.remove(&to) {
                    bench.relay.handle_closed(ConnectionId(connection), now);
                }
            }
            _ => {
                bench.relay.handle_deadline(now.plus(Duration::from_secs(5)));
                for attempt in self.silent.drain(..) {
                    bench.relay.handle_outcome(attempt, Outcome::Failed, now);
                }
            }
        }
        self.drain(bench, now);
    }

    fn drain(&mut self, bench: &mut Bench, now: Timestamp) {
        let mut outputs: VecDeque<_> = bench.outputs().into();
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Answer { ticket, answer, .. } => {
                    let index = self.waiting.remove(&ticket).unwrap();
                    if answer.status == 200 {
                        self.taken.insert(index);
                    }
                }
                Output::Send { attempt, way: Way::Connection(connection), header, message } => {
                    let index = u64::from_be_bytes(message[..8].try_into().unwrap());
                    let to = if header.recipient == key(2) { 2 } else { 3 };
                    self.delivered.entry((to, connection.0)).or_default().push(index);
                    // Every third neither answers nor acknowledges.
                    if index % 3 != 0 {
                        self.acknowledged.insert(index);
                        let answer = Answer { status: 200, body: Bytes::new() };
                        bench.relay.handle_outcome(attempt, Outcome::Answered(answer), now);
                        bench.relay.handle_control(connection, Control::Ack { id: header.id }, now);
                    } else {
                        self.silent.push(attempt);
                    }
                    outputs.extend(bench.outputs());
                }
                Output::Send { .. } | Output::Control { .. } | Output::Persist(_) => {}
            }
        }
    }

    fn check(&self, bench: &Bench) -> Result<(), TestCaseError> {
        let config = narrow();
        let within = |usage: Usage, quota: Quota| {
            usage.messages <= quota.messages && usage.bytes <= quota.bytes
        };
        prop_assert!(within(bench.relay.usage(), config.total));
        prop_assert!(within(bench.relay.under_way(), config.under_way));
        let mut kept = BTreeSet::new();
        for seed in [2, 3] {
            prop_assert!(within(bench.relay.mail.usage_of(&key(seed)), config.recipient));
        }
        for index in &self.taken {
            let id = header(2, *index).id;
            if [2, 3].iter().any(|to| bench.relay.mail.find(&key(*to), id).is_some()) {
                kept.insert(*index);
            }
        }
        for index in &self.taken {
            prop_assert!(
                self.acknowledged.contains(index) || kept.contains(index),
                "{index} is lost"
            );
        }
        for ((_, connection), got) in &self.delivered {
            prop_assert!(got.windows(2).all(|pair| pair[0] < pair[1]), "{connection}: {got:?}");
        }
        let sum: usize = bench.relay.boxes().map(|one| one.mail.messages).sum();
        prop_assert_eq!(sum, bench.relay.usage().messages);
        let mut stored = bench.journal.load().unwrap();
        let again = Relay::restore(narrow(), (signing(9), [1; 32]), &mut stored).unwrap();
        prop_assert_eq!(again.usage(), bench.relay.usage());
        Ok(())
    }
}
