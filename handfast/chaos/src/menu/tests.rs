use super::*;

fn sign(at_ms: u64, what: Seen) -> Sign {
    Sign { at: Duration::from_millis(at_ms), what }
}

fn event(name: &str) -> Seen {
    Seen::Event { role: "a".to_owned(), event: name.to_owned() }
}

fn message(kind: &str) -> Seen {
    let (from, to) = ("a".to_owned(), "b".to_owned());
    Seen::Message { from, to, message_type: Some(kind.to_owned()) }
}

fn menu(roles: &[&str], kinds: &[Kind]) -> Menu {
    Menu::new(roles.iter().map(|&role| role.to_owned()), kinds.iter().copied())
}

#[test]
fn every_kind_is_drawn_and_meets_every_role() {
    let mut menu = menu(&["a", "b"], &Kind::ALL);
    let mut dice = Dice::new(1);
    let drawn: BTreeSet<String> =
        (0..200).filter_map(|_| Some(words(&menu.draw(&mut dice)?.what))).collect();
    for kind in ["kill", "pause", "crash-loop", "clock", "cpu", "descriptors", "disk-full"] {
        for role in ["a", "b"] {
            assert!(drawn.contains(&format!("{kind} {role}")), "{kind} {role} in {drawn:?}");
        }
    }
    for way in ["silence", "reset", "delay", "loss"] {
        assert!(drawn.iter().any(|words| words.starts_with(way)), "{way} in {drawn:?}");
    }
}

#[test]
fn a_kind_that_is_not_on_the_menu_is_never_drawn() {
    let mut menu = menu(&["a"], &[Kind::Pause, Kind::Silence]);
    let mut dice = Dice::new(2);
    assert_eq!(menu.kinds(), [Kind::Pause], "a link needs two ends");
    for _ in 0..100 {
        assert!(matches!(menu.draw(&mut dice).unwrap().what, What::Pause { .. }));
    }
}

#[test]
fn nothing_on_the_menu_is_nothing_drawn() {
    assert_eq!(menu(&[], &Kind::ALL).draw(&mut Dice::new(1)), None);
    assert_eq!(menu(&["a"], &[]).draw(&mut Dice::new(1)), None);
}

#[test]
fn only_moments_that_came_every_time_are_waited_for() {
    let mut menu = menu(&["a", "b"], &[Kind::Kill]);
    menu.learn(&[sign(10, event("x")), sign(20, message("m")), sign(30, message("m"))]);
    assert_eq!(menu.moments(), 2);
    menu.learn(&[sign(10, message("m")), sign(900, event("y"))]);
    assert_eq!(menu.moments(), 1);
    let mut dice = Dice::new(3);
    let mut on_cue = 0;
    for _ in 0..200 {
        match menu.draw(&mut dice).unwrap().when {
            When::At(at) => assert!(at <= Duration::from_secs(1), "{at:?}"),
            When::On { cue: Cue::Message { message_type, nth, .. }, after } => {
                assert_eq!((message_type.as_deref(), nth), (Some("m"), 1));
                assert!(after <= Duration::from_millis(AFTER_MS_MAX));
                on_cue += 1;
            }
            When::On { cue: Cue::Notification { event, .. }, .. } => panic!("waits for {event}"),
        }
    }
    assert!((60..190).contains(&on_cue), "{on_cue}");
}

#[test]
fn the_same_seed_draws_the_same() {
    let draw = || {
        let mut menu = menu(&["a", "b", "c"], &Kind::ALL);
        let mut dice = Dice::new(4);
        (0..50).map(|_| menu.draw(&mut dice)).collect::<Vec<_>>()
    };
    assert_eq!(draw(), draw());
}

#[test]
fn no_more_moments_are_remembered_than_the_limit() {
    let mut menu = menu(&["a"], &[Kind::Kill]);
    let signs: Vec<Sign> = (0..2_000).map(|at| sign(at, event(&format!("e{at}")))).collect();
    menu.learn(&signs);
    assert_eq!(menu.moments(), MOMENTS_MAX);
}

#[test]
fn what_was_disturbed_least_is_drawn_first() {
    let mut menu = menu(&["a", "b"], &[Kind::Kill, Kind::Pause]);
    let mut dice = Dice::new(5);
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..40 {
        *counts.entry(words(&menu.draw(&mut dice).unwrap().what)).or_default() += 1;
    }
    assert!(
        counts.len() == 4 && counts.values().all(|count| (7..=13).contains(count)),
        "{counts:?}"
    );
}
