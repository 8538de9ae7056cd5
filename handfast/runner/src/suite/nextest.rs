//! Reads what `cargo nextest run --message-format libtest-json` prints: one JSON object a line.

use std::time::Duration;

use serde::Deserialize;

use super::{Case, CaseOutcome};

/// Reads one line of standard output.
///
/// Returns `None` for lines that finish no test: suite lines, `started` lines, anything that is not JSON.
/// Source: <https://nexte.st/docs/machine-readable/libtest-json/>.
pub(super) fn parse_line(line: &str) -> Option<Case> {
    let line: Line = serde_json::from_str(line).ok()?;
    if line.kind != "test" {
        return None;
    }
    let outcome = match line.event.as_str() {
        "ok" => CaseOutcome::Passed,
        "failed" | "timeout" => CaseOutcome::Failed,
        "ignored" => CaseOutcome::Skipped,
        _ => return None,
    };
    let name = line.name?;
    let (binary, name) = match name.split_once('$') {
        Some((binary, name)) => (binary.to_owned(), name.to_owned()),
        None => (String::new(), name),
    };
    // A test that was tried again carries `#2` and so on behind its name; the name without it is the test.
    let name = name.split_once('#').map_or(name.as_str(), |(name, _)| name).to_owned();
    Some(Case {
        binary,
        name,
        outcome,
        duration: line.exec_time.and_then(|secs| Duration::try_from_secs_f64(secs).ok()),
        output: line.stdout.unwrap_or_default(),
    })
}

/// The words after `cargo` that run one test alone.
///
/// Source: <https://nexte.st/docs/filtersets/reference/>.
pub(super) fn one(case: &Case, args: &[String]) -> Vec<String> {
    let package_and_binary = case.binary.split_once("::");
    let place = package_and_binary
        .map(|(package, binary)| format!("package(={package}) & binary(={binary}) & "));
    let filter = format!("{}test(={})", place.unwrap_or_default(), case.name);
    let words = ["nextest", "run", "--no-fail-fast", "--message-format", "libtest-json"];
    let words = words.map(str::to_owned).into_iter().chain(args.iter().cloned());
    words.chain(["-E".to_owned(), filter]).collect()
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    event: String,
    name: Option<String>,
    exec_time: Option<f64>,
    stdout: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, &str, CaseOutcome)>) {
        let case = parse_line(line);
        let got =
            case.as_ref().map(|case| (case.binary.as_str(), case.name.as_str(), case.outcome));
        assert_eq!(got, expected);
    }

    #[test]
    fn a_finished_test_is_a_case() {
        check(
            r#"{"type":"test","event":"ok","name":"nt::nt$tests::ok_one","exec_time":0.006}"#,
            Some(("nt::nt", "tests::ok_one", CaseOutcome::Passed)),
        );
        check(
            r#"{"type":"test","event":"failed","name":"nt::nt$bad","exec_time":0.1,"stdout":"hello"}"#,
            Some(("nt::nt", "bad", CaseOutcome::Failed)),
        );
        check(
            r#"{"type":"test","event":"ignored","name":"nt::nt$ign"}"#,
            Some(("nt::nt", "ign", CaseOutcome::Skipped)),
        );
    }

    #[test]
    fn one_test_is_named_by_its_package_binary_and_name() {
        let case = parse_line(r#"{"type":"test","event":"failed","name":"p::it$a::b"}"#).unwrap();
        let words = one(&case, &["--locked".to_owned()]);
        let expected = "nextest run --no-fail-fast --message-format libtest-json --locked -E \
                        package(=p) & binary(=it) & test(=a::b)";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn a_failed_test_keeps_its_output_and_time() {
        let line = r#"{"type":"test","event":"failed","name":"a$b","exec_time":0.25,"stdout":"left\nright"}"#;
        let case = parse_line(line).unwrap();
        assert_eq!(case.output, "left\nright");
        assert_eq!(case.duration, Some(Duration::from_millis(250)));
    }

    #[test]
    fn lines_that_finish_no_test_are_passed_over() {
        check(r#"{"type":"suite","event":"started","test_count":3}"#, None);
        check(r#"{"type":"test","event":"started","name":"nt::nt$x"}"#, None);
        check("warning: unused", None);
        check("", None);
        check(
            r#"{"type":"test","event":"ok","name":"a$b","exec_time":-1.0}"#,
            Some(("a", "b", CaseOutcome::Passed)),
        );
    }
}
