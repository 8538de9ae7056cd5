//! The three stages of a received message, split by version.
//!
//! [`decode`], for a compact frame [`decode_frame`], needs no state, [`crate::Peer::admit`] looks at it, [`Check::run`] needs none again, and
//! [`crate::Peer::handle_checked`] changes it. What fails on the way becomes a [`Refusal`]; give those of the stateless
//! stages to [`crate::Peer::handle_refusal`], so that they are seen.

use entity_wire::code::ErrorCode;
pub use entity_wire::decode::DecodeRules;
use entity_wire::decode::{DecodeError, Unsupported};
use entity_wire::frame::Frame;
use entity_wire::reply::Reply;
use entity_wire::version::Version;

use crate::name::PeerName;
use crate::{v1_0, v1_1};

/// A message whose shape is right.
#[derive(Debug)]
pub struct Decoded(pub(crate) DecodedVersion);

#[derive(Debug)]
pub(crate) enum DecodedVersion {
    Unsupported(Unsupported),
    V1_0(v1_0::Decoded),
    V1_1(v1_1::Decoded),
    Frame(Frame),
}

/// A message with the key that is to have signed it.
#[derive(Debug)]
pub struct Check(pub(crate) CheckVersion);

#[derive(Debug)]
pub(crate) enum CheckVersion {
    V1_0(v1_0::Check),
    V1_1(v1_1::Check),
    /// With whose it claims to be.
    Frame(Frame, Option<PeerName>),
}

/// A message with a valid signature.
#[derive(Debug)]
pub struct Checked(pub(crate) CheckedVersion);

#[derive(Debug)]
pub(crate) enum CheckedVersion {
    V1_0(v1_0::Checked),
    V1_1(v1_1::Checked),
    /// With whose it claims to be.
    Frame(Frame, Option<PeerName>),
}

/// A message that is not accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The claimed sender, where the message says one.
    pub from: Option<String>,
    /// Why.
    pub code: ErrorCode,
    /// The text of the answer.
    pub detail: String,
    /// The answer.
    pub reply: Reply,
}

/// Reads a message: size, JSON, shape.
///
/// # Errors
///
/// A refusal for a body that no version can read.
///
/// Source: docs/protocol/1.0.md#order-of-checks, docs/protocol/1.1.md#order-of-checks
pub fn decode(rules: &DecodeRules, body: &[u8]) -> Result<Decoded, Refusal> {
    match entity_wire::decode::decode(rules, body) {
        Ok(entity_wire::decode::Decoded::V1_0(unverified)) => {
            let decoded = v1_0::Decoded::new(unverified, body);
            Ok(Decoded(DecodedVersion::V1_0(decoded)))
        }
        Ok(entity_wire::decode::Decoded::Unsupported(unsupported)) => {
            Ok(Decoded(DecodedVersion::Unsupported(unsupported)))
        }
        Ok(entity_wire::decode::Decoded::V1_1(unverified)) => {
            Ok(Decoded(DecodedVersion::V1_1(v1_1::Decoded(unverified))))
        }
        Err(DecodeError::V1_1(error)) => Err(v1_1::refuse_shape(&error)),
        Err(error) => {
            let refusal = v1_0::refuse_undecodable(&error, rules.profile().unwrap_or_default());
            Err(if rules.enables(Version::V1_1) { v1_1::with_code(refusal) } else { refusal })
        }
    }
}

impl Checked {
    /// Returns who signed it, or of a frame whose session it names, where there is such a session. Only once it is accepted is
    /// a message known to be fresh, and a frame to be of that peer.
    pub fn sender(&self) -> Option<PeerName> {
        match &self.0 {
            CheckedVersion::V1_0(checked) => Some(checked.sender().clone()),
            CheckedVersion::V1_1(checked) => Some(checked.sender()),
            CheckedVersion::Frame(_, claimed) => claimed.clone(),
        }
    }
}

/// Reads a compact frame: size, header. The stages after it are those of a message.
///
/// # Errors
///
/// A refusal for bytes that are no frame, and where 1.1 is not spoken.
///
/// Source: docs/protocol/1.1.md#order-of-checks-of-a-frame
pub fn decode_frame(rules: &DecodeRules, frame: &[u8]) -> Result<Decoded, Refusal> {
    if !rules.enables(Version::V1_1) {
        return Err(v1_1::refuse_version());
    }
    let frame = Frame::read(frame).map_err(v1_1::refuse_frame)?;
    Ok(Decoded(DecodedVersion::Frame(frame)))
}

impl Check {
    /// Verifies the signature, which is the costly part and touches no state.
    ///
    /// # Errors
    ///
    /// A refusal for a message that its key did not sign.
    pub fn run(self) -> Result<Checked, Refusal> {
        match self.0 {
            CheckVersion::V1_0(check) => {
                check.run().map(|checked| Checked(CheckedVersion::V1_0(checked)))
            }
            CheckVersion::V1_1(check) => {
                check.run().map(|checked| Checked(CheckedVersion::V1_1(checked)))
            }
            // Its tag stands in place of a signature, and only the session has the key.
            CheckVersion::Frame(frame, claimed) => {
                Ok(Checked(CheckedVersion::Frame(frame, claimed)))
            }
        }
    }

    /// Verifies the signatures of several messages, each as [`Check::run`] does, sooner than one by one. The outcomes are in
    /// their order.
    ///
    /// # Errors
    ///
    /// Of each, the refusal of [`Check::run`].
    pub fn run_all(checks: Vec<Self>) -> Vec<Result<Checked, Refusal>> {
        let mut envelopes = Vec::with_capacity(checks.len());
        let mut others = Vec::with_capacity(checks.len());
        for check in checks {
            others.push(match check.0 {
                CheckVersion::V1_1(check) => {
                    envelopes.push(check);
                    None
                }
                CheckVersion::V1_0(_) | CheckVersion::Frame(..) => Some(check),
            });
        }
        let mut envelopes = v1_1::Check::run_all(envelopes).into_iter();
        let judged = others.into_iter().filter_map(|other| {
            if let Some(check) = other {
                return Some(check.run());
            }
            // There is one for each.
            let checked = envelopes.next()?;
            Some(checked.map(|checked| Checked(CheckedVersion::V1_1(checked))))
        });
        judged.collect()
    }
}
