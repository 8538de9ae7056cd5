//! `session_resume` and `session_resumed`: new keys for a session whose keys are gone (`docs/protocol/1.1.md#resumption`).
//!
//! The proposer says from which secret it starts and which generation it wants, and shows by a binder that it holds the
//! secret; the answerer does the same over both messages. Both agree on fresh keys bound to all of it.

use entity_crypto::agreement::{EphemeralSecret, LowOrderPoint};
use entity_crypto::derivation::{Prk, hmac_sha256};
use entity_crypto::identity::PeerId;
use entity_crypto::transcript::Transcript;
use entity_wire::id::{Generation, Sequence, SessionId};
use entity_wire::kind::MessageKind;
use entity_wire::payload::resume::{BINDER, Resume};
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;
use subtle::ConstantTimeEq as _;

use super::author::{Author, Outbound, Place};
use super::key_schedule::SessionKeys;
use super::refusal::Refusal;
use super::secrets::Secret;

const LABEL: &str = "peer-v1.1-resume";
const PROPOSAL_BINDER: &[u8] = b"peer-v1.1-resume-binder-1";
const ANSWER_BINDER: &[u8] = b"peer-v1.1-resume-binder-2";

/// The peer has shown that it holds the secret it starts from.
#[derive(Debug)]
pub(super) struct BinderVerified(());

/// A `session_resume` that this side has sent.
#[derive(Debug)]
pub(super) struct Proposal {
    base: Generation,
    next: Generation,
    ephemeral: EphemeralSecret,
    /// `C(m1)`.
    signed_bytes: Vec<u8>,
    deadline: Timestamp,
}

/// What a side says about itself in either message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) session: SessionId,
    pub(super) peer: &'a PeerId,
    pub(super) base: &'a Secret,
    pub(super) next: Generation,
    pub(super) acknowledged: u64,
}

/// Writes `session_resume`.
pub(super) fn propose(
    terms: Terms<'_>,
    author: &mut Author<'_>,
    deadline: Timestamp,
) -> (Proposal, Outbound) {
    let ephemeral = EphemeralSecret::from_bytes(author.entropy.bytes());
    let (outbound, signed_bytes) =
        write(MessageKind::SessionResume, terms, &ephemeral, author, |without_binder| {
            binder(terms.base, PROPOSAL_BINDER, &digest(&[without_binder]))
        });
    let (base, next) = (terms.base.generation(), terms.next);
    (Proposal { base, next, ephemeral, signed_bytes, deadline }, outbound)
}

/// Reads either message: its place, its shape, and that it is about its own session.
///
/// # Errors
///
/// [`Refusal::StepSequence`], [`Refusal::Payload`].
pub(super) fn read(message: &Envelope) -> Result<Resume, Refusal> {
    let header = message.header();
    if header.sequence != Sequence::ZERO {
        return Err(Refusal::StepSequence {
            kind: header.kind.clone(),
            sequence: header.sequence.get(),
        });
    }
    let resume = Resume::from_object(message.payload())?;
    if resume.session_id != header.session {
        return Err(Refusal::OtherSession);
    }
    Ok(resume)
}

/// Checks the binder of a `session_resume`.
///
/// # Errors
///
/// [`Refusal::Binder`].
pub(super) fn verify_proposal(
    message: &Envelope,
    resume: &Resume,
    base: &Secret,
) -> Result<BinderVerified, Refusal> {
    let expected = binder(base, PROPOSAL_BINDER, &digest(&[&message.signed_bytes_without(BINDER)]));
    verify(resume, &expected)
}

