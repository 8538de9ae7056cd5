//! `handfast notify jobs`

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use handfast_notify::clock::unix_us;
use handfast_notify::outbox::write::When;
use handfast_notify::rules::Rules;
use handfast_notify::watch::{Brief, News, Watch};
use handfast_scenario::{ExitCode, duration};

use super::super::telling::subject;
use super::{Told, record, unusable};
use crate::error::CommandError;

/// Tell what the jobs of a CI run found, from its last job
///
/// A red job with a record is told from the record; one without a record is told as a machine that died or ran out of time.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The jobs and how they ended: success, failure, cancelled or skipped
    #[arg(value_name = "JOB=RESULT", required = true)]
    jobs: Vec<Job>,
    /// What the jobs are news of
    #[arg(long, value_name = "SUBJECT")]
    subject: String,
    /// Address of the run in CI
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// A folder with one folder a job, in which the records of its runs are
    #[arg(long, value_name = "FOLDER")]
    records: Option<PathBuf>,
    /// For how long it is tried
    #[arg(long, value_name = "TIME", default_value = "1min", value_parser = duration::parse)]
    within: Duration,
}

const EXAMPLES: &str = "\
Examples:
  handfast notify jobs --subject 'ci main' --records records unit=success e2e=failure";

/// Most records of a job that are read.
const RECORDS_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    name: String,
    result: JobResult,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobResult {
    Success,
    Failure,
    Cancelled,
    Skipped,
}

impl FromStr for Job {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = "write a job, `=` and success, failure, cancelled or skipped";
        let (name, result) = text.split_once('=').ok_or(help)?;
        let result = match result {
            "success" => JobResult::Success,
            "failure" => JobResult::Failure,
            "cancelled" => JobResult::Cancelled,
            "skipped" => JobResult::Skipped,
            _ => return Err(help.to_owned()),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err("a job is named with letters, digits, `.`, `_` and `-`".to_owned());
        }
        Ok(Self { name: name.to_owned(), result })
    }
}

pub(super) fn run(args: &Args, project: &Told) -> Result<ExitCode, CommandError> {
    let settings = &project.config.settings;
    let mut watch = Watch::new(Brief {
        project: project.config.project.clone(),
        subject: subject(&args.subject)?,
        run: run_of(args),
        command: ["handfast", "notify", "jobs"].map(str::to_owned).to_vec(),
        link: args.link.clone(),
        record: args.records.as_deref().unwrap_or(Path::new("")).display().to_string(),
        started_unix_us: unix_us(),
    });
    let begun = watch.clone();
    for job in &args.jobs {
        hear(job, args.records.as_deref(), &mut watch, project)?;
    }
    watch.conclude(args.jobs.iter().any(|job| job.result == JobResult::Cancelled));
    let mut outbox = project.outbox()?;
    outbox.begin(&begun, unix_us()).map_err(|error| unusable(&error))?;
    let told = outbox.apply(&watch, &News::Ended, &Rules::of(settings), When::now(unix_us()));
    told.map_err(|error| unusable(&error))?;
    project.deliver(args.within)
}

/// Hears what the records of a job say; of a red job without one, that.
fn hear(
    job: &Job,
    records: Option<&Path>,
    watch: &mut Watch,
    project: &Told,
) -> Result<(), CommandError> {
    let settings = &project.config.settings;
    let folder = records.map(|records| records.join(&job.name));
    let mut is_red = false;
    let entries = folder.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
    for entry in entries.flatten().take(RECORDS_MAX) {
        if entry.path().join("events.jsonl").is_file() {
            let exit = watch.add(&record::read(&entry.path())?, settings);
            is_red |= exit != Some(ExitCode::Passed);
        }
    }
    match job.result {
        JobResult::Failure if !is_red => {
            watch.add_infra(&job.name, "the job failed and left no red record: its machine died, ran out of time, or a step beside handfast failed", settings);
        }
        JobResult::Failure | JobResult::Success | JobResult::Cancelled | JobResult::Skipped => {}
    }
    Ok(())
}

/// The same for the same jobs of the same CI run, so that telling twice changes nothing.
fn run_of(args: &Args) -> String {
    let link = args.link.clone().unwrap_or_else(|| unix_us().to_string());
    let jobs: Vec<String> =
        args.jobs.iter().map(|job| format!("{}={:?}", job.name, job.result)).collect();
    let digest = handfast_notify::outbox::write::short_hash(&format!("{link} {}", jobs.join(" ")));
    let number = link.rsplit('/').next().unwrap_or_default();
    let number: String = number.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    format!("ci-{number}-{digest:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_says_its_name_and_how_it_ended() {
        let job: Job = "unit=failure".parse().unwrap();
        assert_eq!((job.name.as_str(), job.result), ("unit", JobResult::Failure));
        for wrong in ["unit", "unit=red", "=success", "../x=success", "a b=success"] {
            assert!(wrong.parse::<Job>().is_err(), "{wrong}");
        }
    }
}
