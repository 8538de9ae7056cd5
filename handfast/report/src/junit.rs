//! `JUnit` XML, the form most CI systems show.
//!
//! Shape: `testsuites` > `testsuite` (one a category of scenarios, one a foreign suite) > `testcase`, with
//! the attributes and order of children that the Jenkins and the Ant schema agree on. A failure of
//! the product is `failure`; infrastructure is `error`; unsupported is `skipped`.

use std::collections::BTreeMap;
use std::io;

use handfast_scenario::event::Outcome;
use handfast_scenario::verdict::Verdict;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::book::{Book, SkippedUnit, SuitePage, UnitPage};
use crate::failure;
use crate::palette::Palette;
use crate::quantity::{clipped, junit_seconds};

/// Writes the whole run.
///
/// # Errors
///
/// What the XML writer says; writing to memory has not been seen to fail.
pub fn junit(book: &Book) -> io::Result<String> {
    let mut groups: Vec<Group> = scenario_groups(book);
    groups.extend(book.suites().iter().map(suite_group));
    groups.extend(skipped_group(book.skipped()));
    groups.extend(shard_group(book.shard_faults()));
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let counts = Counts::of(groups.iter().flat_map(|group| &group.cases));
    let element = writer.create_element("testsuites").with_attributes([("name", "handfast")]);
    let element =
        element.with_attributes(counts.attributes().iter().map(|(k, v)| (*k, v.as_str())));
    element
        .write_inner_content(|writer| groups.iter().try_for_each(|group| group.write(writer)))?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

struct Group {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    class: String,
    name: String,
    file: Option<String>,
    time_us: u64,
    result: CaseResult,
    /// What the case has to say though it passed.
    output: Option<String>,
}

enum CaseResult {
    Passed,
    Failure { kind: &'static str, message: String, text: String },
    Error { message: String, text: String },
    Skipped { message: String },
}

#[derive(Default)]
struct Counts {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    time_us: u64,
}

/// Characters of a message attribute; the text below it has the rest.
const MESSAGE_CHARS_MAX: usize = 300;

impl Counts {
    fn of<'a>(cases: impl Iterator<Item = &'a Case>) -> Self {
        let mut counts = Self::default();
        for case in cases {
            counts.tests += 1;
            counts.time_us += case.time_us;
            match case.result {
                CaseResult::Passed => {}
                CaseResult::Failure { .. } => counts.failures += 1,
                CaseResult::Error { .. } => counts.errors += 1,
                CaseResult::Skipped { .. } => counts.skipped += 1,
            }
        }
        counts
    }

    fn attributes(&self) -> [(&'static str, String); 5] {
        [
            ("tests", self.tests.to_string()),
            ("failures", self.failures.to_string()),
            ("errors", self.errors.to_string()),
            ("skipped", self.skipped.to_string()),
            ("time", junit_seconds(self.time_us)),
        ]
    }
}

impl Group {
    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let counts = Counts::of(self.cases.iter()).attributes();
        let element =
            writer.create_element("testsuite").with_attribute(("name", clean(&self.name).as_str()));
        let element = element.with_attributes(counts.iter().map(|(k, v)| (*k, v.as_str())));
        element.write_inner_content(|writer| {
            self.cases.iter().try_for_each(|case| case.write(writer))
        })?;
        Ok(())
    }
}

impl Case {
    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let (class, name) = (clean(&self.class), clean(&self.name));
        let time = junit_seconds(self.time_us);
        let mut element = writer.create_element("testcase").with_attributes([
            ("classname", class.as_str()),
            ("name", name.as_str()),
            ("time", time.as_str()),
        ]);
        if let Some(file) = &self.file {
            element = element.with_attribute(("file", clean(file).as_str()));
        }
        match &self.result {
            CaseResult::Passed => match &self.output {
                None => element.write_empty()?,
                Some(output) => element.write_inner_content(|writer| {
                    let output = clean(output);
                    writer
                        .create_element("system-out")
                        .write_text_content(BytesText::new(&output))?;
                    Ok(())
                })?,
            },
            CaseResult::Failure { kind, message, text } => element
                .write_inner_content(|writer| outcome(writer, "failure", kind, message, text))?,
            CaseResult::Error { message, text } => element
                .write_inner_content(|writer| outcome(writer, "error", "infra", message, text))?,
            CaseResult::Skipped { message } => element.write_inner_content(|writer| {
                let message = clean(&clipped(message, MESSAGE_CHARS_MAX));
                writer
                    .create_element("skipped")
                    .with_attribute(("message", message.as_str()))
                    .write_empty()?;
                Ok(())
            })?,
        };
        Ok(())
    }
}

fn outcome(
    writer: &mut Writer<Vec<u8>>,
    element: &str,
    kind: &str,
    message: &str,
    text: &str,
) -> io::Result<()> {
    let message = clean(&clipped(message, MESSAGE_CHARS_MAX));
    let element = writer
        .create_element(element)
        .with_attributes([("message", message.as_str()), ("type", kind)]);
    element.write_text_content(BytesText::new(&clean(text)))?;
    Ok(())
}

