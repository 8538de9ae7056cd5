use std::time::Duration;

use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::prune::FORGET_BEHIND_REFUSED;
use super::queue::{BACKOFF_MAX, BACKOFF_UNSURE, Claim, MOMENT, NEXT, OVERTAKEN, backoff};
use super::write::{Applied, EDIT_AFTER_US, OPEN_MAX, WAITING_MAX, When};
use super::*;
use crate::letter::{Kind, Letter, Note, Reference};
use crate::outcome::Outcome;
use crate::rules::{ChannelRule, Rules};
use crate::sample::{Run, settings};
use crate::watch::News;

const SECOND: i64 = 1_000_000;

struct Post {
    folder: TempDir,
    outbox: Outbox,
    rules: Rules,
    now: i64,
}

impl Post {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        Self { folder, outbox, rules: Rules::of(&settings(more)), now: 1_000 * SECOND }
    }

    fn begin(&mut self, run: &Run) {
        assert!(self.outbox.begin(&run.watch, self.now).unwrap());
    }

    fn apply(&mut self, run: &Run, news: &News) -> usize {
        self.said(run, news).letters
    }

    fn said(&mut self, run: &Run, news: &News) -> Applied {
        self.outbox.apply(&run.watch, news, &self.rules, When::now(self.now)).unwrap()
    }

    /// A red run from beginning to end.
    fn red(&mut self, name: &str) {
        let mut run = Run::new(name);
        self.begin(&run);
        let news = run.fail("bad").unwrap();
        self.apply(&run, &news);
        let news = run.end();
        self.apply(&run, &news);
    }

    fn rule(&self, name: &str) -> ChannelRule {
        self.rules.channels().iter().find(|rule| rule.name == name).unwrap().clone()
    }

    fn claim(&mut self, channel: &str) -> Claim {
        let rule = self.rule(channel);
        self.outbox.claim(&rule, self.now).unwrap()
    }

    #[track_caller]
    fn take(&mut self, channel: &str) -> (i64, Letter) {
        match self.claim(channel) {
            Claim::Letter { row, letter } => (row, *letter),
            other @ (Claim::At(_) | Claim::Nothing) => panic!("no letter: {other:?}"),
        }
    }

    fn settle(&mut self, row: i64, outcome: &Outcome) {
        self.outbox.settle(row, outcome, self.now, 0).unwrap();
    }

    /// Delivers everything that is due; the kinds, in their order.
    fn drain(&mut self, channel: &str) -> Vec<Kind> {
        let mut kinds = Vec::new();
        while let Claim::Letter { row, letter } = self.claim(channel) {
            kinds.push(letter.kind);
            self.settle(row, &told(Some("ts")));
        }
        kinds
    }

    fn status(&self) -> status::Status {
        self.outbox.status(Duration::from_mins(5), self.now).unwrap()
    }

    fn sql(&self, select: &str) -> i64 {
        let connection = Connection::open(self.folder.path().join(FILE)).unwrap();
        connection.query_row(select, [], |row| row.get(0)).unwrap()
    }
}

fn told(reference: Option<&str>) -> Outcome {
    Outcome::Told { reference: reference.map(|text| Reference(text.to_owned())) }
}

fn later(after: Option<Duration>) -> Outcome {
    Outcome::Later { after, why: "busy".to_owned() }
}

fn unsure() -> Outcome {
    Outcome::Unsure { why: "lost".to_owned() }
}

/// Steps of the database for a statement, which are the same on every machine.
fn steps(outbox: &Outbox, sql: &str, values: impl rusqlite::Params) -> usize {
    let mut statement = outbox.connection.prepare(sql).unwrap();
    let mut rows = statement.query(values).unwrap();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    usize::try_from(statement.get_status(rusqlite::StatementStatus::VmStep)).unwrap()
}

/// Steps for each letter of a full channel; with their square it is thousands.
const STEPS_EACH: usize = 100;

