//! Taking in what another history has [exported](crate::export).
//!
//! All of a file comes in, or nothing of it. A row that is there already is left as it is, so that the same file can come in twice. Nothing is
//! believed: a row has every column of its table and nothing else, belongs to a run, its times are not later than now (a verdict from the
//! future would count before whatever this machine finds), and what is said of a result is what its verdict says.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read as _};

use handfast_scenario::verdict::Verdict;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, Row, TransactionBehavior, params_from_iter};
use serde_json::{Map, Value};

use crate::export::exported;
use crate::remember::insert_name;
use crate::schema::{FORMAT, Kind, Table};
use crate::store::{History, HistoryError};

/// Bytes of a line, its line feed among them: reasons of failures are the longest that there is.
pub const LINE_MAX: usize = 4 * 1024 * 1024;

/// What came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Rows that were not there before.
    pub added: u64,
    /// Rows that were.
    pub known: u64,
}

/// Why nothing of a file came in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line is not what it has to be.
    #[error("line {line}: {what}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// Why.
        what: String,
    },
    /// It cannot be read.
    #[error("the file cannot be read after line {line}")]
    Read {
        /// The last line that was.
        line: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The history cannot be written.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl History {
    /// Takes in the lines of an export. Who writes meanwhile waits until it is over.
    ///
    /// # Errors
    ///
    /// [`ImportError`]; then nothing has come in.
    pub fn import(
        &mut self,
        input: impl BufRead,
        now_unix_us: i64,
    ) -> Result<Imported, ImportError> {
        let path = self.path.clone();
        let failed = |source| HistoryError::Sqlite { path: path.clone(), source };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let mut import = Import {
            connection: &transaction,
            statements: exported().map(Statements::of).collect(),
            runs: BTreeSet::new(),
            now_unix_us,
            imported: Imported { added: 0, known: 0 },
        };
        let read = import.read(Lines { input, number: 0 });
        let imported = import.imported;
        read.map_err(|error| match error {
            Refused::Line(line, what) => ImportError::Line { line, what },
            Refused::Read(line, source) => ImportError::Read { line, source },
            Refused::Sqlite(source) => failed(source).into(),
        })?;
        transaction.commit().map_err(failed)?;
        Ok(imported)
    }
}

enum Refused {
    Line(u64, String),
    Read(u64, io::Error),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Lines with their numbers, none longer than [`LINE_MAX`].
struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<Map<String, Value>>, Refused> {
        let mut line = Vec::new();
        let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut line);
        match read {
            Err(error) => return Err(Refused::Read(self.number, error)),
            Ok(0) => return Ok(None),
            Ok(_) => self.number += 1,
        }
        if line.last() != Some(&b'\n') {
            let what = if line.len() == LINE_MAX { "is too long" } else { "is torn" };
            return Err(self.refused(format!("the line {what}: export again")));
        }
        match serde_json::from_slice(&line) {
            Ok(Value::Object(fields)) => Ok(Some(fields)),
            Ok(_) => Err(self.refused("this is no JSON object".to_owned())),
            Err(error) => Err(self.refused(format!("this is no JSON: {error}"))),
        }
    }

    fn refused(&self, what: String) -> Refused {
        Refused::Line(self.number, what)
    }
}

/// What is asked and said about a table.
struct Statements {
    table: &'static Table,
    find: String,
    add: String,
}

impl Statements {
    fn of(table: &'static Table) -> Self {
        let (name, columns) = (table.name, table.column_list());
        let same: Vec<String> =
            (1..).zip(table.key_columns()).map(|(at, name)| format!("{name} = ?{at}")).collect();
        let places: Vec<String> =
            (1..=table.columns.len()).map(|place| format!("?{place}")).collect();
        Self {
            table,
            find: format!("SELECT {columns} FROM {name} WHERE {}", same.join(" AND ")),
            add: format!("INSERT INTO {name} ({columns}) VALUES ({})", places.join(", ")),
        }
    }
}

