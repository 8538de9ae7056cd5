use super::*;
use crate::import::{ImportError, Imported};

const NOW: i64 = 1_000;

fn exported(history: &History) -> String {
    let mut out = Vec::new();
    history.export(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn import(folder: &TempDir, text: &str) -> Result<Imported, ImportError> {
    open(folder).import(text.as_bytes(), NOW)
}

/// The form of the lines, byte by byte: who reads them elsewhere relies on it.
const GOLDEN: &str = include_str!("../golden/export.jsonl");

#[test]
fn an_export_is_these_bytes() {
    let folder = folder();
    assert_eq!(exported(&filled(&folder)), GOLDEN);
    let empty = super::folder();
    assert_eq!(exported(&open(&empty)), "{\"history\":3}\n{\"rows\":0}\n");
}

#[test]
fn what_was_exported_comes_in_whole_and_once() {
    let folder = folder();
    let rows = u64::try_from(GOLDEN.lines().count()).unwrap() - 2;
    assert_eq!(import(&folder, GOLDEN).unwrap(), Imported { added: rows, known: 0 });
    assert_eq!(exported(&open(&folder)), GOLDEN);
    assert_eq!(import(&folder, GOLDEN).unwrap(), Imported { added: 0, known: rows });
    // Names are found, verdicts recalled.
    let history = open(&folder);
    assert_eq!(history.recall("k").unwrap().unwrap().run, "r1");
    let names = "SELECT group_concat(suite || test) FROM tests";
    let names: String = history.connection.query_row(names, [], |row| row.get(0)).unwrap();
    assert_eq!(names, "cargoone");
}

#[test]
fn a_run_that_went_on_comes_in_with_what_is_new() {
    let (one, other) = (folder(), folder());
    let mut history = filled(&one);
    import(&other, &exported(&history)).unwrap();
    history.judged("r1", &result("u9", failed(), 20)).unwrap();
    let imported = import(&other, &exported(&history)).unwrap();
    assert_eq!(imported.added, 1);
    assert_eq!(exported(&open(&other)), exported(&history));
}

#[test]
fn every_value_comes_back_as_it_was() {
    let (one, other) = (folder(), folder());
    let mut history = open(&one);
    let run_row = RunRow { command: vec!["\"\\\u{1}ü\n".to_owned()], ..run("r\"1") };
    history.begin(&run_row).unwrap();
    let values = [0.1 + 0.2, -0.0, 1e300, 5e-324, 1.0 / 3.0, 123_456_789.123_456_79];
    let rows: Vec<MeasurementRow> = values.into_iter().map(measurement).collect();
    history.measured("r\"1", &rows).unwrap();
    let text = exported(&history);
    import(&other, &text).unwrap();
    // A second time also into the history that it is from.
    for folder in [&other, &one] {
        assert_eq!(import(folder, &text).unwrap().added, 0);
    }
}

#[track_caller]
fn check(text: &str, line: u64, part: &str) {
    let folder = folder();
    match import(&folder, text) {
        Err(ImportError::Line { line: found, what }) => {
            assert!(found == line && what.contains(part), "line {found}: {what}");
        }
        other => panic!("{other:?}"),
    }
    let history = open(&folder);
    assert_eq!(exported(&history), "{\"history\":3}\n{\"rows\":0}\n", "nothing has come in");
}

/// A file with these rows after a run.
fn file(rows: &[&str]) -> String {
    let run = GOLDEN.lines().nth(1).unwrap();
    format!("{{\"history\":3}}\n{run}\n{}\n{{\"rows\":{}}}\n", rows.join("\n"), rows.len() + 1)
}

#[test]
fn a_file_that_is_something_else_is_refused_with_the_line() {
    check("", 1, "no exported history");
    check("{\"history\":2}\n{\"rows\":0}\n", 1, "no exported history");
    check("{\"history\":4}\n{\"rows\":0}\n", 1, "format 4");
    check("[]\n", 1, "no JSON object");
    check("{\"history\":3}\nx\n", 2, "no JSON: expected value");
    check(&file(&["{\"results\":{},\"ends\":{}}"]), 3, "a line is one row");
    check(&file(&["{\"tests\":{}}"]), 3, "no table \"tests\"");
    check(&file(&["{\"ends\":[]}"]), 3, "a row of ends is an object");
    check(
        &file(&["{\"builds\":{\"run\":\"r1\",\"peer\":\"x\"}}"]),
        3,
        "digest is missing in builds",
    );
    let more = "{\"builds\":{\"run\":\"r1\",\"peer\":\"x\",\"digest\":\"d\",\"more\":1}}";
    check(&file(&[more]), 3, "builds has no \"more\"");
    let other = "{\"builds\":{\"run\":\"r1\",\"peer\":1,\"digest\":\"d\"}}";
    check(&file(&[other]), 3, "peer has to be a text");
    let alone = "{\"builds\":{\"run\":\"r0\",\"peer\":\"x\",\"digest\":\"d\"}}";
    check(&file(&[alone]), 3, "of the run \"r0\", which is neither");
}

#[test]
fn a_file_that_is_torn_is_refused_with_the_line() {
    let lines: Vec<&str> = GOLDEN.split_inclusive('\n').collect();
    let count = u64::try_from(lines.len()).unwrap();
    check(&lines[..lines.len() - 1].concat(), count - 1, "without its last line");
    check(GOLDEN.trim_end(), count, "torn");
    let without = [&lines[..2], &lines[3..]].concat().concat();
    check(&without, count - 1, "export again");
    check(&format!("{GOLDEN}{{}}\n"), count + 1, "nothing comes after");
}

#[test]
fn what_would_change_what_is_known_is_refused() {
    let future = "{\"suite_tests\":{\"run\":\"r1\",\"suite\":\"s\",\"test\":\"t\",\"number\":1,\"kind\":\"passed\",\"duration_us\":1,\"ended_unix_us\":1001}}";
    check(&file(&[future]), 3, "ended_unix_us has to be no later than now");
    check(&file(&[&future.replace("1001", "-1.5")]), 3, "ended_unix_us has to be microseconds");
    let odd = future.replace("1001", "1").replace("passed", "green");
    check(&file(&[&odd]), 3, "kind has to be passed, failed or skipped");
    check(&file(&[&future.replace("\"duration_us\":1,", "\"duration_us\":-1,")]), 3, "0 or more");
    let lie = "{\"results\":{\"run\":\"r1\",\"unit\":\"u\",\"key\":null,\"kind\":\"passed\",\"verdict\":\"{\\\"verdict\\\":\\\"failed\\\",\\\"reason\\\":\\\"x\\\"}\",\"duration_us\":1,\"cpu_us\":1,\"ended_unix_us\":1}}";
    check(&file(&[lie]), 3, "the verdict says otherwise");
    check(&file(&[&lie.replace("failed", "fine")]), 3, "the JSON of a verdict");
    // The history has another row.
    let folder = folder();
    drop(filled(&folder));
    let before = exported(&open(&folder));
    let other = GOLDEN.replace("\"duration_us\":1000", "\"duration_us\":1001");
    let error = import(&folder, &other).unwrap_err().to_string();
    assert!(error.contains("another row in results with this run, unit"), "{error}");
    assert_eq!(exported(&open(&folder)), before);
}

#[test]
fn a_line_has_a_limit() {
    let long = format!("{{\"history\":3}}\n{}\n", "x".repeat(crate::import::LINE_MAX));
    check(&long, 2, "too long");
}
