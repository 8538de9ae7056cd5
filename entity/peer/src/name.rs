//! What a peer is called in our roster.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use entity_crypto::identity::PeerId;

/// The id of another peer, as it stands in `sender_id`.
///
/// *Shape*: 1 to 256 bytes of free text, compared exactly. Protocol 1.0 knows no grammar for ids,
/// so this is wider than [`PeerId`], which is what 1.1 requires: see [`PeerName::as_peer_id`].
///
/// Source: docs/protocol/1.0.md#envelope, docs/protocol/1.1.md#identifiers
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerName(Arc<str>);

impl PeerName {
    /// The longest name in bytes. Guessed: twice what 1.1 allows, and far below any header limit.
    pub const LEN_BYTES_MAX: usize = 256;

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as an id of protocol 1.1, or `None` where it does not fit that grammar.
    pub fn as_peer_id(&self) -> Option<PeerId> {
        self.0.parse().ok()
    }
}

impl FromStr for PeerName {
    type Err = InvalidPeerName;

    fn from_str(text: &str) -> Result<Self, InvalidPeerName> {
        if text.is_empty() || text.len() > Self::LEN_BYTES_MAX {
            return Err(InvalidPeerName { len_bytes: text.len() });
        }
        Ok(Self(Arc::from(text)))
    }
}

impl From<&PeerId> for PeerName {
    fn from(id: &PeerId) -> Self {
        Self(Arc::from(id.as_str()))
    }
}

impl std::borrow::Borrow<str> for PeerName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// A text that cannot be the name of a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a peer's name has 1 to 256 bytes, this one has {len_bytes}")]
pub struct InvalidPeerName {
    /// The length of the refused text in bytes.
    pub len_bytes: usize,
}
