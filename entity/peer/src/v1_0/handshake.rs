//! The 1.0 handshake: its three messages, and what becomes of their delivery (`docs/protocol/1.0.md#handshake`).

use std::time::Duration;

use bytes::Bytes;
use entity_crypto::signing::PublicKey;
use entity_session::v1_0::established::Established;
use entity_session::v1_0::initiator::{AwaitingAck, ChallengeRule, Offer};
use entity_session::v1_0::responder::{AwaitingConfirm, ConfirmRefusal, Terms};
use entity_wire::code::ErrorCode;
use entity_wire::decode::Profile;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::handshake_1_0::{Handshake, HandshakeAck, HandshakeConfirm};
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::fault::Fault;
use super::receive::Message;
use super::send::{Address, write};
use super::{Purpose, State};
use crate::command::CommandError;
use crate::config::{Protocols, SessionSealing, Trust, V1_1_IS_SPOKEN};
use crate::core::{self, Core, News};
use crate::name::PeerName;
use crate::outbox::Attempts;
use crate::output::{CloseReason, PeerEvent};
use crate::view::{Role, SessionName};

/// Sequence numbers of the handshake's messages (`docs/protocol/1.0.md#handshake`).
const SEQUENCE_HANDSHAKE: u64 = 1;
const SEQUENCE_ACK: u64 = 1;
const SEQUENCE_CONFIRM: u64 = 2;

/// What becomes of a handshake.
enum Weight {
    Answer,
    /// It is answered later, unless our own leads to a session first.
    Hold,
    Refuse(ErrorCode, &'static str),
}

/// A handshake that crossed ours and waits for what becomes of that.
#[derive(Debug)]
pub(crate) struct Held {
    handshake: Handshake,
    signer: PublicKey,
    since: Timestamp,
}

impl Held {
    /// How long our own handshake may take before the other one is answered. Guessed: many round trips, and far
    /// below what anybody waits for an acknowledgement.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Returns when the handshake is to be answered.
    pub(super) fn answer_at(&self) -> Timestamp {
        self.since.plus(Self::PATIENCE)
    }
}

impl State {
    /// Opens a handshake, unless one with the peer is under way already.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub(crate) fn open(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let key = core.roster.get(peer.as_str()).map(|entry| entry.key);
        match (key, core.config.trust) {
            (None, _) => return Err(CommandError::UnknownPeer { name: peer.clone() }),
            (Some(None), Trust::Pinned) => return Err(CommandError::NoKey { name: peer.clone() }),
            (Some(Some(_)), _) | (Some(None), Trust::FirstUse) => {}
        }
        let sessions = self.with(peer);
        if sessions.opening.is_some()
            || sessions.confirming.is_some()
            || sessions.responding.is_some()
        {
            return Ok(());
        }
        let offer = Offer {
            public_key: core.public_key,
            supported_versions: offered_versions(core.config.protocols),
            sealing: core.config.session_sealing == SessionSealing::Offered,
        };
        let (awaiting, payload) = AwaitingAck::open(offer, &mut core.entropy, now);
        let session = awaiting.id().to_owned();
        let address = Address {
            kind: MessageKind::Handshake,
            recipient: peer.clone(),
            session: session.clone(),
            sequence: SEQUENCE_HANDSHAKE,
            flavour: core.config.flavour,
        };
        let bytes = write(core, address, payload.to_object(), now);
        let purpose = core::Purpose::V1_0(Purpose::Handshake { session });
        core.post(peer, bytes, Attempts::Handshake, purpose)?;
        self.with(peer).opening = Some(awaiting);
        Ok(())
    }

    /// Answers a `handshake`.
    ///
    /// # Errors
    ///
    /// Refuses aloud only a sender that could speak 1.1, as we can (`docs/protocol/1.1.md#downgrade-protection`).
    pub(super) fn on_handshake(
        &mut self,
        core: &mut Core,
        message: &Message,
        payload: &Object,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let peer = &message.sender;
        if message.version != Version::V1_0 {
            failed(core, peer, ErrorCode::InvalidVersion, NOT_1_0);
            return Ok(());
        }
        let Ok(handshake) = Handshake::from_object(payload) else {
            failed(core, peer, ErrorCode::InvalidMessage, "the handshake is malformed");
            return Ok(());
        };
        if has_both(core.config.protocols) && names_1_1(&handshake.supported_versions) {
            return Err(Fault::Version(message.version.as_str().to_owned()));
        }
        match self.weigh(core, message, &handshake) {
            Weight::Refuse(code, reason) => failed(core, peer, code, reason),
            Weight::Hold => {
                let held = Held { handshake, signer: message.signer, since: now };
                self.with(peer).held = Some(held);
            }
            Weight::Answer => self.answer(core, peer, (&handshake, &message.signer), now),
        }
        Ok(())
    }

