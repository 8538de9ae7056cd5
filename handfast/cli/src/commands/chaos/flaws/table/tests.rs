use handfast_chaos::campaign::{Found as First, Shrunk};
use handfast_chaos::{Failure, Schedule};
use handfast_faults::disturbance::{Disturbance, What, When};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn row(flaw: &str) -> Row {
    let name = PeerName::new(flaw).unwrap();
    let flaw = Flaw { name, sentence: "Loses what it was told.".to_owned() };
    Row::new(PeerName::new("py").unwrap(), flaw)
}

fn failure(steps: usize) -> Failure {
    let step = Disturbance {
        name: "kill b".to_owned(),
        when: When::At(SECOND),
        lasts: Some(SECOND),
        what: What::Kill { role: "b".to_owned() },
    };
    Failure { schedule: Schedule::new(vec![step; steps]), reason: "b has nothing".to_owned() }
}

/// A flaw that was found after so many seconds with twenty disturbances, of which one is left; it failed so often of five times.
fn found(flaw: &str, after_s: u32, failures: u32) -> Row {
    let mut row = row(flaw);
    row.searched = SECOND * after_s;
    row.tries = 7;
    let rate = Rate { failures: 3, tries: 3, unclear: 0 };
    let found = First { failure: failure(20), after: row.searched, tries: 7, rate };
    let shrunk = Shrunk {
        failure: failure(1),
        fewest: failure(1),
        tries: 9,
        saved: 0,
        took: SECOND * 2,
        is_minimal: true,
        others: Vec::new(),
    };
    let confirmed = Rate { failures, tries: 5, unclear: 0 };
    let end = End::Found { found, shrunk, confirmed };
    let role = RoleName::new("b").unwrap();
    row.fate =
        Fate::Found(Box::new(Found { scenario: "x".to_owned(), role, end, id: "1".to_owned() }));
    row
}

fn undisturbed(flaw: &str) -> Row {
    let (scenario, reason) = ("x".to_owned(), "b has nothing".to_owned());
    Row { fate: Fate::Undisturbed { scenario, reason }, ..row(flaw) }
}

fn table(min_found: u64, rows: Vec<Row>) -> Table {
    Table { rows, ..Table::new(4, Duration::from_mins(1), min_found) }
}

#[test]
fn the_table_ends_with_what_is_asked_for() {
    let rows =
        vec![found("forgets", 3, 5), found("slow", 61, 4), undisturbed("deaf"), row("chatty")];
    assert_eq!(
        table(90, rows).closing(),
        "\nmedians: found in 3.00 s, 20 -> 1 disturbances in 2.00 s, failed again 80 % of the time\n\
         all smallest schedules: failed 9 of 10 times, flaky (55 to 100 % with 95 % confidence)\n\
         missed: deaf shows undisturbed\n\
         missed: chatty: Loses what it was told.\n\
         1 of 4 found within 60 s (aim 90 %)\n"
    );
}

#[test]
fn what_was_not_looked_for_counts_for_nothing() {
    let early = table(90, vec![found("forgets", 3, 5)]);
    let closing = early.closing();
    let last = "ended early: 1 of 4 were looked for\n1 of 1 found within 60 s (aim 90 %)\n";
    assert!(closing.ends_with(last), "{closing}");
    assert!(early.is_good());
}

#[test]
fn as_many_are_enough_as_the_project_says() {
    let rows = || vec![found("forgets", 3, 5), row("chatty")];
    assert!(table(50, rows()).is_good());
    assert!(!table(51, rows()).is_good());
    // What shows by itself, or too late, is not found.
    assert!(!table(50, vec![found("slow", 61, 5), undisturbed("deaf")]).is_good());
}

#[test]
fn a_row_says_when_by_what_and_how_often() {
    let line = found("forgets", 3, 5).line(Palette::Plain);
    let columns: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(columns.join(" "), "py forgets 3.00 s 7 20 -> 1 2.00 s 5/5 x (b): b has nothing");
    let line = undisturbed("deaf").line(Palette::Plain);
    assert!(line.ends_with("MISSED it shows undisturbed in x: b has nothing\n"), "{line}");
}

#[test]
fn a_machine_reads_the_same() {
    let rows = vec![found("forgets", 3, 5), undisturbed("deaf"), row("chatty")];
    let json: Value = serde_json::from_str(&table(90, rows).json(7)).unwrap();
    let fields = ["seed", "found", "of", "min_found", "ended_early"];
    assert_eq!(fields.map(|field| json[field].to_string()), ["7", "1", "3", "90", "true"]);
    let outcome = |index: usize| json["flaws"][index]["outcome"].as_str().unwrap().to_owned();
    assert_eq!([outcome(0), outcome(1), outcome(2)], ["found", "undisturbed", "missed"]);
    assert_eq!(json["medians"]["steps"], serde_json::json!([20, 1]));
}
