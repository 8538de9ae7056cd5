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
use super::{Told, record, say_all, unusable};
use crate::console::Stream;
use crate::error::CommandError;

/// Tell what the jobs of a CI run found, from its last job
///
/// A red job with a record is told from the record; one without a red record is told as a machine that died, was cancelled or ran out of time.
/// Each attempt of a CI run needs a link of its own: the same link with the same results is told once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The jobs and how they ended: success, failure, cancelled or skipped
    #[arg(value_name = "JOB=RESULT", required = true)]
    jobs: Vec<Job>,
    /// What the jobs are news of
    #[arg(long, value_name = "SUBJECT")]
    subject: String,
    /// Address of the run in CI, another one for each attempt
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
    let is_new = outbox.begin(&begun, unix_us()).map_err(|error| unusable(&error))?;
    let run = &begun.brief.run;
    if !is_new && outbox.running(run).map_err(|error| unusable(&error))?.is_none() {
        Stream::Error.print(&format!(
            "{run} was told before, with the same link and the same results: nothing is added (is it another attempt? then its --link has to say so)\n"
        ));
    }
    let told = outbox.apply(&watch, &News::Ended, &Rules::of(settings), When::now(unix_us()));
    say_all(&told.map_err(|error| unusable(&error))?);
    project.deliver(args.within)
}

/// Hears what the records of a job say; of a job that is red or cancelled without a red one, that.
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
        // GitHub calls a job cancelled that ran longer than its timeout-minutes.
        JobResult::Cancelled if !is_red => {
            watch.add_infra(
                &job.name,
                "the job was cancelled or ran out of time, and left no red record",
                settings,
            );
        }
        JobResult::Failure | JobResult::Success | JobResult::Cancelled | JobResult::Skipped => {}
    }
    Ok(())
}

/// The same for the same results of the same attempt of a CI run, so that telling twice changes nothing.
fn run_of(args: &Args) -> String {
    let link = args.link.clone().unwrap_or_else(|| unix_us().to_string());
    let jobs: Vec<String> =
        args.jobs.iter().map(|job| format!("{}={:?}", job.name, job.result)).collect();
    let digest = handfast_notify::outbox::write::short_hash(&format!("{link} {}", jobs.join(" ")));
    format!("ci-{}{digest:08x}", numbers(&link))
}

/// The last two numbers of a link, such as those of a run and its attempt, each with a dash behind it.
fn numbers(link: &str) -> String {
    let is_number = |part: &&str| {
        (1..=NUMBER_LEN_MAX).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let found: Vec<&str> = link.split(['/', '#']).filter(is_number).collect();
    let mut numbers = found[found.len().saturating_sub(2)..].join("-");
    if !numbers.is_empty() {
        numbers.push('-');
    }
    numbers
}

/// Longest number of a CI run, digits.
const NUMBER_LEN_MAX: usize = 20;

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

    #[test]
    fn each_attempt_of_a_ci_run_is_a_run_of_its_own() {
        let run = |link: &str| {
            run_of(&Args {
                jobs: vec!["unit=failure".parse().unwrap()],
                subject: "ci main".to_owned(),
                link: Some(link.to_owned()),
                records: None,
                within: Duration::ZERO,
            })
        };
        let [first, third] = ["1", "3"]
            .map(|attempt| run(&format!("https://ci.example/runs/17734/attempts/{attempt}")));
        assert!(first.starts_with("ci-17734-1-"), "{first}");
        assert!(third.starts_with("ci-17734-3-"), "{third}");
        assert!(run("https://ci.example/-/pipelines/5#77").starts_with("ci-5-77-"));
        assert_ne!(run("https://ci.example/x#1"), run("https://ci.example/x#2"));
    }
}
