//! Forgetting runs without changing a row.
//!
//! The rows that stay are copied into a new file, which is put in the place of the old one with one rename while nobody has the history open.
//! So every file only grows, and a kill leaves either the old one or the new one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use rusqlite::params;

use crate::retention::{Fate, Limits, Weighed, choose};
use crate::schema::{Kind, TABLES, Table};
use crate::store::{FILE, History, HistoryError, alone};

/// What is copied here becomes the history; a pruning that was killed leaves it behind, and the next one removes it.
pub const NEW_FILE: &str = "history.new.db";

/// What a pruning did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// Each run and what becomes of it, the newest first.
    pub runs: Vec<(Weighed, Fate)>,
    /// What the history took on disk before.
    pub bytes_before: u64,
    /// What it takes after; of a pruning that was not carried out, about so much.
    pub bytes_after: u64,
}

impl Pruned {
    /// The runs that go.
    pub fn gone(&self) -> impl Iterator<Item = &Weighed> {
        self.runs.iter().filter(|(_, fate)| matches!(fate, Fate::Goes(_))).map(|(run, _)| run)
    }

    fn kept(&self) -> impl Iterator<Item = &Weighed> {
        self.runs.iter().filter(|(_, fate)| !matches!(fate, Fate::Goes(_))).map(|(run, _)| run)
    }
}

