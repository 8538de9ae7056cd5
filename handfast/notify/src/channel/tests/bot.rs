use std::time::Duration;

use handfast_fakeslack::weather::Odds;
use handfast_fakeslack::{Fault, Tally, Weather};

use super::*;
use crate::letter::Note;

fn with_reference(mut letter: Letter, reference: Option<Reference>) -> Letter {
    letter.reference = reference;
    letter
}

#[test]
fn a_message_is_posted_edited_and_answered() {
    let slack = slack(generous());
    let bot = bot(&slack);
    let place = told(bot.deliver(&letter("post", Kind::Post)));
    let mut edit = with_reference(letter("edit", Kind::Edit), place.clone());
    edit.incident.counts.summary.failed = 77;
    assert_eq!(told(bot.deliver(&edit)), place);
    let note = with_reference(letter("note", Kind::Reply(Note::Recovered)), place.clone());
    told(bot.deliver(&note)).unwrap();

    let messages = slack.messages(HERE);
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].key(), Some("post"), "an edit keeps the key of the post");
    assert_eq!(messages[0].edits, 1);
    assert!(messages[0].text.contains("77 failed"));
    assert_eq!(messages[1].thread_ts.as_deref(), Some(&*messages[0].ts));
    assert_eq!(place.unwrap().0, format!("{HERE}/{}", messages[0].ts));
}

#[test]
fn after_a_lost_answer_the_message_is_found_and_not_posted_again() {
    for lost in [Fault::ResetAfter, Fault::SilentAfter] {
        let slack = slack(generous());
        let bot = bot(&slack);
        slack.say(HERE, "lunch?");
        slack.script([lost]);
        assert!(matches!(hasty(&slack).deliver(&letter("k", Kind::Post)), Outcome::Unsure { .. }));
        slack.say(HERE, "pizza!");
        let mut again = letter("k", Kind::Post);
        again.unsure = true;
        let place = told(bot.deliver(&again)).unwrap();
        assert_eq!(slack.tally("k"), Tally { accepted: 1, answers_lost: 1 });
        assert_eq!(place.0, format!("{HERE}/{}", slack.messages(HERE)[1].ts));
    }
}

#[test]
fn after_a_lost_answer_a_note_is_found_in_its_thread() {
    let slack = slack(generous());
    let bot = bot(&slack);
    let place = told(bot.deliver(&letter("post", Kind::Post)));
    let mut note = with_reference(letter("note", Kind::Reply(Note::RedAgain)), place);
    slack.script([Fault::ResetAfter]);
    assert!(matches!(bot.deliver(&note), Outcome::Unsure { .. }));
    note.unsure = true;
    told(bot.deliver(&note)).unwrap();
    assert_eq!(slack.tally("note"), Tally { accepted: 1, answers_lost: 1 });
}

/// The pause before an orphan's look-up is for this; the outbox keeps it.
#[test]
fn a_message_that_is_accepted_when_nobody_waits_any_more_is_found() {
    let slack = slack(generous());
    let bot = bot(&slack);
    slack.script([Fault::AcceptLate { after: Duration::from_millis(50) }]);
    assert!(matches!(bot.deliver(&letter("k", Kind::Post)), Outcome::Unsure { .. }));
    wait_for(&slack, "k");
    let mut again = letter("k", Kind::Post);
    again.unsure = true;
    told(bot.deliver(&again)).unwrap();
    assert_eq!(slack.tally("k"), Tally { accepted: 1, answers_lost: 1 });
}

#[test]
fn after_a_lost_answer_a_note_whose_thread_is_gone_is_found_where_it_stands_alone() {
    for lost in [Fault::ResetAfter, Fault::AcceptLate { after: Duration::from_millis(50) }] {
        let slack = slack(generous());
        let bot = bot(&slack);
        let place = told(bot.deliver(&letter("post", Kind::Post)));
        slack.delete(HERE, &slack.messages(HERE)[0].ts);
        let mut note = with_reference(letter("note", Kind::Reply(Note::Recovered)), place);
        slack.script([Fault::None, lost]);
        assert!(matches!(bot.deliver(&note), Outcome::Unsure { .. }));
        wait_for(&slack, "note");
        note.unsure = true;
        told(bot.deliver(&note)).unwrap();
        assert_eq!(slack.tally("note"), Tally { accepted: 1, answers_lost: 1 }, "{lost:?}");
    }
}