#[test]
fn work_grows_with_the_letters_of_one_incident_and_not_with_their_square() {
    let mut post = Post::new("");
    post.red("r");
    let more = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
         INSERT INTO letters (key, incident, channel, kind, mention, body, noticed_unix_us, next_unix_us, outcome) \
         SELECT 'k' || n, incident, channel, '{\"kind\":\"edit\"}', mention, body, 0, 0, iif(n < ?1 / 2, 'told', 'waiting') \
         FROM n, (SELECT * FROM letters LIMIT 1)";
    let channel: String = {
        let connection = &post.outbox.connection;
        connection.execute("UPDATE letters SET outcome = 'told'", []).unwrap();
        connection.execute(more, [WAITING_MAX]).unwrap();
        connection.query_row("SELECT channel FROM letters", [], |row| row.get(0)).unwrap()
    };
    let letters = usize::try_from(WAITING_MAX).unwrap();
    let next = format!("SELECT min({MOMENT}) {NEXT}");
    let took = steps(&post.outbox, &next, params![channel, post.now]);
    assert!(took < STEPS_EACH * letters, "{took} steps for the next of {letters} letters");
    let took = steps(&post.outbox, FORGET_BEHIND_REFUSED, [post.now]);
    assert!(took < STEPS_EACH * letters, "{took} steps to forget among {letters} letters");
    let edit = text(Kind::Edit);
    post.outbox.connection.execute("UPDATE letters SET outcome = 'never'", []).unwrap();
    let took = steps(&post.outbox, OVERTAKEN, [edit]);
    assert!(
        took < STEPS_EACH * letters,
        "{took} steps to find overtaken edits among {letters} letters"
    );
}

#[test]
fn the_tables_are_those_of_the_documentation() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/design/notify.md");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(TABLES.trim()), "docs/design/notify.md shows other tables than {TABLES}");
}

#[test]
fn the_file_is_marked_as_ours_in_format_1() {
    let post = Post::new("");
    assert_eq!(
        post.sql("SELECT application_id FROM pragma_application_id"),
        i64::from(APPLICATION_ID)
    );
    assert_eq!(post.sql("SELECT user_version FROM pragma_user_version"), 1);
}

#[test]
fn every_transaction_is_synced_before_it_counts() {
    let post = Post::new("");
    let level = |outbox: &Outbox| {
        outbox
            .connection
            .pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(level(&post.outbox), 2);
    let mut post = post;
    let run = Run::new("r");
    post.begin(&run);
    post.outbox.progress(&run.watch, post.now).unwrap();
    assert_eq!(level(&post.outbox), 2, "also after a note of progress");
}

#[test]
fn a_newer_file_and_a_foreign_one_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Outbox::open(folder.path()).unwrap());
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
    drop(connection);
    let error = Outbox::open(folder.path()).unwrap_err();
    assert!(matches!(error, OutboxError::NewerFormat { found: 2, .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE), "not a database, but long enough to be read as one")
        .unwrap();
    let error = Outbox::open(folder.path()).unwrap_err();
    assert!(matches!(error, OutboxError::NotAnOutbox { .. }), "{error}");
}

#[test]
fn an_incident_is_told_at_its_first_failure_and_edited_at_the_end() {
    let mut post = Post::new("");
    let mut run = Run::new("r");
    post.begin(&run);
    assert_eq!(run.pass("good"), None);
    let news = run.fail("bad").unwrap();
    assert_eq!(post.apply(&run, &news), 2, "one letter a channel");
    let (row, letter) = post.take("bot");
    assert_eq!(letter.kind, Kind::Post);
    assert!(!letter.incident.over);
    assert_eq!(letter.incident.failures[0].reason, "first line");
    post.settle(row, &told(Some("1.2")));
    let news = run.end();
    post.apply(&run, &news);
    assert_eq!(post.claim("bot"), Claim::At(post.now + EDIT_AFTER_US), "an edit waits for others");
    post.now += EDIT_AFTER_US;
    let (row, letter) = post.take("bot");
    assert_eq!((letter.kind, letter.reference), (Kind::Edit, Some(Reference("1.2".to_owned()))));
    assert_eq!((letter.incident.over, letter.incident.exit_code), (true, Some(1)));
    post.settle(row, &told(None));
    assert_eq!(post.claim("bot"), Claim::Nothing);
}

