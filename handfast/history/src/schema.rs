//! The tables.

/// The form of the tables, in `user_version`. A handfast reads this one and no newer one; an older one is brought to it.
pub const FORMAT: i32 = 3;

/// What marks the file as ours in the header of SQLite: `hfst`.
pub const APPLICATION_ID: i32 = 0x6866_7374;

/// The tables, as `docs/design/history.md` shows them.
pub const SCHEMA: &str = concat!(
    include_str!("schema.sql"),
    "\n",
    include_str!("schema_2.sql"),
    "\n",
    include_str!("schema_3.sql")
);

/// What each format added to the one before it, from format 1 on; together [`SCHEMA`].
pub(crate) const ADDED: [&str; 3] =
    [include_str!("schema.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")];

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in their order.
    pub columns: &'static [(&'static str, Kind)],
    /// How many of them, from the first on, make a row unique.
    pub key: usize,
    /// The first format that has it.
    pub since: i32,
}

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A text or null.
    MaybeText,
    /// A whole number.
    Integer,
    /// A moment, microseconds since the Unix epoch.
    Time,
    /// A number.
    Real,
}

impl Table {
    /// The names of the columns that make a row unique.
    pub fn key_columns(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().take(self.key).map(|(name, _)| *name)
    }

    /// Whether its rows are those of runs.
    pub(crate) fn is_of_runs(&self) -> bool {
        self.columns.first().is_some_and(|(name, _)| *name == "run")
    }

    /// The names of all columns, as they stand in a statement.
    pub(crate) fn column_list(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}

use Kind::{Integer, MaybeText, Real, Text, Time};

/// All tables, in the order of [`SCHEMA`].
pub const TABLES: [Table; 14] = [
    Table {
        name: "runs",
        columns: &[
            ("run", Text),
            ("started_unix_us", Time),
            ("handfast", Text),
            ("command", Text),
            ("seed", Text),
            ("record", Text),
        ],
        key: 1,
        since: 1,
    },
    Table {
        name: "builds",
        columns: &[("run", Text), ("peer", Text), ("digest", Text)],
        key: 2,
        since: 1,
    },
    Table {
        name: "cells",
        columns: &[
            ("run", Text),
            ("unit", Text),
            ("scenario", Text),
            ("name", Text),
            ("file", Text),
            ("category", Text),
            ("key", MaybeText),
            ("column_a", MaybeText),
            ("column_b", MaybeText),
            ("peers", Text),
            ("protocols", Text),
            ("network", Text),
            ("expected", MaybeText),
        ],
        key: 2,
        since: 1,
    },
    Table {
        name: "results",
        columns: &[
            ("run", Text),
            ("unit", Text),
            ("key", MaybeText),
            ("kind", Text),
            ("verdict", Text),
            ("duration_us", Integer),
            ("cpu_us", Integer),
            ("ended_unix_us", Time),
        ],
        key: 2,
        since: 1,
    },
    Table {
        name: "recalls",
        columns: &[("run", Text), ("unit", Text), ("from_run", Text)],
        key: 2,
        since: 1,
    },
    Table {
        name: "ends",
        columns: &[("run", Text), ("exit", Text), ("summary", Text), ("duration_us", Integer)],
        key: 1,
        since: 1,
    },
    Table {
        name: "suite_results",
        columns: &[
            ("run", Text),
            ("suite", Text),
            ("kind", Text),
            ("passed", Integer),
            ("failed", Integer),
            ("duration_us", Integer),
            ("ended_unix_us", Time),
        ],
        key: 2,
        since: 2,
    },
    Table {
        name: "suite_tests",
        columns: &[
            ("run", Text),
            ("suite", Text),
            ("test", Text),
            ("number", Integer),
            ("kind", Text),
            ("duration_us", Integer),
            ("ended_unix_us", Time),
        ],
        key: 4,
        since: 3,
    },
    Table { name: "tests", columns: &[("suite", Text), ("test", Text)], key: 2, since: 3 },
    Table {
        name: "flaky",
        columns: &[("run", Text), ("suite", Text), ("test", Text)],
        key: 3,
        since: 3,
    },
    Table {
        name: "measurements",
        columns: &[
            ("run", Text),
            ("unit", Text),
            ("name", Text),
            ("machine", Text),
            ("number", Integer),
            ("value", Real),
            ("measured_in", Text),
            ("taken_unix_us", Time),
        ],
        key: 5,
        since: 3,
    },
    Table {
        name: "healings",
        columns: &[
            ("run", Text),
            ("number", Integer),
            ("subject", Text),
            ("reason", Text),
            ("class", Text),
            ("fault", MaybeText),
            ("act", Text),
            ("outcome", Text),
            ("evidence", Text),
            ("duration_us", Integer),
            ("ended_unix_us", Time),
        ],
        key: 2,
        since: 3,
    },
    Table {
        name: "incidents",
        columns: &[
            ("incident", Text),
            ("run", Text),
            ("subject", Text),
            ("class", Text),
            ("good_commit", MaybeText),
            ("bad_commit", MaybeText),
            ("detail", Text),
            ("opened_unix_us", Time),
        ],
        key: 1,
        since: 3,
    },
    Table {
        name: "closings",
        columns: &[("incident", Text), ("run", Text), ("reason", Text), ("closed_unix_us", Time)],
        key: 1,
        since: 3,
    },
];

/// Everything that brings a file of format `found` to [`FORMAT`]; 0 is a file with nothing in it.
pub(crate) fn steps(found: i32) -> String {
    let missing = (1..).zip(ADDED).filter(|(format, _)| *format > found);
    let tables: String = missing.map(|(_, added)| added).collect();
    tables + &guards(found)
}

/// The triggers that let the tables since format `found` only grow: rows are added once, and neither changed, replaced nor removed.
pub(crate) fn guards(found: i32) -> String {
    let guard = |table: &Table| {
        let same: Vec<String> =
            table.key_columns().map(|column| format!("{column} = NEW.{column}")).collect();
        let (table, same) = (table.name, same.join(" AND "));
        format!(
            "CREATE TRIGGER {table}_stay BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;\n\
             CREATE TRIGGER {table}_last BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;\n\
             CREATE TRIGGER {table}_once BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) \
             BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;\n"
        )
    };
    TABLES.iter().filter(|table| table.since > found).map(guard).collect()
}
