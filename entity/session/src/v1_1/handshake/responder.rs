//! The side that is opened: sends steps 2, 4 and 6.

use entity_crypto::agreement::EphemeralSecret;
use entity_crypto::signing::PublicKey;
use entity_wire::kind::MessageKind;
use entity_wire::payload::handshake_1_1::{
    CHALLENGE_SIGNATURE, Capabilities, ChallengeResponse, HandshakeInit, HandshakeInitAck, Ready,
    SessionConfirm, SessionEstablished,
};
use entity_wire::payload::sealed::Plaintext;
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;

use super::{Exchange, Offer, check_versions, confirm, open_step, step_sequence};
use crate::v1_1::author::{Author, Outbound, Place};
use crate::v1_1::channel::{ReceiveChannel, SendChannel};
use crate::v1_1::key_schedule::SessionKeys;
use crate::v1_1::proof::{ChallengeVerified, TranscriptBound};
use crate::v1_1::refusal::{HandshakeError, Misbehaviour, Refusal};
use crate::v1_1::secrets::Secret;
use crate::v1_1::session::{Parts, Session};
use crate::v1_1::state::Role;
use crate::v1_1::{challenge, seal};

/// Step 1 was accepted and step 2 is sent; only step 3 may come.
#[derive(Debug)]
pub struct AckSent {
    agreed: Agreed,
    /// When the peer wrote step 1: only a later one replaces this handshake.
    init_timestamp: Timestamp,
    bound: TranscriptBound,
}

/// Step 3 was accepted and step 4 is sent; only step 5 may come.
#[derive(Debug)]
pub struct EstablishedSent {
    agreed: Agreed,
    init_timestamp: Timestamp,
    proofs: (TranscriptBound, ChallengeVerified),
}

/// What stays the same from step 2 on.
#[derive(Debug)]
struct Agreed {
    exchange: Exchange,
    peer_key: PublicKey,
    capabilities: Capabilities,
    send: SendChannel,
    receive: ReceiveChannel,
    secret: Secret,
}

/// Accepts step 1, derives the keys, and answers with step 2.
///
/// The peer's identity key is the one the message was verified under. Returns the peer's address if step 1
/// names one.
///
/// # Errors
///
/// Any [`HandshakeError`]; no handshake is open then.
pub fn accept(
    message: &Envelope,
    offer: &Offer,
    author: &mut Author<'_>,
) -> Result<(AckSent, Outbound, Option<String>), HandshakeError> {
    let init = HandshakeInit::from_object(message.payload()).map_err(HandshakeError::of_step)?;
    let peer_key = *message.signer();
    if init.identity_key != peer_key {
        return Err(Misbehaviour::OtherIdentity.into());
    }
    if init.peer_identity_key.is_some_and(|named| named != author.key.public_key()) {
        return Err(Misbehaviour::OtherRecipient.into());
    }
    check_versions(&init.supported_versions)?;
    let capabilities = init.capabilities.intersection(&offer.capabilities);

    let header = message.header();
    let mut exchange = Exchange::begin(header.session, header.sender.clone(), author.now);
    exchange.transcript.push(message.signed_bytes());
    let ephemeral = EphemeralSecret::from_bytes(author.entropy.bytes());
    let outbound = challenge_back(&mut exchange, &ephemeral, &capabilities, author);
    let (keys, secret, bound) =
        SessionKeys::derive(ephemeral, &init.ephemeral_public_key, exchange.transcript.digest())
            .map_err(Misbehaviour::from)?;
    let (send, receive) = keys.into_channels(Role::Responder);
    let agreed = Agreed { exchange, peer_key, capabilities, send, receive, secret };
    Ok((AckSent { agreed, init_timestamp: header.timestamp, bound }, outbound, init.address))
}

impl AckSent {
    /// Accepts step 3: verifies the challenge signature, and answers with step 4.
    ///
    /// # Errors
    ///
    /// Any [`HandshakeError`]; the handshake has ended.
    pub fn on_challenge_response(
        self,
        message: &Envelope,
        author: &mut Author<'_>,
    ) -> Result<(EstablishedSent, Outbound), HandshakeError> {
        let Self { mut agreed, init_timestamp, bound } = self;
        let exchange = &mut agreed.exchange;
        exchange.check_challenge_age(author.now)?;
        let response =
            ChallengeResponse::from_object(message.payload()).map_err(HandshakeError::of_step)?;
        exchange.check_session(response.session_id_ack)?;
        let challenged =
            exchange.transcript.digest_with(&message.signed_bytes_without(CHALLENGE_SIGNATURE));
        let signature = response.challenge_signature.as_ref();
        let verified = challenge::verify(&agreed.peer_key, Role::Initiator, challenged, signature)
            .map_err(Misbehaviour::from)?;
        exchange.transcript.push(message.signed_bytes());

        let place = Place {
            kind: MessageKind::SessionEstablished,
            peer: &exchange.peer,
            session: exchange.session,
            sequence: step_sequence(4),
        };
        let payload = SessionEstablished { session_id: exchange.session }.to_object();
        let draft = author.draft(place, payload);
        let (outbound, signed_bytes) = author.sign(&draft);
        exchange.transcript.push(&signed_bytes);
        Ok((EstablishedSent { agreed, init_timestamp, proofs: (bound, verified) }, outbound))
    }

