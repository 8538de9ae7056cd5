//! The three stages of a 1.1 message (`docs/protocol/1.1.md#order-of-checks`).
//!
//! | stage | steps |
//! |---|---|
//! | decode (in `wire`) | 1 to 4: size, JSON, shape, version |
//! | [`State::admit`] | 5, 6: recipient, sender known |
//! | [`Check::run`] | 7: signature |
//! | [`State::handle_checked`] | 8 to 16: all the rest, in [`entity_session::v1_1::sessions`] |

use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_session::v1_1::author::Outbound;
use entity_session::v1_1::session::{self, Content};
use entity_session::v1_1::sessions::{Received, Standing};
use entity_wire::code::ErrorCode;
use entity_wire::id::SessionId;
use entity_wire::json::Fields;
use entity_wire::kind::MessageKind;
use entity_wire::reply::{Reply, Verification};
use entity_wire::time::Timestamp;
use entity_wire::v1_1::{Envelope, Unverified};
use entity_wire::version::Version;

use super::refusal::refuse;
use super::{State, author};
use crate::capabilities;
use crate::config::Trust;
use crate::core::{Core, News, Reason};
use crate::inbound::Refusal;
use crate::name::PeerName;
use crate::output;
use crate::routing::{Feature, feature};

/// A 1.1 message whose form is right.
#[derive(Debug)]
pub(crate) struct Decoded(pub(crate) Unverified);

/// A 1.1 message with the key that is to have signed it.
#[derive(Debug)]
pub(crate) struct Check {
    unverified: Unverified,
    key: PublicKey,
    standing: Standing,
}

/// A 1.1 message that its sender signed.
#[derive(Debug)]
pub(crate) struct Checked {
    envelope: Envelope,
    standing: Standing,
}

impl Checked {
    /// Returns who signed it.
    pub(crate) fn sender(&self) -> PeerName {
        PeerName::from(&self.envelope.header().sender)
    }
}

impl Check {
    /// Verifies the signature.
    ///
    /// # Errors
    ///
    /// It does not hold.
    pub(crate) fn run(self) -> Result<Checked, Refusal> {
        let Self { unverified, key, standing } = self;
        let sender = unverified.header().sender.clone();
        match unverified.verify(&key) {
            Ok(envelope) => Ok(Checked { envelope, standing }),
            Err(_) => Err(refuse(ErrorCode::InvalidSignature, None, Some(sender.as_str()))),
        }
    }
}

impl Check {
    /// Verifies the signatures of several, each as [`Check::run`] does, sooner than one by one.
    pub(crate) fn run_all(checks: Vec<Self>) -> Vec<Result<Checked, Refusal>> {
        let mut about = Vec::with_capacity(checks.len());
        let mut messages = Vec::with_capacity(checks.len());
        for Self { unverified, key, standing } in checks {
            about.push((standing, unverified.header().sender.clone()));
            messages.push((unverified, key));
        }
        let verified = Unverified::verify_all(messages).into_iter().zip(about);
        let judged = verified.map(|(verified, (standing, sender))| match verified {
            Ok(envelope) => Ok(Checked { envelope, standing }),
            Err(_) => Err(refuse(ErrorCode::InvalidSignature, None, Some(sender.as_str()))),
        });
        judged.collect()
    }
}

impl State {
    /// Does what [`State::admit`] does with a message whose admission nothing can change that comes before it: it is for us,
    /// and from somebody whose key is pinned. Gives back any other.
    pub(crate) fn admit_ahead(&self, core: &Core, decoded: Decoded) -> Result<Check, Box<Decoded>> {
        match self.find_key(core, &decoded.0) {
            Ok((key, standing @ Standing::Pinned)) => {
                Ok(Check { unverified: decoded.0, key, standing })
            }
            Ok((_, Standing::FirstUse)) | Err(_) => Err(Box::new(decoded)),
        }
    }

    /// Judges what can be judged without the signature, and finds the key to verify it with.
    ///
    /// # Errors
    ///
    /// The message is for someone else, or from somebody whose key is not known.
    pub(crate) fn admit(&self, core: &Core, decoded: Decoded) -> Result<Check, Refusal> {
        let Decoded(unverified) = decoded;
        match self.find_key(core, &unverified) {
            Ok((key, standing)) => Ok(Check { unverified, key, standing }),
            Err(code) => Err(refuse(code, None, Some(unverified.header().sender.as_str()))),
        }
    }

    fn find_key(
        &self,
        core: &Core,
        unverified: &Unverified,
    ) -> Result<(PublicKey, Standing), ErrorCode> {
        let header = unverified.header();
        if header.recipient != core.config.id && !planted(Flaw::TakesForeignMessages) {
            return Err(ErrorCode::UnknownRecipient);
        }
        if header.sender == core.config.id {
            return Err(ErrorCode::UnknownSender);
        }
        let entry = core.roster.get(header.sender.as_str());
        if let Some(key) = entry.and_then(|entry| entry.key) {
            return Ok((key, Standing::Pinned));
        }
        let is_init = header.kind == MessageKind::HandshakeInit;
        let is_stranger = core.config.trust == Trust::FirstUse && entry.is_none();
        if is_stranger && is_init && !core.roster.has_room_for_strangers() {
            return Err(ErrorCode::ServiceUnavailable);
        }
        let key = match core.config.trust {
            Trust::Pinned if !planted(Flaw::TrustsStrangers) => None,
            Trust::Pinned | Trust::FirstUse => self.first_key(unverified, entry.is_some()),
        };
        key.map(|key| (key, Standing::FirstUse)).ok_or(ErrorCode::UnknownSender)
    }

