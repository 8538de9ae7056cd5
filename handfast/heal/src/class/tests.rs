use handfast_scenario::event::{CallOutcome, Outcome};
use handfast_scenario::name::SuiteName;

use super::*;
use crate::sample::{Story, failed, infra, ok, unit};

fn class(failure: &Failure) -> Class {
    classify(failure, Around::default()).class
}

#[test]
fn what_is_not_surely_something_else_is_product() {
    let wrong = Story::played().step("1").call("b", ok()).step_failed("1", "expected x");
    assert_eq!(class(&wrong.failure(failed("expected x"))), Class::Product);
    assert_eq!(
        class(&Story::new().failure(infra("the peer breaks the contract: id twice"))),
        Class::Product
    );
    let hang = Verdict::TimedOut { after_us: 1, during: "step 1".to_owned() };
    assert_eq!(class(&Story::played().step("1").failure(hang)), Class::Product);
    let suite = SuiteName::new("cargo").unwrap();
    let test =
        Failure::of_test(suite, "a::b".to_owned(), "Address already in use".to_owned(), false);
    assert_eq!(class(&test), Class::Product);
}

#[test]
fn what_the_platform_says_of_itself_is_infra_without_a_remedy() {
    for words in SAID_BY_THE_PLATFORM {
        let classified = classify(&Story::new().failure(infra(words)), Around::default());
        assert_eq!(classified.class, Class::Infra { fault: None }, "{words}");
        assert_eq!(classified.remedy, None);
    }
    // Not where a check of the history found something, and not where a peer says it.
    let found = Outcome::Failed { reason: "a coin too many".to_owned() };
    assert_eq!(
        class(&Story::new().check("ledger", found).failure(infra("account: x"))),
        Class::Product
    );
    assert_eq!(class(&Story::new().failure(failed("account: x"))), Class::Product);
}

#[test]
fn what_passed_with_the_same_code_is_flaky_and_nothing_else_is() {
    let story = Story::played().step("1").call("b", ok()).step_failed("1", "late");
    let passed_again = story.clone().flaky(failed("late")).failure(Verdict::Passed);
    let classified = classify(&passed_again, Around::default());
    assert_eq!(classified.class, Class::Flaky);
    assert!(classified.evidence.contains(&Evidence::PassedAgain));
    // That it was flaky before is evidence, and no reason.
    let around = Around { state: Some(State::Flaky), ..Around::default() };
    let classified = classify(&story.failure(failed("late")), around);
    assert_eq!(classified.class, Class::Product);
    assert!(classified.evidence.contains(&Evidence::Watched { state: Watched::Flaky }));
}

#[test]
fn a_fault_comes_with_its_fact_first_and_with_what_does_not_prove_it_last() {
    let failure = Story::played()
        .step("1")
        .call("a", CallOutcome::TimedOut)
        .step_failed("1", "a did not answer x within 5s")
        .failure(failed("a did not answer x within 5s"));
    let gone = Fact::NamespaceGone { unit: unit() };
    let other = Fact::ProgramMissing { file: "f".to_owned(), built_by: None };
    let facts = [other.clone(), gone.clone()];
    let classified = classify(&failure, Around { facts: &facts, ..Around::default() });
    assert_eq!(classified.class, Class::Infra { fault: Some(InfraFault::DeadNamespace) });
    assert_eq!(classified.remedy, Some(Remedy::RebuildNetwork { unit: unit() }));
    let expected = [
        Evidence::Measured { fact: gone, proves: true },
        Evidence::Said {
            by: "verdict".to_owned(),
            text: "a did not answer x within 5s".to_owned(),
        },
        Evidence::Verdict {
            verdict: VerdictKind::Failed,
            reason: "a did not answer x within <duration>".to_owned(),
        },
        Evidence::Judged { what: "it was under way, and a peer did not answer".to_owned() },
        Evidence::Measured { fact: other, proves: false },
    ];
    assert_eq!(classified.evidence, expected);
}

#[test]
fn a_rule_comes_before_everything_else_and_heals_nothing() {
    let failure = Story::new().failure(infra("the switch has ended"));
    let facts = [Fact::NamespaceGone { unit: unit() }];
    let around = Around { facts: &facts, rule: Some(("r", "https://example.org/7")), state: None };
    let classified = classify(&failure, around);
    assert_eq!(classified.class, Class::Known { rule: "r".to_owned() });
    assert_eq!(classified.remedy, None);
    assert_eq!(
        classified.evidence.last(),
        Some(&Evidence::Measured { fact: facts[0].clone(), proves: false })
    );
}

#[test]
fn evidence_has_its_limits() {
    let found = || Outcome::Skipped { reason: "é".repeat(EVIDENCE_LEN_MAX) };
    let story = (0..100).fold(Story::new(), |story, _| story.check("left-processes", found()));
    let classified = classify(&story.failure(infra("x")), Around::default());
    assert_eq!(classified.evidence.len(), EVIDENCE_MAX);
    let Some(Evidence::Warning { reason, .. }) = classified.evidence.last() else {
        panic!("a warning")
    };
    assert_eq!(reason.len(), EVIDENCE_LEN_MAX);
}

#[test]
fn a_class_is_written_in_a_word_or_two() {
    let text = |class: Class| (class.to_string(), serde_json::to_string(&class).unwrap());
    let pair = |shown: &str, written: &str| (shown.to_owned(), written.to_owned());
    assert_eq!(text(Class::Product), pair("product", r#"{"class":"product"}"#));
    assert_eq!(
        text(Class::Infra { fault: Some(InfraFault::PortTaken) }),
        pair("infra: port taken", r#"{"class":"infra","fault":"port_taken"}"#)
    );
    assert_eq!(
        text(Class::Infra { fault: None }),
        pair("infra", r#"{"class":"infra","fault":null}"#)
    );
    assert_eq!(text(Class::Flaky), pair("flaky", r#"{"class":"flaky"}"#));
    assert_eq!(
        text(Class::Known { rule: "r".to_owned() }),
        pair("known: r", r#"{"class":"known","rule":"r"}"#)
    );
}