    /// Answers the held handshakes whose time has come: ours leads nowhere, so theirs goes on.
    pub(super) fn answer_held(&mut self, core: &mut Core, now: Timestamp) {
        let due: Vec<_> = self
            .peers
            .iter_mut()
            .filter_map(|(peer, sessions)| {
                let held = sessions.held.take_if(|held| now >= held.answer_at())?;
                sessions.confirming.is_none().then(|| (peer.clone(), held))
            })
            .collect();
        for (peer, held) in due {
            self.answer(core, &peer, (&held.handshake, &held.signer), now);
        }
    }

    fn answer(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        (handshake, signer): (&Handshake, &PublicKey),
        now: Timestamp,
    ) {
        let terms = Terms {
            key: &core.key,
            supported_versions: has_both(core.config.protocols)
                .then(|| offered_versions(core.config.protocols)),
            sealing: core.config.session_sealing == SessionSealing::Offered,
        };
        let entropy = &mut core.entropy;
        match AwaitingConfirm::answer(handshake, signer, terms, entropy, now) {
            Ok((awaiting, ack)) => self.send_ack(core, peer, (awaiting, ack), now),
            Err(refusal) => {
                failed(core, peer, ErrorCode::InvalidSignature, &refusal.to_string());
            }
        }
    }

    /// Decides what becomes of a well-formed handshake.
    fn weigh(&mut self, core: &Core, message: &Message, handshake: &Handshake) -> Weight {
        let profile = self.profile;
        let sessions = self.with(&message.sender);
        if profile == Profile::Hardened && sessions.holds(&handshake.session_id) {
            return Weight::Refuse(ErrorCode::InvalidState, "its session exists");
        }
        if sessions.confirming.is_some() {
            return Weight::Refuse(ErrorCode::HandshakeInProgress, "our own handshake goes on");
        }
        // Both sides opened at once: the handshake of the smaller key goes on, so that one session comes of it. A side
        // that does not know this rule may never follow ours, but waits for an answer to its own: it gets one if
        // ours leads nowhere.
        let own_survives = core.public_key.as_bytes() < message.signer.as_bytes();
        if sessions.opening.is_some() && own_survives { Weight::Hold } else { Weight::Answer }
    }

    fn send_ack(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        (awaiting, ack): (AwaitingConfirm, HandshakeAck),
        now: Timestamp,
    ) {
        let session = awaiting.id().to_owned();
        let address = Address {
            kind: MessageKind::HandshakeAck,
            recipient: peer.clone(),
            session: session.clone(),
            sequence: SEQUENCE_ACK,
            flavour: core.config.flavour,
        };
        let bytes = write(core, address, ack.to_object(), now);
        match post(core, peer, bytes, Purpose::Ack { session }) {
            Ok(()) => {
                let sessions = self.with(peer);
                // If we had opened one ourselves, it gives way only now that this one goes on.
                sessions.opening = None;
                sessions.responding = Some(awaiting);
            }
            Err(error) => failed(core, peer, error.code(), &error.to_string()),
        }
    }

    /// Takes a `handshake_ack` and confirms it.
    pub(super) fn on_ack(
        &mut self,
        core: &mut Core,
        message: &Message,
        payload: &Object,
        now: Timestamp,
    ) {
        let peer = &message.sender;
        if message.version != Version::V1_0 {
            return failed(core, peer, ErrorCode::InvalidVersion, NOT_1_0);
        }
        let sessions = self.with(peer);
        let Some(awaiting) = sessions.opening.take_if(|opening| opening.id() == message.session)
        else {
            return failed(core, peer, ErrorCode::SessionNotFound, "no such handshake is open");
        };
        let Ok(ack) = HandshakeAck::from_object(payload) else {
            return core.tell(handshake_failed(
                peer,
                ErrorCode::InvalidMessage,
                "the acknowledgement is malformed",
            ));
        };
        if has_both(core.config.protocols)
            && ack.supported_versions.as_deref().is_some_and(names_1_1)
        {
            return core.tell(handshake_failed(peer, ErrorCode::InvalidVersion, SPEAKS_1_1));
        }
        let rule = match self.profile {
            Profile::Hardened => ChallengeRule::Required,
            Profile::Compat => ChallengeRule::Optional,
        };
        let times = (now, core.wall(now));
        match awaiting.on_ack(&ack, &message.signer, rule, times) {
            Ok((confirming, confirm)) => {
                let session = confirming.session.id().to_owned();
                self.with(peer).confirming = Some((confirming, message.signer));
                self.send_confirm(core, peer, (session, confirm), now);
            }
            Err(refusal) => {
                let reason = refusal.to_string();
                core.tell(handshake_failed(peer, ErrorCode::ChallengeInvalid, &reason));
            }
        }
    }

