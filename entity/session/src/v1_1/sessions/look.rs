//! The checks that only look: steps 8 to 14 of `docs/protocol/1.1.md#order-of-checks`.

use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_wire::id::SessionId;
use entity_wire::kind::MessageKind;
use entity_wire::payload::resume::Resume;
use entity_wire::payload::sealed::{Plaintext, Sealed};
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;

use super::held::{Answered, Held, Stage};
use super::{CLOCK_TOLERANCE, EndReason, Sessions, Standing};
use crate::nonce_memory::NonceMemory;
use crate::v1_1::author::Author;
use crate::v1_1::handshake::step_sequence;
use crate::v1_1::refusal::Refusal;
use crate::v1_1::resumption::{self, BinderVerified};
use crate::v1_1::session::Opened;
use crate::v1_1::simultaneous::{Survivor, survivor};

/// A message that passed every check. Nothing is recorded yet.
#[derive(Debug)]
pub(super) enum Admitted {
    /// Step 1 of a new handshake, in whose favour these half-open ones end.
    Init { ending: Vec<(SessionId, EndReason)> },
    /// A later step of an open handshake; opened, if the handshake waits for a sealed one.
    Step { plaintext: Option<Plaintext> },
    /// A message in a ready session.
    Ready(Opened),
    /// A `session_resume` whose sender holds the secret.
    Resume { resume: Resume, proof: BinderVerified },
    /// The `session_resumed` that was waited for, by a sender that holds the secret.
    Resumed { resume: Resume, proof: BinderVerified },
}

/// Where a message belongs, and that it may be there.
#[derive(Debug)]
enum Seat {
    Init { ending: Vec<(SessionId, EndReason)> },
    Step,
    Ready { sealed: Sealed },
    Resume { resume: Resume },
    Resumed { resume: Resume },
}

impl Sessions {
    /// Steps 9 to 14 of the order of checks. Decides and records nothing, except that the rate limiter counts what
    /// an authenticated sender has sent whether or not it opens.
    pub(super) fn look(
        &mut self,
        message: &Envelope,
        standing: Standing,
        author: &Author<'_>,
    ) -> Result<Admitted, Refusal> {
        look_at_time(message.header().timestamp, author.wall)?;
        self.look_at_nonce(message, standing, author.now)?;
        let seat = self.look_at_seat(message, standing, author)?;
        let limiter = match standing {
            Standing::Pinned => &mut self.pinned_limiter,
            Standing::FirstUse => &mut self.strangers_limiter,
        };
        let counted_as = if planted(Flaw::SharesRateLimit) {
            author.key.public_key()
        } else {
            *message.signer()
        };
        let limited = limiter.take(counted_as, &message.header().kind, author.now);
        if !planted(Flaw::IgnoresRateLimit) {
            limited?;
        }
        self.open_at(seat, message)
    }

    /// Steps 11 and 12: the session and the place in it.
    fn look_at_seat(
        &self,
        message: &Envelope,
        standing: Standing,
        author: &Author<'_>,
    ) -> Result<Seat, Refusal> {
        let header = message.header();
        let is_init = header.kind == MessageKind::HandshakeInit;
        match self.held.get(&header.session) {
            Some(_) if is_init => Err(Refusal::SessionIdTaken),
            None if is_init => {
                look_at_step_sequence(message)?;
                let ending = self.look_at_init(message, standing, &author.key.public_key())?;
                Ok(Seat::Init { ending })
            }
            Some(held) if held.belongs_to(message) => {
                look_at_place(message, &held.stage, (&author.key.public_key(), author.now))
            }
            Some(_) | None => Err(Refusal::NoSession),
        }
    }

    /// Step 14: opens what is sealed.
    fn open_at(&self, seat: Seat, message: &Envelope) -> Result<Admitted, Refusal> {
        let held = self.held.get(&message.header().session);
        match (seat, held.map(|held| &held.stage)) {
            (Seat::Init { ending }, _) => Ok(Admitted::Init { ending }),
            (Seat::Ready { sealed }, Some(Stage::Ready(session))) => {
                Ok(Admitted::Ready(session.open(message, &sealed)?))
            }
            (Seat::Step, Some(stage)) => {
                Ok(Admitted::Step { plaintext: stage.open_awaited(message).transpose()? })
            }
            (Seat::Resume { resume }, Some(Stage::Ready(session))) => {
                let proof = session.verify_resume(message, &resume)?;
                Ok(Admitted::Resume { resume, proof })
            }
            (Seat::Resumed { resume }, Some(Stage::Ready(session))) => {
                let proof = session.verify_resumed(message, &resume)?;
                Ok(Admitted::Resumed { resume, proof })
            }
            (Seat::Ready { .. } | Seat::Resume { .. } | Seat::Resumed { .. } | Seat::Step, _) => {
                Err(Refusal::NoSession)
            }
        }
    }