/// Answers a proposal whose binder holds: `session_resumed`, the keys, and the secret of the new generation.
///
/// # Errors
///
/// [`LowOrderPoint`] if the peer's ephemeral key makes the agreement a known one.
pub(super) fn answer(
    (message, resume, _proof): (&Envelope, &Resume, BinderVerified),
    terms: Terms<'_>,
    author: &mut Author<'_>,
) -> Result<(Outbound, SessionKeys, Secret), LowOrderPoint> {
    let ephemeral = EphemeralSecret::from_bytes(author.entropy.bytes());
    let first = message.signed_bytes();
    let (outbound, signed_bytes) =
        write(MessageKind::SessionResumed, terms, &ephemeral, author, |without_binder| {
            binder(terms.base, ANSWER_BINDER, &digest(&[first, without_binder]))
        });
    let halves = (ephemeral, &resume.ephemeral_public_key);
    let transcript = digest(&[first, &signed_bytes]);
    let (keys, secret) = SessionKeys::renew(terms.base, halves, terms.next, &transcript)?;
    Ok((outbound, keys, secret))
}

impl Proposal {
    /// Whether an answer is to this proposal, by what it repeats.
    pub(super) fn is_answered_by(&self, resume: &Resume) -> bool {
        (self.base, self.next) == (resume.base_generation, resume.generation)
    }

    /// Checks the binder of a `session_resumed`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Binder`].
    pub(super) fn verify(
        &self,
        message: &Envelope,
        resume: &Resume,
        base: &Secret,
    ) -> Result<BinderVerified, Refusal> {
        let without_binder = message.signed_bytes_without(BINDER);
        let expected = binder(base, ANSWER_BINDER, &digest(&[&self.signed_bytes, &without_binder]));
        verify(resume, &expected)
    }

    /// Takes the answer: the keys and the secret of the new generation.
    ///
    /// # Errors
    ///
    /// [`LowOrderPoint`] if the peer's ephemeral key makes the agreement a known one.
    pub(super) fn conclude(
        self,
        (message, resume, _proof): (&Envelope, &Resume, BinderVerified),
        base: &Secret,
    ) -> Result<(SessionKeys, Secret), LowOrderPoint> {
        let transcript = digest(&[&self.signed_bytes, message.signed_bytes()]);
        let halves = (self.ephemeral, &resume.ephemeral_public_key);
        SessionKeys::renew(base, halves, self.next, &transcript)
    }

    pub(super) const fn base(&self) -> Generation {
        self.base
    }

    /// When an answer is too late.
    pub(super) const fn deadline(&self) -> Timestamp {
        self.deadline
    }
}

/// Writes one of the two messages; `bind` makes the binder of `C(m)` without it.
fn write(
    kind: MessageKind,
    terms: Terms<'_>,
    ephemeral: &EphemeralSecret,
    author: &mut Author<'_>,
    bind: impl FnOnce(&[u8]) -> [u8; 32],
) -> (Outbound, Vec<u8>) {
    let mut resume = Resume {
        session_id: terms.session,
        base_generation: terms.base.generation(),
        generation: terms.next,
        ephemeral_public_key: ephemeral.public_key(),
        acknowledged: terms.acknowledged,
        binder: None,
    };
    let Terms { session, peer, .. } = terms;
    let place = Place { kind, peer, session, sequence: Sequence::ZERO };
    let mut draft = author.draft(place, resume.to_object());
    resume.binder = Some(bind(&draft.signed_bytes()));
    draft.payload = resume.to_object();
    author.sign(&draft)
}

/// `V1`, `V2` or `T`: what was said so far.
fn digest(messages: &[&[u8]]) -> [u8; 32] {
    let mut transcript = Transcript::new(LABEL);
    for message in messages {
        transcript.push(message);
    }
    transcript.digest()
}

fn binder(base: &Secret, label: &[u8], digest: &[u8; 32]) -> [u8; 32] {
    let key = Prk::from_uniform(base.as_bytes()).expand_array::<32>(label);
    hmac_sha256(key.as_slice(), digest)
}

fn verify(resume: &Resume, expected: &[u8; 32]) -> Result<BinderVerified, Refusal> {
    let named = resume.binder.ok_or(Refusal::Binder)?;
    if bool::from(named.ct_eq(expected)) { Ok(BinderVerified(())) } else { Err(Refusal::Binder) }
}
