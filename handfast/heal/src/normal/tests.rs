use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(NormalText::of(text).as_str(), expected);
}

#[test]
fn what_differs_from_run_to_run_becomes_a_placeholder() {
    check(
        "b did not answer session.open within 5s (pid 4711)",
        "b did not answer session.open within <duration> (pid <n>)",
    );
    check(
        "it took 1.5 s, 500 ms, 1m30s and 250µs",
        "it took <duration>, <duration>, <duration> and <duration>",
    );
    check("at 2026-11-23T20:19:02.125Z, 20:19:02 and 2026-11-23", "at <time>, <time> and <time>");
    check("2026-11-23 20:19:02+01:00: gone", "<time>: gone");
    check("task 6fa459ea-ee8a-3ca4-894e-db77e160355e", "task <id>");
    check("key 3b6a27bcceb6a42d62a3a8d02a6f0d73 at 0x7ffe", "key <hash> at <hash>");
    check("commit 86b6f5b1", "commit <hash>");
    check("it says aGVsbG8gd29ybGQhIQ==", "it says <base64>");
    check("nonce Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg", "nonce <base64>");
    check("no answer of http://127.0.0.1:40213/message", "no answer of http://<address>/message");
    check("no answer of [::1]:80 or localhost:8080", "no answer of <address> or localhost:<n>");
    check("/tmp/handfast-x1/unit/a.sock: in use", "<path>: in use");
    check("see /data/runs/12/log:14:2.", "see <path>:<n>:<n>.");
    check("peer3 spoke v1.2.3", "peer<n> spoke v<n>");
}

#[test]
fn what_a_failure_is_about_stays() {
    check(
        "expected error SEQUENCE_ERROR, got RATE_LIMITED",
        "expected error SEQUENCE_ERROR, got RATE_LIMITED",
    );
    check("POST /message was refused", "POST /message was refused");
    check("std::io::Error in ledger::audit", "std::io::Error in ledger::audit");
    check("the feedback of a façade", "the feedback of a façade");
    check("TransferTooLongForTheQuotaOfAPeer", "TransferTooLongForTheQuotaOfAPeer");
    check("", "");
}

#[test]
fn colours_and_blanks_say_nothing() {
    check("\u{1b}[31mrefused\u{1b}[0m:\t  by b \r\n\n   at once\u{7}\n", "refused: by b\nat once");
}

#[test]
fn a_text_of_beginnings_alone_is_gone_through_all_the_same() {
    for part in ["/-", "é1s"] {
        let normal = NormalText::of(&part.repeat(NORMAL_LEN_MAX * READ_FACTOR));
        assert_eq!(NormalText::of(normal.as_str()), normal, "{part}");
    }
}

#[test]
fn a_long_text_is_cut_between_placeholders() {
    // `<time> ` has 7 bytes, and the limit is no multiple of that.
    let normal = NormalText::of(&"20:19:02 ".repeat(NORMAL_LEN_MAX / 4));
    assert!(normal.as_str().len() <= NORMAL_LEN_MAX && normal.as_str().ends_with(" <time>"));
    let long = "x".repeat(NORMAL_LEN_MAX + 1);
    assert_eq!(NormalText::of(&long).as_str().len(), NORMAL_LEN_MAX);
}

/// Texts of what may meet in them, so that every pair of neighbours comes to pass.
fn texts() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "1",
        "23",
        ".",
        ":",
        "/",
        "-",
        " ",
        "  ",
        "\n",
        "_",
        "x",
        "s",
        "ms",
        "m",
        "a1b2c3d4",
        "deadbeef",
        "0x",
        "127.0.0.1",
        "[::1]",
        "/tmp/a",
        "/b",
        "2026-11-23",
        "T",
        "20:19:02",
        "Z",
        "+",
        "=",
        "==",
        "<n>",
        "<pa",
        "th>",
        "<",
        ">",
        "<path>",
        "é",
        "\u{1b}[1m",
        "\u{1b}",
        "[",
        "]",
        "Zm9vYmFyMTIz",
        "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "refused",
        "\u{7}",
        "\u{2028}",
        "µs",
    ]);
    prop_oneof![
        prop::collection::vec(parts, 0..24).prop_map(|parts| parts.concat()),
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn a_normalised_text_is_its_own_normal_form(text in texts()) {
        let normal = NormalText::of(&text);
        prop_assert_eq!(NormalText::of(normal.as_str()), normal.clone());
        prop_assert_eq!(NormalText::of(&text), normal);
    }

    #[test]
    fn no_digit_and_no_control_character_is_left(text in texts()) {
        let normal = NormalText::of(&text);
        let rest = normal.as_str().replace("<base64>", "");
        prop_assert!(!rest.bytes().any(|byte| byte.is_ascii_digit()), "{rest:?}");
        prop_assert!(!normal.as_str().chars().any(|letter| letter.is_control() && letter != '\n'));
        prop_assert!(normal.as_str().lines().all(|line| !line.is_empty() && line.trim() == line));
        prop_assert!(normal.as_str().len() <= NORMAL_LEN_MAX);
    }

    #[test]
    fn the_numbers_of_a_text_decide_nothing(one in 0_u32..100_000, other in 0_u32..100_000) {
        let text = |number: u32| format!("step {number} of pid{number} at 127.0.0.1:{number} took {number}ms, /tmp/{number}/x");
        prop_assert_eq!(NormalText::of(&text(one)), NormalText::of(&text(other)));
    }
}
