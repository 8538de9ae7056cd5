//! Commands, and what waits for a lookup.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_dht::discovery::Discovered;
use entity_dht::{CheckedRecord, Ed25519, Effort, Event, OperationId};
use entity_wire::payload::dht::{Record, RecordKey, RecordVersion, Terms};
use entity_wire::time::Timestamp;

use super::room::Part;
use super::vocabulary::{DhtCommand, DhtError, DhtResult, Got, Put, Stored};
use crate::command::{CommandError, CommandId, CommandResult};
use crate::core::Core;
use crate::discovery;

/// The commands that wait. The table bounds their number: each is a lookup, and further ones are refused.
#[derive(Debug, Default)]
pub(super) struct Operations {
    waiting: BTreeMap<OperationId, (CommandId, Waits)>,
    leaving: Vec<CommandId>,
}

#[derive(Debug)]
enum Waits {
    Put { key: RecordKey, version: RecordVersion, expires_at: Timestamp },
    Get { key: RecordKey, owner: Option<PublicKey> },
    Find,
}

impl Operations {
    /// Takes a command, and ends it at once where it cannot be begun.
    pub(super) fn begin(
        &mut self,
        core: &mut Core,
        part: &mut Part,
        (id, command): (CommandId, DhtCommand),
        wall: Timestamp,
    ) {
        let begun = match command {
            DhtCommand::Put(put) => put_record(core, part, *put, wall).map(Some),
            DhtCommand::Get { key, owner } => {
                let begun = part.discovery.table_mut().find_records(key, wall);
                begun.map(|begun| Some((begun, Waits::Get { key, owner }))).map_err(DhtError::from)
            }
            DhtCommand::Find(wanted) => match discovery::find(core, part, wanted, wall) {
                Ok(discovery::Search::Known(ways)) => {
                    return finish(core, id, Ok(DhtResult::Ways(ways)));
                }
                Ok(discovery::Search::Begun(begun)) => Ok(Some((begun, Waits::Find))),
                Err(error) => Err(error),
            },
            DhtCommand::Leave => {
                part.discovery.table_mut().leave(wall).map(|()| None).map_err(Into::into)
            }
        };
        match begun {
            Ok(Some((operation, waits))) => {
                self.waiting.insert(operation, (id, waits));
            }
            Ok(None) => self.leaving.push(id),
            Err(error) => finish(core, id, Err(error)),
        }
    }

    /// Withdraws a command, and says whether it waited. What was begun goes on.
    pub(super) fn withdraw(&mut self, command: CommandId) -> bool {
        let count = self.waiting.len() + self.leaving.len();
        self.waiting.retain(|_, (id, _)| *id != command);
        self.leaving.retain(|id| *id != command);
        self.waiting.len() + self.leaving.len() < count
    }

    /// Says whether somebody waits for the end of the leaving.
    pub(super) fn is_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Ends the command that waited for this end of a lookup.
    pub(super) fn ended(&mut self, core: &mut Core, event: &Event) {
        match event {
            Event::FoundRecords { operation, records, effort } => {
                self.found(core, *operation, (records, *effort));
            }
            Event::Published { operation, stored, refused } => {
                if let Some((id, Waits::Put { key, version, expires_at })) =
                    self.waiting.remove(operation)
                {
                    let (stored, refused) = (*stored, *refused);
                    let stored = Stored { key, version, expires_at, stored, refused };
                    finish(core, id, Ok(DhtResult::Stored(stored)));
                }
            }
            Event::Left => {
                for id in std::mem::take(&mut self.leaving) {
                    finish(core, id, Ok(DhtResult::Left));
                }
                // Nothing answers any more.
                for (id, _) in std::mem::take(&mut self.waiting).into_values() {
                    finish(core, id, Err(DhtError::Left));
                }
            }
            Event::FoundNodes { .. }
            | Event::Joined { .. }
            | Event::Alone
            | Event::Misbehaved { .. } => {}
        }
    }

    /// Ends the command that waited for this search.
    pub(super) fn discovered(&mut self, core: &mut Core, discovered: &Discovered) {
        if let Some((id, _)) = self.waiting.remove(&discovered.operation) {
            finish(core, id, Ok(DhtResult::Ways(discovery::ways_of(discovered))));
        }
    }

    fn found(
        &mut self,
        core: &mut Core,
        operation: OperationId,
        (records, effort): (&[Arc<CheckedRecord>], Effort),
    ) {
        let Some((id, Waits::Get { key, owner })) = self.waiting.remove(&operation) else { return };
        let is_wanted = |record: &&Arc<CheckedRecord>| {
            owner.is_none_or(|owner| owner == record.record().terms().owner)
        };
        let records = records.iter().filter(is_wanted).map(Arc::clone).collect();
        finish(core, id, Ok(DhtResult::Got(Got { key, records, effort })));
    }
}

fn put_record(
    core: &Core,
    part: &mut Part,
    put: Put,
    wall: Timestamp,
) -> Result<(OperationId, Waits), DhtError> {
    let Put { kind, name, value, lifetime, version } = put;
    let of_time = u64::try_from(wall.micros()).ok().and_then(RecordVersion::new);
    let version = version.or(of_time).unwrap_or(RecordVersion::FIRST);
    let expires_at = wall.plus(lifetime);
    let owner = core.public_key;
    let terms = Terms { kind, name, owner, value, version, issued_at: wall, expires_at };
    let record = Record::new(terms).map_err(DhtError::Record)?;
    let key = record.key();
    let record = CheckedRecord::check(record.sign(&core.key), &Ed25519);
    // What was signed here just now is genuine.
    let record = record.map_err(|_| DhtError::Expired)?;
    let begun = part.discovery.table_mut().publish(record, wall)?;
    Ok((begun, Waits::Put { key, version, expires_at }))
}

pub(super) fn finish(core: &mut Core, id: CommandId, result: Result<DhtResult, DhtError>) {
    core.done(id, result.map(CommandResult::Dht).map_err(CommandError::Dht));
}