#[test]
fn an_edit_of_what_was_never_posted_here_is_the_post_exactly_once() {
    let slack = slack(generous());
    let bot = bot(&slack);
    slack.script([Fault::ResetAfter]);
    assert!(matches!(bot.deliver(&letter("edit", Kind::Edit)), Outcome::Unsure { .. }));
    let mut again = letter("edit", Kind::Edit);
    again.unsure = true;
    let place = told(bot.deliver(&again));
    assert_eq!(slack.tally("edit"), Tally { accepted: 1, answers_lost: 1 });
    told(bot.deliver(&with_reference(letter("next", Kind::Edit), place)));
    let messages = slack.messages(HERE);
    assert_eq!((messages.len(), messages[0].edits), (1, 1), "the next one changes it");
}

/// Waits until Slack has a letter, and knows that its answer is lost.
fn wait_for(slack: &FakeSlack, key: &str) {
    for _ in 0..1_000 {
        if slack.tally(key).answers_lost > 0 {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("{key} was not accepted");
}

#[test]
fn a_request_that_never_arrived_is_posted_after_the_look_up() {
    for before in [Fault::ResetBefore, Fault::Silent, Fault::Broken { status: 500 }] {
        let slack = slack(generous());
        let bot = bot(&slack);
        slack.script([before]);
        let outcome = hasty(&slack).deliver(&letter("k", Kind::Post));
        // A reset may come before the first byte was written: then it is certain that nobody read it.
        let certain = before == Fault::ResetBefore && matches!(outcome, Outcome::Later { .. });
        assert!(certain || matches!(outcome, Outcome::Unsure { .. }), "{before:?}: {outcome:?}");
        let mut again = letter("k", Kind::Post);
        again.unsure = true;
        told(bot.deliver(&again)).unwrap();
        assert_eq!(slack.tally("k"), Tally { accepted: 1, answers_lost: 0 });
    }
}

#[test]
fn a_look_up_that_fails_posts_nothing() {
    let slack = slack(generous());
    let bot = bot(&slack);
    let mut again = letter("k", Kind::Post);
    again.unsure = true;
    slack.script([Fault::Limited { seconds: 9 }, Fault::ResetAfter, Fault::Silent]);
    assert_eq!(
        bot.deliver(&again),
        Outcome::Later {
            after: Some(Duration::from_secs(9)),
            why: "Slack answered with status 429".to_owned()
        }
    );
    assert!(matches!(bot.deliver(&again), Outcome::Unsure { .. }));
    assert!(matches!(hasty(&slack).deliver(&again), Outcome::Unsure { .. }));
    assert_eq!(slack.tally("k").accepted, 0);
}

#[test]
fn clocks_may_differ_by_ten_minutes_when_a_message_is_sought() {
    for (ahead_s, accepted) in [(300, 1), (1_200, 2)] {
        let slack = slack(generous());
        let bot = bot(&slack);
        let place = told(bot.deliver(&letter("k", Kind::Post))).unwrap();
        let posted_s: i64 = place.0.split(['/', '.']).nth(1).unwrap().parse().unwrap();
        let mut again = letter("k", Kind::Post);
        again.unsure = true;
        again.incident.opened_unix_us = (posted_s + ahead_s) * 1_000_000;
        told(bot.deliver(&again)).unwrap();
        assert_eq!(slack.tally("k").accepted, accepted, "{ahead_s} s ahead");
    }
}

#[test]
fn a_message_is_found_beyond_the_first_page() {
    let mut workspace = generous();
    workspace.limits.page_max = 15;
    let slack = slack(workspace);
    let bot = bot(&slack);
    slack.script([Fault::ResetAfter]);
    bot.deliver(&letter("k", Kind::Post));
    for number in 0..40 {
        slack.say(HERE, &format!("chatter {number}"));
    }
    let mut again = letter("k", Kind::Post);
    again.unsure = true;
    told(bot.deliver(&again)).unwrap();
    assert_eq!(slack.tally("k").accepted, 1);
}

#[test]
fn a_look_up_ends_after_twenty_pages_and_tells_twice_rather_than_never() {
    let mut workspace = generous();
    workspace.limits.page_max = 1;
    let slack = slack(workspace);
    let bot = bot(&slack);
    slack.script([Fault::ResetAfter]);
    bot.deliver(&letter("k", Kind::Post));
    for number in 0..25 {
        slack.say(HERE, &format!("chatter {number}"));
    }
    let before = slack.requests();
    let mut again = letter("k", Kind::Post);
    again.unsure = true;
    told(bot.deliver(&again)).unwrap();
    assert_eq!(slack.requests() - before, 21);
    assert_eq!(slack.tally("k").accepted, 2);
}

#[test]
fn who_writes_too_often_is_told_when_to_come_back() {
    let mut workspace = generous();
    workspace.limits.pace = Duration::from_hours(1);
    let slack = slack(workspace);
    let bot = bot(&slack);
    told(bot.deliver(&letter("a", Kind::Post)));
    let Outcome::Later { after: Some(after), .. } = bot.deliver(&letter("b", Kind::Post)) else {
        panic!("not limited");
    };
    assert!((Duration::from_secs(3_590)..=Duration::from_hours(1)).contains(&after));
    slack.script([Fault::Limited { seconds: 30 }, Fault::Limited { seconds: 999_999 }]);
    for seconds in [30, 3_600] {
        let outcome = bot.deliver(&letter("b", Kind::Post));
        let after = Some(Duration::from_secs(seconds));
        assert!(matches!(outcome, Outcome::Later { after: said, .. } if said == after));
    }
}

#[test]
fn a_service_that_is_away_is_tried_later() {
    let fake = slack(generous());
    let bot = bot(&fake);
    fake.script([Fault::Broken { status: 503 }]);
    assert!(matches!(bot.deliver(&letter("k", Kind::Post)), Outcome::Later { after: None, .. }));
    drop(fake);
    let outcome = bot.deliver(&letter("k", Kind::Post));
    assert!(matches!(outcome, Outcome::Later { .. }), "refused: {outcome:?}");
}

#[test]
fn what_somebody_has_to_put_right_says_how() {
    let fake = slack(generous());
    for (channel, token, says) in [
        (HERE, "xoxb-wrong", "Bot User OAuth Token"),
        ("C0NOWHERE", TOKEN, "channel's id"),
        ("C0STRANGE", TOKEN, "/invite"),
    ] {
        let outcome = bot_in(&fake, channel, token).deliver(&letter("k", Kind::Post));
        let Outcome::Never { fix, .. } = outcome else { panic!("{outcome:?}") };
        assert!(fix.contains(says), "{fix}");
    }
    let mut poor = generous();
    poor.scopes.remove("channels:history");
    let fake = slack(poor);
    let bot = bot(&fake);
    let Err(Outcome::Never { fix, .. }) = bot.check() else { panic!("scope not missed") };
    assert!(fix.contains("channels:history"), "{fix}");
}

#[test]
fn a_check_tells_nobody() {
    let slack = slack(generous());
    let said = bot(&slack).check().unwrap();
    assert_eq!(said, "Slack workspace Fake, bot handfast, channel C0FAKE001");
    assert!(slack.messages(HERE).is_empty());
}

#[test]
fn a_message_that_somebody_deleted_is_edited_no_more_and_its_note_stands_alone() {
    let slack = slack(generous());
    let bot = bot(&slack);
    let place = told(bot.deliver(&letter("post", Kind::Post)));
    slack.delete(HERE, &slack.messages(HERE)[0].ts);
    told(bot.deliver(&with_reference(letter("edit", Kind::Edit), place.clone())));
    let mut note = with_reference(letter("note", Kind::Reply(Note::Recovered)), place);
    note.unsure = true;
    told(bot.deliver(&note));
    let messages = slack.messages(HERE);
    assert_eq!((messages.len(), messages[0].thread_ts.clone()), (1, None));
}

#[test]
fn a_name_of_a_channel_is_refused_before_anything_is_sent() {
    for channel in ["#builds", "builds", "", "C0123 ", "U0123"] {
        let service = Service::SlackBot { channel: channel.to_owned(), api: None };
        let Err(error) = open(service, TOKEN) else { panic!("{channel}") };
        assert!(error.to_string().starts_with("channel team: its `channel`"), "{error}");
    }
    let api = Some("http://slack.example.com/api".to_owned());
    let Err(error) = open(Service::SlackBot { channel: HERE.to_owned(), api }, TOKEN) else {
        panic!("http was taken")
    };
    assert!(error.to_string().contains("only https"), "{error}");
}

#[test]
fn in_bad_weather_everything_is_told_exactly_once() {
    let odds = Odds {
        limited: 80,
        error: 60,
        unavailable: 60,
        silent: 4,
        silent_after: 4,
        reset_before: 80,
        reset_after: 150,
        slow: 20,
    };
    for seed in 0..2 {
        let slack = FakeSlack::start(generous(), Weather::seeded(seed, odds)).unwrap();
        let bot = hasty(&slack);
        for number in 0..20 {
            let (place, _) = deliver(&*bot, letter(&format!("{number}/post"), Kind::Post));
            let edit = with_reference(letter(&format!("{number}/edit"), Kind::Edit), place.clone());
            deliver(&*bot, edit);
            let note = letter(&format!("{number}/note"), Kind::Reply(Note::Recovered));
            deliver(&*bot, with_reference(note, place));
        }
        let tallies = slack.tallies();
        assert_eq!(tallies.len(), 40, "seed {seed}");
        assert!(tallies.values().all(|tally| tally.accepted == 1), "seed {seed}: {tallies:?}");
        assert!(tallies.values().any(|tally| tally.answers_lost > 0), "seed {seed}");
    }
}
