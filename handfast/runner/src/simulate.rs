//! A simulator: a program that is given one order, says now and then how far it is, and in the end what came of it.
//!
//! Source: docs/design/simulation.md

use std::collections::VecDeque;
use std::io::{self, PipeWriter, Write as _};
use std::os::fd::OwnedFd;

use handfast_lab::Exit;
use handfast_scenario::project::Command;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::command::{LINES_QUEUED_MAX, Program, Stream, Workshop, read_lines};
use crate::interrupt::Interrupt;
use crate::place::Places;

/// Lines of the simulator's log that are kept.
const LOG_LINES_MAX: usize = 20;

/// How far a simulator is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What it is at.
    pub what: String,
    /// How much of that is done, from 0 to 1.
    pub share: f64,
    /// What there is by now.
    pub detail: String,
}

/// Starts a simulator, gives it its order and waits for its report. An interrupt ends it in order: then the report says what
/// there was until then.
///
/// # Errors
///
/// In one line: it could not be run, or ended without a report.
pub async fn run(
    (workshop, places): (&Workshop, &Places),
    start: &Command,
    order: &Value,
    mut interrupt: Interrupt,
    mut told: impl FnMut(Progress),
) -> Result<Value, String> {
    let program = Program {
        words: places.fill(start),
        folder: places.root().to_owned(),
        ..Program::default()
    };
    let (input, mut lines, stdio) =
        pipes().map_err(|error| format!("failed to make pipes: {error}"))?;
    let (reaper, running) =
        workshop.start(&program, stdio).await.map_err(|error| error.to_string())?;
    let mut input = give(input, order);
    let (mut report, mut log) = (None, VecDeque::new());
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                None => break,
                Some((Stream::Error, line)) => keep(&mut log, line),
                Some((Stream::Out, line)) => match Said::read(&line) {
                    Said::Progress(progress) => told(progress),
                    Said::Report(said) => report = Some(said),
                    Said::Noise => keep(&mut log, line),
                },
            },
            // The end of its input asks it to end.
            () = interrupt.pulled(), if input.is_some() => input = None,
        }
    }
    let exit = running.exited().await;
    drop(reaper.finish().await);
    report.ok_or_else(|| {
        let words = log.back().map(|line| format!("; its last words: {line}")).unwrap_or_default();
        format!("{} ended without a report: {}{words}", program.text(), ended(exit.as_ref()))
    })
}

/// Writes the order; `None` where the program has closed its input, which its end explains.
fn give(mut input: PipeWriter, order: &Value) -> Option<PipeWriter> {
    writeln!(input, "{order}").ok().map(|()| input)
}

fn keep(log: &mut VecDeque<String>, line: String) {
    if log.len() == LOG_LINES_MAX {
        log.pop_front();
    }
    log.push_back(line);
}

fn ended(exit: Option<&Exit>) -> String {
    exit.map_or_else(|| "its reaper ended first".to_owned(), |exit| format!("it ended with {exit}"))
}

/// One line of a simulator.
#[derive(Debug, PartialEq)]
enum Said {
    Progress(Progress),
    Report(Value),
    /// None of its lines.
    Noise,
}

impl Said {
    fn read(line: &str) -> Self {
        let Ok(Value::Object(mut line)) = serde_json::from_str(line) else { return Self::Noise };
        if let Some(report @ Value::Object(_)) = line.remove("report") {
            return Self::Report(report);
        }
        let Some(progress) = line.remove("progress") else { return Self::Noise };
        let text = |name: &str| progress[name].as_str().unwrap_or_default().to_owned();
        let share = progress["share"].as_f64().unwrap_or_default().clamp(0.0, 1.0);
        Self::Progress(Progress { what: text("what"), share, detail: text("detail") })
    }
}

type Pipes = (PipeWriter, mpsc::Receiver<(Stream, String)>, [OwnedFd; 3]);

fn pipes() -> io::Result<Pipes> {
    let (sender, lines) = mpsc::channel(LINES_QUEUED_MAX);
    let (in_reader, input) = io::pipe()?;
    let (out, out_writer) = io::pipe()?;
    let (error, error_writer) = io::pipe()?;
    read_lines(out, Stream::Out, sender.clone())?;
    read_lines(error, Stream::Error, sender)?;
    Ok((input, lines, [in_reader.into(), out_writer.into(), error_writer.into()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_simulator_are_told_apart() {
        let progress = r#"{"progress":{"what":"paying","share":0.5,"detail":"1 of 2"}}"#;
        let Said::Progress(progress) = Said::read(progress) else { panic!("{progress}") };
        assert_eq!((progress.what.as_str(), progress.share), ("paying", 0.5));
        let report = Said::read(r#"{"report":{"history":"00"}}"#);
        assert_eq!(report, Said::Report(serde_json::json!({ "history": "00" })));
        for noise in ["", "[]", "{}", "hello", r#"{"report":1}"#] {
            assert_eq!(Said::read(noise), Said::Noise, "{noise}");
        }
        let Said::Progress(odd) = Said::read(r#"{"progress":{"share":7}}"#) else { panic!() };
        assert_eq!(odd.share.to_bits(), 1.0_f64.to_bits(), "a share is no more than the whole");
    }
}
