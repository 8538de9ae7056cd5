//! Who a key is, and which key somebody has.

use std::collections::BTreeMap;
use std::io;

use serde::Deserialize;
use serde_json::json;

use super::{Failed, Kind, Node};

/// The names of the keys that the node knows.
pub(super) struct Names {
    by_key: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Peers {
    peers: Vec<Peer>,
}

#[derive(Deserialize)]
struct Peer {
    name: String,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Accounts {
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    index: u32,
    key: String,
}

impl Names {
    /// Asks the node whom it knows.
    pub(super) fn of(node: &Node) -> Result<Self, Failed> {
        let peers: Peers = node.read("peer.list", &json!({}))?;
        let accounts: Accounts = node.read("token.accounts", &json!({}))?;
        let mut by_key: BTreeMap<String, String> =
            peers.peers.into_iter().filter_map(|peer| Some((peer.key?, peer.name))).collect();
        for account in accounts.accounts {
            let name = match account.index {
                0 => "me".to_owned(),
                index => format!("me#{index}"),
            };
            by_key.insert(account.key, name);
        }
        Ok(Self { by_key })
    }

    /// The key of somebody: 64 hex digits, the name of a peer, or `me` and `me#INDEX` for an own account.
    pub(super) fn key(&self, who: &str) -> Result<String, Failed> {
        if who.len() == 64 && who.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(who.to_owned());
        }
        let found = self.by_key.iter().find(|(_, name)| *name == who);
        found.map(|(key, _)| key.clone()).ok_or_else(|| {
            let help = "write the 64 hex digits of the account, or a name that `entity peers` or `entity token accounts` lists".to_owned();
            Failed::new(Kind::Usage, io::Error::other(format!("find the account of `{who}`")), Some(help))
        })
    }

    /// A short text for a key: its name, else its beginning.
    pub(super) fn show(&self, key: &str) -> String {
        self.by_key.get(key).cloned().unwrap_or_else(|| short(key))
    }
}

/// The beginning of a key or digest.
pub(super) fn short(text: &str) -> String {
    if text.len() <= 16 {
        return text.to_owned();
    }
    format!("{}…", text.get(..12).unwrap_or(text))
}