#[test]
fn an_edit_that_is_not_sent_yet_is_replaced_by_a_newer_one_and_keeps_its_age() {
    let mut post = Post::new("");
    let mut run = Run::new("r");
    post.begin(&run);
    let news = run.fail("bad").unwrap();
    post.apply(&run, &news);
    let (row, _) = post.take("bot");
    post.settle(row, &told(Some("ts")));
    let noticed = post.now;
    for unit in ["b", "c", "d"] {
        let news = run.fail(unit).unwrap();
        post.apply(&run, &news);
        post.now += SECOND / 10;
    }
    post.now = noticed + EDIT_AFTER_US;
    let (_, letter) = post.take("bot");
    assert_eq!(letter.incident.failures.len(), 4, "the one edit has them all");
    assert_eq!(post.sql("SELECT count(*) FROM letters WHERE outcome = 'replaced'"), 2);
    // While it is being sent it is not taken back: what comes now is an edit of its own.
    let news = run.fail("e").unwrap();
    post.apply(&run, &news);
    let waiting = "SELECT count(*) FROM letters WHERE outcome = 'waiting' AND channel = 'bot'";
    assert_eq!(post.sql(waiting), 2);
}

#[test]
fn a_message_that_was_never_tried_says_the_newest_at_once() {
    let mut post = Post::new("");
    post.red("r");
    let (_, letter) = post.take("hook");
    assert!(letter.incident.over);
    assert_eq!(post.sql("SELECT count(*) FROM letters"), 2, "no edit was needed");
}

#[test]
fn what_a_waiting_edit_would_overwrite_is_told_by_a_newer_edit() {
    let mut post = Post::new("");
    post.red("r1");
    let mut run = Run::new("r2");
    post.begin(&run);
    let news = run.fail("bad").unwrap();
    post.apply(&run, &news);
    let news = run.end();
    post.apply(&run, &news);
    post.now += EDIT_AFTER_US;
    let mut last = None;
    while let Claim::Letter { row, letter } = post.claim("bot") {
        post.settle(row, &told(Some("ts")));
        if matches!(letter.kind, Kind::Post | Kind::Edit) {
            last = Some(letter.incident);
        }
    }
    let last = last.unwrap();
    assert_eq!((last.run.as_str(), last.over), ("r2", true), "what is read last is the newest");
}

#[test]
fn a_later_red_run_goes_on_in_the_thread_and_a_green_one_closes_it() {
    let mut post = Post::new("");
    post.red("r1");
    assert_eq!(post.drain("bot"), [Kind::Post]);
    post.red("r2");
    post.now += EDIT_AFTER_US;
    let kinds = post.drain("bot");
    assert_eq!(kinds, [Kind::Reply(Note::RedAgain), Kind::Edit]);
    let mut run = Run::new("r3");
    post.begin(&run);
    run.pass("bad");
    let news = run.end();
    post.apply(&run, &news);
    post.now += EDIT_AFTER_US;
    assert_eq!(post.drain("bot"), [Kind::Edit, Kind::Reply(Note::Recovered)]);
    assert_eq!(post.drain("hook"), [Kind::Post, Kind::Reply(Note::Recovered)]);
    assert!(post.status().open.is_empty());
    post.red("r4");
    assert_eq!(post.drain("bot"), [Kind::Post], "the next one is a new incident");
}

#[test]
fn news_of_a_run_that_is_over_change_nothing() {
    let mut post = Post::new("");
    let mut run = Run::new("r");
    post.begin(&run);
    let news = run.end();
    assert!(!post.outbox.begin(&run.watch, post.now).unwrap(), "it was there before");
    assert_eq!(post.apply(&run, &news), 2, "nothing ran: that is infra");
    assert_eq!(post.apply(&run, &news), 0);
    assert_eq!(post.apply(&run, &News::Died), 0, "nobody dies after the end");
}

#[test]
fn of_one_incident_a_letter_goes_only_after_all_earlier_ones() {
    let mut post = Post::new("");
    post.red("r1");
    let (row, _) = post.take("bot");
    post.red("r2");
    post.now += EDIT_AFTER_US;
    assert_eq!(post.claim("bot"), Claim::Nothing, "the message is being sent");
    post.settle(row, &later(Some(Duration::from_secs(30))));
    assert_eq!(post.claim("bot"), Claim::At(post.now + 30 * SECOND), "as long as it asks for");
    post.now += 30 * SECOND;
    assert_eq!(post.drain("bot")[0], Kind::Post);
}

