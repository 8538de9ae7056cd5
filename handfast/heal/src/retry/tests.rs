use handfast_scenario::plan::UnitId;
use proptest::prelude::*;

use super::*;
use crate::fault::InfraFault;

fn subject(number: u32) -> Subject {
    Subject::Unit(UnitId::new(format!("meeting/x{number}")))
}

fn policy(per_subject: u32, per_run: u32) -> Policy {
    Policy { per_subject, per_run, ..Policy::default() }
}

#[test]
fn a_unit_and_a_run_have_so_many_and_no_more() {
    let mut retries = Retries::new(policy(2, 3), 1);
    let mut take = |number| match retries.take(&subject(number), &Class::Product) {
        Decision::After(_) => None,
        Decision::No(refusal) => Some(refusal),
    };
    assert_eq!([take(1), take(1), take(1)], [None, None, Some(Refusal::SubjectSpent)]);
    assert_eq!([take(2), take(2)], [None, Some(Refusal::RunSpent)]);
    assert_eq!(retries.taken(), (3, 3));
    let mut none = Retries::new(policy(0, 9), 1);
    assert_eq!(none.take(&subject(1), &Class::Product), Decision::No(Refusal::SubjectSpent));
}

#[test]
fn what_another_try_says_nothing_of_costs_none() {
    let mut retries = Retries::new(policy(1, 1), 1);
    let known = Class::Known { rule: "r".to_owned() };
    assert_eq!(retries.take(&subject(1), &known), Decision::No(Refusal::Known));
    assert_eq!(retries.take(&subject(1), &Class::Flaky), Decision::No(Refusal::Settled));
    let infra = Class::Infra { fault: Some(InfraFault::PortTaken) };
    assert!(matches!(retries.take(&subject(1), &infra), Decision::After(_)));
}

proptest! {
    #[test]
    fn waiting_doubles_up_to_its_limit_and_follows_from_the_seed(
        seed in any::<u64>(),
        min_ms in 0_u64..10_000,
        max_ms in 0_u64..100_000,
        count in 1_u32..70,
    ) {
        let (delay_min, delay_max) = (Duration::from_millis(min_ms), Duration::from_millis(max_ms));
        let policy = Policy { per_subject: count, per_run: count, delay_min, delay_max };
        let delays = |seed| {
            let mut retries = Retries::new(policy, seed);
            let decisions = (0..count).map(|_| retries.take(&subject(1), &Class::Product));
            decisions.collect::<Vec<_>>()
        };
        let found = delays(seed);
        prop_assert_eq!(&found, &delays(seed));
        let mut whole = delay_min;
        for decision in found {
            let Decision::After(delay) = decision else { panic!("a retry is left") };
            let limit = whole.min(delay_max);
            prop_assert!(delay >= limit / 2 && delay <= limit, "{delay:?} of {limit:?}");
            whole = whole.saturating_mul(2);
        }
    }

    #[test]
    fn units_that_failed_together_do_not_come_back_together(seed in any::<u64>()) {
        let mut retries = Retries::new(policy(1, 100), seed);
        let mut delays: Vec<Decision> =
            (0..20).map(|number| retries.take(&subject(number), &Class::Product)).collect();
        delays.dedup();
        prop_assert!(delays.len() > 15);
    }
}
