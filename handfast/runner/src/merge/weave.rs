//! The events of all parts as those of one run, in the order of their times.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io;

use handfast_history::RunRow;
use handfast_scenario::event::{CellLine, Expected, FORMAT, Summary};
use handfast_scenario::name::{CategoryName, PeerName, SuiteName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::{ExitCode, Recorded, RunEvent};

use super::judge::Judgement;
use super::lines::{LineError, Lines};
use super::part::{MatrixPart, Part, count};
use crate::tally::Tally;

/// How the whole went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// The counts of the whole.
    pub summary: Summary,
    /// What follows from them.
    pub exit: ExitCode,
    /// From the start of the first part to the end of the last.
    pub duration_us: u64,
}

/// Why there is no whole: a record is not there a second time as it was judged.
#[derive(Debug, thiserror::Error)]
pub enum WeaveError {
    /// It cannot be opened any more.
    #[error("{record} cannot be opened a second time")]
    Open {
        /// Which.
        record: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It cannot be read any more.
    #[error("{record} cannot be read a second time")]
    Read {
        /// Which.
        record: String,
        /// Why.
        #[source]
        source: LineError,
    },
    /// It has other events now.
    #[error(
        "{record} had {judged} events when it was judged and has {found} now: is its run still going on?"
    )]
    Changed {
        /// Which.
        record: String,
        /// Events the first time.
        judged: usize,
        /// Events that were found the second time, at least.
        found: usize,
    },
}

/// Says the events of the parts as one run with this head. Where two parts have a unit or suite of the same name, which a partition does not,
/// the second one is called `NAME #2`, so that both are seen.
///
/// # Errors
///
/// [`WeaveError`]; what was said until then has no end, as that of a run that was killed.
pub fn weave(
    judgement: &Judgement,
    head: &RunRow,
    mut say: impl FnMut(&Recorded),
) -> Result<Merged, WeaveError> {
    let parts: Vec<&Part> =
        judgement.parts().iter().filter(|part| !part.is_copy).map(|part| &part.part).collect();
    let names = Names::of(&parts);
    let cells = matrix(&parts, &names);
    let mut woven = Woven::of(&parts, &names)?;
    say(&Recorded { at_us: 0, event: started(&parts, head) });
    let (shards, faults) = (judgement.lines(), judgement.faults().to_vec());
    let notes = judgement.notes().to_vec();
    say(&Recorded { at_us: 0, event: RunEvent::ShardsMerged { shards, faults, notes } });
    let mut tally = Tally::default();
    let mut expected: BTreeMap<UnitId, Expected> = BTreeMap::new();
    if let Some(matrix) = cells {
        let known = |cell: &CellLine| Some((cell.unit.clone(), cell.expected.clone()?));
        expected = matrix.cells.iter().filter_map(known).collect();
        tally.expectation_faults(matrix.faults.len());
        let MatrixPart { peers, builds, cells, faults } = matrix;
        say(&Recorded {
            at_us: 0,
            event: RunEvent::MatrixStarted { peers, builds, cells, faults },
        });
    }
    let mut last_us = 0;
    while let Some(recorded) = woven.next()? {
        count(&mut tally, &recorded.event, &expected);
        last_us = recorded.at_us.max(last_us);
        say(&Recorded { at_us: last_us, event: recorded.event });
    }
    let summary = whole(judgement, &parts, tally);
    let durations =
        parts.iter().map(|part| offset_us(&parts, part).saturating_add(part.duration_us()));
    let duration_us = durations.max().unwrap_or_default().max(last_us);
    let exit = ExitCode::of(&summary);
    say(&Recorded { at_us: duration_us, event: RunEvent::RunEnded { summary, exit, duration_us } });
    Ok(Merged { summary, exit, duration_us })
}

/// When the first part started, microseconds since the Unix epoch.
pub fn started_unix_us(judgement: &Judgement) -> i64 {
    let parts: Vec<&Part> = judgement.parts().iter().map(|part| &part.part).collect();
    first_us(&parts)
}

fn first_us(parts: &[&Part]) -> i64 {
    let readable = parts.iter().filter(|part| !part.run.is_empty());
    readable.map(|part| part.started_unix_us).min().unwrap_or_default()
}

fn offset_us(parts: &[&Part], part: &Part) -> u64 {
    u64::try_from(part.started_unix_us.saturating_sub(first_us(parts))).unwrap_or_default()
}