#[test]
fn a_channel_that_is_stuck_holds_up_no_other() {
    let mut post = Post::new("");
    post.red("r1");
    let (row, _) = post.take("bot");
    assert_eq!(post.drain("hook"), [Kind::Post], "while the other one is being sent");
    post.settle(row, &later(None));
    assert!(matches!(post.claim("bot"), Claim::At(_)));
}

#[test]
fn what_a_dead_courier_was_sending_goes_again_as_unsure_and_is_counted_where_nobody_can_be_asked() {
    let mut post = Post::new("");
    post.red("r1");
    for channel in ["bot", "hook"] {
        let (_, letter) = post.take(channel);
        assert!(!letter.unsure);
    }
    let sent = post.now;
    post.now += SECOND;
    assert_eq!(post.outbox.release_orphans().unwrap(), 2);
    let next = sent + 10 * SECOND;
    assert_eq!(post.claim("bot"), Claim::At(next), "the service may still be busy with it");
    post.now = next;
    for (channel, maybe_twice) in [("bot", 0), ("hook", 1)] {
        let (row, letter) = post.take(channel);
        assert!(letter.unsure, "{channel}");
        post.settle(row, &told(Some("ts")));
        assert_eq!(
            post.sql(&format!("SELECT maybe_twice FROM letters WHERE letter = {row}")),
            maybe_twice
        );
    }
    assert_eq!(post.status().maybe_twice, 1);
}

#[test]
fn a_lost_answer_stays_lost_whatever_later_attempts_say() {
    let mut post = Post::new("");
    post.red("r1");
    let (row, _) = post.take("bot");
    post.settle(row, &unsure());
    let Claim::At(next) = post.claim("bot") else { panic!() };
    assert!(next >= post.now + i64::try_from(BACKOFF_UNSURE.as_micros()).unwrap());
    post.now = next;
    let (row, letter) = post.take("bot");
    assert!(letter.unsure);
    post.settle(row, &later(None));
    post.now += 60 * SECOND;
    let (_, letter) = post.take("bot");
    assert!(letter.unsure, "a refused connection does not say what became of the first attempt");
}

#[test]
fn a_refused_letter_is_kept_and_shown_and_tried_again_on_the_next_start() {
    let mut post = Post::new("");
    post.red("r1");
    let (row, _) = post.take("bot");
    let (why, fix) = ("invalid_auth".to_owned(), "renew the token".to_owned());
    post.settle(row, &Outcome::Never { why, fix });
    post.red("r2");
    post.now += EDIT_AFTER_US;
    assert_eq!(post.claim("bot"), Claim::Nothing, "what follows needs the message");
    let status = post.status();
    assert!(!status.is_well());
    assert_eq!((status.refused, status.untold[0].fix.as_deref()), (1, Some("renew the token")));
    assert_eq!(post.outbox.retry_refused(post.now).unwrap(), 1);
    assert_eq!(post.drain("bot").len(), 3);
    assert!(post.status().refused == 0);
}

/// The courier's start put an old state over the newest.
#[test]
fn a_refused_edit_does_not_come_back_over_a_newer_one() {
    let mut post = Post::new("");
    post.red("r1");
    post.drain("bot");
    let refuse_edits = |post: &mut Post| {
        post.now += EDIT_AFTER_US;
        while let Claim::Letter { row, letter } = post.claim("bot") {
            let refused = Outcome::Never { why: "cant_update".to_owned(), fix: "wait".to_owned() };
            let outcome = if letter.kind == Kind::Edit { refused } else { told(Some("ts")) };
            post.settle(row, &outcome);
        }
    };
    post.red("r2");
    refuse_edits(&mut post);
    post.red("r3");
    refuse_edits(&mut post);
    assert_eq!(
        post.sql("SELECT count(*) FROM letters WHERE outcome = 'never' AND channel = 'bot'"),
        2
    );
    assert_eq!(post.outbox.retry_refused(post.now).unwrap(), 1, "only the newest of both");
    assert_eq!(post.drain("bot"), [Kind::Edit]);
    post.red("r4");
    refuse_edits(&mut post);
    post.red("r5");
    post.now += EDIT_AFTER_US;
    assert!(post.drain("bot").contains(&Kind::Edit), "the newest is told");
    assert_eq!(post.outbox.retry_refused(post.now).unwrap(), 0);
    assert_eq!(post.claim("bot"), Claim::Nothing);
}

