//! How incidents come and go: pure, from what is open and the news of one run.
//!
//! For each class of a subject at most one incident is open. It opens at the first failure of a run, not at its end; it is
//! changed while the run goes on; a later red run goes on in it; a run that shows the class well closes it.

use crate::letter::{Class, Death, Incident, Kind, Note, State};
use crate::watch::{News, Watch};

/// What has become of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is new.
    Opened,
    /// More is known of the run that is in it already.
    Changed,
    /// A later run is red, too.
    RedAgain,
    /// The runner died in it.
    Died,
    /// It is over.
    Recovered,
}

/// A change of one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The incident as it is now.
    pub incident: Incident,
    /// What has become of it.
    pub turn: Turn,
}

/// Which classes news may touch.
pub fn touched(news: &News) -> &'static [Class] {
    match news {
        News::Failed(Class::Product) => &[Class::Product],
        News::Failed(Class::Infra) => &[Class::Infra],
        News::Ended | News::Died => &[Class::Product, Class::Infra],
    }
}

/// What the news of a run make of the open incident of a class; `None`: nothing.
pub fn step(
    watch: &Watch,
    news: &News,
    class: Class,
    open: Option<Incident>,
    now_unix_us: i64,
) -> Option<Step> {
    let of_this_run = open.as_ref().is_some_and(|open| open.run == watch.brief.run);
    match news {
        News::Failed(failed) if *failed != class => None,
        News::Failed(_) => Some(red(watch, class, open, now_unix_us)),
        News::Ended if watch.is_red(class) => Some(red(watch, class, open, now_unix_us)),
        News::Ended => {
            let mut incident = open?;
            if watch.is_well(class) {
                incident.state = State::Recovered;
            } else if !of_this_run {
                return None;
            }
            let turn = match incident.state {
                State::Recovered => Turn::Recovered,
                State::Open => Turn::Changed,
            };
            let had_failed = (std::mem::take(&mut incident.failures), incident.failures_more);
            refresh(&mut incident, watch, class, now_unix_us);
            if turn == Turn::Recovered {
                // A message that turns green still says what it was about.
                (incident.failures, incident.failures_more) = had_failed;
            }
            Some(Step { incident, turn })
        }
        News::Died if class == Class::Infra => {
            let turn = if open.is_some() { Turn::Died } else { Turn::Opened };
            let mut step = red(watch, class, open, now_unix_us);
            bury(&mut step.incident, watch, now_unix_us);
            Some(Step { turn, ..step })
        }
        // The message of a product incident is not left saying that its run goes on.
        News::Died => {
            let mut incident = open.filter(|_| of_this_run)?;
            refresh(&mut incident, watch, class, now_unix_us);
            bury(&mut incident, watch, now_unix_us);
            Some(Step { incident, turn: Turn::Changed })
        }
    }
}

/// The letters of a turn to one channel, in their order. `edits`: whether the channel can change a message.
///
/// Where it cannot, only what is worth a message of its own is told: that it opened, that a runner died in it, that it is over.
pub fn letters(step: &Step, edits: bool) -> &'static [Kind] {
    match (step.turn, edits) {
        (Turn::Opened, _) => &[Kind::Post],
        (Turn::Changed, true) => &[Kind::Edit],
        (Turn::Changed | Turn::RedAgain, false) => &[],
        (Turn::RedAgain, true) => &[Kind::Edit, Kind::Reply(Note::RedAgain)],
        (Turn::Died, true) => &[Kind::Edit, Kind::Reply(Note::Died)],
        (Turn::Died, false) => &[Kind::Reply(Note::Died)],
        (Turn::Recovered, true) => &[Kind::Edit, Kind::Reply(Note::Recovered)],
        (Turn::Recovered, false) => &[Kind::Reply(Note::Recovered)],
    }
}

fn red(watch: &Watch, class: Class, open: Option<Incident>, now_unix_us: i64) -> Step {
    let Some(mut incident) = open else {
        let incident = fresh(watch, class, now_unix_us);
        return Step { incident, turn: Turn::Opened };
    };
    let turn = if incident.run == watch.brief.run { Turn::Changed } else { Turn::RedAgain };
    if turn == Turn::RedAgain {
        incident.runs = incident.runs.saturating_add(1);
    }
    refresh(&mut incident, watch, class, now_unix_us);
    Step { incident, turn }
}

fn fresh(watch: &Watch, class: Class, now_unix_us: i64) -> Incident {
    let mut incident = Incident {
        project: watch.brief.project.clone(),
        subject: watch.brief.subject.clone(),
        class,
        state: State::Open,
        opened_unix_us: now_unix_us,
        seen_unix_us: now_unix_us,
        runs: 1,
        run: String::new(),
        over: false,
        exit_code: None,
        command: Vec::new(),
        counts: watch.counts,
        failures: Vec::new(),
        failures_more: 0,
        link: None,
        record: String::new(),
        died: None,
    };
    refresh(&mut incident, watch, class, now_unix_us);
    incident
}

/// Makes the incident say how its newest run stands.
fn refresh(incident: &mut Incident, watch: &Watch, class: Class, now_unix_us: i64) {
    let brief = &watch.brief;
    let failures = watch.failures.get(&class).cloned().unwrap_or_default();
    // A clock that was set back does not turn an incident round.
    incident.seen_unix_us = now_unix_us.max(incident.seen_unix_us);
    incident.run.clone_from(&brief.run);
    incident.over = watch.exit.is_some();
    incident.exit_code = watch.exit.map(handfast_scenario::ExitCode::number);
    incident.command.clone_from(&brief.command);
    incident.counts = watch.counts;
    incident.failures = failures.listed;
    incident.failures_more = failures.more;
    incident.link.clone_from(&brief.link);
    incident.record.clone_from(&brief.record);
    incident.died = None;
}

fn bury(incident: &mut Incident, watch: &Watch, now_unix_us: i64) {
    let unit = watch.running().map(ToString::to_string);
    incident.over = true;
    incident.died = Some(Death { noticed_unix_us: now_unix_us, unit });
}

#[cfg(test)]
mod tests;
