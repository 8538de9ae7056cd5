//! `handfast schedule next`

use std::fmt::Write as _;

use clap::builder::RangedU64ValueParser;
use handfast_scenario::ExitCode;
use handfast_schedule::{Job, State};
use jiff::Timestamp;
use serde_json::json;

use super::store::Folder;
use super::{load_with_jobs, local, now};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Show the next runs, in their zones and in UTC
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Only those of these jobs
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    /// How many
    #[arg(long, value_name = "N", default_value = "10", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    count: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast schedule next                the next 10 runs of all jobs
  handfast schedule next daily --count 400 --json";

/// Carries out the command.
pub(super) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load_with_jobs(around)?;
    let state = Folder::of(&loaded.root).state()?;
    let all = &loaded.project.schedule;
    if let Some(name) =
        args.jobs.iter().find(|name| all.iter().all(|job| job.name.as_str() != **name))
    {
        let known: Vec<&str> = all.iter().map(|job| job.name.as_str()).collect();
        let error = format!("handfast.toml has no job {name:?}");
        return Err(CommandError::usage_text(error, format!("it has {}", known.join(", "))));
    }
    let is_asked =
        |job: &&Job| args.jobs.is_empty() || args.jobs.iter().any(|name| name == job.name.as_str());
    let mut runs: Vec<(Timestamp, Timestamp, &Job)> = Vec::new();
    for job in all.iter().filter(is_asked) {
        let next = upcoming(job, state.as_ref(), now()).take(args.count);
        runs.extend(next.map(|(occurrence, due)| (due, occurrence, job)));
    }
    // Of several at the same instant the first of the file, as in the machine.
    runs.sort_by_key(|(due, ..)| *due);
    runs.truncate(args.count);
    Stream::Out.print(&if args.json { as_json(&runs) } else { as_text(&runs) });
    Ok(if runs.is_empty() { ExitCode::NothingRan } else { ExitCode::Passed })
}

fn as_text(runs: &[(Timestamp, Timestamp, &Job)]) -> String {
    let mut text = String::new();
    for (due, occurrence, job) in runs {
        let later = if due > occurrence { format!("  begins {due}") } else { String::new() };
        // Writing to a text cannot fail.
        writeln!(
            text,
            "{}  {occurrence}  {} ({}){later}",
            local(job, *occurrence),
            job.name,
            job.calendar.zone.name()
        )
        .unwrap_or_default();
    }
    text
}

fn as_json(runs: &[(Timestamp, Timestamp, &Job)]) -> String {
    let runs: Vec<_> = runs
        .iter()
        .map(|(due, occurrence, job)| {
            json!({
                "job": job.name.as_str(),
                "occurrence": occurrence.to_string(),
                "local": local(job, *occurrence),
                "zone": job.calendar.zone.name(),
                "due": due.to_string(),
            })
        })
        .collect();
    format!("{:#}\n", json!({ "next": runs }))
}

/// The occurrences of a job that are still to come, with the instants at which they are due. The jitter is known once the schedule was
/// carried out for the first time.
pub(super) fn upcoming<'a>(
    job: &'a Job,
    state: Option<&State>,
    now: Timestamp,
) -> impl Iterator<Item = (Timestamp, Timestamp)> + 'a {
    let seed = state.map(State::seed);
    let through = state.and_then(|state| state.through(&job.name));
    let due = move |occurrence| seed.map_or(occurrence, |seed| job.due(seed, occurrence));
    // One that jitter holds back is still to come.
    let held_back = job
        .calendar
        .last_until(now)
        .filter(|last| due(*last) > now && through.is_some_and(|through| *last > through));
    let first = held_back.or_else(|| job.calendar.next_after(now));
    let occurrences = std::iter::successors(first, |at| job.calendar.next_after(*at));
    occurrences.map(move |occurrence| (occurrence, due(occurrence)))
}
