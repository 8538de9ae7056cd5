use std::time::Duration;

use handfast_faults::conditions::ConditionsPatch;
use proptest::prelude::*;

use super::*;
use crate::Scenario;
use crate::scenario::Vocabulary;

const FILE: &str = "\
name = \"n\"

# what a is told
[[step]]
call = \"x\"
role = \"a\"

[[disturbance]]
at = \"1s\"
kill = \"b\"

# the last one
[[step]]
calm = \"30s\"
";

fn disturbances(text: &str) -> Vec<Disturbance> {
    let read = Scenario::parse("x.toml", text, &Vocabulary::default());
    let mut read = read.unwrap_or_else(|problems| panic!("{}\n{text}", problems.to_plain_text()));
    read.remove(0).disturbances
}

#[test]
fn other_disturbances_stand_where_the_old_ones_stood_and_the_rest_stays() {
    let pause = Disturbance {
        name: "a stands still".to_owned(),
        when: When::At(Duration::from_millis(1_200)),
        lasts: Some(Duration::from_secs(2)),
        what: What::Pause { role: "a".to_owned() },
    };
    let written = with_disturbances(FILE, &[pause]).unwrap();
    assert_eq!(
        written,
        "\
name = \"n\"

# what a is told
[[step]]
call = \"x\"
role = \"a\"

[[disturbance]]
at = \"1200ms\"
for = \"2s\"
pause = \"a\"

# the last one
[[step]]
calm = \"30s\"
"
    );
}

#[test]
fn a_file_without_disturbances_gets_them_before_its_first_step() {
    let none = with_disturbances(FILE, &[]).unwrap();
    assert!(disturbances(&none).is_empty() && !none.contains("[[disturbance]]"), "{none}");
    let again = with_disturbances(&none, &disturbances(FILE)).unwrap();
    let table = again.find("[[disturbance]]").unwrap();
    assert!(table < again.find("# what a is told").unwrap(), "{again}");
    assert_eq!(disturbances(&again), disturbances(FILE));
}

#[test]
fn what_cannot_be_rewritten_is_refused() {
    let list = "name = \"n\"\ndisturbance = [{ at = \"1s\", kill = \"b\" }]\n";
    assert_eq!(with_disturbances(list, &[]), Err(RewriteError::List));
    assert_eq!(with_disturbances("= 3", &[]), Err(RewriteError::NotToml));
}

fn role() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("b".to_owned())]
}

fn span() -> impl Strategy<Value = Duration> {
    (0_u64..60_000_000).prop_map(Duration::from_micros)
}

fn when() -> impl Strategy<Value = When> {
    let notification = (role(), any::<bool>()).prop_map(|(role, like)| Cue::Notification {
        role,
        event: "token.vote_requested".to_owned(),
        includes: like.then(|| json!({ "from": "${b.key}", "size": { "$min": 3 } })),
    });
    let message = (any::<bool>(), 1_u64..99).prop_map(|(typed, nth)| Cue::Message {
        from: "a".to_owned(),
        to: "b".to_owned(),
        message_type: typed.then(|| "chunk \"1\"".to_owned()),
        nth,
    });
    let cue = prop_oneof![notification, message];
    prop_oneof![
        span().prop_map(When::At),
        (cue, span()).prop_map(|(cue, after)| When::On { cue, after }),
    ]
}

fn limit_strategy() -> impl Strategy<Value = Limit> {
    prop_oneof![
        (1_u32..=100).prop_map(|percent| Limit::Cpu { percent }),
        (1_u64..1 << 34).prop_map(|bytes| Limit::Memory { bytes }),
        (1_u32..999).prop_map(|most| Limit::Processes { most }),
        (1_u32..999).prop_map(|most| Limit::Descriptors { most }),
        Just(Limit::DiskFull),
        (1_u64..1 << 24).prop_map(|bytes_per_s| Limit::DiskSlow { bytes_per_s }),
    ]
}

fn what_strategy() -> impl Strategy<Value = What> {
    let change = (0.001_f64..0.9, 1_u64..500).prop_map(|(loss, ms)| {
        let text = json!({ "loss": loss, "delay": format!("{ms}ms"), "rate": "3Mbit/s" });
        serde_json::from_value::<ConditionsPatch>(text).unwrap()
    });
    let (from, to) = ("a".to_owned(), "b".to_owned());
    let (cut_from, cut_to) = (from.clone(), to.clone());
    prop_oneof![
        (any::<bool>(), change).prop_map(move |(both, change)| What::Network {
            from: from.clone(),
            to: to.clone(),
            both,
            change
        }),
        (any::<bool>(), prop_oneof![Just(Cut::Silent), Just(Cut::Reset)]).prop_map(
            move |(both, how)| What::Cut { from: cut_from.clone(), to: cut_to.clone(), both, how }
        ),
        role().prop_map(|role| What::Kill { role }),
        role().prop_map(|role| What::Pause { role }),
        (role(), -99_999_i64..99_999).prop_map(|(role, offset_ms)| What::Clock { role, offset_ms }),
        (role(), limit_strategy()).prop_map(|(role, what)| What::Limit { role, what }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back_as_the_same_disturbances(
        written in prop::collection::vec((when(), prop::option::of(span()), what_strategy()), 0..6)
    ) {
        let named = |(index, (when, lasts, what)): (usize, (When, Option<Duration>, What))| {
            Disturbance { name: format!("disturbance {index}"), when, lasts, what }
        };
        let written: Vec<Disturbance> = written.into_iter().enumerate().map(named).collect();
        let text = with_disturbances(FILE, &written).unwrap();
        prop_assert_eq!(disturbances(&text), written);
    }
}