struct Import<'a> {
    connection: &'a Connection,
    statements: Vec<Statements>,
    /// Runs that are known to be there.
    runs: BTreeSet<String>,
    now_unix_us: i64,
    imported: Imported,
}

impl Import<'_> {
    fn read(&mut self, mut lines: Lines<impl BufRead>) -> Result<(), Refused> {
        let head = lines.next()?.unwrap_or_default();
        match head.get("history").and_then(Value::as_i64) {
            Some(format) if format == i64::from(FORMAT) && head.len() == 1 => {}
            Some(format) if format > i64::from(FORMAT) => {
                return Err(Refused::Line(
                    1,
                    format!(
                        "the file has format {format}, this handfast reads format {FORMAT}: use the newer handfast"
                    ),
                ));
            }
            Some(_) | None => {
                let what =
                    format!("this is no exported history: it begins with {{\"history\":{FORMAT}}}");
                return Err(Refused::Line(1, what));
            }
        }
        loop {
            let Some(fields) = lines.next()? else {
                let what = "the file ends without its last line, the number of rows: export again";
                return Err(Refused::Line(lines.number, what.to_owned()));
            };
            if let Some(rows) = fields.get("rows").filter(|_| fields.len() == 1) {
                let found = self.imported.added + self.imported.known;
                if rows.as_u64() != Some(found) {
                    return Err(
                        lines.refused(format!("here are {found} rows, not {rows}: export again"))
                    );
                }
                return match lines.next()? {
                    None => Ok(()),
                    Some(_) => {
                        Err(lines.refused("nothing comes after the number of rows".to_owned()))
                    }
                };
            }
            match self.row(fields)? {
                Ok(()) => {}
                Err(what) => return Err(lines.refused(what)),
            }
        }
    }

    /// Takes one row in; why not, otherwise.
    fn row(&mut self, fields: Map<String, Value>) -> Result<Result<(), String>, Refused> {
        let mut fields = fields.into_iter();
        let (Some((name, row)), None) = (fields.next(), fields.next()) else {
            return Ok(Err("a line is one row, {\"TABLE\":{..}}".to_owned()));
        };
        let Some(place) = self.statements.iter().position(|known| known.table.name == name) else {
            return Ok(Err(format!("there is no table {name:?} in an export")));
        };
        let table = self.statements[place].table;
        let cells = match cells(table, row, self.now_unix_us) {
            Ok(cells) => cells,
            Err(what) => return Ok(Err(what)),
        };
        if let Some(run) = self.missing_run(table, &cells)? {
            return Ok(Err(format!(
                "{name} of the run {run:?}, which is neither in the file before nor in the history"
            )));
        }
        let Statements { find, add, .. } = &self.statements[place];
        let mut found = self.connection.prepare_cached(find)?;
        let mut found = found.query(params_from_iter(&cells[..table.key]))?;
        if let Some(row) = found.next()? {
            if !is_same(row, &cells)? {
                let keys: Vec<&str> = table.key_columns().collect();
                return Ok(Err(format!(
                    "the history has another row in {name} with this {}",
                    keys.join(", ")
                )));
            }
            self.imported.known += 1;
            return Ok(Ok(()));
        }
        self.connection.prepare_cached(add)?.execute(params_from_iter(&cells))?;
        if let ("suite_tests", [_, Cell::Text(suite), Cell::Text(test), ..]) =
            (name.as_str(), &cells[..])
        {
            insert_name(self.connection, suite, test)?;
        }
        self.imported.added += 1;
        Ok(Ok(()))
    }

    /// The run of a row, if nobody knows it. Runs come before what they have found.
    fn missing_run(&mut self, table: &Table, cells: &[Cell]) -> Result<Option<String>, Refused> {
        let run = table.columns.iter().position(|(name, _)| *name == "run");
        let Some(Cell::Text(run)) = run.map(|place| &cells[place]) else { return Ok(None) };
        if table.name != "runs" && !self.runs.contains(run) {
            let known = "SELECT count(*) FROM runs WHERE run = ?1";
            let count: i64 =
                self.connection.prepare_cached(known)?.query_row([run], |row| row.get(0))?;
            if count == 0 {
                return Ok(Some(run.clone()));
            }
        }
        if !self.runs.contains(run) {
            self.runs.insert(run.clone());
        }
        Ok(None)
    }
}

