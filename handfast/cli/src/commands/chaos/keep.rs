//! Keeping what was found.

use std::fs;
use std::path::PathBuf;

use handfast_chaos::campaign::End;
use handfast_report::sequence::Sequence;
use handfast_runner::chaos::finding::{FORMAT, Failure, Finding, FindingError, Planted};
use handfast_runner::chaos::{Ended, Subject};

use super::Desk;
use crate::error::CommandError;

/// A finding on disk.
#[derive(Debug)]
pub(super) struct Kept {
    /// What `failure.json` says.
    pub(super) failure: Failure,
    /// Where it is, as a person would type it.
    pub(super) folder: PathBuf,
    /// The text of the smallest failing scenario's disturbances.
    pub(super) disturbances: String,
    /// The diagram.
    pub(super) sequence: Sequence,
}

impl Kept {
    /// Writes down what a campaign has found; nothing if that is nothing.
    pub(super) fn of(
        desk: &Desk<'_>,
        subject: &Subject,
        ended: &Ended,
        flaw: Option<Planted>,
    ) -> Result<Option<Self>, CommandError> {
        let End::Found { found, shrunk, confirmed } = &ended.report.end else { return Ok(None) };
        let unit = &subject.unit;
        let id = desk.new_finding();
        let failure = Failure {
            format: FORMAT,
            id: id.clone(),
            unit: unit.id.to_string(),
            scenario: unit.scenario.id.to_string(),
            variant: unit.scenario.id.variant().map(str::to_owned),
            peers: unit.peers.clone(),
            flaw,
            seed: desk.session.seed,
            reason: shrunk.failure.reason.clone(),
            steps: [found.failure.schedule.len(), shrunk.failure.schedule.len()],
            is_minimal: shrunk.is_minimal,
            found: found.rate,
            confirmed: *confirmed,
        };
        let path = desk.loaded.root.join(&subject.file);
        let original = fs::read_to_string(&path)
            .map_err(|error| CommandError::infra(&error, "the scenario file cannot be read"))?;
        let finding = Finding {
            failure: &failure,
            original: &original,
            own: &unit.scenario.disturbances,
            found: &found.failure.schedule,
            smallest: &shrunk.failure.schedule,
            events: &ended.failed,
        };
        let lost = |error: FindingError| CommandError::infra(&error, "the finding cannot be kept");
        let folder = desk.folder_of(&id);
        finding.write(&desk.loaded.root.join(&folder)).map_err(lost)?;
        let disturbances = finding.disturbances().map_err(lost)?;
        let sequence = finding.sequence();
        Ok(Some(Self { failure, folder, disturbances, sequence }))
    }
}
