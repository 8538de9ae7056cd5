//! The words an operator writes, parsed into types that cannot be wrong.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use clap::ValueEnum;
use entity_crypto::signing::PublicKey;
use entity_peer::PeerName;
use entity_peer::config;
use entity_transport::http::address::InvalidAddress;
use entity_transport::http::{Address, Scheme};
use serde::Deserialize;

/// The protocol versions to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
pub enum Protocol {
    /// Version 1.0 alone.
    #[value(name = "1.0")]
    #[serde(rename = "1.0")]
    V1_0,
    /// Version 1.1 alone.
    #[value(name = "1.1")]
    #[serde(rename = "1.1")]
    V1_1,
    /// 1.1 where the other side has it, 1.0 otherwise.
    #[value(name = "both")]
    #[serde(rename = "both")]
    Both,
}

impl Protocol {
    /// The same in the peer's words.
    pub fn protocols(self) -> config::Protocols {
        match self {
            Self::V1_0 => config::Protocols::OnlyV1_0,
            Self::V1_1 => config::Protocols::OnlyV1_1,
            Self::Both => config::Protocols::Both,
        }
    }

    /// The versions by their names on the wire.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::V1_0 => &["1.0"],
            Self::V1_1 => &["1.1"],
            Self::Both => &["1.0", "1.1"],
        }
    }
}

/// How protocol 1.0 is received (`docs/protocol/1.0.md#profiles`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Refuses replays, stale clocks, foreign recipients and whatever else 1.0 forgot to check.
    Hardened,
    /// Does what the earlier peer did.
    Compat,
}

impl Profile {
    /// The same in the peer's words.
    pub fn profile(self) -> config::Profile {
        match self {
            Self::Hardened => config::Profile::Hardened,
            Self::Compat => config::Profile::Compat,
        }
    }
}

/// Which keys are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Only the keys given in the configuration.
    Pinned,
    /// Also the key that a configured peer without one shows first.
    FirstUse,
}

impl Trust {
    /// The same in the peer's words.
    pub fn trust(self) -> config::Trust {
        match self {
            Self::Pinned => config::Trust::Pinned,
            Self::FirstUse => config::Trust::FirstUse,
        }
    }
}

/// Where to listen: `host:port`; port 0 chooses one, and `none` is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ListenAddress(String);

impl ListenAddress {
    /// The word for a peer without a port.
    const NOWHERE: &str = "none";

    /// Whether the peer has no port: others reach it over the WebSockets that it dials.
    pub fn is_nowhere(&self) -> bool {
        self.0 == Self::NOWHERE
    }

    /// The first address the system gives for the host.
    ///
    /// # Errors
    ///
    /// What the system says, if the host has none.
    pub async fn resolve(&self) -> std::io::Result<SocketAddr> {
        if let Ok(address) = self.0.parse() {
            return Ok(address);
        }
        let mut addresses = tokio::net::lookup_host(&self.0).await?;
        addresses.next().ok_or_else(|| std::io::Error::other("the host has no address"))
    }
}

