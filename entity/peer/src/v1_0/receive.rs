//! The three stages of a 1.0 message, and the order of its checks (`docs/protocol/1.0.md#order-of-checks`).
//!
//! | stage | checks |
//! |---|---|
//! | decode (in `wire`) | size, JSON, nesting, form |
//! | [`State::admit`] | `compat`: limiter; version; `hardened`: recipient; signature present; sender known |
//! | [`Check::run`] | six fields present, signature |
//! | [`State::handle_checked`] | session fields; `hardened`: identical re-send, time, nonce; session and sequence; `hardened`: rate limit; opening; then everything is recorded and the handler runs |

use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_session::v1_0::accepted::{AcceptedRefusal, Fingerprint, Seen};
use entity_session::v1_0::established::OrderRefusal;
use entity_wire::decode::{DecodeError, Profile, Unsupported};
use entity_wire::json::Fields;
use entity_wire::kind::MessageKind;
use entity_wire::reply::{Reply, Verification};
use entity_wire::time::Timestamp;
use entity_wire::v1_0::{Envelope, SequenceField, Unverified};
use entity_wire::version::Version;

use super::State;
use super::fault::Fault;
use super::table::Place;
use crate::config::{Protocols, Trust};
use crate::core::Core;
use crate::inbound::Refusal;
use crate::name::PeerName;
use crate::routing::{Feature, feature};

/// A 1.0 message whose form is right.
#[derive(Debug)]
pub(crate) struct Decoded {
    unverified: Unverified,
    body: Body,
}

/// What is kept of the bytes of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Body {
    fingerprint: Fingerprint,
    pub(crate) len_bytes: usize,
}

/// A 1.0 message with the key that is to have signed it.
#[derive(Debug)]
pub(crate) struct Check {
    unverified: Unverified,
    body: Body,
    sender: PeerName,
    key: PublicKey,
    profile: Profile,
}

/// A 1.0 message that its sender signed.
#[derive(Debug)]
pub(crate) struct Checked {
    envelope: Envelope,
    sender: PeerName,
    body: Body,
    nonce: Fingerprint,
}

/// A message that passed every check, but for its payload.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) sender: PeerName,
    pub(crate) signer: PublicKey,
    pub(crate) version: Version,
    pub(crate) kind: MessageKind,
    pub(crate) session: String,
    pub(crate) sequence: u64,
    pub(crate) len_bytes: usize,
}

impl Decoded {
    /// Keeps what later stages need of the bytes.
    pub(crate) fn new(unverified: Unverified, body: &[u8]) -> Self {
        let body = Body { fingerprint: Fingerprint::of(body), len_bytes: body.len() };
        Self { unverified, body }
    }
}

impl Checked {
    /// Returns who signed it.
    pub(crate) fn sender(&self) -> &PeerName {
        &self.sender
    }
}

impl Check {
    /// Verifies the signature.
    ///
    /// # Errors
    ///
    /// A signed field is absent, or the signature does not hold.
    pub(crate) fn run(self) -> Result<Checked, Refusal> {
        let Self { unverified, body, sender, key, profile } = self;
        match unverified.verify(&key) {
            Ok(envelope) => {
                let nonce = Fingerprint::of(envelope.nonce().as_bytes());
                Ok(Checked { envelope, sender, body, nonce })
            }
            Err(error) => Err(Fault::from(error).refuse(profile, Some(sender.as_str()))),
        }
    }
}

/// Makes the refusal of a body that is no message.
pub(crate) fn refuse_undecodable(error: &DecodeError, profile: Profile) -> Refusal {
    Fault::from(error).refuse(profile, None)
}

/// What is recorded of a message once nothing but its handler can refuse it.
struct Record {
    place: Place,
    nonce: Fingerprint,
    fingerprint: Fingerprint,
}

impl State {
    /// Refuses a message of a version that is not spoken here, after the limiter.
    pub(crate) fn refuse_unsupported(
        &mut self,
        unsupported: Unsupported,
        now: Timestamp,
    ) -> Refusal {
        let Unsupported { version, sender } = unsupported;
        let fault = match self.limit_claimed(&sender, now) {
            Ok(()) => Fault::Version(version),
            Err(fault) => fault,
        };
        fault.refuse(self.profile, Some(&sender))
    }