fn scenario_groups(book: &Book) -> Vec<Group> {
    let mut groups: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
    let command = book.run().map(|run| run.command.as_slice()).unwrap_or_default();
    for page in book.units() {
        groups.entry(page.category.as_str()).or_default().push(unit_case(page, command));
    }
    let group = |(category, cases)| Group { name: format!("scenarios.{category}"), cases };
    groups.into_iter().map(group).collect()
}

fn unit_case(page: &UnitPage, command: &[String]) -> Case {
    let text = || failure::block(page, command, Palette::Plain);
    let result = match page.end.as_ref().map(|end| &end.verdict) {
        Some(verdict) if page.is_set_aside() => CaseResult::Skipped {
            message: format!("{} | {}", said(page).trim_end(), verdict.reason()),
        },
        Some(Verdict::Passed) => CaseResult::Passed,
        Some(verdict @ Verdict::Failed { .. }) => {
            CaseResult::Failure { kind: "failed", message: verdict.reason(), text: text() }
        }
        Some(verdict @ Verdict::TimedOut { .. }) => {
            CaseResult::Failure { kind: "timeout", message: verdict.reason(), text: text() }
        }
        Some(verdict @ (Verdict::Infra { .. } | Verdict::Absent { allowed: false, .. })) => {
            CaseResult::Error { message: verdict.reason(), text: text() }
        }
        Some(
            verdict @ (Verdict::Unsupported { .. }
            | Verdict::Absent { allowed: true, .. }
            | Verdict::DidNotFit { .. }),
        ) => CaseResult::Skipped { message: verdict.reason() },
        None => CaseResult::Error {
            message: "the run ended before it did".to_owned(),
            text: String::new(),
        },
    };
    Case {
        class: page.file.clone(),
        name: page.title(),
        file: Some(page.file.clone()),
        time_us: page.end.as_ref().map_or(0, |end| end.duration_us),
        result,
        // Of a case that did not pass it is part of the failure's text.
        output: Some(said(page)).filter(|text| !text.is_empty()),
    }
}

fn suite_group(page: &SuitePage) -> Group {
    let case = |name: &str, outcome: &Outcome, time_us| Case {
        class: page.suite.to_string(),
        name: name.to_owned(),
        file: None,
        time_us,
        result: match outcome {
            Outcome::Passed => CaseResult::Passed,
            Outcome::Failed { reason } => {
                let message =
                    reason.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                CaseResult::Failure {
                    kind: "failed",
                    message: message.to_owned(),
                    text: reason.clone(),
                }
            }
            Outcome::Skipped { reason } => CaseResult::Skipped { message: reason.clone() },
        },
        output: None,
    };
    let mut cases: Vec<Case> =
        page.tests.iter().map(|test| case(&test.name, &test.outcome, test.duration_us)).collect();
    // A suite that failed as a whole (it did not build, it ran nothing) must not look green.
    match page.end.as_ref().map(|end| &end.outcome) {
        Some(outcome @ Outcome::Failed { .. }) if page.failures().next().is_none() => {
            cases.push(case("the suite as a whole", outcome, 0));
        }
        Some(_) => {}
        None => {
            let reason = "the run ended before it did".to_owned();
            cases.push(case("the suite as a whole", &Outcome::Failed { reason }, 0));
        }
    }
    Group { name: format!("suite.{}", page.suite), cases }
}

/// What rules kept from being run has no unit of its own, and is not to be forgotten.
fn skipped_group(skipped: &[SkippedUnit]) -> Option<Group> {
    let case = |skipped: &SkippedUnit| Case {
        class: "known".to_owned(),
        name: skipped.unit.to_string(),
        file: None,
        time_us: 0,
        result: CaseResult::Skipped { message: skipped.reason.clone() },
        output: None,
    };
    let cases: Vec<Case> = skipped.iter().map(case).collect();
    (!cases.is_empty()).then(|| Group { name: "known".to_owned(), cases })
}

/// What is missing of a merged record must not look green, and has no unit of its own.
fn shard_group(faults: &[String]) -> Option<Group> {
    let case = |fault: &String| Case {
        class: "shards".to_owned(),
        name: fault.clone(),
        file: None,
        time_us: 0,
        result: CaseResult::Error { message: fault.clone(), text: String::new() },
        output: None,
    };
    let cases: Vec<Case> = faults.iter().map(case).collect();
    (!cases.is_empty()).then(|| Group { name: "shards".to_owned(), cases })
}

/// Leaves out what XML 1.0 cannot say (<https://www.w3.org/TR/xml/#charsets>), even escaped.
fn clean(text: &str) -> String {
    let allowed = |c: &char| matches!(*c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if allowed(&c) { c } else { '\u{fffd}' }).collect()
}