    /// The key that the peer signs with.
    pub const fn peer_key(&self) -> &PublicKey {
        &self.agreed.peer_key
    }

    /// When the peer wrote step 1.
    pub const fn init_timestamp(&self) -> Timestamp {
        self.init_timestamp
    }

    /// When the handshake is over its time.
    pub(in crate::v1_1) fn deadline(&self) -> Timestamp {
        self.agreed.exchange.deadline()
    }
}

impl EstablishedSent {
    /// Looks at the place of step 5 and opens it; changes nothing.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotSealed`], [`Refusal::Position`], [`Refusal::NotOpened`] or [`Refusal::Payload`].
    pub fn open_confirm(&self, message: &Envelope) -> Result<Plaintext, Refusal> {
        open_step(&self.agreed.receive, message)
    }

    /// Accepts what [`Self::open_confirm`] opened: the session is ready, and step 6 says so.
    ///
    /// # Errors
    ///
    /// Any [`HandshakeError`]; the handshake has ended.
    ///
    /// # Panics
    ///
    /// Never: the channel is fresh, so that its first message can be sealed.
    pub fn on_session_confirm(
        self,
        message: &Envelope,
        plaintext: &Plaintext,
        author: &mut Author<'_>,
    ) -> Result<(Session, Outbound), HandshakeError> {
        let Self { agreed, init_timestamp: _, proofs } = self;
        let Agreed { mut exchange, peer_key, capabilities, mut send, mut receive, secret } = agreed;
        exchange.check_age(author.now)?;
        let confirm_step =
            SessionConfirm::from_object(&plaintext.body).map_err(HandshakeError::of_step)?;
        exchange.check_session(confirm_step.session_id)?;
        let confirmed = confirm(exchange.transcript.digest(), &confirm_step.transcript)?;
        exchange.transcript.push(message.signed_bytes());
        receive.record(message.header().sequence.get());

        let transcript = *exchange.transcript.digest().as_bytes();
        let body = Ready { session_id: exchange.session, transcript }.to_object();
        let plaintext = Plaintext { number: None, ack: 0, durable: None, body };
        let slot = send.reserve().expect("the first sealed message of a generation");
        let place = (MessageKind::Ready, &exchange.peer, exchange.session);
        let (outbound, _) = seal::message(slot, place, &plaintext, author);

        let (id, peer) = (exchange.session, exchange.peer);
        let parts = Parts {
            id,
            role: Role::Responder,
            peer,
            peer_key,
            capabilities,
            send,
            receive,
            secret,
        };
        let (bound, verified) = proofs;
        Ok((Session::ready(parts, (bound, verified, confirmed), author.now), outbound))
    }

    /// The key that the peer proved in step 3.
    pub const fn peer_key(&self) -> &PublicKey {
        &self.agreed.peer_key
    }

    /// When the peer wrote step 1.
    pub const fn init_timestamp(&self) -> Timestamp {
        self.init_timestamp
    }

    /// When the handshake is over its time.
    pub(in crate::v1_1) fn deadline(&self) -> Timestamp {
        self.agreed.exchange.deadline()
    }
}

/// Writes step 2 and appends it to the transcript.
fn challenge_back(
    exchange: &mut Exchange,
    ephemeral: &EphemeralSecret,
    capabilities: &Capabilities,
    author: &mut Author<'_>,
) -> Outbound {
    let place = Place {
        kind: MessageKind::HandshakeInitAck,
        peer: &exchange.peer,
        session: exchange.session,
        sequence: step_sequence(2),
    };
    let mut ack = HandshakeInitAck {
        ephemeral_public_key: ephemeral.public_key(),
        identity_key: author.key.public_key(),
        challenge: author.entropy.bytes(),
        capabilities: capabilities.clone(),
        challenge_signature: None,
    };
    let mut draft = author.draft(place, ack.to_object());
    let transcript = exchange.transcript.digest_with(&draft.signed_bytes());
    ack.challenge_signature = Some(challenge::sign(author.key, Role::Responder, transcript));
    draft.payload = ack.to_object();
    let (outbound, signed_bytes) = author.sign(&draft);
    exchange.transcript.push(&signed_bytes);
    outbound
}
