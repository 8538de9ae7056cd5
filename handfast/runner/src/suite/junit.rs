//! Any tool that leaves a `JUnit` file.

use std::fs;
use std::time::Duration;

use handfast_lab::Exit;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Bench, Case, CaseOutcome, Teller, ToolEnd};
use crate::command::{Outputs, Program};
use crate::unit::chain;

/// Largest file that is read: 64 MiB.
const FILE_LEN_MAX: u64 = 64 * 1024 * 1024;

/// Runs the tool and reads what it left; once more, whole, where tests failed that may be tried again.
///
/// Nobody but the tool knows how it is asked for one test alone, so that it is asked for all: of the second time only those
/// count that failed the first time.
pub(super) async fn tests(teller: &mut Teller<'_>, program: &Program, report: &str) -> ToolEnd {
    let (exit, cases) = once(teller.bench, program, report).await?;
    for case in cases {
        teller.hear(case);
    }
    if exit != Exit::Code(0) && teller.failed + teller.kept_back() == 0 {
        return Err(format!("`{}` ended with {exit}, though no test failed", program.text()));
    }
    if teller.held.is_empty() {
        return Ok(());
    }
    let (_, mut again) = once(teller.bench, program, report).await?;
    for first in std::mem::take(&mut teller.held) {
        let is_it = |case: &Case| case.binary == first.binary && case.name == first.name;
        let second = again.iter().position(is_it).map(|index| again.swap_remove(index));
        teller.tell_again(first, second);
    }
    Ok(())
}

/// One run of the tool: how it ended, and the tests of its report.
async fn once(
    bench: Bench<'_>,
    program: &Program,
    report: &str,
) -> Result<(Exit, Vec<Case>), String> {
    let path = program.folder.join(report);
    // A file of an earlier run must not pass for this one's.
    if path.exists() {
        fs::remove_file(&path)
            .map_err(|error| format!("{} cannot be removed: {error}", path.display()))?;
    }
    let exit = bench.workshop.run(program, Outputs::Merged, |_, _| {}).await;
    let exit = exit.map_err(|error| chain(&error))?;
    let failed = |why: String| format!("`{}` ended with {exit}, and {why}", program.text());
    let len = fs::metadata(&path).map_err(|_| failed(format!("left no {}", path.display())))?.len();
    if len > FILE_LEN_MAX {
        return Err(failed(format!("its {} is longer than {FILE_LEN_MAX} bytes", path.display())));
    }
    let text = fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    let cases = read(&text)
        .map_err(|error| failed(format!("its {} is no JUnit: {error}", path.display())))?;
    Ok((exit, cases))
}

/// Reads the test cases of a `JUnit` file.
fn read(text: &str) -> Result<Vec<Case>, quick_xml::Error> {
    let mut reader = Reader::from_str(text);
    let mut cases: Vec<Case> = Vec::new();
    let mut open = false;
    let mut ended = false;
    while !ended {
        match reader.read_event()? {
            Event::Start(tag) => open = begin(&tag, &mut cases, open),
            Event::Empty(tag) => {
                let inside = begin(&tag, &mut cases, open);
                open = if is(&tag, "testcase") { false } else { inside };
            }
            Event::End(tag) => open = open && tag.name().as_ref() != "testcase",
            Event::Text(text) => {
                if let Some(case) =
                    cases.last_mut().filter(|case| open && case.outcome == CaseOutcome::Failed)
                {
                    case.output.push_str(&text.into_inner());
                }
            }
            Event::Eof => ended = true,
            Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
    Ok(cases)
}

/// Takes a tag in; whether a test case is open after it.
fn begin(tag: &BytesStart<'_>, cases: &mut Vec<Case>, open: bool) -> bool {
    if is(tag, "testcase") {
        let seconds = attribute(tag, "time").and_then(|text| text.parse().ok());
        cases.push(Case {
            binary: attribute(tag, "classname").unwrap_or_default(),
            name: attribute(tag, "name").unwrap_or_default(),
            outcome: CaseOutcome::Passed,
            duration: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            output: String::new(),
        });
        return true;
    }
    if let Some(case) = cases.last_mut().filter(|_| open) {
        if is(tag, "failure") || is(tag, "error") {
            case.outcome = CaseOutcome::Failed;
            case.output =
                attribute(tag, "message").map(|text| format!("{text}\n")).unwrap_or_default();
        } else if is(tag, "skipped") {
            case.outcome = CaseOutcome::Skipped;
            case.output = attribute(tag, "message").unwrap_or_default();
        }
    }
    open
}

fn is(tag: &BytesStart<'_>, name: &str) -> bool {
    tag.name().as_ref() == name
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = tag.try_get_attribute(name).ok()??;
    attribute
        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str, CaseOutcome)]) -> Vec<Case> {
        let cases = read(text).unwrap();
        let got: Vec<_> = cases
            .iter()
            .map(|case| (case.binary.as_str(), case.name.as_str(), case.outcome))
            .collect();
        assert_eq!(got, expected);
        cases
    }

    #[test]
    fn every_way_to_end_is_read() {
        let text = r#"<?xml version="1.0"?><testsuites><testsuite name="s">
            <testcase classname="c" name="good" time="0.25"/>
            <testcase classname="c" name="bad"><failure message="no">trace</failure></testcase>
            <testcase classname="c" name="broken"><error message="x"/></testcase>
            <testcase classname="c" name="left"><skipped message="no key"/></testcase>
        </testsuite></testsuites>"#;
        let cases = check(
            text,
            &[
                ("c", "good", CaseOutcome::Passed),
                ("c", "bad", CaseOutcome::Failed),
                ("c", "broken", CaseOutcome::Failed),
                ("c", "left", CaseOutcome::Skipped),
            ],
        );
        assert_eq!(cases[0].duration, Some(Duration::from_millis(250)));
        assert_eq!(cases[1].output, "no\ntrace");
        assert_eq!(cases[3].output, "no key");
    }

    #[test]
    fn a_suite_level_error_is_no_test() {
        check(
            "<testsuite><error/><testcase name=\"t\"/><error/></testsuite>",
            &[("", "t", CaseOutcome::Passed)],
        );
    }

    #[test]
    fn what_is_not_xml_is_an_error() {
        assert!(read("<testsuite><a></b>").is_err());
    }
}
