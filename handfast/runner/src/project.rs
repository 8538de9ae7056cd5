//! A project on disk: `handfast.toml` and the scenario files it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use handfast_heal::known::file::KnownError;
use handfast_heal::known::{Known, passes};
use handfast_scenario::problem::Problems;
use handfast_scenario::scenario::{FILE_LEN_MAX, Vocabulary};
use handfast_scenario::{Project, Scenario};
use miette::Diagnostic;

/// The name of the project file.
pub const FILE: &str = "handfast.toml";

/// The name of the file of known issues and quarantined tests, beside the project file.
pub const KNOWN: &str = "known.toml";

/// Where it is kept how often in a row what each rule is for has passed.
const PASSES: &str = ".handfast/known-passes.json";

/// Most scenario files of a project.
pub const FILES_MAX: usize = 10_000;

/// Deepest nesting of scenario folders.
pub const DEPTH_MAX: usize = 16;

/// A project whose files have all been read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The folder of `handfast.toml`.
    pub root: PathBuf,
    /// What `handfast.toml` says.
    pub project: Project,
    /// All scenarios, one a variant, by id.
    pub scenarios: Vec<Scenario>,
    /// The file of each scenario, by its id's path: relative to the root.
    pub files: BTreeMap<String, String>,
}

/// Why a project could not be read.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ProjectError {
    /// No folder from here upward has the file.
    #[error("there is no {FILE} in {} or above it", from.display())]
    #[diagnostic(help(
        "run handfast inside a project, or write a {FILE} with a [peers.NAME] and start = [..]"
    ))]
    NotFound {
        /// Where the search began.
        from: PathBuf,
    },
    /// A file or folder could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Problems(Problems),
    /// Several scenario files are wrong.
    #[error("{} scenario files are wrong", files.len())]
    Several {
        /// What is wrong in each.
        #[related]
        files: Vec<Problems>,
    },
    /// The file of known issues is wrong.
    #[error("{0}")]
    #[diagnostic(help("{}", .0.help))]
    Known(KnownError),
    /// Two folders have a scenario of the same name.
    #[error("{first} and {second} are the same scenario {id}")]
    #[diagnostic(help(
        "rename one of them: commands and records know a scenario by its path below its folder"
    ))]
    Twice {
        /// Their id.
        id: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// There are more than [`FILES_MAX`] files, or folders deeper than [`DEPTH_MAX`].
    #[error("{} has more than {FILES_MAX} scenario files or is nested deeper than {DEPTH_MAX} folders", folder.display())]
    TooMany {
        /// The folder.
        folder: PathBuf,
    },
}

/// The known issues and quarantined tests of the project at `root`; none where there is no such file.
///
/// # Errors
///
/// [`ProjectError::Read`] and [`ProjectError::Known`].
pub fn known(root: &Path) -> Result<Known, ProjectError> {
    let path = root.join(KNOWN);
    if !path.exists() {
        return Ok(Known::default());
    }
    let text = read(&path)?;
    Known::parse(KNOWN, &text).map_err(ProjectError::Known)
}

/// How often in a row what each known issue is for has passed, as the last run left it.
pub fn passes(root: &Path) -> BTreeMap<String, u32> {
    fs::read_to_string(root.join(PASSES)).map(|text| passes::read(&text)).unwrap_or_default()
}

/// Keeps that for the next run. A reader sees the old file or the new one.
pub(crate) fn keep_passes(root: &Path, passes: &BTreeMap<String, u32>) -> io::Result<()> {
    let path = root.join(PASSES);
    let new = path.with_extension("new");
    fs::write(&new, passes::to_text(passes))?;
    fs::rename(new, path)
}

/// The names of the oracles that a scenario file may use.
pub fn oracles() -> BTreeSet<String> {
    handfast_oracle::names()
}

impl Loaded {
    /// Reads the project that the folder `from` is in.
    ///
    /// # Errors
    ///
    /// [`ProjectError`]; every mistake of every file is in it.
    pub fn find(from: &Path) -> Result<Self, ProjectError> {
        let mut folders = from.ancestors();
        let root = folders.find(|folder| folder.join(FILE).is_file());
        let root = root.ok_or_else(|| ProjectError::NotFound { from: from.to_owned() })?;
        let text = read(&root.join(FILE))?;
        let project = Project::parse(FILE, &text).map_err(ProjectError::Problems)?;
        let vocabulary = Vocabulary { oracles: handfast_oracle::names() };
        let mut loaded =
            Self { root: root.to_owned(), project, scenarios: Vec::new(), files: BTreeMap::new() };
        let mut wrong = Vec::new();
        for folder in loaded.project.scenario_folders.clone() {
            loaded.read_folder(&folder, &vocabulary, &mut wrong)?;
        }
        match wrong.len() {
            0 => Ok(loaded),
            1 => Err(ProjectError::Problems(wrong.remove(0))),
            _ => Err(ProjectError::Several { files: wrong }),
        }
    }

    /// The file of a scenario, relative to the root.
    pub fn file_of(&self, scenario: &Scenario) -> String {
        let file = self.files.get(scenario.id.path());
        file.cloned().unwrap_or_else(|| scenario.file.clone())
    }

    fn read_folder(
        &mut self,
        folder: &str,
        vocabulary: &Vocabulary,
        wrong: &mut Vec<Problems>,
    ) -> Result<(), ProjectError> {
        let path = self.root.join(folder);
        let mut files = Vec::new();
        collect(&path, &path, 0, &mut files)?;
        files.sort();
        for file in files {
            let text = read(&path.join(&file))?;
            let shown = format!("{}/{file}", folder.trim_end_matches('/'));
            match Scenario::parse(&file, &text, vocabulary) {
                Ok(scenarios) => {
                    for scenario in scenarios {
                        self.note_file(&scenario, &shown)?;
                        self.scenarios.push(scenario);
                    }
                }
                Err(problems) => wrong.push(problems),
            }
        }
        Ok(())
    }

    fn note_file(&mut self, scenario: &Scenario, shown: &str) -> Result<(), ProjectError> {
        let id = scenario.id.path().to_owned();
        match self.files.insert(id.clone(), shown.to_owned()) {
            Some(first) if first != shown => {
                Err(ProjectError::Twice { id, first, second: shown.to_owned() })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Collects the `.toml` files below `folder`, as paths relative to `top` with `/` between their parts.
fn collect(
    top: &Path,
    folder: &Path,
    depth: usize,
    files: &mut Vec<String>,
) -> Result<(), ProjectError> {
    let failed = |source| ProjectError::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if files.len() > FILES_MAX || depth > DEPTH_MAX {
            return Err(ProjectError::TooMany { folder: top.to_owned() });
        }
        if path.is_dir() {
            collect(top, &path, depth + 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let below = path.strip_prefix(top).unwrap_or(&path);
            let parts: Vec<_> =
                below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            files.push(parts.join("/"));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, ProjectError> {
    use std::io::Read as _;
    let failed = |source| ProjectError::Read { path: path.to_owned(), source };
    // One byte more than allowed is read, so that the parser can say that the file is too long.
    let limit = u64::try_from(FILE_LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    fs::File::open(path).map_err(failed)?.take(limit).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