/// The columns of a row, in their order.
fn cells(table: &Table, row: Value, now_unix_us: i64) -> Result<Vec<Cell>, String> {
    let Value::Object(mut row) = row else {
        return Err(format!("a row of {} is an object", table.name));
    };
    let mut cells = Vec::with_capacity(table.columns.len());
    for (column, kind) in table.columns {
        let value =
            row.remove(*column).ok_or_else(|| format!("{column} is missing in {}", table.name))?;
        cells.push(cell(column, *kind, value, now_unix_us)?);
    }
    if let Some(column) = row.keys().next() {
        return Err(format!("{} has no {column:?}", table.name));
    }
    consistent(table, &cells)?;
    Ok(cells)
}

fn cell(column: &str, kind: Kind, value: Value, now_unix_us: i64) -> Result<Cell, String> {
    let wanted = match (kind, value) {
        (Kind::Text | Kind::MaybeText, Value::String(text)) => return Ok(Cell::Text(text)),
        (Kind::MaybeText, Value::Null) => return Ok(Cell::Null),
        (Kind::Text, _) => "a text",
        (Kind::MaybeText, _) => "a text or null",
        (Kind::Integer, Value::Number(number)) => match number.as_i64() {
            Some(number) if number >= 0 => return Ok(Cell::Integer(number)),
            Some(_) | None => "a whole number, 0 or more",
        },
        (Kind::Integer, _) => "a whole number",
        (Kind::Time, Value::Number(number)) => match number.as_i64() {
            Some(at) if at <= now_unix_us => return Ok(Cell::Integer(at)),
            Some(_) => {
                "no later than now: the clock of the machine that found this is ahead, or that of this one is behind"
            }
            None => "microseconds since 1970",
        },
        (Kind::Time, _) => "microseconds since 1970",
        (Kind::Real, Value::Number(number)) => match number.as_f64() {
            Some(number) => return Ok(Cell::Real(number)),
            None => "a number",
        },
        (Kind::Real, _) => "a number",
    };
    Err(format!("{column} has to be {wanted}"))
}

/// What no column says alone.
fn consistent(table: &Table, cells: &[Cell]) -> Result<(), String> {
    let text = |name: &str| {
        let place = table.columns.iter().position(|(column, _)| *column == name);
        match place.map(|place| &cells[place]) {
            Some(Cell::Text(text)) => text.as_str(),
            Some(_) | None => "",
        }
    };
    match table.name {
        "results" => {
            let verdict: Verdict = serde_json::from_str(text("verdict"))
                .map_err(|error| format!("verdict has to be the JSON of a verdict: {error}"))?;
            if serde_json::json!(verdict.kind()).as_str() != Some(text("kind")) {
                return Err(format!("kind is {:?}, and the verdict says otherwise", text("kind")));
            }
        }
        "suite_results" | "suite_tests"
            if !["passed", "failed", "skipped"].contains(&text("kind")) =>
        {
            return Err(format!(
                "kind has to be passed, failed or skipped, not {:?}",
                text("kind")
            ));
        }
        _ => {}
    }
    Ok(())
}

fn is_same(row: &Row<'_>, cells: &[Cell]) -> rusqlite::Result<bool> {
    for (at, cell) in cells.iter().enumerate() {
        let is_same = match (row.get(at)?, cell) {
            // The decimal form may be the next number.
            (Cell::Real(one), Cell::Real(other)) => (one - other).abs() <= one.abs() * 1e-15,
            (one, other) => one == *other,
        };
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}
