//! What we say we can do, and what others said (`docs/protocol/1.0.md#message-types`).

use std::collections::BTreeSet;

use entity_journal::{Space, Stored};
use entity_wire::json::{Object, Problem, Value};
use entity_wire::kind::MessageKind;
use entity_wire::payload::capability::{CapabilityReport, Form};
use entity_wire::payload::task::Capability;
use entity_wire::version::Version;

use crate::command::{CommandError, CommandId, CommandResult, Send};
use crate::core::Core;
use crate::name::PeerName;
use crate::record;
use crate::restore::RestoreError;
use crate::v1_1;

/// Capabilities that a peer may say it has: as many as fit the list of a message.
pub(crate) const CAPABILITIES_MAX: usize = entity_wire::limits::LIST_LEN_MAX;

/// Reads back what tasks we are able to do.
///
/// # Errors
///
/// The record is damaged.
pub(crate) fn restore(stored: &mut Stored) -> Result<BTreeSet<Capability>, RestoreError> {
    let mut able = BTreeSet::new();
    for kept in stored.take(SPACE) {
        if kept.key != KEY {
            return Err(record::damaged(SPACE, &kept, "there is no such record"));
        }
        able = record::read(SPACE, &kept, &["tasks"], |fields| {
            let texts = fields.texts("tasks")?;
            let able: Option<_> = texts.iter().map(|text| Capability::new(text)).collect();
            able.ok_or(Problem::Invalid { expected: "capabilities" }.of("tasks"))
        })?;
    }
    Ok(able)
}

/// Says from here on that these are the tasks that we are able to do, and no others.
pub(crate) fn set(core: &mut Core, id: CommandId, able: Vec<Capability>) {
    if able.len() > CAPABILITIES_MAX {
        return core.done(id, Err(CommandError::Overloaded { limit: "CAPABILITIES_MAX" }));
    }
    core.able = able.into_iter().collect();
    let tasks = core.able.iter().map(|able| Value::from(able.as_str())).collect();
    let kept = Object::new().with("tasks", Value::Array(tasks));
    core.persist(record::put(SPACE, KEY, &kept));
    core.done(id, Ok(CommandResult::Done));
}

/// What we are able to do: one record, `tasks`, with the field `tasks`.
const SPACE: Space = Space::state("capability");

const KEY: &[u8] = b"tasks";

/// Makes the answer to a `capability_query` that came by `version`.
pub(crate) fn answer(core: &Core, to: PeerName, version: Version) -> Send {
    let form = match version {
        Version::V0_3 | Version::V1_0 => Form::V1_0,
        Version::V1_1 => Form::V1_1 {
            versions: core.config.protocols.texts(),
            capabilities: v1_1::offered(&core.config).as_slice().to_vec(),
            tasks: core.able.iter().map(|able| able.as_str().to_owned()).collect(),
        },
    };
    let kinds = HANDLED_KINDS.iter().map(|kind| kind.as_str().to_owned()).collect();
    let body = CapabilityReport::new(form, &core.config.id, kinds).to_object();
    let kind = MessageKind::CapabilityResponse;
    Send::new(to, kind, body)
}

/// Remembers what a peer said, and ends the queries that waited for it.
///
/// A report that cannot be read is not remembered; the queries run into their time limit.
pub(crate) fn remember(core: &mut Core, peer: &PeerName, payload: &Object) {
    if CapabilityReport::from_object(payload).is_err() {
        return;
    }
    let Some(report) = payload.get("capabilities").and_then(|report| report.as_object()) else {
        return;
    };
    if let Some(entry) = core.roster.get_mut(peer.as_str())
        && entry.capabilities.as_ref() != Some(report)
    {
        entry.capabilities = Some(report.clone());
        core.keep_peer(peer);
    }
    let (answered, waiting) =
        std::mem::take(&mut core.queries).into_iter().partition(|query| query.peer == *peer);
    core.queries = waiting;
    for query in answered {
        core.done(query.command, Ok(CommandResult::Capabilities(report.clone())));
    }
}

/// The types that have an effect, or reach the inbox under a name of their own.
const HANDLED_KINDS: [MessageKind; 8] = [
    MessageKind::Ping,
    MessageKind::Status,
    MessageKind::Message,
    MessageKind::CapabilityQuery,
    MessageKind::CapabilityResponse,
    MessageKind::Handshake,
    MessageKind::HandshakeAck,
    MessageKind::HandshakeConfirm,
];
