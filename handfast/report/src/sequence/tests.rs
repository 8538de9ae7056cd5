use handfast_scenario::event::Exit;
use handfast_scenario::name::PeerName;
use serde_json::json;

use super::*;
use crate::palette::Palette;
use crate::sample::{at, call, peer_event, role, unit, wire};

fn disturbance(name: &str, state: DisturbanceState) -> RunEvent {
    let (name, text) = (name.to_owned(), "b is killed".to_owned());
    RunEvent::Disturbance { unit: unit("u1"), number: 1, name, line: 9, text, state }
}

fn started(at_us: u64) -> Recorded {
    let mut events = crate::sample::failed_events();
    events.retain(|recorded| matches!(recorded.event, RunEvent::UnitStarted { .. }));
    Recorded { at_us, ..events.remove(0) }
}

fn ready(who: &str) -> RunEvent {
    RunEvent::PeerStarted {
        unit: unit("u1"),
        role: role(who),
        peer: PeerName::new("entity").unwrap(),
        pid: 7,
        ready_us: 1,
        address: "http://127.0.0.1:1".to_owned(),
        key: None,
        version: "1".to_owned(),
        protocol_versions: Vec::new(),
    }
}

fn exited(who: &str) -> RunEvent {
    let how = Exit::Signal { signal: 9 };
    RunEvent::PeerExited { unit: unit("u1"), role: role(who), how, expected: true }
}

fn failed() -> RunEvent {
    let verdict = Verdict::Failed { reason: "1 message is missing\nmore".to_owned() };
    RunEvent::UnitEnded { unit: unit("u1"), verdict, duration_us: 1, cpu_us: 0 }
}

/// A message, a kill with its end, a message that does not get there, and the failure.
fn story() -> Vec<Recorded> {
    vec![
        started(1_000),
        at(2_000, ready("a")),
        at(2_500, ready("b")),
        at(11_000, wire("u1", b"{}", WireTaken::Passed)),
        at(12_000, peer_event("u1", "b", "message.received", json!({}))),
        at(13_000, disturbance("kill", DisturbanceState::Applied)),
        at(13_100, exited("b")),
        at(14_000, wire("u1", b"{}", WireTaken::Unreachable { reason: "refused".to_owned() })),
        at(14_500, wire("u1", b"{}", WireTaken::Unreachable { reason: "refused".to_owned() })),
        at(20_000, ready("b")),
        at(20_100, disturbance("kill", DisturbanceState::Undone)),
        at(30_000, failed()),
    ]
}

fn killed() -> Vec<Disturbed> {
    vec![Disturbed {
        name: "kill".to_owned(),
        words: "kill b".to_owned(),
        roles: vec!["b".to_owned()],
    }]
}

const PICTURE: &str = "            a                                b
      1.0   ■ ready                          ┊
      1.5   │                                ■ ready
     10.0   │─────────── message ───────────▶│
     11.0   │                                ● message.received
     12.0   │                                ▼ kill b
     12.1   │                                ■ ended
     13.0   │─── message unreachable x2 ───✗─┊
     19.0   │                                ■ ready
     19.1   │                                ▲ kill b: over
     29.0   ────────────────────────────────── failed: 1 message is missing
";

#[test]
fn a_story_is_drawn_with_its_disturbance() {
    let sequence = Sequence::of(&story(), "u1", &killed());
    let drawn = text::text(&sequence, Palette::Plain);
    assert_eq!(drawn, PICTURE, "\n{drawn}");
}

#[test]
fn lines_of_peers_change_while_they_are_disturbed() {
    let sequence = Sequence::of(&story(), "u1", &killed());
    let lives = sequence.rows.iter().map(|row| match row.lives[1] {
        Life::Down => 'd',
        Life::Up => 'u',
        Life::Disturbed => '!',
    });
    assert_eq!(lives.collect::<String>(), "duuu!dd!uu");
}

#[test]
fn a_disturbance_that_nobody_knows_touches_everybody() {
    let sequence = Sequence::of(&story(), "u1", &[]);
    let Some(row) =
        sequence.rows.iter().find(|row| matches!(row.what, Happening::Disturbance { .. }))
    else {
        panic!("{sequence:?}")
    };
    let expected =
        Happening::Disturbance { roles: vec![0, 1], text: "b is killed".to_owned(), begins: true };
    assert_eq!(row.what, expected);
}

