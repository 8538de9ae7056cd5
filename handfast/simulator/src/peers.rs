//! Whole peers that pay each other.

use std::time::Duration;

use handfast_faults::Dice;
use handfast_simulation::machine::Defect;
use handfast_simulation::run::{Broken, Course};
use handfast_simulation::town::Town;

use crate::order::{self, PeerDefect};
use crate::report::{Cost, Outcome, Report};
use crate::watch::Watch;

/// Runs a town.
pub(crate) fn run(seed: u64, order: &order::Town, watch: &Watch) -> Report {
    let town = Town {
        span: Duration::from_secs(order.span_s),
        loss_per_mille: order.loss_per_mille,
        lifetime: order.lifetime_s.map(Duration::from_secs),
        ..Town::new(order.peers, order.payments)
    };
    let mut plan = town.plan(&mut Dice::new(seed).split());
    plan.defect = order.defect.map(|defect| match defect {
        PeerDefect::AnswersTooSoon => Defect::AnswersTooSoon,
        PeerDefect::TearsBatches => Defect::TearsBatches,
    });
    match Course::new(&plan, seed) {
        Ok(mut course) => {
            let lived = live(&mut course, watch);
            report(seed, &course, lived)
        }
        Err(broken) => Report {
            network: "peers",
            seed,
            history: format!("{:016x}", 0),
            outcome: Outcome::Failed,
            broken: Some(broken.law),
            figures: [].into(),
            lines: Vec::new(),
            cost: Cost::default(),
        },
    }
}

/// Lets a town live to its end; says whether there was more to come.
fn live(course: &mut Course, watch: &Watch) -> Result<bool, Broken> {
    let slice = course.length() / SLICES;
    let mut goes_on = true;
    while goes_on && !watch.is_ended() {
        goes_on = course.advance(slice)?;
        let what = if course.is_healed() { "healing" } else { "paying" };
        let share = course.world().now().as_secs_f64() / course.length().as_secs_f64();
        watch.progress(what, share, || {
            let tally = course.world().tally();
            format!("{} of {} payments paid", tally.paid, tally.payments)
        });
    }
    Ok(goes_on)
}

/// Some hundredths of a run.
const SLICES: u32 = 1_000;

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(seed: u64, course: &Course, lived: Result<bool, Broken>) -> Report {
    let (outcome, broken) = match lived {
        Ok(true) => (Outcome::EndedEarly, None),
        Ok(false) => (Outcome::Passed, None),
        Err(broken) => {
            let law = format!("after {:.3} s: {}", broken.at.as_secs_f64(), broken.law);
            (Outcome::Failed, Some(law))
        }
    };
    let (verdict, tally, world) = (course.verdict(), course.world().tally(), course.world());
    let history = format!("{:016x}", verdict.fingerprint);
    let (peers, seconds) = (world.machines().len(), world.now().as_secs_f64());
    let unpaid = tally.payments - tally.paid;
    let lines = vec![
        format!("peers      {peers}, {} of them members of the committee", Town::MEMBERS),
        format!(
            "payments   {} asked for, {} paid, {unpaid} refused, or lost with their payer's power before they were kept",
            tally.payments, tally.paid
        ),
        format!("durable    {} of {} messages told", tally.delivered, tally.durable),
        format!("messages   {} left machines", world.transmitted()),
        format!("power      lost {} times", verdict.crashes),
        format!("batches    {} on their way to disks", verdict.batches),
        format!("steps      {} in {seconds:.0} s of virtual time", verdict.steps),
        format!("history    {history}"),
    ];
    let figures = [
        ("peers", peers as f64),
        ("payments_asked", tally.payments as f64),
        ("payments_paid", tally.paid as f64),
        ("durable_asked", tally.durable as f64),
        ("durable_told", tally.delivered as f64),
        ("messages", world.transmitted() as f64),
        ("crashes", verdict.crashes as f64),
        ("batches", verdict.batches as f64),
        ("steps", verdict.steps as f64),
        ("virtual_s", seconds),
    ];
    Report {
        network: "peers",
        seed,
        history,
        outcome,
        broken,
        figures: figures.into(),
        lines,
        cost: Cost::default(),
    }
}
