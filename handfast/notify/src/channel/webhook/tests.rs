use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::template::Template;
use crate::channel::message::sample::{died, full_of, letter};
use crate::letter::{Kind, Letter, Note};

const BUILT_IN: [&str; 4] = ["json", "teams", "discord", "mattermost"];

fn built_in(name: &str) -> Template {
    Template::load(name, std::path::Path::new(".")).unwrap()
}

/// Loads a template from a file; the error is what people read.
fn load(source: &str) -> Result<Template, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.json.j2"), source).unwrap();
    Template::load("mine.json.j2", folder.path())
        .map_err(|refused| format!("{}; {}", refused.why, refused.fix))
}

fn render(template: &Template, letter: &Letter) -> Option<Value> {
    let text = template.render(letter).unwrap()?;
    Some(serde_json::from_str(&text).unwrap())
}

fn check(name: &str, golden: &str, letter: &Letter) {
    let made = render(&built_in(name), letter).unwrap();
    let expected: Value = serde_json::from_str(golden).unwrap();
    assert_eq!(made, expected, "\n{}", serde_json::to_string_pretty(&made).unwrap());
}

#[test]
fn json_looks_like_this() {
    check("json", include_str!("golden/json.json"), &letter(Kind::Edit));
}

#[test]
fn teams_looks_like_this() {
    check("teams", include_str!("golden/teams.json"), &letter(Kind::Post));
}

#[test]
fn discord_looks_like_this() {
    check("discord", include_str!("golden/discord.json"), &died());
}

#[test]
fn mattermost_looks_like_this() {
    check(
        "mattermost",
        include_str!("golden/mattermost.json"),
        &letter(Kind::Reply(Note::Recovered)),
    );
}

#[test]
fn services_without_edits_are_told_the_beginning_the_death_and_the_end() {
    for name in ["teams", "discord", "mattermost"] {
        let template = built_in(name);
        for (kind, sent) in [
            (Kind::Post, true),
            (Kind::Edit, false),
            (Kind::Test, true),
            (Kind::Reply(Note::RedAgain), false),
            (Kind::Reply(Note::Recovered), true),
            (Kind::Reply(Note::Died), true),
        ] {
            assert_eq!(render(&template, &letter(kind)).is_some(), sent, "{name} {kind:?}");
        }
    }
}

#[test]
fn the_longest_message_fits_into_every_service() {
    for text in ["x", "*", "\\", "\"", "😀", "\u{1}"] {
        let letter = full_of(&text.repeat(5_000), Kind::Post);
        let len = |value: &Value| value.as_str().unwrap().chars().count();
        let discord = render(&built_in("discord"), &letter).unwrap();
        let embed = &discord["embeds"][0];
        assert!(len(&embed["title"]) <= 256 && len(&embed["description"]) <= 4_096);
        assert!(built_in("teams").render(&letter).unwrap().unwrap().len() <= 28 * 1024, "{text}");
        let mattermost = render(&built_in("mattermost"), &letter).unwrap();
        assert!(len(&mattermost["attachments"][0]["text"]) <= 16_383);
    }
}

#[test]
fn nobody_is_mentioned_and_nothing_is_a_link() {
    let letter = full_of("@everyone [x](https://evil.example) **b**", Kind::Post);
    for name in ["teams", "discord", "mattermost"] {
        let text = built_in(name).render(&letter).unwrap().unwrap();
        assert!(!text.contains("@everyone"), "{text}");
        // What a notification of the system shows has no markup at all.
        let text: String = text.lines().filter(|line| !line.contains("\"fallback\"")).collect();
        // Between backticks nothing is a link or bold; Teams knows no backticks.
        let parts: Vec<_> = text.split('`').step_by(if name == "teams" { 1 } else { 2 }).collect();
        let prose = parts.concat();
        assert!(!prose.contains("[x](") && !prose.contains(" **b**"), "{name}: {prose}");
    }
}

#[test]
fn a_template_of_ones_own_needs_no_quotes() {
    let template = load(
        r#"{ "first": {{ failures[0].unit if failures else "" }}, "n": {{ failures | length }} }"#,
    )
    .unwrap();
    let made = render(&template, &letter(Kind::Post)).unwrap();
    assert_eq!(made, json!({ "first": "token/pay[version=1.1]", "n": 2 }));
}

#[test]
fn what_is_wrong_with_a_template_says_where_and_what_to_do() {
    for (source, says) in [
        ("{\n \"a\": {{ titel }}\n}", "mine.json.j2:2: undefined value"),
        ("{\n\n \"a\": {{ title }\n}", "mine.json.j2:3: syntax error"),
        ("{ \"a\": {{ title | upper }} }", "the filters are cut"),
        ("{ \"a\": \"{{ title }}\" }", "without quotes around it"),
        (
            "{ \"a\": 1, }",
            "no JSON: key must be a string at line 1 column 11; that line is: { \"a\": 1, }",
        ),
        ("[{% for a in failures %}{{ a.unit }},{% endfor %} 1]]", "trailing characters"),
        ("{{ failures[0].unit }}", "undefined value"),
        ("{% for a in range(9) %}{% endfor %}", "mine.json.j2:1: unknown function"),
    ] {
        let error = load(source).unwrap_err();
        assert!(error.contains(says), "{source}: {error}");
    }
}

#[test]
fn a_template_that_never_ends_or_makes_too_much_is_stopped() {
    let digits = "[1,2,3,4,5,6,7,8,9,0]";
    let loops = format!("{{% for a in {digits} %}}").repeat(6) + &"{% endfor %}".repeat(6);
    let error = load(&format!("[{loops}]")).unwrap_err();
    assert!(error.contains("loops too long"), "{error}");
    let rows = format!("\"{}\",", "x".repeat(30_000));
    let error = load(&format!("[{{% for a in {digits} %}}{rows}{{% endfor %}}1]")).unwrap_err();
    assert!(error.contains("more than 262144 bytes"), "{error}");
    let error = load(&" ".repeat(64 * 1024 + 1)).unwrap_err();
    assert!(error.contains("too long"), "{error}");
}

#[test]
fn a_template_that_is_not_there_names_those_that_are() {
    let error = Template::load("temas", std::path::Path::new("/nowhere")).unwrap_err();
    assert!(
        error.why.contains("\"temas\"") && error.fix.contains("json, teams, discord, mattermost")
    );
}

fn guide() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/notify.md")).unwrap()
}

#[test]
fn the_guide_names_everything_that_a_template_can_speak_of() {
    let facts = serde_json::to_value(super::facts::Facts::of(&letter(Kind::Post))).unwrap();
    let guide = guide();
    for name in facts.as_object().unwrap().keys() {
        assert!(guide.contains(&format!("`{name}`")), "docs/guide/notify.md does not name {name}");
    }
}

#[test]
fn the_template_of_the_guide_makes_json() {
    let guide = guide();
    let block = guide.split("```jinja\n").nth(1).and_then(|rest| rest.split("```").next());
    let template = load(block.unwrap()).unwrap();
    let made = render(&template, &letter(Kind::Post)).unwrap();
    assert_eq!(made["failed"], json!(["token/pay[version=1.1]", "message/order"]));
    assert_eq!(render(&template, &letter(Kind::Reply(Note::Recovered))), None);
}

proptest! {
    #[test]
    fn any_texts_make_json(text in any::<String>(), kind in 0_usize..4) {
        let kind = [Kind::Post, Kind::Edit, Kind::Reply(Note::Died), Kind::Reply(Note::Recovered)][kind];
        let letter = full_of(&text, kind);
        for name in BUILT_IN {
            render(&built_in(name), &letter);
        }
    }
}