#[test]
fn events_of_other_units_are_passed_over() {
    let mut events = story();
    events.insert(4, at(11_500, peer_event("u2", "b", "other", json!({}))));
    assert_eq!(Sequence::of(&events, "u1", &killed()), Sequence::of(&story(), "u1", &killed()));
}

#[test]
fn the_same_moment_again_is_one_row() {
    let mut events = vec![started(0)];
    for at_us in 1..=50 {
        let [began, ended] = call("u1", at_us, "a", "outbox.list", json!({}));
        events.extend([at(at_us, began), at(at_us, ended)]);
    }
    let sequence = Sequence::of(&events, "u1", &[]);
    assert_eq!((sequence.rows.len(), sequence.rows[0].times), (1, 50));
}

/// A long story: five hundred different notifications with one disturbance in their midst.
fn long_story() -> Vec<Recorded> {
    let said = |n: u64| at(n * 1_000, peer_event("u1", "b", &format!("e{}", n % 7), json!({})));
    let mut events = vec![started(0)];
    events.extend((1..250).map(said));
    events.push(at(249_500, disturbance("kill", DisturbanceState::Applied)));
    events.extend((250..500).map(said));
    events.push(at(500_000, failed()));
    events
}

#[test]
fn of_a_long_story_the_rows_around_disturbances_and_the_end_are_shown() {
    let sequence = Sequence::of(&long_story(), "u1", &killed());
    assert!(sequence.rows.len() <= ROWS_MAX + 4, "{}", sequence.rows.len());
    let place =
        sequence.rows.iter().position(|row| matches!(row.what, Happening::Disturbance { .. }));
    let place = place.unwrap();
    let is_note = |row: &Row| matches!(row.what, Happening::Note { .. });
    assert!(sequence.rows[place - 6..place].iter().all(is_note));
    assert!(sequence.rows[place + 1..place + 7].iter().all(is_note));
    assert!(matches!(sequence.rows.last().unwrap().what, Happening::End { good: false, .. }));
    let count = |row: &Row| {
        if let Happening::LeftOut { count, .. } = row.what { count } else { row.times }
    };
    let counted: u64 = sequence.rows.iter().map(count).sum();
    assert_eq!(counted, 501, "nothing is lost without being counted");
}

#[test]
fn no_more_rows_are_shown_than_the_limit_however_many_disturbances_there_are() {
    let mut events = vec![started(0)];
    for n in 0..300 {
        let state = if n % 2 == 0 { DisturbanceState::Applied } else { DisturbanceState::Undone };
        events.push(at(n * 10, disturbance(&format!("d{}", n / 2), state)));
        events.push(at(n * 10 + 5, peer_event("u1", "b", &format!("e{n}"), json!({}))));
    }
    let sequence = Sequence::of(&events, "u1", &[]);
    let shown = sequence.rows.iter().filter(|row| !matches!(row.what, Happening::LeftOut { .. }));
    assert!(shown.count() <= ROWS_MAX + 60);
}

#[test]
fn a_page_gets_one_picture_in_which_nothing_of_a_peer_is_markup() {
    let mut events = story();
    events.insert(5, at(12_500, wire("u1", b"{}", WireTaken::Passed)));
    if let RunEvent::WireMessage { message_type, .. } = &mut events[5].event {
        *message_type = Some("<script>".to_owned());
    }
    let picture = svg::svg(&Sequence::of(&events, "u1", &killed()));
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("&lt;script&gt;") && !picture.contains("<script>"));
    assert!(picture.contains(">kill b</text>") && picture.contains(">kill b: over</text>"));
    assert!(!picture.contains("http://127"), "nothing comes from outside");
    let mut reader = quick_xml::Reader::from_str(&picture);
    while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
}

#[test]
fn no_more_roles_are_drawn_than_fit() {
    let many: Vec<Disturbed> = (0..20)
        .map(|n| Disturbed {
            name: format!("{n}"),
            words: String::new(),
            roles: vec![format!("r{n:02}")],
        })
        .collect();
    assert_eq!(Sequence::of(&story(), "u1", &many).roles.len(), ROLES_MAX);
}
