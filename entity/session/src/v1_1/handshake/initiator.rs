//! The side that opens: sends steps 1, 3 and 5.

use entity_crypto::agreement::EphemeralSecret;
use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_wire::id::SessionId;
use entity_wire::kind::MessageKind;
use entity_wire::payload::handshake_1_1::{
    CHALLENGE_SIGNATURE, Capabilities, ChallengeResponse, HandshakeInit, HandshakeInitAck, Ready,
    SessionConfirm, SessionEstablished,
};
use entity_wire::payload::sealed::Plaintext;
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;

use super::{Exchange, Offer, check_selection, confirm, open_step, step_sequence};
use crate::v1_1::author::{Author, Outbound, Place};
use crate::v1_1::channel::{ReceiveChannel, SendChannel};
use crate::v1_1::key_schedule::SessionKeys;
use crate::v1_1::proof::{ChallengeVerified, TranscriptBound};
use crate::v1_1::refusal::{HandshakeError, Misbehaviour, Refusal};
use crate::v1_1::secrets::Secret;
use crate::v1_1::session::{Parts, Session};
use crate::v1_1::state::Role;
use crate::v1_1::{challenge, seal};

/// Step 1 is sent; only step 2 may come.
#[derive(Debug)]
pub struct InitSent {
    exchange: Exchange,
    pinned: Option<PublicKey>,
    ephemeral: EphemeralSecret,
    offered: Capabilities,
}

/// Step 2 was accepted and step 3 is sent; only step 4 may come.
#[derive(Debug)]
pub struct ResponseSent {
    exchange: Exchange,
    peer_key: PublicKey,
    capabilities: Capabilities,
    send: SendChannel,
    receive: ReceiveChannel,
    secret: Secret,
    proofs: (TranscriptBound, ChallengeVerified),
}

/// Step 4 was accepted and step 5 is sent; only step 6 may come.
#[derive(Debug)]
pub struct ConfirmSent(ResponseSent);

/// Opens a handshake with `peer`: draws the session id, the ephemeral key and the challenge, and writes step 1.
///
/// `pinned` is the key that the peer must prove; without it the first key that answers is taken.
pub fn open(
    peer: PeerId,
    pinned: Option<PublicKey>,
    offer: &Offer,
    author: &mut Author<'_>,
) -> (InitSent, Outbound) {
    let session = SessionId::from_random(author.entropy.bytes());
    let ephemeral = EphemeralSecret::from_bytes(author.entropy.bytes());
    let init = HandshakeInit {
        ephemeral_public_key: ephemeral.public_key(),
        identity_key: author.key.public_key(),
        supported_versions: offer.supported_versions.iter().map(ToString::to_string).collect(),
        capabilities: offer.capabilities.clone(),
        challenge: author.entropy.bytes(),
        peer_identity_key: pinned,
        address: offer.address.clone(),
    };
    let place = Place {
        kind: MessageKind::HandshakeInit,
        peer: &peer,
        session,
        sequence: step_sequence(1),
    };
    let draft = author.draft(place, init.to_object());
    let (outbound, signed_bytes) = author.sign(&draft);
    let mut exchange = Exchange::begin(session, peer, author.now);
    exchange.transcript.push(&signed_bytes);
    let state = InitSent { exchange, pinned, ephemeral, offered: offer.capabilities.clone() };
    (state, outbound)
}

impl InitSent {
    /// Accepts step 2: verifies the peer's identity and challenge signature, derives the keys, and answers with
    /// step 3.
    ///
    /// # Errors
    ///
    /// Any [`HandshakeError`]; the handshake has ended.
    pub fn on_init_ack(
        mut self,
        message: &Envelope,
        author: &mut Author<'_>,
    ) -> Result<(ResponseSent, Outbound), HandshakeError> {
        self.exchange.check_challenge_age(author.now)?;
        let ack =
            HandshakeInitAck::from_object(message.payload()).map_err(HandshakeError::of_step)?;
        let peer_key = *message.signer();
        if ack.identity_key != peer_key || self.pinned.is_some_and(|pinned| pinned != peer_key) {
            return Err(Misbehaviour::OtherIdentity.into());
        }
        check_selection(&self.offered, &ack.capabilities)?;

        let signed = message.signed_bytes_without(CHALLENGE_SIGNATURE);
        let challenged = self.exchange.transcript.digest_with(&signed);
        let signature = ack.challenge_signature.as_ref();
        let verified = challenge::verify(&peer_key, Role::Responder, challenged, signature)
            .map_err(Misbehaviour::from)?;
        self.exchange.transcript.push(message.signed_bytes());
        let (keys, secret, bound) = SessionKeys::derive(
            self.ephemeral,
            &ack.ephemeral_public_key,
            self.exchange.transcript.digest(),
        )
        .map_err(Misbehaviour::from)?;
        let (send, receive) = keys.into_channels(Role::Initiator);

        let outbound = answer_challenge(&mut self.exchange, author);
        let state = ResponseSent {
            exchange: self.exchange,
            peer_key,
            capabilities: ack.capabilities,
            send,
            receive,
            secret,
            proofs: (bound, verified),
        };
        Ok((state, outbound))
    }