/// What a unit has to say though it passed: that it was flaky, and what was asked of its network and measured.
fn said(page: &UnitPage) -> String {
    let told = ["flaky: ", "healing: "];
    let is_told = |warning: &&String| told.iter().any(|start| warning.starts_with(start));
    let flaky = page.warnings.iter().filter(is_told);
    let lines: String = flaky.flat_map(|line| [line.as_str(), "\n"]).collect();
    lines + &page.accounts.text(Palette::Plain)
}

#[cfg(test)]
mod tests {
    use handfast_scenario::RunEvent;
    use handfast_scenario::event::Standing;
    use quick_xml::Reader;

    use super::*;
    use crate::sample;

    /// Start tags with their attributes, in document order.
    fn tags(xml: &str) -> Vec<(String, BTreeMap<String, String>)> {
        let mut reader = Reader::from_str(xml);
        reader.config_mut().check_end_names = true;
        let mut tags = Vec::new();
        loop {
            let event = reader.read_event().unwrap();
            if matches!(event, Event::Eof) {
                return tags;
            }
            if let Event::Start(tag) | Event::Empty(tag) = event {
                let name = tag.name().as_ref().to_owned();
                let attributes = tag.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    let key = attribute.key.as_ref().to_owned();
                    let value = attribute.value.to_string();
                    (key, value)
                });
                tags.push((name, attributes.collect()));
            }
        }
    }

    #[track_caller]
    fn check(book: &Book, expected: &[&str]) -> Vec<(String, BTreeMap<String, String>)> {
        let xml = junit(book).unwrap();
        let tags = tags(&xml);
        let names: Vec<&str> = tags.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expected, "{xml}");
        tags
    }

    #[test]
    fn a_failed_unit_is_a_testcase_with_a_failure() {
        let tags =
            check(&sample::failed_run(), &["testsuites", "testsuite", "testcase", "failure"]);
        assert_eq!(tags[0].1["failures"], "1");
        assert_eq!(tags[1].1["name"], "scenarios.integration");
        assert_eq!(tags[2].1["time"], "0.040000");
        assert!(tags[3].1["message"].contains("expected ready"));
    }

    #[test]
    fn a_failure_that_decides_nothing_is_skipped_and_says_why() {
        for standing in [Standing::Known, Standing::Quarantined] {
            let book = sample::book(sample::healed_events(standing));
            let tags = check(&book, &["testsuites", "testsuite", "testcase", "skipped"]);
            assert_eq!((&*tags[0].1["failures"], &*tags[0].1["skipped"]), ("0", "1"));
            assert!(tags[3].1["message"].contains("known: late"), "{tags:?}");
            assert!(tags[3].1["message"].contains("expected ready"), "{tags:?}");
            assert_eq!(book.totals().failed, 0);
        }
        let book = sample::book(sample::healed_events(Standing::Decides));
        check(&book, &["testsuites", "testsuite", "testcase", "failure"]);
        assert_eq!(book.totals().failed, 1);
    }

    #[test]
    fn what_a_rule_keeps_from_being_run_is_a_testcase_that_was_skipped() {
        let mut events = sample::healed_events(Standing::Skipped);
        // Of a unit that is not run there is no other event.
        events.retain(|recorded| {
            recorded.event.unit().is_none()
                || matches!(recorded.event, RunEvent::UnitHealing { .. })
        });
        let book = sample::book(events);
        let tags = check(&book, &["testsuites", "testsuite", "testcase", "skipped"]);
        assert_eq!(tags[1].1["name"], "known");
        assert_eq!(book.skipped().len(), 1);
    }

    #[test]
    fn a_passed_unit_has_no_child() {
        let tags = check(&sample::passed_run(), &["testsuites", "testsuite", "testcase"]);
        assert_eq!((tags[0].1["tests"].as_str(), tags[0].1["failures"].as_str()), ("1", "0"));
    }

    #[test]
    fn a_passed_unit_that_was_disturbed_tells_what_was_measured() {
        let book = sample::disturbed_run();
        check(&book, &["testsuites", "testsuite", "testcase", "system-out"]);
        let xml = junit(&book).unwrap();
        assert!(xml.contains("2.1 % of 4,000"), "{xml}");
    }

    #[test]
    fn a_unit_cut_off_by_the_end_of_the_run_is_an_error() {
        let mut book = Book::new();
        sample::failed_events().iter().take(3).for_each(|event| book.read(event));
        check(&book, &["testsuites", "testsuite", "testcase", "error"]);
    }

    #[test]
    fn a_suite_that_failed_as_a_whole_is_not_green() {
        check(&sample::suite_run(0, 0, false), &["testsuites", "testsuite", "testcase", "failure"]);
    }

    #[test]
    fn hostile_text_stays_well_formed() {
        let mut book = Book::new();
        let hostile = "</failure>]]>\u{1b}[2J\u{0}\"&<a";
        for event in &sample::suite_events_with(hostile) {
            book.read(event);
        }
        check(&book, &["testsuites", "testsuite", "testcase", "failure"]);
    }
}