fn started(parts: &[&Part], head: &RunRow) -> RunEvent {
    let sum = |number: fn(&Part) -> usize| {
        parts.iter().fold(0_usize, |sum, part| sum.saturating_add(number(part)))
    };
    RunEvent::RunStarted {
        format: FORMAT,
        run: head.run.clone(),
        handfast: head.handfast.clone(),
        command: head.command.clone(),
        seed: head.seed,
        started_unix_us: head.started_unix_us,
        units: sum(|part| part.units),
        suites: sum(|part| part.suites),
        shard: None,
    }
}

/// The counts of the whole: of what has a verdict by its events, of the rest by what the parts say at their ends.
fn whole(judgement: &Judgement, parts: &[&Part], tally: Tally) -> Summary {
    let mut summary = tally.summary();
    let said = |number: fn(&Summary) -> u64| {
        let ends = parts.iter().filter_map(|part| part.end.as_ref());
        ends.fold(0_u64, |sum, end| sum.saturating_add(number(&end.summary)))
    };
    summary.not_run = said(|summary| summary.not_run).saturating_add(judgement.not_run());
    summary.budgets_spent = said(|summary| summary.budgets_spent);
    summary.flaky = said(|summary| summary.flaky);
    summary.shard_faults = u64::try_from(judgement.faults().len()).unwrap_or(u64::MAX);
    summary
}

/// The matrix of all parts together; nothing where none has one.
fn matrix(parts: &[&Part], names: &Names) -> Option<MatrixPart> {
    let mut whole: Option<MatrixPart> = None;
    for (at, part) in parts.iter().enumerate() {
        let Some(matrix) = &part.matrix else { continue };
        let sum = whole.get_or_insert_with(|| MatrixPart {
            peers: Vec::new(),
            builds: BTreeMap::new(),
            cells: Vec::new(),
            faults: Vec::new(),
        });
        for peer in &matrix.peers {
            if !sum.peers.contains(peer) {
                sum.peers.push(peer.clone());
            }
        }
        for (peer, build) in &matrix.builds {
            sum.builds.entry(peer.clone()).or_insert_with(|| build.clone());
        }
        for fault in &matrix.faults {
            if !sum.faults.contains(fault) {
                sum.faults.push(fault.clone());
            }
        }
        sum.cells.extend(matrix.cells.iter().cloned().map(|mut cell| {
            names.unit(at, &mut cell.unit);
            cell
        }));
    }
    if let Some(whole) = &mut whole {
        sort(whole, parts);
    }
    whole
}

/// In the order of one run: by category, scenario and column.
fn sort(whole: &mut MatrixPart, parts: &[&Part]) {
    let mut categories: Vec<Vec<CategoryName>> =
        parts.iter().filter_map(|part| Some(categories(part.matrix.as_ref()?))).collect();
    // The one that has the most knows best which comes first.
    categories.sort_by_key(|categories| Reverse(categories.len()));
    let mut order: Vec<CategoryName> = Vec::new();
    for category in categories.concat() {
        if !order.contains(&category) {
            order.push(category);
        }
    }
    let peers = whole.peers.clone();
    let place = |peer: &PeerName| peers.iter().position(|other| other == peer);
    whole.cells.sort_by_cached_key(|cell| {
        let category = order.iter().position(|category| *category == cell.category);
        let [a, b] = &cell.column;
        (category, cell.scenario.clone(), place(a), place(b), cell.unit.clone())
    });
}

fn categories(matrix: &MatrixPart) -> Vec<CategoryName> {
    let mut categories: Vec<CategoryName> =
        matrix.cells.iter().map(|cell| cell.category.clone()).collect();
    categories.dedup();
    categories
}

/// What units and suites are called that another part has, too.
#[derive(Debug, Default)]
struct Names {
    units: BTreeMap<(usize, UnitId), UnitId>,
    suites: BTreeMap<(usize, SuiteName), SuiteName>,
}

