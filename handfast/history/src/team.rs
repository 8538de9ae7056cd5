//! A history that several machines share, in `PostgreSQL`: the same tables, in a schema of their own, and the same questions.
//!
//! Runs write into the file of their machine, which is always there; [`Team::take`] brings what that has and the team has not. So a database that is away
//! costs no run anything. The tables only grow here, too, which triggers see to. Connections are not encrypted: the server is on this machine, in one's own network,
//! or behind a tunnel.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postgres::types::ToSql;
use postgres::{Client, Config, NoTls, Row, Transaction};
use rusqlite::types::ValueRef;

use crate::import::Imported;
use crate::questions::{
    EndSeen, Extent, IncidentSeen, LAST_RUNS, MEASURED_NAMES, MEASUREMENTS, MeasuredName,
    MeasurementSeen, Named, OPEN_INCIDENTS, Questions, RunSeen, Seen, TESTS_OF_NAME, TESTS_WITH,
    TestName, UNIT_OF_NAME, UNITS_WITH,
};
use crate::schema::{FORMAT, Kind, TABLES, Table};
use crate::store::{History, HistoryError};

/// The schema of the database in which the tables are.
pub const TEAM_SCHEMA: &str = "handfast";

/// How long a server may take to answer the first word, where the URL does not say.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Rows that go over in one statement.
const ROWS: usize = 1_000;

/// The history of a team.
pub struct Team {
    client: Mutex<Client>,
    /// Where it is, without the password.
    place: String,
}

impl Team {
    /// Connects to the database of this URL, such as `postgresql://ci@db.example/handfast`, and makes the tables where they are not there.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Team`] if there is no such server or database, or it refuses; [`HistoryError::NewerTeam`] if a newer handfast made the tables.
    pub fn open(url: &str) -> Result<Self, HistoryError> {
        let unknown = |source| HistoryError::Team { place: "of this URL".to_owned(), source };
        let mut config: Config = url.parse().map_err(unknown)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WITHIN);
        }
        let place = place(&config);
        let failed = |source| HistoryError::Team { place: place.clone(), source };
        let mut client = config.connect(NoTls).map_err(failed)?;
        let found = prepare(&mut client).map_err(failed)?;
        if found > FORMAT {
            return Err(HistoryError::NewerTeam { place, found });
        }
        Ok(Self { client: Mutex::new(client), place })
    }

    /// Takes in what a machine's history has and the team has not: all of it, or nothing. Runs that the team knows to their end are not looked at again.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; then nothing has come in.
    pub fn take(&self, history: &History) -> Result<Imported, HistoryError> {
        let mut client = self.client();
        let failed = |source| self.failed(source);
        let mut transaction = client.transaction().map_err(failed)?;
        let over = transaction.query("SELECT run FROM ends", &[]).map_err(failed)?;
        let over: BTreeSet<String> = over.iter().map(|row| row.get(0)).collect();
        let mut imported = Imported { added: 0, known: 0 };
        for table in &TABLES {
            let mut batch = Batch::of(table);
            let mut send = |batch: &mut Batch| -> Result<(), postgres::Error> {
                let (rows, added) = (batch.rows, batch.send(&mut transaction)?);
                imported.added += added;
                imported.known += rows.saturating_sub(added);
                Ok(())
            };
            let query = format!("SELECT {} FROM {}", table.column_list(), table.name);
            let unread = |source| history.failed(source);
            let mut statement = history.connection.prepare(&query).map_err(unread)?;
            let mut rows = statement.query([]).map_err(unread)?;
            while let Some(row) = rows.next().map_err(unread)? {
                if table.is_of_runs()
                    && over
                        .contains(row.get_ref(0).and_then(|run| Ok(run.as_str()?)).map_err(unread)?)
                {
                    continue;
                }
                batch.add(row).map_err(unread)?;
                if batch.rows == u64::try_from(ROWS).unwrap_or(u64::MAX) {
                    send(&mut batch).map_err(failed)?;
                }
            }
            send(&mut batch).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        Ok(imported)
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn query(&self, query: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, HistoryError> {
        self.client().query(&translated(query), values).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: postgres::Error) -> HistoryError {
        HistoryError::Team { place: self.place.clone(), source }
    }

    fn names(&self, units: &str, tests: &str, name: &str) -> Result<Vec<TestName>, HistoryError> {
        let units = self.query(units, &[&name])?;
        let units = units.iter().map(|row| TestName { suite: None, test: row.get(0) });
        let tests = self.query(&format!("{tests} ORDER BY suite, test"), &[&name])?;
        let tests = tests.iter().map(|row| TestName { suite: Some(row.get(0)), test: row.get(1) });
        Ok(units.chain(tests).collect())
    }
}

/// Only where it is: a connection has nothing else to show, and may know a password.
impl fmt::Debug for Team {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Team").field("place", &self.place).finish_non_exhaustive()
    }
}

const OUTCOMES_OF_UNIT: &str = "SELECT run, kind, EXISTS (SELECT 1 FROM flaky WHERE flaky.run = results.run AND suite = '' AND test = unit), \
     duration_us, ended_unix_us FROM results WHERE unit = ?1 ORDER BY ended_unix_us DESC, run DESC LIMIT ?2";

const OUTCOMES_OF_TEST: &str = "SELECT suite_tests.run, kind, EXISTS (SELECT 1 FROM flaky WHERE flaky.run = suite_tests.run AND flaky.suite = ?1 AND flaky.test = ?2), \
     duration_us, ended_unix_us FROM suite_tests JOIN runs ON runs.run = suite_tests.run WHERE suite = ?1 AND test = ?2 \
     ORDER BY started_unix_us DESC, runs.run DESC, number DESC LIMIT ?3";

const EXTENT: &str = "SELECT (SELECT count(*) FROM runs), (SELECT min(started_unix_us) FROM runs), \
     (SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
     WHERE nspname = 'handfast' AND relkind = 'r')";

