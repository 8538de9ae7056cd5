//! Does a peer keep the contract? Asked once a peer and run, before any of its verdicts counts.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, PipeWriter, Write as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use handfast_contract::probe::{Action, Check, Outcome};
use handfast_contract::{Client, Probe, Report, client};
use handfast_lab::reaper::Running;
use handfast_lab::{Clock, Exit};
use handfast_scenario::project::PeerProgram;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::command::{LINES_QUEUED_MAX, Program, Stream, Workshop, read_lines};
use crate::place::Places;

/// Lines of the peer's log that are kept.
const LOG_LINES_MAX: usize = 20;

/// What a probe found, and the end of the peer's log.
#[derive(Debug, Clone)]
pub struct Found {
    /// The rules that were looked at.
    pub report: Report,
    /// The last lines on its stderr.
    pub log: Vec<String>,
}

impl Found {
    /// Why no verdict on this peer counts: the first rule that it breaks, and its last words.
    pub fn objection(&self) -> Option<String> {
        let words = self.log.iter().rev().find(|line| !line.trim().is_empty());
        let words = words.map(|line| format!("; its log ends with: {}", line.trim()));
        let words = words.unwrap_or_default();
        let broken =
            |check: &Check| Some(format!("{}: {}{words}", check.rule, check.broken.as_ref()?));
        match self.report.checks.iter().find_map(broken) {
            None if self.report.conforms() => None,
            None => Some("the probe did not come to its end".to_owned()),
            some => some,
        }
    }
}

/// Starts a peer, puts it through the probe, and ends it.
///
/// # Errors
///
/// If the program could not be run at all, in one line.
pub async fn run(
    workshop: &Workshop,
    places: &Places,
    peer: &PeerProgram,
    clock: Clock,
    random: u64,
) -> Result<Found, String> {
    let folder =
        workshop.new_folder().map_err(|error| format!("failed to make a folder: {error}"))?;
    let program = Program {
        words: places.fill(&peer.start),
        folder: places.root().to_owned(),
        env: environment(peer, random, &folder),
    };
    let (input, lines, stdio) =
        pipes().map_err(|error| format!("failed to make pipes: {error}"))?;
    let (reaper, running) =
        workshop.start(&program, stdio).await.map_err(|error| error.to_string())?;
    let mut driver = Driver {
        probe: Probe::new(random),
        client: Client::new(),
        clock,
        running,
        input: Some(input),
        lines,
        log: VecDeque::new(),
    };
    driver.drive().await;
    drop(reaper.finish().await);
    let mut report = driver.probe.report().clone();
    report.checks.extend(missing_versions(peer, &report));
    Ok(Found { report, log: driver.log.into() })
}

struct Driver {
    probe: Probe,
    client: Client,
    clock: Clock,
    running: Running,
    input: Option<PipeWriter>,
    lines: mpsc::Receiver<(Stream, String)>,
    log: VecDeque<String>,
}

impl Driver {
    async fn drive(&mut self) {
        loop {
            let outcome = match self.probe.next_action() {
                Action::Call { method, params, within } => {
                    match self.client.request(&method, params, within, self.now()) {
                        Ok(id) => self.answer_to(id).await,
                        Err(_) => Outcome::TimedOut,
                    }
                }
                Action::Shutdown { within } => self.shut_down(within).await,
                Action::Done => return,
            };
            self.probe.on_outcome(outcome);
        }
    }

    /// Waits for the answer to a request; meanwhile everything else the peer says is judged.
    async fn answer_to(&mut self, wanted: u64) -> Outcome {
        loop {
            while let Some(output) = self.client.poll_output() {
                if let Some(outcome) = self.take(output, wanted) {
                    return outcome;
                }
            }
            let due = self.client.next_deadline().unwrap_or_default().saturating_sub(self.now());
            tokio::select! {
                biased;
                line = self.lines.recv() => match line {
                    Some(line) => self.hear(line),
                    None => return Outcome::Exited(code(self.running.exited().await)),
                },
                () = tokio::time::sleep_until(Instant::now() + due) => {
                    let now = self.now();
                    self.client.handle_deadline(now);
                }
            }
        }
    }

