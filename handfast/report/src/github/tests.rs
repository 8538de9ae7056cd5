use proptest::prelude::*;

use super::annotation::{ANNOTATIONS_MAX, data, property};
use super::failing::{Failing, failing};
use super::page::{PAGE_LEN_MAX, code, fenced};
use super::*;
use crate::book::Book;
use crate::sample;

fn one(title: &str, reason: &str) -> Failing {
    Failing {
        title: title.to_owned(),
        file: Some("scenarios/x.toml".to_owned()),
        line: Some(7),
        reason: reason.to_owned(),
        again: Some("handfast run u1".to_owned()),
        story: String::new(),
    }
}

#[test]
fn a_failed_step_is_annotated_where_it_stands() {
    let text = annotations(&failing(&sample::failed_run()), "tests/");
    let expected = "::error file=tests/scenarios/x.toml,line=7,title=two peers meet (a=entity b=entity)::\
                    failed: expected ready%0A     got failed%0Aagain: handfast run u1 --peer a=entity --peer b=entity\n";
    assert_eq!(text, expected);
    assert_eq!(annotations(&failing(&sample::passed_run()), ""), "");
}

#[test]
fn what_has_a_meaning_in_a_command_is_escaped() {
    assert_eq!(data("50%\n::error::x\r\ny"), "50%25%0A::error::x%0Ay");
    assert_eq!(property("a:b,c%"), "a%3Ab%2Cc%25");
    let text = annotations(&[one("t,line=1::", "r\n::set-output name=x::y")], "");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("::error file=scenarios/x.toml,line=7,title=t%2Cline=1%3A%3A::r%0A"));
}

#[test]
fn what_a_peer_logs_is_no_command_on_the_console() {
    let same = ["", "a::b\n", "error[E0308]: # [x] #[test]\n  --> x::y\n", "PASS  1 ms  a\n\n"];
    assert!(same.iter().all(|text| disarmed(text) == *text));
    for (hostile, shown) in [
        ("    ::stop-commands::x\n", "    | ::stop-commands::x\n"),
        ("a\n\t\u{a0}::error::x", "a\n\t\u{a0}| ::error::x"),
        ("done\r::add-mask::a\r\n", "done\r| ::add-mask::a\r\n"),
        ("\u{200d}:\u{ad}:error::x", "| \u{200d}:\u{ad}:error::x"),
        ("log ##[error]x ###[group]", "log ## [error]x ### [group]"),
        ("#\u{200b}#\0[error]", "#\u{200b}#\0 [error]"),
    ] {
        assert_eq!(disarmed(hostile), shown);
        assert_eq!(disarmed(shown), shown);
    }
}

#[test]
fn of_too_many_failures_the_rest_is_counted_in_words() {
    let many = |count: usize| -> Vec<Failing> {
        (0..count).map(|at| one(&format!("t{at}"), "r")).collect()
    };
    let text = annotations(&many(ANNOTATIONS_MAX), "");
    assert_eq!((text.lines().count(), text.contains("more")), (ANNOTATIONS_MAX, false));
    let text = annotations(&many(1_000), "");
    assert_eq!(text.lines().count(), ANNOTATIONS_MAX);
    assert!(text.ends_with("991 more failures; the summary of the job names them\n"), "{text}");
}

#[test]
fn the_page_says_the_reason_first_and_folds_the_rest() {
    let text = page(&sample::failed_run(), PAGE_LEN_MAX);
    assert!(
        text.starts_with("## ✗ 0 passed, 1 failed\n\nrun `r1` · `handfast run` · exit code 1"),
        "{text}"
    );
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} in {text}"));
    assert!(at("### Failures") < at("`scenarios/x.toml:7`"));
    assert!(at("`scenarios/x.toml:7`") < at("failed: expected ready"));
    assert!(at("failed: expected ready") < at("again: `handfast run u1"));
    assert!(at("again: `handfast run u1") < at("<details><summary>what led to it"));
    assert!(at("what led to it") < at("<details><summary>1 scenarios"));
    let text = page(&sample::passed_run(), PAGE_LEN_MAX);
    assert!(text.starts_with("## ✓ 1 passed, 0 failed\n") && !text.contains("Failures"), "{text}");
}

#[test]
fn a_page_that_is_full_says_what_is_not_on_it() {
    let mut book = Book::new();
    let mut events = sample::failed_events();
    let end = events.pop().unwrap();
    for number in 0..2_000 {
        for recorded in &events {
            let text = serde_json::to_string(recorded).unwrap();
            let text = text.replace("\"unit\":\"u1\"", &format!("\"unit\":\"u{number}\""));
            book.read(&serde_json::from_str(&text).unwrap());
        }
    }
    book.read(&end);
    let text = page(&book, PAGE_LEN_MAX);
    assert!(text.len() <= PAGE_LEN_MAX, "{}", text.len());
    assert!(text.contains("2000 scenarios") && text.contains("and 1500 more"));
    for len_max in [20_000, 5_000, 1_000] {
        let text = page(&book, len_max);
        assert!(text.len() <= len_max, "{len_max}: {}", text.len());
        assert!(text.contains("further failures"), "{text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
    assert_eq!(page(&book, 100), "");
}

#[test]
fn code_ends_where_it_should() {
    assert_eq!(code("x"), "`x`");
    assert_eq!(code("a`b"), "`` a`b ``");
    assert_eq!(fenced("a\n```\nb"), "````text\na\n```\nb\n````\n");
}

/// What the runner of GitHub makes of a message or property.
fn unescaped(text: &str) -> String {
    text.replace("%0D", "\r")
        .replace("%0A", "\n")
        .replace("%3A", ":")
        .replace("%2C", ",")
        .replace("%25", "%")
}

proptest! {
    #[test]
    fn no_text_leaves_its_place_in_a_command(title in any::<String>(), reason in any::<String>(), file in any::<String>()) {
        let failing = Failing { file: Some(file), ..one(&title, &reason) };
        let text = annotations(std::slice::from_ref(&failing), "");
        prop_assert_eq!(text.matches('\n').count(), 1);
        prop_assert!(!text.contains('\r'));
        let rest = text.strip_prefix("::error file=").unwrap();
        let (properties, _) = rest.split_once("::").unwrap();
        prop_assert_eq!(properties.matches(',').count(), 2);
        prop_assert_eq!(properties.matches(':').count(), 0);
        prop_assert!(properties.contains(",line=7,title="));
    }

    #[test]
    fn what_is_escaped_is_read_as_what_it_was(text in "[a-z%:,\n ]{0,60}|[%0-9A-D]{0,20}") {
        prop_assert_eq!(unescaped(&data(&text)), text.clone());
        prop_assert_eq!(unescaped(&property(&text)), text);
    }

    #[test]
    fn no_text_ends_its_block_of_code(text in "[`a\n~ ]{0,60}") {
        let block = fenced(&text);
        let fence = block.split("text\n").next().unwrap().to_owned();
        let inside = block.strip_prefix(&format!("{fence}text\n")).unwrap();
        let inside = inside.strip_suffix(&format!("{fence}\n")).unwrap();
        prop_assert!(!inside.contains(&fence), "{block}");
    }
}