    /// Whether a new handshake may begin, and which half-open ones end when it does.
    fn look_at_init(
        &self,
        message: &Envelope,
        standing: Standing,
        own: &PublicKey,
    ) -> Result<Vec<(SessionId, EndReason)>, Refusal> {
        let mut ending = Vec::new();
        for (&session, held) in &self.held {
            if held.peer != message.header().sender {
                continue;
            }
            match held.stage.init_timestamp() {
                None if held.stage.is_opening() => match survivor(own, message.signer()) {
                    Survivor::Ours => return Err(Refusal::SimultaneousOpen),
                    Survivor::Theirs => ending.push((session, EndReason::SimultaneousOpen)),
                },
                Some(earlier) if held.stage.peer_key() == Some(*message.signer()) => {
                    if message.header().timestamp <= earlier {
                        return Err(Refusal::NotNewer);
                    }
                    ending.push((session, EndReason::Superseded));
                }
                Some(_) | None => {}
            }
        }
        self.look_at_room(standing, ending.len())?;
        Ok(ending)
    }

    fn look_at_room(&self, standing: Standing, ending: usize) -> Result<(), Refusal> {
        let held = self.held.len() - ending;
        if held >= self.config.held_max {
            return Err(Refusal::Full { held });
        }
        if standing == Standing::FirstUse {
            let strangers = self.held.values().filter(|held| held.is_half_open_stranger()).count();
            if strangers.saturating_sub(ending) >= self.config.strangers_half_open_max {
                return Err(Refusal::Full { held: strangers });
            }
        }
        Ok(())
    }

    /// Step 10: the nonce, for messages outside a ready session.
    fn look_at_nonce(
        &self,
        message: &Envelope,
        standing: Standing,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let header = message.header();
        let is_sealed = self.held.get(&header.session).is_some_and(Held::is_ready);
        if is_sealed && !is_resumption(&header.kind) {
            return Ok(());
        }
        Ok(self.nonces(standing).look(message.signer(), header.nonce.as_bytes(), now)?)
    }

    const fn nonces(&self, standing: Standing) -> &NonceMemory<PublicKey> {
        match standing {
            Standing::Pinned => &self.pinned_nonces,
            Standing::FirstUse => &self.strangers_nonces,
        }
    }

    /// Step 8: whether the message is a byte-identical repeat of a step or of a message of a resumption that was accepted.
    pub(super) fn answered(&self, message: &Envelope) -> Option<&Answered> {
        let header = message.header();
        if is_resumption(&header.kind) {
            return self.held.get(&header.session)?.resumptions.find(message);
        }
        header.kind.handshake_step()?;
        if planted(Flaw::ReopensOnRepeat) {
            return None;
        }
        self.held.get(&header.session)?.answers.find(message)
    }
}

/// Step 12, and what of step 11 depends on the state: the place of a message in what is held.
fn look_at_place(
    message: &Envelope,
    stage: &Stage,
    (own, now): (&PublicKey, Timestamp),
) -> Result<Seat, Refusal> {
    if let Stage::Ready(session) = stage {
        let kind = &message.header().kind;
        if *kind == MessageKind::SessionResume {
            let resume = Sessions::look_at_resume(session, message, own, now)?;
            return Ok(Seat::Resume { resume });
        }
        if *kind == MessageKind::SessionResumed {
            return Ok(Seat::Resumed { resume: resumption::read(message)? });
        }
        return Ok(Seat::Ready { sealed: session.look(message, now)? });
    }
    if message.header().kind.handshake_step().is_none() {
        return Err(Refusal::NotReady { state: stage.state() });
    }
    look_at_step_sequence(message)?;
    Ok(Seat::Step)
}

/// Whether a message resumes a session: signed and not sealed, outside the window, once by its nonce.
const fn is_resumption(kind: &MessageKind) -> bool {
    matches!(kind, MessageKind::SessionResume | MessageKind::SessionResumed)
}

/// Step 9: the timestamp.
pub(super) fn look_at_time(timestamp: Timestamp, wall: Timestamp) -> Result<(), Refusal> {
    let distance = timestamp.distance(wall);
    let tolerance =
        if planted(Flaw::BearsNoSkew) { Duration::from_secs(2) } else { CLOCK_TOLERANCE };
    if distance > tolerance && !planted(Flaw::AcceptsStale) {
        Err(Refusal::Stale { distance })
    } else {
        Ok(())
    }
}

/// Step 12 for a handshake step: each has its one sequence number.
fn look_at_step_sequence(message: &Envelope) -> Result<(), Refusal> {
    let header = message.header();
    match header.kind.handshake_step() {
        Some(step) if header.sequence == step_sequence(step) => Ok(()),
        Some(_) | None => Err(Refusal::StepSequence {
            kind: header.kind.clone(),
            sequence: header.sequence.get(),
        }),
    }
}
