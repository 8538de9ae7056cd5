//! What is kept of a failure, in a folder of its own: `.handfast/chaos/ID/`.
//!
//! | file | what it holds |
//! |---|---|
//! | `scenario.toml` | the scenario with the smallest failing schedule, which runs like any other |
//! | `found.toml` | the same with the schedule as it was found |
//! | `failure.json` | who played, with which seed, how often it failed: what `handfast reproduce` needs |
//! | `sequence.txt`, `sequence.svg` | who said what to whom, with the disturbances drawn in |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use handfast_chaos::Schedule;
use handfast_chaos::repeat::Rate;
use handfast_faults::disturbance::Disturbance;
use handfast_report::palette::Palette;
use handfast_report::sequence::{self, Disturbed, Sequence};
use handfast_scenario::Recorded;
use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::rewrite::{self, RewriteError};
use serde::{Deserialize, Serialize};

/// Version of `failure.json` that this code writes, and the only one it reads.
pub const FORMAT: u32 = 1;

/// Largest `failure.json` that is read, in bytes.
pub const FILE_LEN_MAX: u64 = 1024 * 1024;

/// The scenario with the smallest failing schedule.
pub const SCENARIO: &str = "scenario.toml";

/// What is needed to play it again.
pub const FAILURE: &str = "failure.json";

/// What `failure.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// [`FORMAT`].
    pub format: u32,
    /// What the finding is called.
    pub id: String,
    /// The unit's id in the events: keys and identifiers follow from it and the seed.
    pub unit: String,
    /// The scenario's id in the project, with its variant.
    pub scenario: String,
    /// The variant alone, if there is one.
    pub variant: Option<String>,
    /// Who played which role.
    pub peers: BTreeMap<RoleName, PeerName>,
    /// The planted flaw and who had it, where one was planted.
    pub flaw: Option<Planted>,
    /// Seed of the peers' keys and of the scenario's identifiers, and of the search.
    pub seed: u64,
    /// What did not hold.
    pub reason: String,
    /// Disturbances of the schedule as it was found, and of the smallest one.
    pub steps: [usize; 2],
    /// Whether each disturbance of the smallest one was seen to be needed.
    pub is_minimal: bool,
    /// How often the one that was found failed again.
    pub found: Rate,
    /// How often the smallest one failed again.
    pub confirmed: Rate,
}

/// A planted flaw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planted {
    /// Whose flaw.
    pub peer: PeerName,
    /// Its name.
    pub flaw: String,
    /// In which role it played.
    pub role: RoleName,
}

/// Everything that is kept of a failure.
#[derive(Debug)]
pub struct Finding<'a> {
    /// What `failure.json` says.
    pub failure: &'a Failure,
    /// The scenario file that was searched.
    pub original: &'a str,
    /// The disturbances that it has itself.
    pub own: &'a [Disturbance],
    /// As it was found.
    pub found: &'a Schedule,
    /// As it was reduced.
    pub smallest: &'a Schedule,
    /// The events of a try in which that failed.
    pub events: &'a [Recorded],
}

/// Why a finding could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FindingError {
    /// The scenario file cannot get other disturbances.
    #[error("the scenario file cannot get other disturbances")]
    Rewrite(#[from] RewriteError),
    /// A file could not be written or read.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is no `failure.json` of this version.
    #[error("{} is no {FAILURE} of version {FORMAT}", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// It is one of another version.
    #[error("{} has version {found} and not {FORMAT}", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

impl Finding<'_> {
    /// The folder of all findings of a project.
    pub fn folder_of_all(root: &Path) -> PathBuf {
        root.join(".handfast").join("chaos")
    }

    /// The diagram of the try in which the smallest schedule failed.
    pub fn sequence(&self) -> Sequence {
        sequence_of(self.events, &self.failure.unit, self.smallest)
    }

    /// The text of the smallest failing scenario.
    ///
    /// # Errors
    ///
    /// [`FindingError::Rewrite`].
    pub fn scenario(&self) -> Result<String, FindingError> {
        self.with(self.smallest)
    }

    /// The smallest schedule as a scenario file has it.
    ///
    /// # Errors
    ///
    /// [`FindingError::Rewrite`].
    pub fn disturbances(&self) -> Result<String, FindingError> {
        let mut text = String::new();
        for step in &self.smallest.steps {
            rewrite::table(&mut text, step)?;
        }
        Ok(text)
    }

    /// Writes all files into `folder`, which is made.
    ///
    /// # Errors
    ///
    /// [`FindingError`]; what was written until then stays.
    pub fn write(&self, folder: &Path) -> Result<(), FindingError> {
        let failed = |path: &Path, source| FindingError::Io { path: path.to_owned(), source };
        fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        let sequence = self.sequence();
        let mut json = serde_json::to_string_pretty(self.failure).unwrap_or_default();
        json.push('\n');
        let files = [
            (SCENARIO, self.scenario()?),
            ("found.toml", self.with(self.found)?),
            (FAILURE, json),
            ("sequence.txt", sequence::text::text(&sequence, Palette::Plain)),
            ("sequence.svg", sequence::svg::svg(&sequence)),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }

    fn with(&self, schedule: &Schedule) -> Result<String, FindingError> {
        let Failure { id, scenario, reason, steps, .. } = self.failure;
        let first = reason.lines().next().unwrap_or_default();
        let about = format!(
            "# Found by `handfast chaos {scenario}` and reduced from {} disturbances to {}.\n# It failed with: {first}\n\
             # `handfast reproduce {id}` plays it again.\n\n",
            steps[0], steps[1]
        );
        let all: Vec<Disturbance> = self.own.iter().chain(&schedule.steps).cloned().collect();
        Ok(about + &rewrite::with_disturbances(self.original, &all)?)
    }
}

impl Failure {
    /// Reads `failure.json`.
    ///
    /// # Errors
    ///
    /// [`FindingError`].
    pub fn read(path: &Path) -> Result<Self, FindingError> {
        use io::Read as _;
        let failed = |source| FindingError::Io { path: path.to_owned(), source };
        let mut text = String::new();
        let file = fs::File::open(path).map_err(failed)?;
        file.take(FILE_LEN_MAX).read_to_string(&mut text).map_err(failed)?;
        let failure: Self = serde_json::from_str(&text)
            .map_err(|source| FindingError::Json { path: path.to_owned(), source })?;
        if failure.format != FORMAT {
            return Err(FindingError::Format { path: path.to_owned(), found: failure.format });
        }
        Ok(failure)
    }
}

/// The diagram of a unit under a schedule.
pub fn sequence_of(events: &[Recorded], unit: &str, schedule: &Schedule) -> Sequence {
    let disturbed = |step: &Disturbance| Disturbed {
        name: step.name.clone(),
        words: step.to_string(),
        roles: step.what.roles().into_iter().map(str::to_owned).collect(),
    };
    let disturbances: Vec<Disturbed> = schedule.steps.iter().map(disturbed).collect();
    Sequence::of(events, unit, &disturbances)
}

#[cfg(test)]
mod tests;
