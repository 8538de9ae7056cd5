//! Records of runs: `.handfast/runs/<id>/` with `events.jsonl`, `junit.xml`, `ctrf.json`, `summary.json`, `report.html`, `logs/`,
//! and `healings.jsonl` where something failed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use handfast_heal::ledger;
use handfast_report::book::Book;
use handfast_report::html::HtmlReport;
use handfast_report::{ctrf, junit, summary};
use handfast_scenario::event::{RecordError, read_record};
use handfast_scenario::{Recorded, RunEvent};

use crate::sink::EventSink;

/// Runs that are kept; the oldest goes first. A guess: two working days.
pub const RUNS_KEPT_MAX: usize = 50;

/// Bytes that all kept runs may have together, the newest excepted.
pub const RUNS_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes of one record's events. What comes after is left out, except for what decides verdicts.
pub const EVENTS_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The ledger of healings in the folder of a record.
pub const HEALINGS: &str = "healings.jsonl";

/// The folder of all records of a project.
#[derive(Debug, Clone)]
pub struct Records {
    folder: PathBuf,
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ReadError {
    /// There is no such run.
    #[error("there is no record of the run {run}")]
    #[diagnostic(help("{hint}"))]
    NotFound {
        /// As asked for.
        run: String,
        /// What there is.
        hint: String,
    },
    /// The file could not be read.
    #[error("failed to read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not a record.
    #[error("failed to read the record {}", path.display())]
    Record {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: RecordError,
    },
}

impl Records {
    /// The records of the project at `root`.
    pub fn of(root: &Path) -> Self {
        Self { folder: root.join(".handfast").join("runs") }
    }

    /// The ids of all recorded runs, the oldest first.
    pub fn list(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        let mut runs: Vec<String> =
            folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        // Ids begin with the date and time, so their order is that of the runs.
        runs.sort();
        runs
    }

    /// The folder of a run.
    pub fn folder_of(&self, run: &str) -> PathBuf {
        self.folder.join(run)
    }

    /// Reads a run: an id, the beginning of exactly one id, or `last`.
    ///
    /// The last line is left out if it is not whole: a run that was killed ends like that.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn read(&self, asked: &str) -> Result<Vec<Recorded>, ReadError> {
        let path = self.folder_of(&self.find(asked)?).join("events.jsonl");
        let text = fs::read_to_string(&path)
            .map_err(|source| ReadError::File { path: path.clone(), source })?;
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        read_record(whole).map_err(|source| ReadError::Record { path, source })
    }

    /// Removes the oldest records until the limits leave room for one more.
    ///
    /// # Errors
    ///
    /// What the system said to the first that could not be removed.
    pub fn make_room(&self) -> io::Result<()> {
        let runs = self.list();
        let sizes: Vec<u64> = runs.iter().map(|run| size_of(&self.folder_of(run))).collect();
        let (mut kept, mut bytes) = (runs.len(), sizes.iter().sum::<u64>());
        for (run, size) in runs.iter().zip(sizes) {
            if kept < RUNS_KEPT_MAX && bytes <= RUNS_BYTES_MAX {
                break;
            }
            fs::remove_dir_all(self.folder_of(run))?;
            kept -= 1;
            bytes -= size;
        }
        Ok(())
    }

    /// The id of a run: an id, the beginning of exactly one id, or `last`.
    ///
    /// # Errors
    ///
    /// [`ReadError::NotFound`].
    pub fn find(&self, asked: &str) -> Result<String, ReadError> {
        let runs = self.list();
        let mut matching = runs.iter().filter(|run| run.starts_with(asked));
        let found = match (asked, matching.next(), matching.next()) {
            ("last", _, _) => runs.last(),
            (_, Some(only), None) => Some(only),
            (_, first, _) => first.filter(|run| *run == asked),
        };
        found.cloned().ok_or_else(|| {
            let newest: Vec<&str> = runs.iter().rev().take(5).map(String::as_str).collect();
            let hint = match newest.as_slice() {
                [] => "nothing has been run here yet".to_owned(),
                some => format!("the newest are {}; `last` is the newest of them", some.join(", ")),
            };
            ReadError::NotFound { run: asked.to_owned(), hint }
        })
    }
}

/// Writes the record of one run.
#[derive(Debug)]
pub struct RecordSink {
    folder: PathBuf,
    events: BufWriter<File>,
    bytes: u64,
    bytes_max: u64,
    logs: BTreeMap<PathBuf, BufWriter<File>>,
    book: Book,
    html: HtmlReport,
    error: Option<io::Error>,
}

/// Log files that may be open at once; the rest are only in the events.
const LOG_FILES_MAX: usize = 256;

