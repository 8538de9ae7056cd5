//! The tables.

/// The form of the tables, in `user_version`. A handfast reads this one and no newer one; an older one is brought to it.
pub const FORMAT: i32 = 2;

/// What marks the file as ours in the header of SQLite: `hfst`.
pub const APPLICATION_ID: i32 = 0x6866_7374;

/// The tables, as `docs/design/history.md` shows them.
pub const TABLES: &str = concat!(include_str!("schema.sql"), "\n", include_str!("schema_2.sql"));

/// What format 2 added to format 1, also part of [`TABLES`].
pub(crate) const SUITES: &str = include_str!("schema_2.sql");

/// Each table with the columns that make a row unique.
pub const ROWS: [(&str, &[&str]); 7] = [
    ("runs", &["run"]),
    ("builds", &["run", "peer"]),
    ("cells", &["run", "unit"]),
    ("results", &["run", "unit"]),
    ("recalls", &["run", "unit"]),
    ("ends", &["run"]),
    ("suite_results", &["run", "suite"]),
];

/// The triggers that let a table only grow: rows are added once, and neither changed, replaced nor removed.
pub(crate) fn guards(rows: &[(&str, &[&str])]) -> String {
    let guard = |(table, columns): &(&str, &[&str])| {
        let same: Vec<String> =
            columns.iter().map(|column| format!("{column} = NEW.{column}")).collect();
        let same = same.join(" AND ");
        format!(
            "CREATE TRIGGER {table}_stay BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;\n\
             CREATE TRIGGER {table}_last BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;\n\
             CREATE TRIGGER {table}_once BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) \
             BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;\n"
        )
    };
    rows.iter().map(guard).collect()
}