    /// Returns the key that a sender without a pinned one is verified under.
    ///
    /// Source: docs/protocol/1.1.md#trust-on-first-use
    fn first_key(&self, unverified: &Unverified, is_in_roster: bool) -> Option<PublicKey> {
        let header = unverified.header();
        let is_init = header.kind == MessageKind::HandshakeInit;
        let is_ack = header.kind == MessageKind::HandshakeInitAck
            && self.sessions.awaits_init_ack(header.session, &header.sender);
        if !is_init && !is_ack {
            return self.sessions.handshake_key(header.session, &header.sender);
        }
        let payload = Fields::new(unverified.payload());
        // Whoever is not in the roster has to say where answers go.
        if is_init && !is_in_roster && payload.text("address").is_err() {
            return None;
        }
        PublicKey::from_hex(payload.text("identity_key").ok()?).ok()
    }

    /// Takes a message whose signature holds through the remaining checks, and acts on it.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub(crate) fn handle_checked(
        &mut self,
        core: &mut Core,
        checked: Checked,
        now: Timestamp,
    ) -> Result<Reply, Refusal> {
        let Checked { envelope, standing } = checked;
        let sender = &envelope.header().sender;
        let received = self.sessions.receive(&envelope, standing, &mut author(core, now));
        let outcome = match received {
            Ok(received) => {
                let from = (&PeerName::from(sender), envelope.header().session);
                self.act(core, from, received, now)
            }
            Err(refusal) => {
                Err(refuse(refusal.code(), refusal.retry_after(), Some(sender.as_str())))
            }
        };
        self.report_changes(core, now);
        self.report_ended(core, now);
        outcome.map(|()| Reply::received(core.config.id.as_str(), Verification::Passed))
    }

    /// Does what an accepted message asks for.
    ///
    /// # Errors
    ///
    /// A session became ready with a peer that the roster has no room for.
    pub(super) fn act(
        &mut self,
        core: &mut Core,
        (peer, session): (&PeerName, SessionId),
        received: Received,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match received {
            Received::Repeat(answer) => {
                if let Some(answer) = answer {
                    self.post_repeat(core, answer);
                }
            }
            Received::Advanced(answer) => self.post_step(core, answer, now),
            Received::Ready(readied) => self.on_ready(core, readied, now)?,
            Received::Deliver(deliveries) => {
                for delivery in deliveries {
                    self.deliver(core, peer, delivery, now);
                }
                self.send_unheard_to(core, peer, now);
                self.settle_acknowledged(core, session, now);
            }
            Received::Resuming(answer) => self.post_control(core, answer),
            Received::Resumed => {
                self.report_changes(core, now);
                self.attend(core, now);
            }
            Received::Closed => {}
        }
        core.count_received(peer, now);
        Ok(())
    }

    /// Hands a message to the feature it is for.
    fn deliver(
        &mut self,
        core: &mut Core,
        from: &PeerName,
        delivery: session::Delivery,
        now: Timestamp,
    ) {
        let feature = feature(&delivery.kind);
        let body = match delivery.content {
            Content::Body(body) => body,
            // Its bytes go to the file as they are.
            Content::Chunk(chunk) => return core.tell(News::Chunk { from: from.clone(), chunk }),
        };
        if feature == Feature::CapabilityResponse {
            capabilities::remember(core, from, &body);
        }
        let received = output::Received {
            index: None,
            from: from.clone(),
            kind: delivery.kind,
            body: Arc::new(body),
            session: delivery.session.into(),
            sequence: delivery.sequence.get(),
            number: Some(delivery.number.get()),
            version: Version::V1_1,
            sealed: true,
            received_at: core.wall(now),
            durable: delivery.durable,
        };
        core.deliver(received, delivery.len_bytes);
        if feature == Feature::CapabilityQuery {
            let answer = capabilities::answer(core, from.clone(), Version::V1_1);
            // An answer that cannot be sent is not missed by anyone but the one who asked.
            if let Err(error) = self.send(core, Reason::Answer, answer, now) {
                core.finish_send(Reason::Answer, Err(error), now);
            }
        }
    }

    /// Posts a handshake step, or ends the handshake where it cannot be posted.
    pub(super) fn post_step(&mut self, core: &mut Core, step: Outbound, now: Timestamp) {
        let purpose = super::Purpose::Step { session: step.session, kind: step.kind.clone() };
        let (session, peer) = (step.session, PeerName::from(&step.peer));
        // Who has said the last step may send: whether it arrived shows by what is sent.
        if step.kind == MessageKind::Ready {
            self.unfollowed.remove(&session);
        } else {
            self.note_unfollowed(step.clone());
        }
        if let Err(error) = self.post(core, step, purpose) {
            self.give_up_handshake(core, &peer, (session, error), now);
        }
    }
}
