//! What stands below the grid: whose fault it is, what was not proved, how fast it went.

use std::fmt::Write as _;

use handfast_matrix::Grid;
use handfast_matrix::blame::{self, Fault};
use handfast_matrix::expected::Comparison;
use handfast_matrix::grid::Square;

use crate::palette::{Ink, Palette};
use crate::quantity::{median, tame, time};

/// Cells that are listed one by one below the grid; the rest is counted.
const LISTED_MAX: usize = 20;

/// Notes of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How it is meant.
    pub ink: Ink,
    /// The line, without its end.
    pub text: String,
}

/// Everything there is to say below the grid, the worst first.
pub fn notes(grid: &Grid) -> Vec<Note> {
    let mut notes = Vec::new();
    broken_peers(grid, &mut notes);
    failed_cells(grid, &mut notes);
    expectations(grid, &mut notes);
    absences(grid, &mut notes);
    figures(grid, &mut notes);
    notes
}

/// The notes as lines, each with its end.
pub fn text(grid: &Grid, palette: Palette) -> String {
    notes(grid).iter().map(|note| palette.paint(note.ink, tame(&note.text)) + "\n").collect()
}

fn broken_peers(grid: &Grid, notes: &mut Vec<Note>) {
    for broken in blame::broken(grid) {
        let text = format!(
            "{} fails in all {} of its cells: {}",
            broken.peer, broken.cells, broken.reason
        );
        notes.push(Note { ink: Ink::Bad, text });
    }
}

fn failed_cells(grid: &Grid, notes: &mut Vec<Note>) {
    let failed =
        |cell: &&Square| cell.failed() && cell.comparison() != Some(Comparison::AsExpected);
    let failed: Vec<&Square> = grid.cells().iter().filter(failed).collect();
    for cell in failed.iter().take(LISTED_MAX) {
        let fault = blame::fault(grid, cell).unwrap_or(Fault::Unknown);
        let text = format!("failed: {}: blame {fault}", cell_name(cell));
        notes.push(Note { ink: Ink::Bad, text });
    }
    if failed.len() > LISTED_MAX {
        let text = format!("and {} more; --json names them all", failed.len() - LISTED_MAX);
        notes.push(Note { ink: Ink::Bad, text });
    }
}

fn expectations(grid: &Grid, notes: &mut Vec<Note>) {
    for cell in grid.cells() {
        let Some(expected) = &cell.line.expected else { continue };
        if cell.comparison() == Some(Comparison::UnexpectedPass) {
            let text = format!(
                "passed, but expected {} until {}: {}: {} ({}): take it out of the file of expected results",
                expected.result,
                expected.expires,
                cell_name(cell),
                expected.reason,
                expected.issue
            );
            notes.push(Note { ink: Ink::Bad, text });
        }
    }
    for fault in grid.faults() {
        notes.push(Note { ink: Ink::Bad, text: fault.clone() });
    }
    let counts = grid.counts();
    if counts.as_expected > 0 {
        let text = format!("{} cells failed as expected", counts.as_expected);
        notes.push(Note { ink: Ink::Doubtful, text });
    }
}

fn absences(grid: &Grid, notes: &mut Vec<Note>) {
    for (peer, (reason, allowed, cells)) in grid.absences() {
        let allowed = if allowed { ", which is allowed" } else { "" };
        let text =
            format!("not proved: {cells} cells, because {peer} is absent{allowed}: {reason}");
        notes.push(Note { ink: Ink::Doubtful, text });
    }
    let counts = grid.counts();
    if counts.unsupported > 0 {
        let text =
            format!("{} cells are unsupported, by a peer's own declaration", counts.unsupported);
        notes.push(Note { ink: Ink::Faint, text });
    }
}

fn figures(grid: &Grid, notes: &mut Vec<Note>) {
    let counts = grid.counts();
    let judged = counts.passed + counts.failed + counts.unsupported;
    let mut text = format!("{judged} of {} cells judged", counts.all);
    if counts.recalled > 0 {
        // Writing to a text cannot fail.
        write!(text, ", {} by earlier runs on the same content", counts.recalled)
            .unwrap_or_default();
    }
    let took_us = grid.took_us();
    if counts.played > 0 && took_us > 0 {
        let played = u64::try_from(counts.played).unwrap_or(u64::MAX);
        let rate = played.saturating_mul(60_000_000) / took_us;
        write!(text, ", {played} played in {}: {rate} a minute", time(took_us)).unwrap_or_default();
    }
    notes.push(Note { ink: Ink::Strong, text });
    let starts: Vec<String> = grid
        .starts_us()
        .iter()
        .filter_map(|(peer, starts)| {
            Some(format!("{peer} {} (n={})", time(median(starts)?), starts.len()))
        })
        .collect();
    if !starts.is_empty() {
        let text = format!("start-up of a peer, p50: {}", starts.join(", "));
        notes.push(Note { ink: Ink::Faint, text });
    }
}

/// A cell in words: its scenario, who plays, and its seed where it has one of its own.
pub fn cell_name(cell: &Square) -> String {
    let cast: Vec<String> =
        cell.line.peers.iter().map(|(role, peer)| format!("{role}={peer}")).collect();
    let seed = cell.line.unit.seed().map(|seed| format!(", seed {seed}")).unwrap_or_default();
    format!("{} ({}){seed}", cell.line.scenario, cast.join(" "))
}