impl Names {
    fn of(parts: &[&Part]) -> Self {
        let mut names = Self::default();
        let mut units: BTreeMap<&UnitId, usize> = BTreeMap::new();
        let mut suites: BTreeMap<&SuiteName, usize> = BTreeMap::new();
        for (at, part) in parts.iter().enumerate() {
            let cells = part.matrix.iter().flat_map(|matrix| &matrix.cells).map(|cell| &cell.unit);
            for unit in cells.chain(&part.begun).collect::<BTreeSet<_>>() {
                let times = units.entry(unit).or_default();
                *times += 1;
                if *times > 1 {
                    let name = UnitId::new(format!("{unit} #{times}"));
                    names.units.insert((at, unit.clone()), name);
                }
            }
            for suite in &part.begun_suites {
                let times = suites.entry(suite).or_default();
                *times += 1;
                if let (2.., Ok(name)) = (*times, SuiteName::new(format!("{suite}.{times}"))) {
                    names.suites.insert((at, suite.clone()), name);
                }
            }
        }
        names
    }

    fn unit(&self, part: usize, unit: &mut UnitId) {
        if self.units.is_empty() {
            return;
        }
        if let Some(name) = self.units.get(&(part, unit.clone())) {
            *unit = name.clone();
        }
    }

    fn suite(&self, part: usize, suite: &mut SuiteName) {
        if let Some(name) = self.suites.get(&(part, suite.clone())) {
            *suite = name.clone();
        }
    }
}

/// The events of the parts that belong to units and suites.
struct Woven<'a> {
    names: &'a Names,
    threads: Vec<Thread<'a>>,
    next: BTreeMap<usize, Recorded>,
    due: BinaryHeap<Reverse<(u64, usize)>>,
}

/// A part that is read for the second time.
struct Thread<'a> {
    part: &'a Part,
    offset_us: u64,
    /// Nothing where there was nothing the first time either.
    lines: Option<Lines>,
    events: usize,
}

impl<'a> Woven<'a> {
    fn of(parts: &[&'a Part], names: &'a Names) -> Result<Self, WeaveError> {
        let thread = |part: &&'a Part| {
            let lines = match Lines::open(&part.file) {
                Ok(lines) => Some(lines),
                Err(_) if part.events == 0 && part.broken.is_some() => None,
                Err(source) => return Err(WeaveError::Open { record: part.name(), source }),
            };
            Ok(Thread { part, offset_us: offset_us(parts, part), lines, events: 0 })
        };
        let threads = parts.iter().map(thread).collect::<Result<Vec<_>, _>>()?;
        let mut woven = Self { names, threads, next: BTreeMap::new(), due: BinaryHeap::new() };
        (0..parts.len()).try_for_each(|part| woven.pull(part))?;
        Ok(woven)
    }

    /// Takes the next event of a part that belongs to the whole.
    fn pull(&mut self, part: usize) -> Result<(), WeaveError> {
        let Some(thread) = self.threads.get_mut(part) else { return Ok(()) };
        while let Some(mut recorded) = thread.read()? {
            recorded.at_us = recorded.at_us.saturating_add(thread.offset_us);
            if frames(&recorded.event) {
                continue;
            }
            if let Some(unit) = recorded.event.unit_mut() {
                self.names.unit(part, unit);
            }
            if let Some(suite) = recorded.event.suite_mut() {
                self.names.suite(part, suite);
            }
            self.due.push(Reverse((recorded.at_us, part)));
            self.next.insert(part, recorded);
            break;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Recorded>, WeaveError> {
        let Some(Reverse((_, part))) = self.due.pop() else { return Ok(None) };
        let recorded = self.next.remove(&part);
        self.pull(part)?;
        Ok(recorded)
    }
}

impl Thread<'_> {
    /// The next event; there must be as many as the first time.
    fn read(&mut self) -> Result<Option<Recorded>, WeaveError> {
        let judged = self.part.events;
        let line = self.lines.as_mut().and_then(Iterator::next);
        self.events += usize::from(matches!(line, Some(Ok(_))));
        let (record, found) = (|| self.part.name(), self.events);
        match line {
            Some(Ok(recorded)) if found <= judged => Ok(Some(recorded)),
            None if found == judged => Ok(None),
            // Where it was damaged the first time.
            Some(Err(_)) if found == judged && self.part.broken.is_some() => Ok(None),
            Some(Err(source)) => Err(WeaveError::Read { record: record(), source }),
            Some(Ok(_)) | None => Err(WeaveError::Changed { record: record(), judged, found }),
        }
    }
}

/// Whether an event says what the run as a whole is; the merged record says that anew.
fn frames(event: &RunEvent) -> bool {
    matches!(
        event,
        RunEvent::RunStarted { .. }
            | RunEvent::ShardsMerged { .. }
            | RunEvent::MatrixStarted { .. }
            | RunEvent::RunEnded { .. }
    )
}
