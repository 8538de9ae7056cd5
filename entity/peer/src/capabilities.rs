//! What we say we can do, and what others said (`docs/protocol/1.0.md#message-types`).

use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::capability::{CapabilityReport, Form};
use entity_wire::version::Version;

use crate::command::{CommandResult, Send};
use crate::core::Core;
use crate::name::PeerName;

/// Makes the answer to a `capability_query` that came by `version`.
pub(crate) fn answer(core: &Core, to: PeerName, version: Version) -> Send {
    let form = match version {
        Version::V0_3 | Version::V1_0 => Form::V1_0,
        Version::V1_1 => Form::V1_1 {
            versions: core.config.protocols.texts(),
            capabilities: HANDSHAKE_CAPABILITIES.map(str::to_owned).to_vec(),
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

/// What step 1 of the 1.1 handshake says (`docs/protocol/1.1.md#handshake-steps`).
const HANDSHAKE_CAPABILITIES: [&str; 4] =
    ["e2e_encryption", "aes_256_gcm", "x25519", "6step_handshake"];
