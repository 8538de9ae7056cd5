//! What an accepted 1.0 message does (step 9 of `docs/protocol/1.0.md#order-of-checks`).

use std::sync::Arc;

use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::State;
use super::fault::Fault;
use super::open::Opened;
use super::pieces::Whole;
use super::receive::Message;
use crate::capabilities;
use crate::config::LegacyTransfers;
use crate::core::{Core, Reason};
use crate::output::Received;
use crate::routing::{Feature, feature};
use crate::view::SessionName;

impl State {
    /// Hands a message to the feature it is for.
    ///
    /// # Errors
    ///
    /// Only what a handshake must refuse aloud, and a token transfer; any other refused handshake is answered 200 and
    /// seen as an event.
    pub(super) fn handle(
        &mut self,
        core: &mut Core,
        message: Message,
        opened: Opened,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let Some(payload) = opened.payload else { return Ok(()) };
        let feature = feature(&message.kind);
        let is_transfer = message.kind == MessageKind::TokenTransfer;
        match feature {
            Feature::Token
                if is_transfer && core.config.legacy_transfers == LegacyTransfers::Refused =>
            {
                return Err(Fault::Transfer);
            }
            Feature::Handshake => return self.on_handshake(core, &message, &payload, now),
            Feature::HandshakeAck => {
                self.on_ack(core, &message, &payload, now);
                return Ok(());
            }
            Feature::HandshakeConfirm => {
                self.on_confirm(core, &message, &payload, now);
                return Ok(());
            }
            // Outside 1.1 these are types like any other.
            Feature::Session1_1
            | Feature::Inbox
            | Feature::CapabilityQuery
            | Feature::Token
            | Feature::Task
            | Feature::Transfer
            | Feature::Dht
            | Feature::WakeUp
            | Feature::Heartbeat
            | Feature::Error => {}
            Feature::CapabilityResponse => {
                capabilities::remember(core, &message.sender, &payload);
            }
        }
        if message.kind == MessageKind::Chunk {
            let piece = (&payload, opened.is_sealed);
            let Some(whole) = self.take_piece(&message.sender, piece, now) else { return Ok(()) };
            let Whole { kind, payload, is_sealed } = whole;
            let (message, payload) = (Message { kind, ..message }, Some(payload));
            // It is no piece again, so this is not repeated.
            return self.handle(core, message, Opened { payload, is_sealed, ..opened }, now);
        }
        let received = Received {
            index: None,
            from: message.sender.clone(),
            kind: message.kind,
            body: Arc::new(payload),
            session: SessionName(message.session),
            sequence: message.sequence,
            number: None,
            version: message.version,
            sealed: opened.is_sealed,
            received_at: core.wall(now),
            durable: None,
        };
        if matches!(feature, Feature::Token | Feature::Transfer) {
            // Certified transfers and those of files are 1.1's alone: what has their names here is a message like any other.
            core.keep(received, message.len_bytes);
        } else {
            core.deliver(received, message.len_bytes);
        }
        if feature == Feature::CapabilityQuery {
            let answer = capabilities::answer(core, message.sender, Version::V1_0);
            // An answer that cannot be sent is not missed by anyone but the one who asked.
            if let Err(error) = self.send(core, Reason::Answer, answer, now) {
                core.finish_send(Reason::Answer, Err(error), now);
            }
        }
        Ok(())
    }
}
