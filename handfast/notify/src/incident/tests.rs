use handfast_scenario::Verdict;
use proptest::prelude::*;

use super::*;
use crate::sample::{Run, settings};
use crate::watch::{TEXT_LEN_MAX, Watch};

fn after(run: &Run, news: &News, class: Class, open: Option<Incident>) -> Option<Step> {
    step(&run.watch, news, class, open, 5)
}

fn opened(name: &str) -> Incident {
    let mut run = Run::new(name);
    let news = run.fail("bad/x").unwrap();
    after(&run, &news, Class::Product, None).unwrap().incident
}

#[test]
fn the_first_failure_opens_an_incident_while_the_run_goes_on() {
    let mut run = Run::new("r");
    assert_eq!(run.pass("good"), None);
    let news = run.fail("bad/x").unwrap();
    let step = after(&run, &news, Class::Product, None).unwrap();
    assert_eq!(step.turn, Turn::Opened);
    let incident = step.incident;
    assert_eq!((incident.over, incident.runs, incident.state), (false, 1, State::Open));
    assert_eq!((incident.counts.done, incident.counts.total), (2, 30));
    let failure = &incident.failures[0];
    assert_eq!((failure.unit.as_str(), failure.reason.as_str()), ("bad/x", "first line"));
    assert_eq!(failure.owner.as_ref().unwrap().who.as_deref(), Some("us"));
    assert_eq!(failure.peers, ["py"]);
}

#[test]
fn what_could_not_be_carried_out_is_another_class() {
    let mut run = Run::new("r");
    let news = run.unit("x", Verdict::Infra { reason: "no port".to_owned() }).unwrap();
    assert_eq!(news, News::Failed(Class::Infra));
    assert_eq!(after(&run, &news, Class::Product, None), None);
    assert_eq!(after(&run, &news, Class::Infra, None).unwrap().turn, Turn::Opened);
    let end = run.end();
    assert_eq!(
        after(&run, &end, Class::Product, Some(opened("earlier"))),
        None,
        "it says nothing of the product"
    );
}

#[test]
fn a_product_failure_shows_that_the_platform_is_well() {
    let mut red = Run::new("r");
    red.fail("bad");
    let mut infra = opened("earlier");
    infra.class = Class::Infra;
    let end = red.end();
    assert_eq!(after(&red, &end, Class::Infra, Some(infra)).unwrap().turn, Turn::Recovered);
}

#[test]
fn a_later_run_goes_on_in_the_incident() {
    let incident = opened("r1");
    let mut run = Run::new("r2");
    let news = run.fail("bad/y").unwrap();
    let step = after(&run, &news, Class::Product, Some(incident)).unwrap();
    assert_eq!((step.turn, step.incident.runs), (Turn::RedAgain, 2));
    assert_eq!(step.incident.failures.len(), 1, "those of the newest run");
    let news = run.fail("bad/z").unwrap();
    let step = after(&run, &news, Class::Product, Some(step.incident)).unwrap();
    assert_eq!((step.turn, step.incident.runs), (Turn::Changed, 2));
}

#[test]
fn a_green_run_closes_and_an_interrupted_one_does_not() {
    let mut run = Run::new("r2");
    run.pass("bad/x");
    let end = run.end();
    let step = after(&run, &end, Class::Product, Some(opened("r1"))).unwrap();
    assert_eq!((step.turn, step.incident.state), (Turn::Recovered, State::Recovered));
    let had_failed = opened("r1").failures;
    assert!(!had_failed.is_empty());
    assert_eq!(step.incident.failures, had_failed, "a green message still says what it was about");
    run.watch.counts.summary.not_run = 3;
    assert_eq!(after(&run, &end, Class::Product, Some(opened("r1"))), None);
}

#[test]
fn a_death_is_told_as_infra_and_the_message_of_the_product_does_not_go_on() {
    let mut run = Run::new("r");
    run.fail("bad/x");
    run.begin_unit("slow");
    let step = after(&run, &News::Died, Class::Infra, None).unwrap();
    assert_eq!(step.turn, Turn::Opened);
    let death = step.incident.died.unwrap();
    assert_eq!((death.unit.as_deref(), death.noticed_unix_us), (Some("slow"), 5));
    let product = after(&run, &News::Died, Class::Product, Some(opened("r"))).unwrap();
    assert_eq!((product.turn, product.incident.over), (Turn::Changed, true));
    assert_eq!(after(&run, &News::Died, Class::Product, Some(opened("other"))), None);
}

#[test]
fn what_is_known_or_in_quarantine_is_no_news() {
    use handfast_scenario::event::{Healing, Standing};
    let mut run = Run::new("r");
    let mut answered = |standing| {
        let healing = Healing {
            verdict: handfast_scenario::verdict::VerdictKind::Failed,
            class: String::new(),
            evidence: Vec::new(),
            act: String::new(),
            outcome: String::new(),
            is_healed: false,
            standing,
            entry: serde_json::Value::Null,
        };
        let unit = handfast_scenario::plan::UnitId::new("u");
        run.hear(handfast_scenario::RunEvent::UnitHealing { unit, healing });
        run.fail("u")
    };
    assert_eq!(answered(Standing::Known), None);
    assert_eq!(answered(Standing::Quarantined), None);
    assert_eq!(answered(Standing::Decides), Some(News::Failed(Class::Product)));
}

