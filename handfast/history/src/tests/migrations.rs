use std::collections::BTreeSet;

use super::*;

/// A history as an earlier handfast left it.
fn older(folder: &TempDir, text: &str) {
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    connection.execute_batch(text).unwrap();
}

const OLDER: [(i32, &str); 2] =
    [(1, include_str!("../golden/format_1.sql")), (2, include_str!("../golden/format_2.sql"))];

/// Everything that was made with SQL: tables, indices, triggers.
fn objects(history: &History) -> BTreeSet<(String, String)> {
    let query = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL";
    let mut statement = history.connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// All rows of a table as text.
fn rows(history: &Connection, table: &Table) -> Vec<String> {
    let shown: Vec<String> =
        table.columns.iter().map(|(name, _)| format!("quote({name})")).collect();
    let query = format!("SELECT {} FROM {} ORDER BY 1", shown.join(" || ' ' || "), table.name);
    let mut statement = history.prepare(&query).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn an_older_history_is_brought_to_the_present_form_with_all_its_rows() {
    let new = folder();
    let new = open(&new);
    for (format, text) in OLDER {
        let folder = folder();
        older(&folder, text);
        let old = Connection::open(folder.path().join(FILE)).unwrap();
        let tables = TABLES.iter().filter(|table| table.since <= format);
        let before: Vec<Vec<String>> = tables.clone().map(|table| rows(&old, table)).collect();
        assert!(before.iter().all(|rows| !rows.is_empty()), "format {format}");
        drop(old);
        let mut history = open(&folder);
        let after: Vec<Vec<String>> =
            tables.map(|table| rows(&history.connection, table)).collect();
        assert_eq!(before, after, "format {format}");
        assert_eq!(objects(&history), objects(&new), "format {format}");
        // What the matrix recalls is what it recalled, and what is new finds its place.
        let recalled = history.recall("k1").unwrap().unwrap();
        assert_eq!(
            (recalled.run.as_str(), recalled.duration_us),
            ("20261101-080000-00000001", 1_000)
        );
        assert_eq!(history.recall("k2").unwrap(), None);
        history.tested("r1", &[test("one", "passed", 9)]).unwrap();
        assert!(history.connection.execute("DELETE FROM suite_tests", []).is_err());
        drop(history);
        drop(open(&folder));
    }
}

#[test]
fn an_earlier_handfast_refuses_the_form_of_this_one() {
    let folder = folder();
    for (format, text) in OLDER {
        drop(std::fs::remove_file(folder.path().join(FILE)));
        older(&folder, text);
        let found = |history: &Connection| -> i32 {
            history.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
        };
        assert_eq!(found(&Connection::open(folder.path().join(FILE)).unwrap()), format);
        assert_eq!(found(&open(&folder).connection), FORMAT);
    }
}