impl Default for ListenAddress {
    /// This machine alone, on the port the earlier peer's runner uses (`docs/protocol/1.0.md#transport`).
    fn default() -> Self {
        Self("127.0.0.1:8000".to_owned())
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A text that is no `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not `host:port`, for example `127.0.0.1:8001` or `0.0.0.0:0`, nor `none`")]
pub struct InvalidListenAddress;

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, InvalidListenAddress> {
        if text == Self::NOWHERE {
            return Ok(Self(text.to_owned()));
        }
        let (host, port) = text.rsplit_once(':').ok_or(InvalidListenAddress)?;
        let numeric = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if host.is_empty() || !numeric || port.parse::<u16>().is_err() {
            return Err(InvalidListenAddress);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = InvalidListenAddress;

    fn try_from(text: String) -> Result<Self, InvalidListenAddress> {
        text.parse()
    }
}

/// Reads an address to announce: `http://HOST:PORT`, also where only WebSockets are served there.
///
/// # Errors
///
/// It is none.
pub fn http_address(text: &str) -> Result<Address, String> {
    let address: Address = text.parse().map_err(|error: InvalidAddress| error.to_string())?;
    match address.scheme() {
        Scheme::Http => Ok(address),
        Scheme::Ws => Err("address does not start with `http://`".to_owned()),
    }
}

/// A peer to know from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerEntry {
    /// Its id.
    pub id: PeerName,
    /// Where it is.
    pub address: Address,
    /// Its key, if it is to be pinned.
    pub key: Option<PublicKey>,
    /// Whether to open a session with it at once; `None` follows the node.
    pub connect: Option<bool>,
}

/// A text that is no `id=..,address=..[,key=..][,connect=..]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeerEntry {
    /// A part is not `name=value` with a known name.
    #[error("`{0}` is not one of id=.., address=.., key=.., connect=true|false")]
    Part(String),
    /// A part is missing.
    #[error("`{0}=..` is missing")]
    Missing(&'static str),
    /// A value is wrong.
    #[error("{part}: {reason}")]
    Value {
        /// Which.
        part: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl FromStr for PeerEntry {
    type Err = InvalidPeerEntry;

    /// Reads `id=NAME,address=http://HOST:PORT[,key=64 HEX][,connect=true|false]`; the id of this form has no comma.
    fn from_str(text: &str) -> Result<Self, InvalidPeerEntry> {
        let (mut id, mut address, mut key, mut connect) = (None, None, None, None);
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("id", value)) => id = Some(value_of("id", value)?),
                Some(("address", value)) => address = Some(value_of("address", value)?),
                Some(("key", value)) => key = Some(key_of(value)?),
                Some(("connect", value)) => connect = Some(value_of("connect", value)?),
                Some(_) | None => return Err(InvalidPeerEntry::Part(part.to_owned())),
            }
        }
        Ok(Self {
            id: id.ok_or(InvalidPeerEntry::Missing("id"))?,
            address: address.ok_or(InvalidPeerEntry::Missing("address"))?,
            key,
            connect,
        })
    }
}

fn value_of<T: FromStr<Err: fmt::Display>>(
    part: &'static str,
    value: &str,
) -> Result<T, InvalidPeerEntry> {
    value
        .parse()
        .map_err(|error: T::Err| InvalidPeerEntry::Value { part, reason: error.to_string() })
}

fn key_of(value: &str) -> Result<PublicKey, InvalidPeerEntry> {
    PublicKey::from_hex(value)
        .map_err(|error| InvalidPeerEntry::Value { part: "key", reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use entity_crypto::signing::SigningKey;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(), &str>) {
        let outcome = text.parse::<PeerEntry>();
        assert_eq!(
            outcome.as_ref().map(|_| ()).map_err(ToString::to_string),
            expected.map_err(str::to_owned),
            "{text}"
        );
    }

    #[test]
    fn a_peer_is_named_in_one_word() {
        let key = SigningKey::from_seed([3; 32]).public_key();
        let entry: PeerEntry =
            format!("key={key},id=b,address=http://b:1,connect=false").parse().unwrap();
        assert_eq!((entry.id.as_str(), entry.key, entry.connect), ("b", Some(key), Some(false)));
        check("id=b,address=http://b:1", Ok(()));
        check("id=b", Err("`address=..` is missing"));
        check("address=http://b:1", Err("`id=..` is missing"));
        check("id=b,address=b:1", Err("address: address does not start with `http://` or `ws://`"));
        check("id=b,address=ws://b:1", Ok(()));
        check(
            "id=b,adress=http://b:1",
            Err("`adress=http://b:1` is not one of id=.., address=.., key=.., connect=true|false"),
        );
        assert!("id=b,address=http://b:1,key=00".parse::<PeerEntry>().is_err());
    }

    #[test]
    fn a_listening_address_has_a_host_and_a_port() {
        for text in ["127.0.0.1:0", "localhost:8001", "[::1]:8001", "none"] {
            assert_eq!(
                text.parse::<ListenAddress>().map(|address| address.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "8001", ":8001", "a:", "a:x", "a:+1", "a:65536"] {
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidListenAddress), "{text}");
        }
    }
}
