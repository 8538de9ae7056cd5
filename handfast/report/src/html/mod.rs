//! A run as one HTML file: no server, no network, everything in it.
//!
//! Reading order: [`detail`] what is kept of a unit while it is played; [`page`] the whole file; `grid` the matrix in it;
//! `unit` what stands behind a red cell; `text` how anything gets into HTML.

pub mod detail;
mod grid;
pub mod page;
mod text;
mod unit;

pub(crate) use self::text::Plain;

use std::collections::BTreeMap;

use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::VerdictKind;
use handfast_scenario::{Recorded, RunEvent};

use crate::book::Book;
use detail::Detail;

/// Units whose whole story is in the file; of the others only the reason.
pub const DETAILS_MAX: usize = 100;

/// Reads a run's events and writes its page.
#[derive(Debug, Default)]
pub struct HtmlReport {
    book: Book,
    running: BTreeMap<UnitId, Detail>,
    kept: BTreeMap<UnitId, Detail>,
    stubs: BTreeMap<String, String>,
}

impl HtmlReport {
    /// A report of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next event.
    pub fn read(&mut self, recorded: &Recorded) {
        self.book.read(recorded);
        if let RunEvent::UnitStarted { unit, .. } = &recorded.event {
            self.running.insert(unit.clone(), Detail::new(recorded.at_us));
        } else if let RunEvent::UnitEnded { unit, verdict, .. } = &recorded.event {
            self.ended(unit, verdict.kind());
        } else if let Some(detail) =
            recorded.event.unit().and_then(|unit| self.running.get_mut(unit))
        {
            detail.read(recorded);
        }
        if let RunEvent::PeerStarted { peer, version, .. } = &recorded.event
            && version.starts_with("stub of ")
        {
            self.stubs.insert(peer.to_string(), version.clone());
        }
    }

    fn ended(&mut self, unit: &UnitId, kind: VerdictKind) {
        let detail = self.running.remove(unit);
        let told = match kind {
            VerdictKind::Failed | VerdictKind::TimedOut | VerdictKind::Infra => true,
            VerdictKind::Passed
            | VerdictKind::Unsupported
            | VerdictKind::Absent
            | VerdictKind::DidNotFit => false,
        };
        if let Some(detail) = detail.filter(|_| told && self.kept.len() < DETAILS_MAX) {
            self.kept.insert(unit.clone(), detail);
        }
    }

    /// The page as it stands; complete once the run has ended.
    pub fn render(&self) -> String {
        page::page(&self.book, &self.kept, &self.stubs)
    }
}

#[cfg(test)]
mod tests;
