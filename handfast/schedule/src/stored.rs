//! The bytes of [`State`]: JSON that a person can read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::job::{JOBS_MAX, JobName};
use crate::state::{
    BEGUN_MAX, FILE_LEN_MAX, FORMAT, Last, Outcome, Owed, Progress, Running, State, StateError,
};

/// What every format has.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredState {
    format: u32,
    seed: String,
    running: Option<StoredRunning>,
    jobs: Vec<StoredJob>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRunning {
    job: String,
    occurrence: String,
    attempt: u8,
    began: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredJob {
    name: String,
    cron: String,
    zone: String,
    through: String,
    owed: Option<StoredOwed>,
    begun: Vec<String>,
    last: Option<StoredLast>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredOwed {
    occurrence: String,
    attempt: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLast {
    occurrence: String,
    attempt: u8,
    began: String,
    ended: String,
    outcome: StoredOutcome,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredOutcome {
    Exited(u8),
    Died(u8),
    Interrupted,
    NotStarted,
}

pub(crate) fn write(state: &State) -> Vec<u8> {
    let stored = StoredState {
        format: FORMAT,
        seed: format!("{:016x}", state.seed),
        running: state.running.as_ref().map(|running| StoredRunning {
            job: running.job.to_string(),
            occurrence: running.occurrence.to_string(),
            attempt: running.attempt,
            began: running.began.to_string(),
        }),
        jobs: state.jobs.iter().map(|(name, progress)| stored_job(name, progress)).collect(),
    };
    // Texts and numbers in plain structs cannot fail.
    let mut bytes = serde_json::to_vec_pretty(&stored).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn stored_job(name: &JobName, progress: &Progress) -> StoredJob {
    StoredJob {
        name: name.to_string(),
        cron: progress.cron.clone(),
        zone: progress.zone.clone(),
        through: progress.through.to_string(),
        owed: progress.owed.map(|owed| StoredOwed {
            occurrence: owed.occurrence.to_string(),
            attempt: owed.attempt,
        }),
        begun: progress.begun.iter().map(Timestamp::to_string).collect(),
        last: progress.last.as_ref().map(|last| StoredLast {
            occurrence: last.occurrence.to_string(),
            attempt: last.attempt,
            began: last.began.to_string(),
            ended: last.ended.to_string(),
            outcome: match last.outcome {
                Outcome::Exited(code) => StoredOutcome::Exited(code),
                Outcome::Died(signal) => StoredOutcome::Died(signal),
                Outcome::Interrupted => StoredOutcome::Interrupted,
                Outcome::NotStarted => StoredOutcome::NotStarted,
            },
        }),
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Result<State, StateError> {
    if bytes.len() > FILE_LEN_MAX {
        return Err(damaged(format!("it is longer than {FILE_LEN_MAX} bytes")));
    }
    let header: Header = serde_json::from_slice(bytes).map_err(damaged)?;
    match header.format {
        FORMAT => {}
        0 => return Err(damaged("there is no format 0")),
        found => return Err(StateError::Newer { found }),
    }
    let stored: StoredState = serde_json::from_slice(bytes).map_err(damaged)?;
    let seed = u64::from_str_radix(&stored.seed, 16).map_err(damaged)?;
    let mut state = State::new(seed);
    if stored.jobs.len() > JOBS_MAX {
        return Err(damaged(format!("it has more than {JOBS_MAX} jobs")));
    }
    for job in stored.jobs {
        let name = JobName::new(&job.name).map_err(damaged)?;
        let known = state.jobs.insert(name, progress(&job)?);
        if known.is_some() {
            return Err(damaged(format!("the job {} is there twice", job.name)));
        }
    }
    if let Some(running) = stored.running {
        state.running = Some(Running {
            job: JobName::new(&running.job).map_err(damaged)?,
            occurrence: time(&running.occurrence)?,
            attempt: running.attempt,
            began: time(&running.began)?,
        });
    }
    Ok(state)
}

fn progress(job: &StoredJob) -> Result<Progress, StateError> {
    if job.begun.len() > BEGUN_MAX {
        return Err(damaged(format!("more than {BEGUN_MAX} occurrences of {} began", job.name)));
    }
    let owed = match &job.owed {
        Some(owed) => Some(Owed { occurrence: time(&owed.occurrence)?, attempt: owed.attempt }),
        None => None,
    };
    let last = match &job.last {
        Some(last) => Some(Last {
            occurrence: time(&last.occurrence)?,
            attempt: last.attempt,
            began: time(&last.began)?,
            ended: time(&last.ended)?,
            outcome: match last.outcome {
                StoredOutcome::Exited(code) => Outcome::Exited(code),
                StoredOutcome::Died(signal) => Outcome::Died(signal),
                StoredOutcome::Interrupted => Outcome::Interrupted,
                StoredOutcome::NotStarted => Outcome::NotStarted,
            },
        }),
        None => None,
    };
    Ok(Progress {
        cron: job.cron.clone(),
        zone: job.zone.clone(),
        through: time(&job.through)?,
        owed,
        begun: job.begun.iter().map(|text| time(text)).collect::<Result<_, _>>()?,
        last,
    })
}

fn time(text: &str) -> Result<Timestamp, StateError> {
    text.parse().map_err(|_| damaged(format!("{text:?} is no time")))
}

fn damaged(what: impl ToString) -> StateError {
    StateError::Damaged { what: what.to_string() }
}
