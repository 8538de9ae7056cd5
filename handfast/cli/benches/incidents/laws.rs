//! What has to hold, by three books that know nothing of each other: the records of the runs, the outboxes, and what Slack has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use handfast_fakeslack::workspace::WEBHOOK_CHANNEL;
use handfast_fakeslack::{FakeSlack, Tally};
use rusqlite::Connection;

use crate::trial::{Begun, Order, Played};

/// Everything is told within this, microseconds.
const LATEST_US: i64 = 300_000_000;

/// What came of a trial.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Figures.
    pub(crate) report: String,
    /// Laws that did not hold, a sentence each.
    pub(crate) broken: Vec<String>,
    /// Incidents.
    pub(crate) incidents: u64,
}

/// A letter, as its outbox has it.
#[derive(Debug)]
struct Row {
    key: String,
    channel: String,
    kind: String,
    outcome: String,
    noticed: i64,
    told: Option<i64>,
    body: String,
    maybe_twice: i64,
    /// Attempts whose end nobody noted, because their courier was killed.
    orphans: i64,
}

/// How many incidents an outbox has.
pub(crate) fn incidents(root: &Path) -> u64 {
    let path = root.join(".handfast/notify.db");
    if !path.is_file() {
        return 0;
    }
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let count =
        connection.query_row("SELECT count(*) FROM incidents", [], |row| row.get::<_, i64>(0));
    // The tables may not be made yet.
    u64::try_from(count.unwrap_or_default()).unwrap()
}

/// Looks whether all laws held.
pub(crate) fn look(order: &Order, slack: &FakeSlack, played: &[Played], took_us: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let tallies = slack.tallies();
    let texts = [texts(slack, "C0FAKE001"), texts(slack, WEBHOOK_CHANNEL)];
    let mut rows = Vec::new();
    let mut deaths = Vec::new();
    for worker in played {
        outcome.broken.extend(worker.trouble.iter().cloned());
        outcome.incidents += incidents(worker.folder.path());
        let own = letters(worker.folder.path());
        for begun in &worker.begun {
            told(begun, worker.folder.path(), &own, &texts, &mut outcome.broken, &mut deaths);
        }
        rows.extend(own);
    }
    if outcome.incidents < order.incidents {
        outcome.broken.push(format!("only {} incidents came about", outcome.incidents));
    }
    delivered(&rows, &mut outcome.broken);
    let twice = counted(&rows, &tallies, &mut outcome.broken);
    let once = exactly_once(slack, &rows, &mut outcome.broken);
    outcome.report = report(order, played, &rows, took_us, &outcome, slack.requests());
    writeln!(outcome.report, "by bot token: {once}; by webhook: {twice}").unwrap();
    latency(order, &rows, &mut deaths, &mut outcome);
    outcome
}

fn texts(slack: &FakeSlack, channel: &str) -> Vec<String> {
    slack
        .messages(channel)
        .iter()
        .map(|message| format!("{} {:?}", message.text, message.blocks))
        .collect()
}