impl Questions for Team {
    fn last_runs(&self, most: usize) -> Result<Vec<RunSeen>, HistoryError> {
        Ok(self.query(LAST_RUNS, &[&limit(most)])?.iter().map(run_seen).collect())
    }

    fn named(&self, name: &str, most: usize) -> Result<Named, HistoryError> {
        let mut tests = self.names(UNIT_OF_NAME, TESTS_OF_NAME, name)?;
        if tests.is_empty() {
            tests = self.names(UNITS_WITH, TESTS_WITH, name)?;
        }
        let count = tests.len();
        tests.truncate(most);
        Ok(Named { tests, count })
    }

    fn outcomes(&self, test: &TestName, most: usize) -> Result<Vec<Seen>, HistoryError> {
        let rows = match &test.suite {
            Some(suite) => self.query(OUTCOMES_OF_TEST, &[suite, &test.test, &limit(most)])?,
            None => self.query(OUTCOMES_OF_UNIT, &[&test.test, &limit(most)])?,
        };
        Ok(rows.iter().map(seen).collect())
    }

    fn measurements(
        &self,
        of: &MeasuredName,
        most: usize,
    ) -> Result<Vec<MeasurementSeen>, HistoryError> {
        let rows = self.query(MEASUREMENTS, &[&of.unit, &of.name, &of.machine, &limit(most)])?;
        let seen = |row: &Row| MeasurementSeen {
            run: row.get(0),
            record: row.get(1),
            value: row.get(2),
            measured_in: row.get(3),
            taken_unix_us: row.get(4),
        };
        Ok(rows.iter().map(seen).collect())
    }

    fn measured_names(&self) -> Result<Vec<MeasuredName>, HistoryError> {
        let name =
            |row: &Row| MeasuredName { unit: row.get(0), name: row.get(1), machine: row.get(2) };
        Ok(self.query(MEASURED_NAMES, &[])?.iter().map(name).collect())
    }