    /// Judges what can be judged without the signature, and finds the key to verify it with.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub(crate) fn admit(
        &mut self,
        core: &Core,
        decoded: Decoded,
        now: Timestamp,
    ) -> Result<Check, Refusal> {
        let Decoded { unverified, body } = decoded;
        let profile = self.profile;
        match self.find_key(core, &unverified, now) {
            Ok((sender, key)) => Ok(Check { unverified, body, sender, key, profile }),
            Err(fault) => Err(fault.refuse(profile, Some(unverified.sender()))),
        }
    }

    fn find_key(
        &mut self,
        core: &Core,
        unverified: &Unverified,
        now: Timestamp,
    ) -> Result<(PeerName, PublicKey), Fault> {
        self.limit_claimed(unverified.sender(), now)?;
        let own = core.config.id.as_str();
        let is_foreign = unverified.recipient().is_some_and(|recipient| recipient != own);
        if self.profile == Profile::Hardened && is_foreign && !planted(Flaw::TakesForeignMessages) {
            return Err(Fault::Recipient);
        }
        unverified.signature_present()?;
        let unknown = || Fault::UnknownSender(unverified.sender().to_owned());
        let (name, entry) = core.roster.get_named(unverified.sender()).ok_or_else(unknown)?;
        let key = match (entry.key, core.config.trust) {
            (Some(key), _) => key,
            (None, Trust::FirstUse) => self.first_key(name, unverified).ok_or_else(unknown)?,
            (None, Trust::Pinned) => return Err(unknown()),
        };
        Ok((name.clone(), key))
    }

    /// Returns the key that a peer of the roster without a key shows, where a handshake may show one.
    fn first_key(&self, peer: &PeerName, unverified: &Unverified) -> Option<PublicKey> {
        let sessions = self.peers.get(peer);
        match feature(&unverified.kind()?) {
            Feature::Handshake => {}
            Feature::HandshakeAck => {
                sessions?.opening.as_ref()?;
            }
            // Any other message is under the key that the unfinished handshake was signed with.
            Feature::HandshakeConfirm
            | Feature::Session1_1
            | Feature::CapabilityQuery
            | Feature::CapabilityResponse
            | Feature::Token
            | Feature::Task
            | Feature::Transfer
            | Feature::Dht
            | Feature::WakeUp
            | Feature::Heartbeat
            | Feature::Error
            | Feature::Inbox => return sessions?.provisional_key(),
        }
        let payload = Fields::new(unverified.payload()?.as_object()?);
        PublicKey::from_hex(payload.text("public_key").ok()?).ok()
    }

    /// Spends the claimed sender's allowance in the profile `compat` (`docs/protocol/1.0.md#rate-limit`).
    fn limit_claimed(&mut self, sender: &str, now: Timestamp) -> Result<(), Fault> {
        match self.profile {
            Profile::Hardened => Ok(()),
            Profile::Compat => {
                self.compat_limiter.take(sender, now).map_err(|_| Fault::RateLimited)
            }
        }
    }

    /// Judges a message whose signature holds, records and handles it.
    ///
    /// # Errors
    ///
    /// The refusal; nothing is recorded then, unless the handler itself refused.
    pub(crate) fn handle_checked(
        &mut self,
        core: &mut Core,
        checked: Checked,
        now: Timestamp,
    ) -> Result<Reply, Refusal> {
        let from = checked.sender.clone();
        self.accept(core, checked, now)
            .map(|()| Reply::received(core.config.id.as_str(), Verification::Passed))
            .map_err(|fault| fault.refuse(self.profile, Some(from.as_str())))
    }

    fn accept(&mut self, core: &mut Core, checked: Checked, now: Timestamp) -> Result<(), Fault> {
        if self.is_identical_resend(core, &checked, now) {
            return Ok(());
        }
        let (place, sequence) = self.judge(core, &checked, now)?;
        let Checked { envelope, sender, body, nonce } = checked;
        let record = Record { place, nonce, fingerprint: body.fingerprint };
        let message = Message {
            sender,
            signer: *envelope.signer(),
            version: envelope.version(),
            kind: envelope.kind().clone(),
            session: envelope.session().unwrap_or_default().to_owned(),
            sequence,
            len_bytes: body.len_bytes,
        };
        let opened = self.open_payload(core, &message, envelope.into_payload(), now)?;
        self.record(&message, &record, opened.sealed_id.as_deref(), now);
        core.count_received(&message.sender, now);
        self.handle(core, message, opened, now)
    }

    /// Says whether every byte of the message was accepted before (`docs/protocol/1.0.md#profile-hardened`).
    fn is_identical_resend(&mut self, core: &Core, checked: &Checked, now: Timestamp) -> bool {
        self.profile == Profile::Hardened
            && !planted(Flaw::AcceptsReplay)
            && self.look_accepted(core, checked, now) == Ok(Seen::Identical)
    }

    fn look_accepted(
        &mut self,
        core: &Core,
        checked: &Checked,
        now: Timestamp,
    ) -> Result<Seen, AcceptedRefusal> {
        let count_max = core.config.limits.nonces_per_sender_max;
        let accepted = &mut self.with(&checked.sender).accepted;
        accepted.look(checked.nonce, checked.body.fingerprint, count_max, now)
    }

    /// Makes every check that changes nothing but allowances.
    fn judge(
        &mut self,
        core: &Core,
        checked: &Checked,
        now: Timestamp,
    ) -> Result<(Place, u64), Fault> {
        let envelope = &checked.envelope;
        if envelope.version() == Version::V1_0 {
            envelope.session().ok_or(Fault::NoSessionId)?;
            if envelope.sequence() == SequenceField::Missing {
                return Err(Fault::NoSequence);
            }
        }
        if self.profile == Profile::Hardened {
            self.judge_freshness(core, checked, now)?;
        }
        judge_downgrade(core, checked)?;
        let (place, sequence) = self.judge_order(checked, now)?;
        if self.profile == Profile::Hardened {
            self.rate_limiter
                .take(checked.sender.clone(), envelope.kind(), now)
                .map_err(|_| Fault::RateLimited)?;
        }
        Ok((place, sequence))
    }

    fn judge_freshness(
        &mut self,
        core: &Core,
        checked: &Checked,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let time = checked.envelope.stamp().time().map_err(|_| Fault::Time)?;
        let is_stale = time.distance(core.wall(now)) > CLOCK_DISTANCE_MAX;
        if is_stale && !planted(Flaw::AcceptsStale) {
            return Err(Fault::Time);
        }
        // An earlier run may have accepted it, and what it accepted is forgotten.
        let is_before = self.restarted_at.is_some_and(|start| time < core.wall(start));
        if is_before && !planted(Flaw::ForgetsHandledOnRestart) {
            return Err(Fault::Time);
        }
        match self.look_accepted(core, checked, now) {
            Ok(_) => Ok(()),
            Err(AcceptedRefusal::Replayed)
                if planted(Flaw::AcceptsReplay) || planted(Flaw::ForgetsNonces) =>
            {
                Ok(())
            }
            Err(AcceptedRefusal::Replayed) => Err(Fault::Replay),
            Err(AcceptedRefusal::Full) => Err(Fault::RateLimited),
        }
    }

    /// Looks where the message belongs and whether its number fits (step 7). The number is 0 where there is none.
    fn judge_order(&self, checked: &Checked, now: Timestamp) -> Result<(Place, u64), Fault> {
        let envelope = &checked.envelope;
        let sessions = self.peers.get(&checked.sender);
        let has_session = sessions.is_some_and(|sessions| sessions.current.is_some());
        if envelope.version() != Version::V1_0 {
            return match self.profile {
                Profile::Hardened if has_session => Err(Fault::Version("0.3".to_owned())),
                Profile::Hardened | Profile::Compat => Ok((Place::Outside, 0)),
            };
        }
        let sequence = match (envelope.sequence(), self.profile) {
            // A negative number is below every expected one, and so is 0.
            (SequenceField::Number(number), _) => u64::try_from(number).unwrap_or(0),
            // The earlier peer reads the number only where it compares it.
            (SequenceField::Missing | SequenceField::NotANumber, Profile::Compat)
                if !has_session =>
            {
                0
            }
            (SequenceField::Missing | SequenceField::NotANumber, _) => {
                return Err(Fault::SequenceNotANumber);
            }
        };
        if self.profile == Profile::Hardened && envelope.kind().is_handshake_1_0() {
            return Ok((Place::Outside, sequence));
        }
        let Some(sessions) = sessions else { return Ok((Place::Outside, sequence)) };
        let id = envelope.session().unwrap_or_default();
        let place = match (sessions.place(id, now), self.profile) {
            (Some(place), _) => place,
            // A session that has expired is no reason to refuse what does not belong to it.
            (None, Profile::Hardened) if sessions.live(now).is_none() => Place::Outside,
            (None, Profile::Hardened | Profile::Compat) => return Err(Fault::SessionExpired),
        };
        if let Some(session) = sessions.at(place).filter(|_| !planted(Flaw::AcceptsReplay)) {
            session.look(sequence, now).map_err(|refusal| match refusal {
                OrderRefusal::Expired => Fault::SessionExpired,
                OrderRefusal::Sequence => Fault::Sequence,
            })?;
        }
        Ok((place, sequence))
    }

    fn record(
        &mut self,
        message: &Message,
        record: &Record,
        sealed_id: Option<&str>,
        now: Timestamp,
    ) {
        let profile = self.profile;
        let sessions = self.with(&message.sender);
        if let Some(session) = sessions.at_mut(record.place) {
            session.record(message.sequence);
        }
        if let Some(sealed) = sealed_id.and_then(|id| sessions.sealed(id)) {
            sealed.record(message.sequence, now);
        }
        if profile == Profile::Hardened {
            sessions.accepted.record(record.nonce, record.fingerprint, now);
        }
    }
}

/// Refuses 1.0 and 0.3 from a peer whose key has proved 1.1 (`docs/protocol/1.1.md#downgrade-protection`).
fn judge_downgrade(core: &Core, checked: &Checked) -> Result<(), Fault> {
    let proved = core.roster.get(checked.sender.as_str()).and_then(|entry| entry.proved);
    match (core.config.protocols, proved) {
        _ if planted(Flaw::AcceptsDowngrade) => Ok(()),
        (Protocols::Both, Some(Version::V1_1)) => {
            Err(Fault::Version(checked.envelope.version().as_str().to_owned()))
        }
        (Protocols::Both | Protocols::OnlyV1_0 | Protocols::OnlyV1_1, _) => Ok(()),
    }
}

/// How far a message's time may be from ours in the profile `hardened` (`docs/protocol/1.0.md#profile-hardened`).
const CLOCK_DISTANCE_MAX: Duration = Duration::from_mins(1);