#[test]
fn what_fails_as_expected_is_no_news() {
    let watch = Watch::new(crate::sample::brief("r"));
    let mut run = Run::new("r");
    assert_eq!(watch.failures.len(), 0);
    let cell = handfast_scenario::event::CellLine {
        unit: handfast_scenario::plan::UnitId::new("known"),
        scenario: "known".to_owned(),
        name: "known".to_owned(),
        file: "x.toml".to_owned(),
        category: handfast_scenario::name::CategoryName::new("unit").unwrap(),
        column: ["a", "b"].map(|peer| handfast_scenario::name::PeerName::new(peer).unwrap()),
        peers: std::collections::BTreeMap::default(),
        protocols: std::collections::BTreeMap::default(),
        network: "none".to_owned(),
        key: None,
        expected: Some(handfast_scenario::event::Expected {
            result: handfast_scenario::verdict::VerdictKind::Failed,
            reason: String::new(),
            issue: String::new(),
            expires: String::new(),
        }),
    };
    run.hear(handfast_scenario::RunEvent::MatrixStarted {
        peers: Vec::new(),
        builds: std::collections::BTreeMap::default(),
        cells: vec![cell],
        faults: Vec::new(),
    });
    assert_eq!(run.fail("known"), None);
    assert_eq!(run.pass("known"), Some(News::Failed(Class::Product)), "an unexpected pass is");
}

#[test]
fn failures_and_texts_are_bounded() {
    let mut run = Run::new("r");
    let long = "x".repeat(10_000);
    for n in 0..Incident::FAILURES_MAX + 7 {
        run.unit(&format!("{n}{long}"), Verdict::Failed { reason: long.clone() });
    }
    let step = after(&run, &News::Failed(Class::Product), Class::Product, None).unwrap();
    assert_eq!(step.incident.failures.len(), Incident::FAILURES_MAX);
    assert_eq!(step.incident.failures_more, 7);
    let failure = &step.incident.failures[0];
    assert_eq!(failure.reason.chars().count(), TEXT_LEN_MAX);
    assert!(failure.unit.chars().count() <= TEXT_LEN_MAX);
}

#[test]
fn units_under_way_are_bounded() {
    let mut run = Run::new("r");
    for n in 0..crate::watch::RUNNING_MAX + 10 {
        run.begin_unit(&format!("u{n}"));
    }
    let kept = serde_json::to_value(&run.watch).unwrap();
    assert_eq!(kept["running"].as_object().unwrap().len(), crate::watch::RUNNING_MAX);
}

#[test]
fn a_run_that_is_kept_is_the_same_afterwards() {
    let mut run = Run::new("r");
    run.fail("bad");
    run.begin_unit("slow");
    let kept = serde_json::to_string(&run.watch).unwrap();
    assert_eq!(serde_json::from_str::<Watch>(&kept).unwrap(), run.watch);
    drop(settings(""));
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Pass,
    Fail,
    Infra,
    End,
    Die,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => Just(Act::Pass),
        2 => Just(Act::Fail),
        1 => Just(Act::Infra),
        2 => Just(Act::End),
        1 => Just(Act::Die),
    ];
    proptest::collection::vec(act, 1..60)
}

proptest! {
    // Each case is a whole history of runs, twice.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the runs do: what is open follows from the newest run that said something of the class, runs are counted right,
    /// letters begin with a post, and only a recovery ends an incident.
    #[test]
    fn an_incident_lasts_from_its_first_red_run_to_its_first_good_one(acts in acts()) {
        for class in [Class::Product, Class::Infra] {
            let mut open: Option<Incident> = None;
            let (mut number, mut red_runs) = (0, 0);
            let mut run = Run::new("0");
            let mut counted = false;
            for act in &acts {
                let news = match act {
                    Act::Pass => run.pass("x"),
                    Act::Fail => run.fail("x"),
                    Act::Infra => run.unit("x", Verdict::Infra { reason: String::new() }),
                    Act::End => Some(run.end()),
                    Act::Die => Some(News::Died),
                };
                let Some(news) = news else { continue };
                let was_open = open.is_some();
                let step = after(&run, &news, class, open.clone());
                let reddens = match news {
                    News::Failed(failed) => failed == class,
                    News::Ended => run.watch.is_red(class),
                    News::Died => class == Class::Infra,
                };
                if reddens && !counted {
                    red_runs += 1;
                    counted = true;
                }
                match step {
                    None => prop_assert!(!reddens),
                    Some(step) => {
                        prop_assert_eq!(step.turn == Turn::Opened, !was_open);
                        let first = letters(&step, true).first().copied();
                        prop_assert_eq!(first == Some(Kind::Post), !was_open);
                        let recovered = step.turn == Turn::Recovered;
                        prop_assert_eq!(step.incident.state == State::Recovered, recovered);
                        prop_assert!(!(recovered && reddens));
                        if recovered {
                            open = None;
                            red_runs = 0;
                        } else {
                            prop_assert_eq!(step.incident.runs, red_runs);
                            prop_assert_eq!(&step.incident.run, &run.watch.brief.run);
                            open = Some(step.incident);
                        }
                    }
                }
                if matches!(news, News::Ended | News::Died) {
                    number += 1;
                    run = Run::new(&number.to_string());
                    counted = false;
                }
            }
        }
    }
}