impl RecordSink {
    /// Makes the folder of the run and opens its files.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            events: BufWriter::new(File::create(folder.join("events.jsonl"))?),
            bytes: 0,
            bytes_max: EVENTS_BYTES_MAX,
            logs: BTreeMap::new(),
            book: Book::new(),
            html: HtmlReport::new(),
            error: None,
        })
    }

    fn write(&mut self, recorded: &Recorded) -> io::Result<()> {
        let line = recorded.to_line();
        let fits = self.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX))
            <= self.bytes_max;
        if fits || decides(&recorded.event) {
            self.bytes += u64::try_from(line.len()).unwrap_or(u64::MAX);
            self.events.write_all(line.as_bytes())?;
        }
        if let RunEvent::PeerLog { unit, role, line, .. } = &recorded.event {
            self.write_log(unit.as_str(), role.as_str(), line)?;
        }
        if let RunEvent::UnitHealing { healing, .. } = &recorded.event {
            self.write_healing(&healing.entry)?;
        }
        if let RunEvent::UnitEnded { .. }
        | RunEvent::SuiteTest { .. }
        | RunEvent::SuiteEnded { .. }
        | RunEvent::UnitHealing { .. }
        | RunEvent::RunStarted { .. }
        | RunEvent::ShardsMerged { .. }
        | RunEvent::MatrixStarted { .. } = &recorded.event
        {
            // A kill at any moment leaves a record of all that is over.
            self.events.flush()?;
            self.logs.clear();
        }
        Ok(())
    }

    /// The ledger of healings: not there where nothing failed.
    fn write_healing(&mut self, entry: &serde_json::Value) -> io::Result<()> {
        let path = self.folder.join(HEALINGS);
        let is_new = !path.exists();
        let mut file = File::options().create(true).append(true).open(&path)?;
        if is_new {
            file.write_all(ledger::head_line().as_bytes())?;
        }
        // One write a line: a kill leaves whole lines, or a last one without its end.
        file.write_all(format!("{entry}\n").as_bytes())
    }

    fn write_log(&mut self, unit: &str, role: &str, line: &str) -> io::Result<()> {
        let path =
            self.folder.join("logs").join(file_name(unit)).join(format!("{}.log", file_name(role)));
        if !self.logs.contains_key(&path) {
            if self.logs.len() >= LOG_FILES_MAX {
                self.logs.clear();
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = File::options().create(true).append(true).open(&path)?;
            self.logs.insert(path.clone(), BufWriter::new(file));
        }
        match self.logs.get_mut(&path) {
            Some(file) => writeln!(file, "{line}"),
            None => Ok(()),
        }
    }

    fn keep(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }
}

impl EventSink for RecordSink {
    fn event(&mut self, recorded: &Recorded) {
        self.book.read(recorded);
        self.html.read(recorded);
        let result = self.write(recorded);
        self.keep(result);
    }

    fn finish(&mut self) -> io::Result<()> {
        self.logs.clear();
        self.events.flush()?;
        fs::write(self.folder.join("junit.xml"), junit::junit(&self.book)?)?;
        fs::write(self.folder.join("ctrf.json"), ctrf::text(&self.book)?)?;
        let mut summary = serde_json::to_string_pretty(&summary::summary(&self.book))?;
        summary.push('\n');
        fs::write(self.folder.join("summary.json"), summary)?;
        fs::write(self.folder.join("report.html"), self.html.render())?;
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Whether a record without this event would tell another story.
fn decides(event: &RunEvent) -> bool {
    match event {
        RunEvent::RunStarted { .. }
        | RunEvent::UnitStarted { .. }
        | RunEvent::MatrixStarted { .. }
        | RunEvent::CellRecalled { .. }
        | RunEvent::StepEnded { .. }
        | RunEvent::PeerExited { .. }
        | RunEvent::CheckEnded { .. }
        | RunEvent::UnitEnded { .. }
        | RunEvent::SuiteStarted { .. }
        | RunEvent::SuiteTest { .. }
        | RunEvent::UnitFlaky { .. }
        | RunEvent::UnitHealing { .. }
        | RunEvent::SuiteTestFlaky { .. }
        | RunEvent::SuiteEnded { .. }
        | RunEvent::ShardsMerged { .. }
        | RunEvent::NeverExercised { .. }
        | RunEvent::RunEnded { .. } => true,
        RunEvent::PeerStarted { .. }
        | RunEvent::StepStarted { .. }
        | RunEvent::CallStarted { .. }
        | RunEvent::CallEnded { .. }
        | RunEvent::PeerEvent { .. }
        | RunEvent::WireMessage { .. }
        | RunEvent::NetworkStarted { .. }
        | RunEvent::Disturbance { .. }
        | RunEvent::Account { .. }
        | RunEvent::Searched { .. }
        | RunEvent::Measured { .. }
        | RunEvent::PeerLog { .. } => false,
    }
}

/// A unit's or role's name as one part of a path.
fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-=".contains(c);
    let name: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let name = name.trim_start_matches('.');
    name.chars().take(120).collect()
}

fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size_of(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
