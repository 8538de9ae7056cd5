//! A cargo workspace: nextest where it is installed, otherwise `cargo test`; then the doc tests.

use std::collections::VecDeque;

use handfast_lab::Exit;
use handfast_scenario::project::Suite;

use super::plain::PlainReader;
use super::{Bench, Case, Teller, ToolEnd, nextest, quiet};
use crate::build::LAST_LINES_MAX;
use crate::command::{Outputs, Program, Stream};
use crate::unit::chain;

/// What nextest wants to hear before it prints JSON.
const NEXTEST_JSON: (&str, &str) = ("NEXTEST_EXPERIMENTAL_LIBTEST_JSON", "1");

/// Exit code of nextest: tests failed. <https://docs.rs/nextest-metadata>, `NextestExitCode::TEST_RUN_FAILED`.
const NEXTEST_TESTS_FAILED: i32 = 100;

/// Exit code of nextest: there was no test to run, `NextestExitCode::NO_TESTS_RUN`.
const NEXTEST_NO_TESTS: i32 = 4;

/// Exit code of cargo: a test failed, or something did not compile.
const CARGO_FAILED: i32 = 101;

/// Compiles the tests, with progress.
pub(super) async fn build(
    bench: Bench<'_>,
    suite: &Suite,
    program: &Program,
) -> Result<(), String> {
    let nextest = has_nextest(bench, program).await?;
    let words: &[&str] =
        if nextest { &["nextest", "run", "--no-run"] } else { &["test", "--no-run"] };
    let what = format!("suite {}", suite.name);
    crate::build::step(bench.workshop, bench.mouth, &what, &with(program, words, &suite.args, &[]))
        .await
}

/// Runs the tests.
pub(super) async fn tests(teller: &mut Teller<'_>, program: &Program) -> ToolEnd {
    let args = teller.suite.args.clone();
    if has_nextest(teller.bench, program).await? {
        run_nextest(teller, program, &args).await?;
        again(teller, program, &args, true).await?;
    } else {
        // Not `--all-targets`: that runs benchmarks as well, whole, because nothing tells them that it is a test.
        run_plain(teller, with(program, &["test", "--no-fail-fast", "--tests"], &args, &[]), true)
            .await?;
        again(teller, program, &args, false).await?;
    }
    // nextest does not run doc tests, and `--tests` leaves them out.
    run_plain(teller, with(program, &["test", "--no-fail-fast", "--doc"], &args, &[]), false).await
}

/// Runs the tests that failed once more, one after the other, with nothing beside them.
async fn again(
    teller: &mut Teller<'_>,
    program: &Program,
    args: &[String],
    nextest: bool,
) -> ToolEnd {
    for first in std::mem::take(&mut teller.held) {
        let words: Vec<String> = if nextest {
            nextest::one(&first, args)
        } else {
            let words = ["test", "--no-fail-fast", "--tests"].map(str::to_owned).into_iter();
            let tail = ["--", "--exact", &first.name].map(str::to_owned);
            words.chain(args.iter().cloned()).chain(tail).collect()
        };
        let mut program = program.clone();
        program.words.extend(words);
        let (name, value) = NEXTEST_JSON;
        program.env.insert(name.to_owned(), value.to_owned());
        let mut reader = PlainReader::default();
        let mut cases = Vec::new();
        let outputs = if nextest { Outputs::Apart } else { Outputs::Merged };
        let exit = teller.bench.workshop.run(&program, outputs, |_, line| {
            if nextest {
                cases.extend(nextest::parse_line(&line));
            } else {
                cases.extend(reader.line(&line));
            }
        });
        exit.await.map_err(|error| chain(&error))?;
        cases.extend(reader.finish());
        let is_it = |case: &Case| case.binary == first.binary && case.name == first.name;
        let second = cases.into_iter().find(is_it);
        teller.tell_again(first, second);
    }
    Ok(())
}

async fn has_nextest(bench: Bench<'_>, program: &Program) -> Result<bool, String> {
    quiet(bench, &["cargo", "nextest", "--version"], program).await
}

async fn run_nextest(teller: &mut Teller<'_>, program: &Program, args: &[String]) -> ToolEnd {
    let words = ["nextest", "run", "--no-fail-fast", "--message-format", "libtest-json"];
    let program = with(program, &words, args, &[NEXTEST_JSON]);
    let mut errors = Tail::default();
    let workshop = teller.bench.workshop;
    let exit = workshop.run(&program, Outputs::Apart, |stream, line| match stream {
        Stream::Out => {
            if let Some(case) = nextest::parse_line(&line) {
                teller.hear(case);
            }
        }
        Stream::Error => errors.push(line),
    });
    match exit.await.map_err(|error| chain(&error))? {
        Exit::Code(0 | NEXTEST_TESTS_FAILED | NEXTEST_NO_TESTS) => Ok(()),
        exit @ (Exit::Code(_) | Exit::Signal(_) | Exit::OutOfMemory) => {
            Err(format!("`{}` ended with {exit}\n{}", program.text(), errors.text()))
        }
    }
}

/// With `again`, tests that fail are kept back to be tried once more. Doc tests are not: their names are no names of tests.
async fn run_plain(teller: &mut Teller<'_>, program: Program, again: bool) -> ToolEnd {
    let mut reader = PlainReader::default();
    let mut tail = Tail::default();
    let before = teller.failed + teller.kept_back();
    let workshop = teller.bench.workshop;
    let exit = workshop.run(&program, Outputs::Merged, |_, line| {
        for case in reader.line(&line) {
            if again { teller.hear(case) } else { teller.tell(case) }
        }
        tail.push(line);
    });
    let exit = exit.await.map_err(|error| chain(&error))?;
    for case in reader.finish() {
        if again { teller.hear(case) } else { teller.tell(case) }
    }
    match exit {
        Exit::Code(0) => Ok(()),
        Exit::Code(CARGO_FAILED) if teller.failed + teller.kept_back() > before => Ok(()),
        // A package of programs alone has no doc tests, which cargo calls an error.
        _ if tail.text().contains("no library targets found") => Ok(()),
        exit @ (Exit::Code(_) | Exit::Signal(_) | Exit::OutOfMemory) => {
            Err(format!("`{}` ended with {exit}\n{}", program.text(), tail.text()))
        }
    }
}

fn with(program: &Program, words: &[&str], args: &[String], env: &[(&str, &str)]) -> Program {
    let mut program = program.clone();
    program.words.extend(words.iter().map(|word| (*word).to_owned()));
    program.words.extend(args.iter().cloned());
    program.env.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    program
}

/// The last lines of an output.
#[derive(Debug, Default)]
struct Tail(VecDeque<String>);

impl Tail {
    fn push(&mut self, line: String) {
        if self.0.len() == LAST_LINES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    fn text(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}
