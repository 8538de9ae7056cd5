//! Challenge signatures (`docs/protocol/1.1.md#challenge-signatures`).

use entity_crypto::signing::{InvalidSignature, PublicKey, Signature, SigningKey, labelled};

use super::state::Role;
use super::transcript::TranscriptDigest;

/// The peer signed the transcript with our fresh challenge in it, under its identity key.
#[derive(Debug)]
pub struct ChallengeVerified(());

/// Signs the transcript up to and including this side's own step, which carries or answers the challenge.
pub(super) fn sign(key: &SigningKey, signer: Role, transcript: TranscriptDigest) -> Signature {
    key.sign(&signed_bytes(signer, transcript))
}

/// Verifies what the other side signed.
///
/// # Errors
///
/// [`InvalidSignature`] if there is no signature, or it is not `signer`'s over this transcript.
pub(super) fn verify(
    key: &PublicKey,
    signer: Role,
    transcript: TranscriptDigest,
    signature: Option<&Signature>,
) -> Result<ChallengeVerified, InvalidSignature> {
    let signature = signature.ok_or(InvalidSignature)?;
    key.verify(&signed_bytes(signer, transcript), signature)?;
    Ok(ChallengeVerified(()))
}

/// The role is part of what is signed, so that neither side's signature can be reflected as the other's.
fn signed_bytes(signer: Role, transcript: TranscriptDigest) -> Vec<u8> {
    let label = match signer {
        Role::Initiator => "peer-v1.1-challenge-initiator",
        Role::Responder => "peer-v1.1-challenge-responder",
    };
    labelled(label, transcript.as_bytes())
}
