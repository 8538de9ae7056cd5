//! Bare nodes of the distributed hash table.

use std::time::Duration;

use handfast_simulation::dht::plan::Defect;
use handfast_simulation::dht::{self, Course, Plan};

use crate::order::{Dht, DhtDefect};
use crate::report::{Cost, Outcome, Report};
use crate::watch::Watch;

/// Of the lookups, so many have to find what they have to (`docs/design/dht.md`).
const SUCCESS_MIN: f64 = 0.999;

/// Runs a network.
pub(crate) fn run(seed: u64, order: &Dht, watch: &Watch) -> Report {
    let mut course = Course::new(plan(seed, order));
    let mut goes_on = true;
    while goes_on && !watch.is_ended() {
        goes_on = course.advance();
        let progress = course.progress();
        watch.progress(progress.what, progress.share, || course.state());
    }
    let found = course.report();
    let is_good = found.ended > 0 && found.success() >= SUCCESS_MIN;
    let (outcome, broken) = match (goes_on, is_good) {
        (true, _) => (Outcome::EndedEarly, None),
        (false, true) => (Outcome::Passed, None),
        (false, false) => {
            let percent = found.success() * 100.0;
            let law = format!(
                "{percent:.3} % of {} lookups found what they had to, {} % have to",
                found.ended,
                SUCCESS_MIN * 100.0
            );
            (Outcome::Failed, Some(law))
        }
    };
    Report {
        network: "dht",
        seed,
        history: format!("{:016x}", found.fingerprint),
        outcome,
        broken,
        figures: figures(&found).into(),
        lines: found.to_string().lines().map(str::to_owned).collect(),
        cost: Cost::default(),
    }
}

fn plan(seed: u64, order: &Dht) -> Plan {
    let plan =
        if order.grown { Plan::grown(seed, order.nodes) } else { Plan::settled(seed, order.nodes) };
    Plan {
        dead_percent: order.dead_percent,
        lifetime: order.lifetime_s.map(Duration::from_secs),
        loss_per_mille: order.loss_per_mille,
        records: order.records,
        lookups: order.lookups,
        span: Duration::from_secs(order.span_s),
        defect: order.defect.map(|defect| match defect {
            DhtDefect::StaleWins => Defect::StaleWins,
        }),
        ..plan
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn figures(found: &dht::Report) -> [(&'static str, f64); 16] {
    let count = |of: usize| of as f64;
    [
        ("nodes_alive", count(found.alive)),
        ("nodes_ever", count(found.ever)),
        ("contacts_per_node", count(found.contacts) / count(found.alive.max(1))),
        ("contacts_per_node_theory", found.contacts_theory()),
        ("lookups", count(found.ended)),
        ("lookups_succeeded", count(found.succeeded)),
        ("lookups_cut_off", count(found.cut_off)),
        ("success", found.success()),
        ("hops_per_lookup", found.hops_mean()),
        ("hops_per_lookup_theory", found.hops_theory()),
        ("hops_max", f64::from(found.hops_max)),
        ("nodes_asked_per_lookup", found.questions_mean()),
        ("nodes_asked_per_lookup_theory", found.questions_theory()),
        ("messages_per_lookup", found.messages_mean()),
        ("messages_per_lookup_theory", found.messages_theory()),
        ("messages_delivered", found.messages as f64),
    ]
}
