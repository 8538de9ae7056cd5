use handfast_scenario::event::Summary;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::sample::{died, full_of, letter};
use super::slack::{lay_out, mention_of};
use crate::letter::{Kind, Letter, Mention, Note, State};

const KINDS: [Kind; 6] = [
    Kind::Post,
    Kind::Edit,
    Kind::Test,
    Kind::Reply(Note::RedAgain),
    Kind::Reply(Note::Recovered),
    Kind::Reply(Note::Died),
];

fn check(golden: &str, letter: &Letter) {
    let laid = lay_out(letter);
    let made = json!({ "text": laid.text, "blocks": laid.blocks });
    let expected: Value = serde_json::from_str(golden).unwrap();
    assert_eq!(made, expected, "\n{}", serde_json::to_string_pretty(&made).unwrap());
}

#[test]
fn a_red_run_looks_like_this() {
    check(include_str!("golden/red.json"), &letter(Kind::Post));
}

#[test]
fn the_death_of_a_runner_looks_like_this() {
    check(include_str!("golden/died.json"), &died());
}

#[test]
fn a_recovered_message_and_its_note_look_like_this() {
    let mut edit = letter(Kind::Edit);
    edit.incident.state = State::Recovered;
    edit.incident.runs = 3;
    edit.incident.exit_code = Some(0);
    edit.incident.counts.summary = Summary { passed: 120, ..Summary::default() };
    check(include_str!("golden/recovered.json"), &edit);
    check(include_str!("golden/recovered-note.json"), &letter(Kind::Reply(Note::Recovered)));
}

#[test]
fn red_again_and_a_test_look_like_this() {
    check(include_str!("golden/red-again.json"), &letter(Kind::Reply(Note::RedAgain)));
    check(include_str!("golden/test.json"), &letter(Kind::Test));
}

#[test]
fn in_quiet_hours_owners_are_named_and_not_mentioned() {
    let mut quiet = letter(Kind::Post);
    let loud = serde_json::to_string(&lay_out(&quiet).blocks).unwrap();
    assert!(loud.contains("<!subteam^S0PAY> (payments team)"), "{loud}");
    quiet.mention = Mention::Quiet;
    let quiet = serde_json::to_string(&lay_out(&quiet).blocks).unwrap();
    assert!(!quiet.contains("subteam") && quiet.contains("For payments team"), "{quiet}");
}

#[test]
fn only_ids_are_mentioned() {
    assert_eq!(mention_of("@U0123"), Some("<@U0123>".to_owned()));
    assert_eq!(mention_of("S0123"), Some("<!subteam^S0123>".to_owned()));
    assert_eq!(mention_of("@here"), Some("<!here>".to_owned()));
    for no in ["", "@", "U", "@joe", "@U01>23", "@U0123 <!channel>", "@X0123"] {
        assert_eq!(mention_of(no), None, "{no}");
    }
}

#[test]
fn a_name_that_is_a_mention_mentions_nobody() {
    for name in
        ["<!channel>", "<@U0123>", "@here", "a>|<!here>", "`<!channel>`", "https://x|<!here>"]
    {
        for kind in KINDS {
            let mut letter = full_of(name, kind);
            // A command is to be copied as it is; nothing in a block of code is a mention without its brackets.
            letter.incident.command = vec![name.replace('@', "")];
            // What owners are called in Slack is the project's own word; nothing else is.
            for failure in &mut letter.incident.failures {
                failure.owner.as_mut().unwrap().slack = None;
            }
            let laid = lay_out(&letter);
            let all = format!("{}{}", laid.text, serde_json::to_string(&laid.blocks).unwrap());
            for mention in ["<!channel", "<!here", "<@U", "@here"] {
                assert!(!all.contains(mention), "{name}: {all}");
            }
        }
    }
}

fn check_sizes(letter: &Letter) {
    let laid = lay_out(letter);
    assert!(!laid.text.is_empty() && laid.text.encode_utf16().count() <= 4_000);
    assert!((1..=50).contains(&laid.blocks.len()));
    for block in &laid.blocks {
        let text = block.pointer("/text/text").or_else(|| block.pointer("/elements/0/text"));
        let len = text.and_then(Value::as_str).unwrap().encode_utf16().count();
        assert!((1..=3_000).contains(&len), "{len} in {block}");
    }
}

#[test]
fn the_longest_texts_still_fit() {
    for text in ["x", "<", "&", "😀", "`", "'", "@a"] {
        for kind in KINDS {
            let mut letter = full_of(&text.repeat(5_000), kind);
            check_sizes(&letter);
            letter.incident.state = State::Recovered;
            check_sizes(&letter);
        }
    }
}

proptest! {
    #[test]
    fn any_texts_fit(text in any::<String>(), kind in 0_usize..6) {
        check_sizes(&full_of(&text, KINDS[kind]));
    }
}
