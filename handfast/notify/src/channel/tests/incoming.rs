use handfast_fakeslack::workspace::WEBHOOK_CHANNEL;
use handfast_fakeslack::{Fault, Tally};

use super::*;
use crate::letter::Note;

#[test]
fn a_webhook_tells_the_beginning_the_death_and_the_end() {
    let slack = slack(generous());
    let hook = open(Service::SlackWebhook, &slack.webhook()).unwrap();
    for (key, kind) in [
        ("1", Kind::Post),
        ("2", Kind::Edit),
        ("3", Kind::Reply(Note::RedAgain)),
        ("4", Kind::Reply(Note::Died)),
        ("5", Kind::Edit),
        ("6", Kind::Reply(Note::Recovered)),
        ("7", Kind::Test),
    ] {
        assert_eq!(told(hook.deliver(&letter(key, kind))), None);
    }
    let told: Vec<_> = slack.tallies().into_keys().collect();
    assert_eq!(told, ["1", "4", "6", "7"]);
    assert_eq!(slack.messages(WEBHOOK_CHANNEL).len(), 4);
}

#[test]
fn a_lost_answer_is_unsure_and_what_is_said_again_is_counted() {
    let slack = slack(generous());
    let hook = open(Service::SlackWebhook, &slack.webhook()).unwrap();
    slack.script([Fault::ResetAfter]);
    assert!(matches!(hook.deliver(&letter("k", Kind::Post)), Outcome::Unsure { .. }));
    let mut again = letter("k", Kind::Post);
    again.unsure = true;
    told(hook.deliver(&again));
    assert_eq!(slack.tally("k"), Tally { accepted: 2, answers_lost: 1 });
}

#[test]
fn a_webhook_that_is_limited_waits_and_one_that_is_gone_says_how_to_make_another() {
    let slack = slack(generous());
    let hook = open(Service::SlackWebhook, &slack.webhook()).unwrap();
    slack.script([
        Fault::Limited { seconds: 30 },
        Fault::Broken { status: 503 },
        Fault::Broken { status: 500 },
    ]);
    let after = Some(Duration::from_secs(30));
    let outcome = hook.deliver(&letter("k", Kind::Post));
    assert!(matches!(outcome, Outcome::Later { after: said, .. } if said == after));
    assert!(matches!(hook.deliver(&letter("k", Kind::Post)), Outcome::Later { .. }));
    assert!(matches!(hook.deliver(&letter("k", Kind::Post)), Outcome::Unsure { .. }));

    let gone = format!("http://{}/services/T0/B0/removed", slack.address());
    let outcome = open(Service::SlackWebhook, &gone).unwrap().deliver(&letter("k", Kind::Post));
    let Outcome::Never { why, fix } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("no_service") && fix.contains("Incoming Webhooks"), "{why}; {fix}");
}

#[test]
fn an_archived_channel_is_named() {
    let mut workspace = generous();
    workspace.archived.insert(WEBHOOK_CHANNEL.to_owned());
    let slack = slack(workspace);
    let hook = open(Service::SlackWebhook, &slack.webhook()).unwrap();
    let outcome = hook.deliver(&letter("k", Kind::Post));
    assert!(matches!(outcome, Outcome::Never { fix, .. } if fix.contains("unarchive")));
}

#[test]
fn an_address_that_would_give_the_secret_away_is_refused_unnamed() {
    for address in
        ["http://hooks.slack.example/services/T0/B0/SECRET", "SECRET", "https://SECRET@x"]
    {
        let Err(error) = open(Service::SlackWebhook, address) else { panic!("{address}") };
        assert!(!error.to_string().contains("SECRET/") && !error.to_string().contains("/T0/"));
        assert!(!format!("{error:?}").contains("SECRET\""), "{error:?}");
    }
}