/// Found by the benchmark `incidents`: a courier took the one that was just being sent for none.
#[test]
fn a_letter_is_due_before_and_while_it_is_sent() {
    let mut post = Post::new("");
    let due = |post: &Post| post.outbox.is_due("bot", post.now).unwrap();
    assert!(!due(&post));
    post.red("r1");
    assert!(due(&post));
    let (row, _) = post.take("bot");
    assert!(due(&post), "while it is sent");
    post.settle(row, &later(Some(Duration::from_secs(9))));
    assert!(!due(&post), "before it is time");
    assert!(post.outbox.is_due("bot", post.now + 9 * SECOND).unwrap());
}

/// Found by the benchmark `incidents`: the newest took the place of what nobody had read.
#[test]
fn a_death_is_told_also_where_the_next_run_is_well_before_anything_was_sent() {
    let mut post = Post::new("");
    let run = Run::new("dead");
    post.begin(&run);
    post.apply(&run, &News::Died);
    let mut green = Run::new("green");
    post.begin(&green);
    green.pass("good");
    let news = green.end();
    post.apply(&green, &news);
    for channel in ["bot", "hook"] {
        let (row, letter) = post.take(channel);
        assert_eq!(letter.kind, Kind::Post);
        assert!(letter.incident.died.is_some() && letter.incident.run == "dead", "{channel}");
        post.settle(row, &told(Some("ts")));
        post.now += EDIT_AFTER_US;
        assert_eq!(post.drain(channel).last(), Some(&Kind::Reply(Note::Recovered)));
    }
}

#[test]
fn a_refused_edit_holds_up_nothing() {
    let mut post = Post::new("");
    post.red("r1");
    post.drain("bot");
    post.red("r2");
    post.now += EDIT_AFTER_US;
    assert_eq!(post.drain("bot").len(), 2);
    let mut run = Run::new("r3");
    post.begin(&run);
    run.pass("bad");
    let news = run.end();
    post.apply(&run, &news);
    post.now += EDIT_AFTER_US;
    let (row, letter) = post.take("bot");
    assert_eq!(letter.kind, Kind::Edit);
    post.settle(row, &Outcome::Never { why: "gone".to_owned(), fix: "nothing".to_owned() });
    assert_eq!(post.drain("bot"), [Kind::Reply(Note::Recovered)]);
}

#[test]
fn in_quiet_hours_letters_wait_until_they_are_over() {
    // 1970-01-01 00:16:40 UTC.
    let mut post = Post::new("quiet = { from = \"00:00\", to = \"01:00\" }");
    post.red("r1");
    assert_eq!(post.claim("bot"), Claim::At(3_600 * SECOND));
    assert_eq!(post.status().held, 2);
    post.now = 3_700 * SECOND;
    assert_eq!(post.drain("bot"), [Kind::Post]);
    let status = post.status();
    assert_eq!((status.latency.max_us, status.late), (100_000_000, 0), "held time does not count");
    let mut post = Post::new("quiet = { from = \"00:00\", to = \"01:00\", then = \"no-mention\" }");
    post.red("r1");
    let (_, letter) = post.take("bot");
    assert_eq!(letter.mention, crate::letter::Mention::Quiet);
}

#[test]
fn what_waits_longer_than_the_deadline_is_late() {
    let mut post = Post::new("");
    post.red("r1");
    post.now += 299 * SECOND;
    assert_eq!(post.status().late, 0);
    post.now += 2 * SECOND;
    assert_eq!(post.status().late, 2);
    post.drain("bot");
    assert_eq!(post.status().late, 2, "also once it is told");
}

#[test]
fn latencies_come_from_the_store() {
    let mut post = Post::new("");
    for (run, after) in [("a", 1), ("b", 2), ("c", 9)] {
        let mut run = Run::new(run);
        run.watch.brief.subject = format!("s{after}");
        post.begin(&run);
        let news = run.fail("bad").unwrap();
        post.apply(&run, &news);
        post.now += after * SECOND;
        post.drain("bot");
    }
    let latency = post.status().latency;
    assert_eq!((latency.letters, latency.p50_us, latency.max_us), (3, 2_000_000, 9_000_000));
}