/// Forgets the runs of the history in the folder `folder` that are beyond these limits.
///
/// # Errors
///
/// [`HistoryError::InUse`] if anybody has the history open. Whatever the error, the history is what it was.
pub fn prune(folder: &Path, limits: &Limits) -> Result<Pruned, HistoryError> {
    let path = folder.join(FILE);
    let file = |source| HistoryError::File { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(file)?;
    let Some(alone) = alone(folder)? else {
        return Err(HistoryError::InUse { path });
    };
    let new = folder.join(NEW_FILE);
    let old = History::open_file(path.clone())?;
    let mut pruned = old.would_prune(limits)?;
    if pruned.gone().next().is_none() {
        pruned.bytes_after = pruned.bytes_before;
        return Ok(pruned);
    }
    let mut estimate = pruned.bytes_after;
    pruned.bytes_after = old.copied(&new, &pruned)?;
    for _ in 0..ROUNDS_MAX {
        // Only now it is known, and not estimated, how large it is.
        let over = limits.bytes.and_then(|most| pruned.bytes_after.checked_sub(most));
        let Some(over) = over.filter(|over| *over > 0) else { break };
        let aimed = Limits { bytes: Some(estimate.saturating_sub(over)), ..*limits };
        let mut smaller = old.would_prune(&aimed)?;
        if smaller.gone().count() <= pruned.gone().count() {
            break;
        }
        estimate = smaller.bytes_after;
        smaller.bytes_after = old.copied(&new, &smaller)?;
        pruned = smaller;
    }
    old.close_whole()?;
    // The rows are on the disk before the name is theirs.
    File::open(&new).and_then(|new| new.sync_all()).map_err(file)?;
    fs::rename(&new, &path).map_err(file)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(file)?;
    drop(alone);
    Ok(pruned)
}

/// How often it is copied again, if what stays is larger than was estimated.
const ROUNDS_MAX: usize = 3;

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl History {
    /// What [`prune`] would do.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub fn would_prune(&self, limits: &Limits) -> Result<Pruned, HistoryError> {
        let bytes_before = self.bytes()?;
        let failed = |error| self.failed(error);
        // Every table and index takes a page before it has a row.
        let empty: i64 = self.connection.query_row(EMPTY, [], |row| row.get(0)).map_err(failed)?;
        let empty = u64::try_from(empty).unwrap_or_default();
        let runs = self.weigh(bytes_before.saturating_sub(empty)).map_err(failed)?;
        let bytes = limits.bytes.map(|most| most.saturating_sub(empty));
        let fates = choose(&runs, &Limits { bytes, ..*limits });
        let mut runs: Vec<(Weighed, Fate)> = runs.into_iter().zip(fates).collect();
        runs.reverse();
        let gone = runs.iter().filter(|(_, fate)| matches!(fate, Fate::Goes(_)));
        let gone = gone.fold(0_u64, |sum, (run, _)| sum.saturating_add(run.bytes));
        Ok(Pruned { runs, bytes_before, bytes_after: bytes_before.saturating_sub(gone) })
    }

    /// All runs, the oldest first, with their shares of these bytes and what the matrix holds by them.
    fn weigh(&self, bytes: u64) -> rusqlite::Result<Vec<Weighed>> {
        let mut statement = self
            .connection
            .prepare("SELECT run, started_unix_us FROM runs ORDER BY started_unix_us, run")?;
        let runs = statement.query_map([], |row| {
            Ok(Weighed { run: row.get(0)?, started_unix_us: row.get(1)?, ..Weighed::default() })
        })?;
        let mut runs: Vec<Weighed> = runs.collect::<rusqlite::Result<_>>()?;
        let places: BTreeMap<String, usize> =
            (0..).zip(&runs).map(|(at, run)| (run.run.clone(), at)).collect();
        self.sizes(&mut runs, &places, bytes)?;
        self.ties(&mut runs, &places)?;
        Ok(runs)
    }

    /// By the length of what stands in their rows; the file is divided among them.
    fn sizes(
        &self,
        runs: &mut [Weighed],
        places: &BTreeMap<String, usize>,
        bytes: u64,
    ) -> rusqlite::Result<()> {
        for table in TABLES.iter().filter(|table| table.is_of_runs()) {
            let mut statement = self.connection.prepare(&length_query(table))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let Some(&place) = places.get(row.get_ref(0)?.as_str()?) else { continue };
                runs[place].bytes += u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            }
        }
        let all: u128 = runs.iter().map(|run| u128::from(run.bytes)).sum();
        for run in runs {
            let share = u128::from(run.bytes) * u128::from(bytes) / all.max(1);
            run.bytes = u64::try_from(share).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// Whose verdicts the matrix recalls, and which run rests on which.
    fn ties(&self, runs: &mut [Weighed], places: &BTreeMap<String, usize>) -> rusqlite::Result<()> {
        let last = self.last_words(places)?;
        let mut plans: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for (query, is_plan) in [(PLANNED, true), (JUDGED, false)] {
            let mut statement = self.connection.prepare(query)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let Some(&place) = places.get(row.get_ref(0)?.as_str()?) else { continue };
                let key = row.get_ref(2)?.as_str()?;
                if let Some(word) = last.get(key).filter(|word| word.place != place) {
                    runs[place].needs.insert(word.place);
                }
                let unit = row.get_ref(1)?.as_str()?;
                if is_plan && plans.get(unit).is_none_or(|(newest, _)| *newest < place) {
                    plans.insert(unit.to_owned(), (place, key.to_owned()));
                }
            }
        }
        for (_, key) in plans.values() {
            if let Some(word) = last.get(key).filter(|word| !word.is_played_again) {
                runs[word.place].is_recalled = true;
            }
        }
        Ok(())
    }

    /// For each key the verdict that [`History::recall`] goes by.
    fn last_words(
        &self,
        places: &BTreeMap<String, usize>,
    ) -> rusqlite::Result<BTreeMap<String, LastWord>> {
        let mut last: BTreeMap<String, LastWord> = BTreeMap::new();
        let mut statement = self.connection.prepare(WORDS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let run = row.get_ref(0)?.as_str()?;
            let Some(&place) = places.get(run) else { continue };
            let (ended_unix_us, is_played_again) = (row.get(2)?, row.get(3)?);
            let word = LastWord { ended_unix_us, is_played_again, run: run.to_owned(), place };
            let key = row.get_ref(1)?.as_str()?;
            if last.get(key).is_none_or(|known| *known < word) {
                last.insert(key.to_owned(), word);
            }
        }
        Ok(last)
    }

    /// What stays, in a file of its own; how large that is.
    fn copied(&self, new: &Path, pruned: &Pruned) -> Result<u64, HistoryError> {
        let file = |source| HistoryError::File { path: new.to_owned(), source };
        remove(new).map_err(file)?;
        Self::open_file(new.to_owned())?.close_whole()?;
        self.copy(new, pruned.kept()).map_err(|error| self.failed(error))?;
        Ok(fs::metadata(new).map_err(file)?.len())
    }

    /// Copies all that has to do with these runs into another history, which is empty.
    fn copy<'a>(
        &self,
        new: &Path,
        kept: impl Iterator<Item = &'a Weighed>,
    ) -> rusqlite::Result<()> {
        let connection = &self.connection;
        connection.execute("ATTACH DATABASE ?1 AS kept", [new.to_string_lossy()])?;
        // Nobody reads it before all of it is there.
        connection.pragma_update(Some("kept"), "journal_mode", "OFF")?;
        connection.pragma_update(Some("kept"), "synchronous", "OFF")?;
        connection.execute_batch(
            "CREATE TEMP TABLE staying (run TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID; BEGIN",
        )?;
        for run in kept {
            connection
                .prepare_cached("INSERT INTO staying (run) VALUES (?1)")?
                .execute(params![run.run])?;
        }
        for table in &TABLES {
            let (name, columns) = (table.name, table.column_list());
            let rows = match name {
                "tests" => "SELECT DISTINCT suite, test FROM kept.suite_tests".to_owned(),
                "incidents" => format!("SELECT {columns} FROM main.incidents WHERE {INCIDENTS}"),
                "closings" => format!("SELECT {columns} FROM main.closings WHERE {CLOSINGS}"),
                _ => format!("SELECT {columns} FROM main.{name} WHERE run IN staying"),
            };
            connection.execute(&format!("INSERT INTO kept.{name} ({columns}) {rows}"), [])?;
        }
        connection.execute_batch("COMMIT; DROP TABLE temp.staying; DETACH DATABASE kept")
    }
}

