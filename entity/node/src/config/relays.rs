//! Relays, as an operator writes them: being one, and being a member of some.

use std::str::FromStr;
use std::sync::Arc;

use entity_bridge::route::RelayTarget;
use entity_crypto::signing::PublicKey;
use entity_transport::http::{Address, Scheme};
use serde::Deserialize;

use super::mail::MailTable;
use crate::relay::BridgeConfig;

/// A relay to be a member of: `ws://HOST:PORT#KEY`, or a table with `address` and `key`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RelayTable")]
pub struct RelayEntry(RelayTarget);

/// What is no such entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRelay {
    /// There is no key.
    #[error("a relay is `ws://HOST:PORT#KEY`, with the 64 hex digits of its key")]
    NoKey,
    /// The key is none.
    #[error("the key of a relay is 64 lower-case hex digits of an Ed25519 public key")]
    Key,
    /// The address is none.
    #[error("the address of a relay is `ws://HOST:PORT`")]
    Address,
}

/// How it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RelayTable {
    address: String,
    key: String,
}

impl RelayEntry {
    fn new(address: &str, key: &str) -> Result<Self, InvalidRelay> {
        let parsed = address.parse::<Address>().map_err(|_| InvalidRelay::Address)?;
        if parsed.scheme() != Scheme::Ws {
            return Err(InvalidRelay::Address);
        }
        let key = PublicKey::from_hex(key).map_err(|_| InvalidRelay::Key)?;
        Ok(Self(RelayTarget { address: Arc::from(address.trim_end_matches('/')), key }))
    }
}

impl FromStr for RelayEntry {
    type Err = InvalidRelay;

    fn from_str(text: &str) -> Result<Self, InvalidRelay> {
        let (address, key) = text.split_once('#').ok_or(InvalidRelay::NoKey)?;
        Self::new(address, key)
    }
}

impl TryFrom<RelayTable> for RelayEntry {
    type Error = InvalidRelay;

    fn try_from(RelayTable { address, key }: RelayTable) -> Result<Self, InvalidRelay> {
        Self::new(&address, &key)
    }
}

/// What is decided: flags over the file; the relays of both, those of the flags first.
pub fn decide(
    (is_relay, mail): (Option<bool>, MailTable),
    flags: Vec<RelayEntry>,
    file: Vec<RelayEntry>,
) -> BridgeConfig {
    let mut relays: Vec<RelayTarget> = Vec::new();
    for RelayEntry(target) in flags.into_iter().chain(file) {
        if !relays.contains(&target) {
            relays.push(target);
        }
    }
    BridgeConfig { is_relay: is_relay.unwrap_or(false), relays, mail, ..BridgeConfig::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    #[test]
    fn a_relay_is_an_address_of_a_socket_and_a_key() {
        let entry: RelayEntry = format!("ws://r:1#{KEY}").parse().unwrap();
        assert_eq!(&*entry.0.address, "ws://r:1");
        assert_eq!("ws://r:1".parse::<RelayEntry>(), Err(InvalidRelay::NoKey));
        assert_eq!("ws://r:1#00".parse::<RelayEntry>(), Err(InvalidRelay::Key));
        assert_eq!(format!("http://r:1#{KEY}").parse::<RelayEntry>(), Err(InvalidRelay::Address));
        let table = format!("address = 'ws://r:1'\nkey = '{KEY}'");
        assert_eq!(toml::from_str::<RelayEntry>(&table).unwrap(), entry);
        let both = decide((Some(true), MailTable::default()), vec![entry.clone()], vec![entry]);
        assert_eq!((both.is_relay, both.relays.len()), (true, 1));
    }
}