#[test]
fn old_letters_and_too_many_are_forgotten_but_none_that_waits() {
    let mut post = Post::new("");
    for run in ["a", "b", "c", "d"] {
        let mut run = Run::new(run);
        run.watch.brief.subject = run.watch.brief.run.clone();
        post.begin(&run);
        let news = run.fail("bad").unwrap();
        post.apply(&run, &news);
        post.drain("bot");
        let mut green = Run::new(&format!("{}g", run.watch.brief.run));
        green.watch.brief.subject = run.watch.brief.run.clone();
        post.begin(&green);
        green.pass("bad");
        let news = green.end();
        post.apply(&green, &news);
        post.now += EDIT_AFTER_US;
        post.drain("bot");
    }
    let count = |post: &Post, of: &str| post.sql(&format!("SELECT count(*) FROM {of}"));
    assert_eq!(count(&post, "letters WHERE channel = 'bot'"), 12);
    post.outbox.prune_to(post.now, 2, 1, 1).unwrap();
    assert_eq!(count(&post, "letters WHERE outcome = 'told'"), 2);
    assert_eq!(count(&post, "letters WHERE outcome = 'waiting'"), 8, "those of the other channel");
    assert_eq!(count(&post, "incidents"), 4, "their letters still need them");
    assert_eq!(count(&post, "runs WHERE state <> 'running'"), 1);
    assert_eq!(count(&post, "runs WHERE state = 'running'"), 4);
    post.drain("hook");
    post.outbox.prune(post.now + 31 * 24 * 3_600 * SECOND).unwrap();
    for of in ["letters", "incidents", "attempts", "threads"] {
        assert_eq!(count(&post, of), 0, "{of}");
    }
}

/// Fills the channel `bot` with letters that nobody takes.
fn fill(post: &Post, outcome: &str) {
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {WAITING_MAX}) \
         INSERT INTO letters (key, incident, channel, kind, mention, body, noticed_unix_us, next_unix_us, outcome) \
         SELECT 'k' || i, 1, 'bot', kind, mention, body, noticed_unix_us, next_unix_us, '{outcome}' FROM n, letters WHERE letter = 1"
    );
    post.outbox.connection.execute_batch(&fill).unwrap();
}

#[test]
fn a_channel_takes_no_more_letters_than_its_limit_and_silences_no_other() {
    for outcome in ["waiting", "never"] {
        let mut post = Post::new("");
        post.red("r");
        fill(&post, outcome);
        let mut run = Run::new("r2");
        run.watch.brief.subject = "other".to_owned();
        post.begin(&run);
        let news = run.fail("bad").unwrap();
        let applied = post.said(&run, &news);
        assert_eq!(applied.letters, 1, "{outcome}: the other channel's");
        assert_eq!(applied.said.len(), 1);
        assert!(applied.said[0].contains("the channel bot is told nothing more"), "{applied:?}");
        assert_eq!(post.sql("SELECT count(*) FROM incidents"), 2, "{outcome}");
        assert_eq!(post.drain("hook").len(), 2, "{outcome}");
        let bot = "SELECT count(*) FROM letters WHERE channel = 'bot'";
        assert_eq!(post.sql(bot), WAITING_MAX, "{outcome}");
    }
}

#[test]
fn an_incident_too_many_closes_the_oldest_and_says_so() {
    let mut post = Post::new("");
    post.red("r");
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {OPEN_MAX}) \
         INSERT INTO incidents (key, project, subject, class, state, opened_unix_us, changed_unix_us, letters, body) \
         SELECT 'k' || i, project, 's' || i, class, state, opened_unix_us, changed_unix_us + i, 1, body FROM n, incidents WHERE incident = 1"
    );
    post.outbox.connection.execute_batch(&fill).unwrap();
    let mut run = Run::new("r2");
    run.watch.brief.subject = "other".to_owned();
    post.begin(&run);
    let news = run.fail("bad").unwrap();
    let applied = post.said(&run, &news);
    assert_eq!(applied.letters, 2);
    assert!(applied.said[0].contains("the oldest, daily-"), "{applied:?}");
    assert_eq!(post.sql("SELECT count(*) FROM incidents WHERE state = 'open'"), OPEN_MAX);
    assert_eq!(post.sql("SELECT incident FROM incidents WHERE state <> 'open'"), 1);
}

