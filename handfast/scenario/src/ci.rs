//! `[ci]`: the jobs in which a project runs elsewhere.

use std::time::Duration;

use crate::project::Command;
use crate::span::Span;

/// `[ci]`: what `handfast ci generate` writes, and the jobs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiSettings {
    /// The workflow of GitHub, relative to the project file.
    pub workflow: String,
    /// The pipeline of GitLab, relative to the project file; `None`: none is written.
    pub gitlab: Option<String>,
    /// Branches whose pushes run; at least one.
    pub branches: Vec<String>,
    /// When the daily run begins: a cron expression, in UTC on GitHub.
    pub daily: String,
    /// When the full regression begins: a cron expression, in UTC on GitHub.
    pub full: String,
    /// The machine of every job, by GitHub's name.
    pub runner: String,
    /// The image of every job on GitLab; `None`: whatever the runner has.
    pub image: Option<String>,
    /// How a job calls handfast; the words of the call follow.
    pub handfast: Command,
    /// What every job does first, in this order.
    pub setup: Vec<Command>,
    /// Folders that go from run to run, so that not everything is built anew.
    pub cache: Vec<String>,
    /// Files that say, by their content, whether what is in the cache is of use.
    pub cache_key: Vec<String>,
    /// How many days records are kept, 1 to [`Self::ARTIFACTS_DAYS_MAX`].
    pub artifacts_days: usize,
    /// How long a shard of the matrix is meant to take.
    pub shard_within: Duration,
    /// Most shards, 1 to [`Self::SHARDS_MAX`].
    pub shards_max: usize,
    /// Time that a job has beside its budget, for getting and building what it runs.
    pub build_within: Duration,
    /// Whether a job tells the outcome, by `[notify]`.
    pub notify: bool,
    /// Further jobs, in the order of the file.
    pub jobs: Vec<CiJob>,
}

/// `[ci.jobs.NAME]`: a further job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiJob {
    /// Its name: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// Which kind of job it is; the kinds are known by the one who writes the workflow.
    pub kind: String,
    /// What is asked for, such as the filters of `handfast run`.
    pub run: Vec<String>,
    /// How long it may take, without building.
    pub timeout: Duration,
    /// Whether it runs only in the full regression.
    pub only_full: bool,
    /// Where it is declared.
    pub span: Span,
}

impl CiSettings {
    /// Most days that records are kept: the most that GitHub allows.
    pub const ARTIFACTS_DAYS_MAX: usize = 90;
    /// Most shards: GitHub's limit on the jobs of one matrix is 256, GitLab's 200.
    pub const SHARDS_MAX: usize = 200;
    /// Most further jobs.
    pub const JOBS_MAX: usize = 64;
    /// The longest time of a job: GitHub ends jobs on its own machines after six hours.
    pub const TIMEOUT_MAX: Duration = Duration::from_hours(6);
    /// The workflow where a project does not say.
    pub const WORKFLOW: &str = ".github/workflows/integration-tests-v2.yml";
}

impl Default for CiSettings {
    fn default() -> Self {
        Self {
            workflow: Self::WORKFLOW.to_owned(),
            gitlab: None,
            branches: vec!["main".to_owned()],
            daily: "0 2 * * *".to_owned(),
            full: "0 2 * * SUN".to_owned(),
            runner: "ubuntu-24.04".to_owned(),
            image: None,
            handfast: Command::new(vec!["handfast".to_owned()]).expect("a word"),
            setup: Vec::new(),
            cache: Vec::new(),
            cache_key: Vec::new(),
            artifacts_days: 14,
            shard_within: Duration::from_mins(5),
            shards_max: 20,
            build_within: Duration::from_mins(30),
            notify: false,
            jobs: Vec::new(),
        }
    }
}
