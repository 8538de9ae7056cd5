//! Reads what `cargo test` prints for people, for machines where nextest is not installed and for doc tests.

use super::{Case, CaseOutcome};

/// Reads the plain text of `cargo test`, line by line.
///
/// Standard output and standard error must come through one pipe: the name of a test binary is printed on
/// the second, its tests on the first, and only their order says which belongs to which.
#[derive(Debug, Default)]
pub(super) struct PlainReader {
    binary: String,
    /// Failed tests of the binary at hand, held back until their output has been read.
    failed: Vec<Case>,
    /// Whose output is being read.
    section: Option<usize>,
    /// A test that printed to the terminal itself: its verdict stands alone on a later line.
    open: Option<String>,
}

impl PlainReader {
    /// The most output kept of one failed test: 64 KiB. A guess; a panic message with its trace fits many times over.
    pub(super) const OUTPUT_BYTES_MAX: usize = 64 * 1024;

    /// Reads one line without its line end and returns the tests it completes.
    pub(super) fn line(&mut self, line: &str) -> Vec<Case> {
        let text = line.trim_start();
        if let Some(binary) = binary_of(text) {
            let cases = self.finish();
            self.binary = binary;
            return cases;
        }
        if text.starts_with("test result: ") {
            return self.finish();
        }
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" ----")) {
            let name = name
                .strip_suffix(" stdout")
                .or_else(|| name.strip_suffix(" stderr"))
                .unwrap_or(name);
            self.section = self.failed.iter().position(|case| case.name == name);
            return Vec::new();
        }
        if line == "failures:" {
            self.section = None;
            return Vec::new();
        }
        if let Some(index) = self.section {
            if let Some(case) = self.failed.get_mut(index)
                && case.output.len() + line.len() < Self::OUTPUT_BYTES_MAX
            {
                case.output.push_str(line);
                case.output.push('\n');
            }
            return Vec::new();
        }
        self.verdict(line).into_iter().collect()
    }

    /// Ends the reading: failed tests whose output never came are returned as they are.
    pub(super) fn finish(&mut self) -> Vec<Case> {
        self.section = None;
        self.open = None;
        std::mem::take(&mut self.failed)
    }

    fn verdict(&mut self, line: &str) -> Option<Case> {
        let (name, verdict) =
            match line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) {
                Some((name, verdict)) => (name.to_owned(), verdict),
                None => (self.open.clone()?, line),
            };
        let outcome = match verdict {
            "ok" => CaseOutcome::Passed,
            "FAILED" => CaseOutcome::Failed,
            _ if verdict == "ignored" || verdict.starts_with("ignored, ") => CaseOutcome::Skipped,
            _ => {
                self.open = Some(name);
                return None;
            }
        };
        self.open = None;
        let name = name.strip_suffix(" - should panic").unwrap_or(&name).to_owned();
        let case = Case {
            binary: self.binary.clone(),
            name,
            outcome,
            duration: None,
            output: String::new(),
        };
        if outcome == CaseOutcome::Failed {
            self.failed.push(case);
            return None;
        }
        Some(case)
    }
}

/// The test binary that a line of cargo announces.
fn binary_of(text: &str) -> Option<String> {
    if let Some(crate_name) = text.strip_prefix("Doc-tests ") {
        return Some(format!("{crate_name} (doc)"));
    }
    let rest = text.strip_prefix("Running ")?;
    let (source, path) = rest.split_once(" (")?;
    let file = path.strip_suffix(')')?.rsplit('/').next()?;
    let stem = file.rsplit_once('-').map_or(file, |(stem, _)| stem);
    let source = source.strip_prefix("unittests ").unwrap_or(source);
    Some(format!("{stem} ({source})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, CaseOutcome, String)> {
        let mut reader = PlainReader::default();
        let mut cases: Vec<Case> = text.lines().flat_map(|line| reader.line(line)).collect();
        cases.extend(reader.finish());
        cases.into_iter().map(|case| (case.binary, case.name, case.outcome, case.output)).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str, CaseOutcome)]) {
        let got = read(text);
        let got: Vec<_> = got.iter().map(|(b, n, o, _)| (b.as_str(), n.as_str(), *o)).collect();
        assert_eq!(got, expected);
    }

    const MIXED: &str = "     Running unittests src/lib.rs (/t/debug/deps/nt-6de426e2b0dd1ecb)

running 3 tests
test tests::ign ... ignored
test tests::ok_one ... ok
test tests::bad ... FAILED

failures:

---- tests::bad stdout ----
hello out
thread 'tests::bad' panicked at src/lib.rs:5:89:
no

failures:
    tests::bad

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.07s

   Doc-tests nt

running 1 test
test src/lib.rs - f (line 1) ... ok

test result: ok. 1 passed; 0 failed
";

    #[test]
    fn each_test_belongs_to_its_binary() {
        check(
            MIXED,
            &[
                ("nt (src/lib.rs)", "tests::ign", CaseOutcome::Skipped),
                ("nt (src/lib.rs)", "tests::ok_one", CaseOutcome::Passed),
                ("nt (src/lib.rs)", "tests::bad", CaseOutcome::Failed),
                ("nt (doc)", "src/lib.rs - f (line 1)", CaseOutcome::Passed),
            ],
        );
    }

    #[test]
    fn a_failed_test_carries_what_it_printed() {
        let cases = read(MIXED);
        assert_eq!(
            cases[2].3,
            "hello out\nthread 'tests::bad' panicked at src/lib.rs:5:89:\nno\n\n"
        );
    }

    #[test]
    fn a_binary_that_dies_still_reports_its_failed_tests() {
        check("test bad ... FAILED\n", &[("", "bad", CaseOutcome::Failed)]);
    }

    #[test]
    fn a_test_that_prints_before_its_verdict_is_still_read() {
        check("test noisy ... something\nok\n", &[("", "noisy", CaseOutcome::Passed)]);
    }

    #[test]
    fn the_output_of_a_failed_test_is_bounded() {
        let mut text = String::from("test bad ... FAILED\n---- bad stdout ----\n");
        for _ in 0..3000 {
            text.push_str(&"x".repeat(63));
            text.push('\n');
        }
        assert!(read(&text)[0].3.len() <= PlainReader::OUTPUT_BYTES_MAX);
    }

    #[test]
    fn text_without_tests_has_no_cases() {
        check("error: could not compile\nrunning 0 tests\ntest result: ok. 0 passed\n", &[]);
    }
}