/// Ordered as by [`History::recall`]: the greatest one counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct LastWord {
    ended_unix_us: i64,
    is_played_again: bool,
    run: String,
    place: usize,
}

const EMPTY: &str = "SELECT page_size * (SELECT count(*) FROM sqlite_schema WHERE rootpage > 0) FROM pragma_page_size";
const WORDS: &str = "SELECT run, key, ended_unix_us, kind NOT IN ('passed', 'unsupported') FROM results WHERE key IS NOT NULL";
const PLANNED: &str = "SELECT run, unit, key FROM cells WHERE key IS NOT NULL";
const JUDGED: &str = "SELECT run, unit, key FROM results WHERE key IS NOT NULL";

/// An incident goes when it is over and neither the run that opened it nor the one that closed it is there.
const INCIDENTS: &str = "run IN staying OR NOT EXISTS (SELECT 1 FROM main.closings \
     WHERE closings.incident = incidents.incident AND closings.run NOT IN staying)";

const CLOSINGS: &str = "run IN staying OR EXISTS (SELECT 1 FROM kept.incidents AS known \
     WHERE known.incident = closings.incident)";

/// About how many bytes the rows of each run are.
fn length_query(table: &Table) -> String {
    let length = |(name, kind): &(&str, Kind)| match kind {
        Kind::Text | Kind::MaybeText => format!("coalesce(length({name}), 0)"),
        Kind::Integer | Kind::Time | Kind::Real => "8".to_owned(),
    };
    let lengths: Vec<String> = table.columns.iter().map(length).collect();
    format!("SELECT run, sum({}) FROM {} GROUP BY run", lengths.join(" + "), table.name)
}