#[test]
fn what_a_channel_refused_for_too_long_is_forgotten_with_what_waits_for_it() {
    let mut post = Post::new("");
    post.red("r1");
    let (row, _) = post.take("bot");
    post.settle(row, &Outcome::Never { why: "no".to_owned(), fix: "no".to_owned() });
    post.red("r2");
    let bot = "SELECT count(*) FROM letters WHERE channel = 'bot' AND outcome <> 'replaced'";
    assert_eq!(post.sql(bot), 3);
    post.outbox.prune(post.now).unwrap();
    assert_eq!(post.sql(bot), 3);
    post.outbox.prune(post.now + 31 * 24 * 3_600 * SECOND).unwrap();
    assert_eq!(post.sql(bot), 0);
    let waiting = "SELECT count(*) FROM letters WHERE outcome = 'waiting'";
    assert_eq!(post.sql(waiting), 1, "what was never refused waits on");
}

#[test]
fn a_clerk_takes_back_what_it_could_not_settle_and_nothing_of_others() {
    let mut post = Post::new("");
    post.red("r1");
    post.take("bot");
    post.take("hook");
    assert_eq!(post.outbox.release_orphans_of("bot").unwrap(), 1);
    let (_, letter) = post.take("bot");
    assert!(letter.unsure);
    assert_eq!(post.claim("hook"), Claim::Nothing, "that one is still being sent");
}

#[test]
fn a_held_letter_that_nobody_sent_in_time_is_held_again() {
    // 1970-01-01 00:16:40 UTC.
    let day = 24 * 3_600 * SECOND;
    let mut post = Post::new("quiet = { from = \"00:00\", to = \"01:00\" }");
    post.red("r1");
    post.now += day;
    assert!(matches!(post.claim("bot"), Claim::Nothing | Claim::At(_)), "quiet once more");
    assert_eq!(post.claim("bot"), Claim::At(day + 3_600 * SECOND));
    assert_eq!(post.sql("SELECT count(*) FROM letters WHERE held_until_unix_us > 86400000000"), 1);
    post.now = day + 3_600 * SECOND;
    assert_eq!(post.drain("bot"), [Kind::Post]);
}

#[test]
fn quiet_days_without_an_end_hold_nothing_for_ever() {
    let days = "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";
    let mut post = Post::new(&format!("quiet = {{ from = \"00:00\", to = \"01:00\", {days} }}"));
    post.red("r1");
    let Claim::At(end) = post.claim("bot") else { panic!() };
    post.now = end;
    assert_eq!(post.drain("bot"), [Kind::Post]);
}

#[test]
fn a_clock_that_is_set_back_puts_no_letter_off() {
    let mut post = Post::new("");
    post.now += 30 * 24 * 3_600 * SECOND;
    post.red("r1");
    let (row, _) = post.take("bot");
    post.settle(row, &later(None));
    post.now -= 24 * 3_600 * SECOND;
    assert!(post.outbox.is_due("bot", post.now).unwrap());
    assert_eq!(post.drain("bot"), [Kind::Post]);
    let mut post = Post::new("quiet = { from = \"00:00\", to = \"12:00\" }");
    post.red("r1");
    assert_eq!(post.claim("bot"), Claim::At(12 * 3_600 * SECOND), "what is held is not meant");
}

#[test]
fn attempts_are_bounded() {
    let mut post = Post::new("");
    post.red("r");
    for _ in 0..queue::ATTEMPTS_KEPT_MAX + 5 {
        let (row, _) = post.take("bot");
        post.settle(row, &later(None));
        post.now += 60 * SECOND;
    }
    assert_eq!(post.sql("SELECT count(*) FROM attempts"), queue::ATTEMPTS_KEPT_MAX);
    assert_eq!(post.sql("SELECT max(attempts) FROM letters"), queue::ATTEMPTS_KEPT_MAX + 5);
}

#[test]
fn waiting_times_double_to_a_limit_and_have_a_jitter() {
    for dice in [0, 12_345, u64::MAX] {
        for attempts in 1..100 {
            let wait = backoff(attempts, dice);
            assert!(wait >= Duration::from_millis(375), "{wait:?}");
            assert!(wait <= BACKOFF_MAX + BACKOFF_MAX / 4, "{wait:?}");
        }
    }
    assert!(backoff(1, 0) < backoff(3, 0));
    assert_ne!(backoff(5, 1), backoff(5, 1_000_000));
}