    fn open_incidents(&self, subject: Option<&str>) -> Result<Vec<IncidentSeen>, HistoryError> {
        let seen = |row: &Row| IncidentSeen {
            incident: row.get(0),
            run: row.get(1),
            subject: row.get(2),
            class: row.get(3),
            good_commit: row.get(4),
            bad_commit: row.get(5),
            opened_unix_us: row.get(6),
        };
        Ok(self.query(OPEN_INCIDENTS, &[&subject])?.iter().map(seen).collect())
    }

    fn extent(&self) -> Result<Extent, HistoryError> {
        let rows = self.query(EXTENT, &[])?;
        let row = rows.first();
        Ok(Extent {
            runs: row.and_then(|row| usize::try_from(row.get::<_, i64>(0)).ok()).unwrap_or(0),
            oldest_unix_us: row.and_then(|row| row.get(1)),
            bytes: row.map_or(0, |row| positive(row, 2)),
        })
    }
}

/// Rows of a table on their way, column by column.
struct Batch {
    table: &'static Table,
    columns: Vec<Column>,
    rows: u64,
}

enum Column {
    Texts(Vec<Option<String>>),
    Numbers(Vec<Option<i64>>),
    Reals(Vec<Option<f64>>),
}

impl Batch {
    fn of(table: &'static Table) -> Self {
        let column = |kind: &Kind| match kind {
            Kind::Text | Kind::MaybeText => Column::Texts(Vec::new()),
            Kind::Integer | Kind::Time => Column::Numbers(Vec::new()),
            Kind::Real => Column::Reals(Vec::new()),
        };
        let columns = table.columns.iter().map(|(_, kind)| column(kind)).collect();
        Self { table, columns, rows: 0 }
    }

