//! The tables.

/// The form of the tables, in `user_version`. A handfast reads this one and no newer one.
pub const FORMAT: i32 = 1;

/// What marks the file as ours in the header of SQLite: `hfst`.
pub const APPLICATION_ID: i32 = 0x6866_7374;

/// The tables, as `docs/design/history.md` shows them.
pub const TABLES: &str = include_str!("schema.sql");

/// Each table with the columns that make a row unique.
pub const ROWS: [(&str, &[&str]); 6] = [
    ("runs", &["run"]),
    ("builds", &["run", "peer"]),
    ("cells", &["run", "unit"]),
    ("results", &["run", "unit"]),
    ("recalls", &["run", "unit"]),
    ("ends", &["run"]),
];

/// The triggers that let a table only grow: rows are added once, and neither changed, replaced nor removed.
pub(crate) fn guards() -> String {
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
    ROWS.iter().map(guard).collect()
}
