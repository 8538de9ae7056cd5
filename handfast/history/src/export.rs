//! A history as JSON lines, to be kept elsewhere or to go into another one.
//!
//! ```text
//! {"history":3}
//! {"runs":{"run":"20261122-093045-1f3c07ab","started_unix_us":1763804645000000,"handfast":"0.1.0",...}}
//! {"results":{"run":"20261122-093045-1f3c07ab","unit":"meeting/x","key":null,...}}
//! {"rows":2}
//! ```
//!
//! The first line names the format of the tables, each further one is a row: its table, and in it every column in the order of the schema. The last one
//! counts the rows, so that a file that was torn is known. `tests` is not in it: it follows from `suite_tests`.

use std::fmt::Write as _;
use std::io::{self, Write};

use rusqlite::types::ValueRef;
use serde_json::Value;

use crate::schema::{FORMAT, TABLES, Table};
use crate::store::{History, HistoryError};

/// Why a history could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The lines cannot be written.
    #[error("the lines cannot be written")]
    Write(#[from] io::Error),
}

/// The tables that are exported.
pub(crate) fn exported() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(|table| table.name != "tests")
}

impl History {
    /// Writes all rows as they are at this moment, whoever writes meanwhile; how many there were.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; what was written until then has no last line.
    pub fn export(&self, mut out: impl Write) -> Result<u64, ExportError> {
        // One transaction sees one state.
        let snapshot =
            self.connection.unchecked_transaction().map_err(|error| self.failed(error))?;
        writeln!(out, "{{\"history\":{FORMAT}}}")?;
        let mut count = 0;
        for table in exported() {
            count += self.export_table(table, &mut out)?;
        }
        writeln!(out, "{{\"rows\":{count}}}")?;
        out.flush()?;
        snapshot.finish().map_err(|error| self.failed(error))?;
        Ok(count)
    }

    fn export_table(&self, table: &Table, out: &mut impl Write) -> Result<u64, ExportError> {
        let keys: Vec<&str> = table.key_columns().collect();
        let columns = table.column_list();
        let query = format!("SELECT {columns} FROM {} ORDER BY {}", table.name, keys.join(", "));
        let failed = |error| self.failed(error);
        let mut statement = self.connection.prepare(&query).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut count = 0;
        let mut line = String::new();
        while let Some(row) = rows.next().map_err(failed)? {
            line.clear();
            for (at, (column, _)) in table.columns.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                let value = json(row.get_ref(at).map_err(failed)?);
                // Writing to a text cannot fail.
                write!(line, "{comma}\"{column}\":{value}").unwrap_or_default();
            }
            writeln!(out, "{{\"{}\":{{{line}}}}}", table.name)?;
            count += 1;
        }
        Ok(count)
    }
}

/// No column holds bytes, and no number that is not finite.
fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
    }
}