    fn add(&mut self, row: &rusqlite::Row<'_>) -> rusqlite::Result<()> {
        for (at, column) in self.columns.iter_mut().enumerate() {
            match column {
                // `PostgreSQL` has no text with a zero in it.
                Column::Texts(texts) => texts.push(match row.get_ref(at)? {
                    ValueRef::Text(text) => {
                        Some(String::from_utf8_lossy(text).replace('\0', "\u{fffd}"))
                    }
                    ValueRef::Null
                    | ValueRef::Integer(_)
                    | ValueRef::Real(_)
                    | ValueRef::Blob(_) => None,
                }),
                Column::Numbers(numbers) => numbers.push(row.get(at)?),
                Column::Reals(reals) => reals.push(row.get(at)?),
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// How many of them were not there.
    fn send(&mut self, transaction: &mut Transaction<'_>) -> Result<u64, postgres::Error> {
        if self.rows == 0 {
            return Ok(0);
        }
        let types = self.table.columns.iter().enumerate();
        let lists: Vec<String> =
            types.map(|(at, (_, kind))| format!("${}::{}[]", at + 1, type_of(*kind))).collect();
        let statement = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({}) ON CONFLICT DO NOTHING",
            self.table.name,
            self.table.column_list(),
            lists.join(", ")
        );
        let values: Vec<&(dyn ToSql + Sync)> = self
            .columns
            .iter()
            .map(|column| -> &(dyn ToSql + Sync) {
                match column {
                    Column::Texts(texts) => texts,
                    Column::Numbers(numbers) => numbers,
                    Column::Reals(reals) => reals,
                }
            })
            .collect();
        let added = transaction.execute(&statement, &values)?;
        *self = Self::of(self.table);
        Ok(added)
    }
}

/// Makes what is missing; the format that was there.
fn prepare(client: &mut Client) -> Result<i32, postgres::Error> {
    let mut transaction = client.transaction()?;
    // Two machines may begin at once: the one that comes second finds the tables made.
    transaction.batch_execute("SELECT pg_advisory_xact_lock(hashtext('handfast'))")?;
    let is_there =
        transaction.query_one("SELECT to_regclass('handfast.format') IS NOT NULL", &[])?;
    let found: i32 = if is_there.get(0) {
        transaction.query_one("SELECT max(format) FROM handfast.format", &[])?.get(0)
    } else {
        0
    };
    if found < FORMAT {
        transaction.batch_execute(&steps(found))?;
    }
    transaction.commit()?;
    client.batch_execute(&format!("SET search_path TO {TEAM_SCHEMA}"))?;
    Ok(found)
}

/// Everything that brings a database of format `found` to [`FORMAT`]; 0 is one without our schema.
fn steps(found: i32) -> String {
    let mut all: Vec<String> =
        vec!["CREATE SCHEMA IF NOT EXISTS handfast; SET LOCAL search_path TO handfast;".to_owned()];
    if found == 0 {
        all.push(BEGINNING.to_owned());
    }
    all.push(format!("INSERT INTO format VALUES ({FORMAT});"));
    all.extend(TABLES.iter().filter(|table| table.since > found).map(table));
    let missing = INDICES.iter().filter(|(since, _)| *since > found);
    all.extend(missing.map(|(_, index)| (*index).to_owned()));
    all.join("\n")
}

const BEGINNING: &str = "CREATE TABLE format (format integer NOT NULL);
CREATE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the history only grows'; END $$;";

/// The first format that has it, and the index.
const INDICES: [(i32, &str); 3] = [
    (1, "CREATE INDEX results_by_unit ON results (unit, ended_unix_us);"),
    (1, "CREATE INDEX runs_by_start ON runs (started_unix_us, run);"),
    (3, "CREATE INDEX suite_tests_by_test ON suite_tests (suite, test);"),
];

fn table(table: &Table) -> String {
    let name = table.name;
    let column = |(column, kind): &(&str, Kind)| {
        let must = if *kind == Kind::MaybeText { "" } else { " NOT NULL" };
        // In the order of bytes, as in the file of a machine.
        let order = if type_of(*kind) == "text" { " COLLATE \"C\"" } else { "" };
        format!("{column} {}{order}{must}", type_of(*kind))
    };
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    let key: Vec<&str> = table.key_columns().collect();
    format!(
        "CREATE TABLE {name} ({}, PRIMARY KEY ({}));\n\
         CREATE TRIGGER {name}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION only_grows();",
        columns.join(", "),
        key.join(", ")
    )
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::MaybeText => "text",
        Kind::Integer | Kind::Time => "bigint",
        Kind::Real => "double precision",
    }
}

/// The questions are written for SQLite, of which some words are others here; what a null is of has to be said.
fn translated(query: &str) -> String {
    let query = query.replace("?1 IS NULL", "?1::text IS NULL");
    query.replace('?', "$").replace("instr(", "strpos(")
}

/// Host and database, for people.
fn place(config: &Config) -> String {
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            postgres::config::Host::Tcp(host) => host.clone(),
            postgres::config::Host::Unix(folder) => folder.display().to_string(),
        })
        .collect();
    format!("{} on {}", config.get_dbname().unwrap_or("of the user's name"), hosts.join(", "))
}

fn run_seen(row: &Row) -> RunSeen {
    let exit: Option<String> = row.get(5);
    let end = exit.map(|exit| EndSeen { exit, summary: row.get(6), duration_us: positive(row, 7) });
    RunSeen {
        run: row.get(0),
        started_unix_us: row.get(1),
        handfast: row.get(2),
        command: row.get(3),
        record: row.get(4),
        end,
    }
}

fn seen(row: &Row) -> Seen {
    Seen {
        run: row.get(0),
        kind: row.get(1),
        is_flaky: row.get(2),
        duration_us: positive(row, 3),
        ended_unix_us: row.get(4),
    }
}

fn positive(row: &Row, at: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(at)).unwrap_or_default()
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