    /// The key that the peer must prove, if one is pinned.
    pub const fn pinned(&self) -> Option<PublicKey> {
        self.pinned
    }

    /// When step 2 is too late: its challenge dies before the handshake does.
    pub(in crate::v1_1) fn deadline(&self) -> Timestamp {
        self.exchange.challenge_deadline()
    }

    /// Checks that the peer's answer can still come in time.
    ///
    /// # Errors
    ///
    /// [`super::Lateness`] once the challenge or the handshake is over its time.
    pub fn check_time(&self, now: Timestamp) -> Result<(), HandshakeError> {
        self.exchange.check_challenge_age(now)
    }
}

impl ResponseSent {
    /// Accepts step 4 and answers with step 5, the first sealed message.
    ///
    /// # Errors
    ///
    /// Any [`HandshakeError`]; the handshake has ended.
    ///
    /// # Panics
    ///
    /// Never: the channel is fresh, so that its first message can be sealed.
    pub fn on_session_established(
        mut self,
        message: &Envelope,
        author: &mut Author<'_>,
    ) -> Result<(ConfirmSent, Outbound), HandshakeError> {
        self.exchange.check_age(author.now)?;
        let established =
            SessionEstablished::from_object(message.payload()).map_err(HandshakeError::of_step)?;
        self.exchange.check_session(established.session_id)?;
        self.exchange.transcript.push(message.signed_bytes());

        let transcript = *self.exchange.transcript.digest().as_bytes();
        let body = SessionConfirm { session_id: self.exchange.session, transcript }.to_object();
        let plaintext = Plaintext { number: None, ack: 0, durable: None, body };
        let slot = self.send.reserve().expect("the first sealed message of a generation");
        let place = (MessageKind::SessionConfirm, &self.exchange.peer, self.exchange.session);
        let (outbound, signed_bytes) = seal::message(slot, place, &plaintext, author);
        self.exchange.transcript.push(&signed_bytes);
        Ok((ConfirmSent(self), outbound))
    }

    /// The key that the peer proved in step 2.
    pub const fn peer_key(&self) -> &PublicKey {
        &self.peer_key
    }

    /// When the handshake is over its time.
    pub(in crate::v1_1) fn deadline(&self) -> Timestamp {
        self.exchange.deadline()
    }
}

impl ConfirmSent {
    /// Looks at the place of step 6 and opens it; changes nothing.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotSealed`], [`Refusal::Position`], [`Refusal::NotOpened`] or [`Refusal::Payload`].
    pub fn open_ready(&self, message: &Envelope) -> Result<Plaintext, Refusal> {
        open_step(&self.0.receive, message)
    }

    /// Accepts what [`Self::open_ready`] opened: the session is ready.
    ///
    /// # Errors
    ///
    /// Any [`HandshakeError`]; the handshake has ended.
    pub fn on_ready(
        self,
        message: &Envelope,
        plaintext: &Plaintext,
        now: Timestamp,
    ) -> Result<Session, HandshakeError> {
        let Self(ResponseSent {
            exchange,
            peer_key,
            capabilities,
            send,
            mut receive,
            secret,
            proofs,
        }) = self;
        exchange.check_age(now)?;
        let ready = Ready::from_object(&plaintext.body).map_err(HandshakeError::of_step)?;
        exchange.check_session(ready.session_id)?;
        let confirmed = confirm(exchange.transcript.digest(), &ready.transcript)?;
        receive.record(message.header().sequence.get());
        let parts = Parts {
            id: exchange.session,
            role: Role::Initiator,
            peer: exchange.peer,
            peer_key,
            capabilities,
            send,
            receive,
            secret,
        };
        let (bound, verified) = proofs;
        Ok(Session::ready(parts, (bound, verified, confirmed), now))
    }

    /// The key that the peer proved in step 2.
    pub const fn peer_key(&self) -> &PublicKey {
        &self.0.peer_key
    }

    /// When the handshake is over its time.
    pub(in crate::v1_1) fn deadline(&self) -> Timestamp {
        self.0.deadline()
    }
}

/// Writes step 3 and appends it to the transcript.
fn answer_challenge(exchange: &mut Exchange, author: &mut Author<'_>) -> Outbound {
    let place = Place {
        kind: MessageKind::ChallengeResponse,
        peer: &exchange.peer,
        session: exchange.session,
        sequence: step_sequence(3),
    };
    let mut response =
        ChallengeResponse { challenge_signature: None, session_id_ack: exchange.session };
    let mut draft = author.draft(place, response.to_object());
    let transcript = exchange.transcript.digest_with(&draft.signed_bytes());
    let signature = challenge::sign(author.key, Role::Initiator, transcript);
    response.challenge_signature = Some(signature);
    draft.payload = response.to_object();
    let (outbound, signed_bytes) = author.sign(&draft);
    exchange.transcript.push(&signed_bytes);
    outbound
}