fn letters(root: &Path) -> Vec<Row> {
    let connection = Connection::open(root.join(".handfast/notify.db")).unwrap();
    let mut select = connection
        .prepare(
            "SELECT key, channel, kind, outcome, noticed_unix_us, told_unix_us, body, maybe_twice, \
             (SELECT count(*) FROM attempts a WHERE a.letter = l.letter AND a.ended_unix_us IS NULL) FROM letters l",
        )
        .unwrap();
    let rows = select.query_map([], |row| {
        Ok(Row {
            key: row.get(0)?,
            channel: row.get(1)?,
            kind: row.get(2)?,
            outcome: row.get(3)?,
            noticed: row.get(4)?,
            told: row.get(5)?,
            body: row.get(6)?,
            maybe_twice: row.get(7)?,
            orphans: row.get(8)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Of a run that began, what it was to tell is told on both channels.
fn told(
    begun: &Begun,
    root: &Path,
    rows: &[Row],
    texts: &[Vec<String>; 2],
    broken: &mut Vec<String>,
    deaths: &mut Vec<i64>,
) {
    let connection = Connection::open(root.join(".handfast/notify.db")).unwrap();
    let state: Result<String, _> =
        connection
            .query_row("SELECT state FROM runs WHERE run = ?1", [&begun.run], |row| row.get(0));
    let state = state.unwrap_or_else(|_| "unknown".to_owned());
    let (died, run) = (begun.exit.is_none(), &begun.run);
    // A kill may come after the last word of a run.
    let fits = if died { state == "died" || state == "over" } else { state == "over" };
    if !fits {
        broken.push(format!("the run {run} is {state} in the outbox, exit {:?}", begun.exit));
    }
    let of_run = |row: &&Row| row.body.contains(run.as_str()) && row.kind != EDIT;
    let needs = begun.red || state == "died";
    for (channel, texts) in ["team", "hook"].iter().zip(texts) {
        let on_channel = |row: &&Row| row.channel == *channel && row.outcome == "told";
        let subject = format!("\"subject\":\"{}\"", begun.subject);
        let any = rows.iter().filter(on_channel).any(|row| row.body.contains(&subject));
        if needs && !any {
            broken.push(format!("{run} ({}) is not told to {channel}", begun.subject));
        }
        // A webhook has no word of a run that is red in an incident that is open already.
        if *channel == "team" && begun.red && state == "over" {
            let of_run = format!("\"run\":\"{run}\"");
            let is_it = |row: &Row| row.body.contains(&of_run) && row.body.contains(PRODUCT);
            if !rows.iter().filter(on_channel).any(|row| row.kind != EDIT && is_it(row)) {
                broken.push(format!("that {run} is red is not told to {channel}"));
            }
        }
        if needs && !texts.iter().any(|text| text.contains(&begun.subject)) {
            broken.push(format!("{channel} of Slack has nothing of {}", begun.subject));
        }
        if state == "died" {
            let told = rows.iter().filter(on_channel).filter(of_run);
            let told = told
                .filter(|row| row.body.contains("\"class\":\"infra\""))
                .filter_map(|row| row.told)
                .min();
            match (told, begun.killed_unix_us) {
                (Some(told), Some(killed)) => deaths.push(told - killed),
                (None, _) => {
                    broken.push(format!("that the runner of {run} died is not told to {channel}"));
                }
                (Some(_), None) => {
                    broken.push(format!("{run} is told as dead, and nobody killed it"));
                }
            }
        }
    }
}

const EDIT: &str = "{\"kind\":\"edit\"}";
const PRODUCT: &str = "\"class\":\"product\"";

fn delivered(rows: &[Row], broken: &mut Vec<String>) {
    for row in rows.iter().filter(|row| !["told", "replaced"].contains(&row.outcome.as_str())) {
        broken.push(format!("{} is {}", row.key, row.outcome));
    }
    for row in rows.iter().filter(|row| row.outcome == "replaced" && row.kind != EDIT) {
        broken.push(format!("{} was replaced, which only an edit can be", row.key));
    }
}

/// By webhook a letter is there more than once only where an answer to an accepted one was lost: to the weather, which Slack counts,
/// or to a kill of the courier between the answer and its note, which the outbox counts.
fn counted(rows: &[Row], tallies: &BTreeMap<String, Tally>, broken: &mut Vec<String>) -> String {
    let (mut twice, mut lost, mut by_kill, mut maybe) = (0, 0, 0, 0);
    for row in rows.iter().filter(|row| row.channel == "hook" && row.outcome == "told") {
        let tally = tallies.get(&row.key).copied().unwrap_or_default();
        let (accepted, answers_lost) = (i64::from(tally.accepted), i64::from(tally.answers_lost));
        if accepted == 0 {
            broken.push(format!("{} is told, and Slack does not have it", row.key));
            continue;
        }
        let more = accepted - 1;
        let killed = more - answers_lost;
        if killed < 0 || killed > row.orphans || more > row.maybe_twice {
            broken.push(format!(
                "{}: {accepted} times in Slack, {answers_lost} answers lost, {} attempts killed, {} counted in the outbox",
                row.key, row.orphans, row.maybe_twice
            ));
        }
        twice += more;
        lost += answers_lost;
        by_kill += killed;
        maybe += row.maybe_twice;
    }
    format!(
        "{twice} messages more than letters = {lost} answers lost to the weather + {by_kill} to a killed courier; {maybe} counted as possible in the outbox"
    )
}

/// By bot token every letter is one message, and every message a letter.
fn exactly_once(slack: &FakeSlack, rows: &[Row], broken: &mut Vec<String>) -> String {
    let mut messages: BTreeMap<String, u64> = BTreeMap::new();
    for message in slack.messages("C0FAKE001") {
        match message.key() {
            Some(key) => *messages.entry(key.to_owned()).or_default() += 1,
            None => broken.push(format!("a message without a key: {}", message.text)),
        }
    }
    let told = rows
        .iter()
        .filter(|row| row.channel == "team" && row.outcome == "told" && row.kind != EDIT);
    let keys: BTreeSet<&str> = told.map(|row| row.key.as_str()).collect();
    for key in &keys {
        let times = messages.get(*key).copied().unwrap_or_default();
        if times != 1 {
            broken.push(format!("{key} is {times} times in Slack"));
        }
    }
    for key in messages.keys().filter(|key| !keys.contains(key.as_str())) {
        broken.push(format!("{key} is in Slack, and no letter"));
    }
    format!("{} letters are {} messages", keys.len(), messages.values().sum::<u64>())
}

fn report(
    order: &Order,
    played: &[Played],
    rows: &[Row],
    took_us: i64,
    outcome: &Outcome,
    requests: u64,
) -> String {
    let runs: usize = played.iter().map(|worker| worker.begun.len()).sum();
    let mut kills = BTreeMap::new();
    for (kill, times) in played.iter().flat_map(|worker| &worker.kills) {
        *kills.entry(*kill).or_insert(0) += times;
    }
    let told = rows.iter().filter(|row| row.outcome == "told").count();
    let untold =
        rows.iter().filter(|row| !["told", "replaced"].contains(&row.outcome.as_str())).count();
    format!(
        "seed {}: {} incidents in {runs} runs, kills {kills:?}, {} s\n{told} letters told in {requests} requests, {untold} untold\n",
        order.seed,
        outcome.incidents,
        took_us / 1_000_000
    )
}

fn latency(order: &Order, rows: &[Row], deaths: &mut Vec<i64>, outcome: &mut Outcome) {
    let p50_max =
        order.half_within.map_or(i64::MAX, |half| i64::try_from(half.as_micros()).unwrap());
    let quantiles = |mut took: Vec<i64>| {
        took.sort_unstable();
        let at = |index: usize| took.get(index).copied().unwrap_or_default();
        (took.len(), at(took.len().saturating_sub(1) / 2), at(took.len().saturating_sub(1)))
    };
    let of = |edits: bool| {
        let rows = rows.iter().filter(|row| (row.kind == EDIT) == edits);
        quantiles(rows.filter_map(|row| Some(row.told? - row.noticed)).collect())
    };
    let seconds = |us: i64| format!("{}.{:03} s", us / 1_000_000, us / 1_000 % 1_000);
    for (what, (letters, p50, max)) in [
        ("messages and notes", of(false)),
        ("edits", of(true)),
        ("deaths of runners, from the kill", quantiles(std::mem::take(deaths))),
    ] {
        let (half, all) = (seconds(p50), seconds(max));
        writeln!(outcome.report, "{what}: {letters} told, half within {half}, all within {all}")
            .unwrap();
        if max > LATEST_US || (what == "messages and notes" && p50 > p50_max) {
            outcome.broken.push(format!("{what}: half within {half}, all within {all}"));
        }
    }
}