    fn send_confirm(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        (session, confirm): (String, HandshakeConfirm),
        now: Timestamp,
    ) {
        let address = Address {
            kind: MessageKind::HandshakeConfirm,
            recipient: peer.clone(),
            session: session.clone(),
            sequence: SEQUENCE_CONFIRM,
            flavour: core.config.flavour,
        };
        let bytes = write(core, address, confirm.to_object(), now);
        if let Err(error) = post(core, peer, bytes, Purpose::Confirm { session }) {
            self.with(peer).confirming = None;
            core.tell(open_failed(peer, error));
        }
    }

    /// Takes a `handshake_confirm`, which establishes the session.
    pub(super) fn on_confirm(
        &mut self,
        core: &mut Core,
        message: &Message,
        payload: &Object,
        now: Timestamp,
    ) {
        let peer = &message.sender;
        if message.version != Version::V1_0 {
            return failed(core, peer, ErrorCode::InvalidVersion, NOT_1_0);
        }
        let wall = core.wall(now);
        let responding = &mut self.with(peer).responding;
        let Some(awaiting) =
            responding.as_ref().filter(|awaiting| awaiting.id() == message.session)
        else {
            return failed(core, peer, ErrorCode::SessionNotFound, "no such handshake is open");
        };
        let Ok(confirm) = HandshakeConfirm::from_object(payload) else {
            return failed(core, peer, ErrorCode::InvalidMessage, "the confirmation is malformed");
        };
        if let Err(refusal) = awaiting.look(&confirm, wall) {
            let code = match refusal {
                ConfirmRefusal::OtherSession => ErrorCode::SessionNotFound,
                ConfirmRefusal::Time => ErrorCode::ExpiredTimestamp,
            };
            return failed(core, peer, code, &refusal.to_string());
        }
        if let Some(awaiting) = responding.take() {
            let session = awaiting.on_confirm();
            self.establish(core, peer, (session, message.signer, Role::Responder), now);
        }
    }

    pub(super) fn establish(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        (session, key, role): (Established, PublicKey, Role),
        now: Timestamp,
    ) {
        // The key of a first meeting may have been given by the operator while the handshake was under way.
        let known = core.roster.get(peer.as_str()).and_then(|entry| entry.key);
        if known.is_some_and(|known| known != key) {
            let reason = "another key was pinned meanwhile";
            return core.tell(handshake_failed(peer, ErrorCode::UnknownSender, reason));
        }
        let id = SessionName(session.id().to_owned());
        core.prove(peer, key, Version::V1_0);
        self.with(peer).held = None;
        if let Some(replaced) = self.with(peer).establish(session, role, now) {
            let (id, peer) = (SessionName(replaced), peer.clone());
            core.event(PeerEvent::SessionClosed { id, peer, reason: CloseReason::Replaced });
        }
        core.tell(News::Ready { id, peer: peer.clone(), version: Version::V1_0, role });
    }
}

/// Returns the news of a handshake that was not completed in time.
pub(super) fn timed_out(peer: &PeerName) -> News {
    open_failed(peer, CommandError::TimedOut { what: "the handshake" })
}

fn post(
    core: &mut Core,
    peer: &PeerName,
    bytes: Bytes,
    purpose: Purpose,
) -> Result<(), CommandError> {
    core.post(peer, bytes, Attempts::Patient, core::Purpose::V1_0(purpose))
}

pub(super) fn open_failed(peer: &PeerName, error: CommandError) -> News {
    News::OpenFailed { peer: peer.clone(), version: Version::V1_0, error }
}

fn handshake_failed(peer: &PeerName, code: ErrorCode, reason: &str) -> News {
    open_failed(peer, CommandError::Handshake { code, reason: reason.to_owned() })
}

/// Notes a handshake message that is not followed. It is answered 200 (`docs/protocol/1.0.md#order-of-checks`).
fn failed(core: &mut Core, peer: &PeerName, code: ErrorCode, reason: &str) {
    let (peer, reason) = (peer.clone(), reason.to_owned());
    core.event(PeerEvent::HandshakeFailed { peer, code, reason });
}

/// Returns the versions that our 1.0 handshake names (`docs/protocol/1.1.md#downgrade-protection`).
fn offered_versions(protocols: Protocols) -> Vec<String> {
    let versions = if has_both(protocols) { ["1.0", "1.1"] } else { ["1.0", "0.3"] };
    versions.map(str::to_owned).to_vec()
}

fn has_both(protocols: Protocols) -> bool {
    V1_1_IS_SPOKEN && protocols == Protocols::Both
}

fn names_1_1(versions: &[String]) -> bool {
    versions.iter().any(|version| version == Version::V1_1.as_str())
}

/// Why a handshake message of 0.3 is not followed.
const NOT_1_0: &str = "it is no message of version 1.0";

/// Why a handshake by 1.0 ends with a peer that, like us, has 1.1.
const SPEAKS_1_1: &str = "the other side speaks 1.1 as well";