    async fn shut_down(&mut self, within: Duration) -> Outcome {
        let params = serde_json::json!({});
        if let Ok(id) = self.client.request("shutdown", params, within, self.now()) {
            match self.answer_to(id).await {
                Outcome::Answered(Ok(_)) => {}
                other @ (Outcome::Answered(Err(_)) | Outcome::Exited(_) | Outcome::TimedOut) => {
                    return other;
                }
            }
        }
        // Its end may take as long again as its answer: both are bounded.
        match tokio::time::timeout(within, self.running.exited()).await {
            Ok(exit) => Outcome::Exited(code(exit)),
            Err(_) => Outcome::TimedOut,
        }
    }

    fn take(&mut self, output: client::Output, wanted: u64) -> Option<Outcome> {
        match output {
            client::Output::Write(bytes) => {
                // A peer that closed its input is about to be seen as gone.
                if let Some(Err(_)) = self.input.as_mut().map(|input| input.write_all(&bytes)) {
                    self.input = None;
                }
                None
            }
            client::Output::Answered { id, outcome, .. } => {
                (id == wanted).then_some(Outcome::Answered(outcome))
            }
            client::Output::TimedOut { id, .. } => (id == wanted).then_some(Outcome::TimedOut),
            client::Output::Event { event, params, .. } => {
                self.probe.on_event(&event, &params);
                None
            }
            client::Output::Violation(violation) => {
                self.probe.on_violation(&violation);
                None
            }
        }
    }

    fn hear(&mut self, (stream, line): (Stream, String)) {
        match stream {
            Stream::Out => self.client.handle_line(line.as_bytes()),
            Stream::Error => {
                if self.log.len() == LOG_LINES_MAX {
                    self.log.pop_front();
                }
                self.log.push_back(line);
            }
        }
    }

    fn now(&self) -> Duration {
        Duration::from_micros(self.clock.now_us())
    }
}

/// A rule of the project, not of the contract: the versions that `handfast.toml` promises are there.
fn missing_versions(peer: &PeerProgram, report: &Report) -> Vec<Check> {
    let Some(initialized) = &report.initialized else { return Vec::new() };
    let check = |version: &String| {
        let there = initialized.protocol_versions.contains(version);
        let spoken = initialized.protocol_versions.join(", ");
        Check {
            rule: format!("the peer speaks {version}, as handfast.toml says"),
            broken: (!there).then(|| format!("it speaks {spoken}")),
        }
    };
    peer.versions.iter().map(check).collect()
}

fn environment(
    peer: &PeerProgram,
    random: u64,
    folder: &std::path::Path,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([
        ("HANDFAST_NAME".to_owned(), "probe".to_owned()),
        ("HANDFAST_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
        ("HANDFAST_DATA_DIR".to_owned(), folder.to_string_lossy().into_owned()),
        ("HANDFAST_SEED".to_owned(), random.to_string()),
    ]);
    let speaks = |version: &str| peer.versions.iter().any(|known| known == version);
    let protocol = match (speaks("1.0"), speaks("1.1")) {
        (true, true) => Some("both"),
        (true, false) => Some("1.0"),
        (false, true) => Some("1.1"),
        (false, false) => None,
    };
    env.extend(protocol.map(|protocol| ("HANDFAST_PROTOCOL".to_owned(), protocol.to_owned())));
    env.extend(peer.env.clone());
    env
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

fn code(exit: Option<Exit>) -> Option<i32> {
    match exit {
        Some(Exit::Code(code)) => Some(code),
        Some(Exit::Signal(_) | Exit::OutOfMemory) | None => None,
    }
}
