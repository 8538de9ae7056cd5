//! The part in the distributed hash table, as an operator writes it.

use std::str::FromStr;
use std::time::Duration;

use entity_peer::config::DhtConfig;
use entity_wire::payload::dht::{CONTACTS_MAX, Contact, LIFETIME_MAX};
use serde::Deserialize;

use super::choice::{InvalidPeerEntry, PeerEntry};

/// How long a record about this entity lives: a number of seconds, minutes or hours, `90s`, `10m` or `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Lifetime(Duration);

/// A number of contacts, questions or paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Count(usize);

/// Whom to ask first: a peer with its key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BootstrapTable")]
pub struct Bootstrap(Contact);

/// What is no such setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDht {
    /// Of [`Lifetime`].
    #[error("not a time between `1s` and `24h`, for example `2h`")]
    Lifetime,
    /// Of [`Count`].
    #[error("not a number between 1 and {CONTACTS_MAX}")]
    Count,
    /// Of [`Bootstrap`].
    #[error(transparent)]
    Entry(#[from] InvalidPeerEntry),
    /// Of [`Bootstrap`].
    #[error("`{part}`: {reason}")]
    Part {
        /// Which.
        part: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl FromStr for Lifetime {
    type Err = InvalidDht;

    fn from_str(text: &str) -> Result<Self, InvalidDht> {
        let units = [('s', 1), ('m', 60), ('h', 3_600)];
        let counted = units.into_iter().find_map(|(unit, seconds)| {
            let digits = text.strip_suffix(unit)?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            let count: u64 = digits.parse().ok().filter(|_| is_number)?;
            Some(Duration::from_secs(count.saturating_mul(seconds)))
        });
        let is_within =
            |lifetime: &Duration| (Duration::from_secs(1)..=LIFETIME_MAX).contains(lifetime);
        counted.filter(is_within).map(Self).ok_or(InvalidDht::Lifetime)
    }
}

impl TryFrom<String> for Lifetime {
    type Error = InvalidDht;

    fn try_from(text: String) -> Result<Self, InvalidDht> {
        text.parse()
    }
}

impl TryFrom<i64> for Count {
    type Error = InvalidDht;

    fn try_from(count: i64) -> Result<Self, InvalidDht> {
        let count = usize::try_from(count).ok().filter(|count| (1..=CONTACTS_MAX).contains(count));
        count.map(Self).ok_or(InvalidDht::Count)
    }
}

impl FromStr for Bootstrap {
    type Err = InvalidDht;

    /// Reads `id=NAME,address=http://HOST:PORT,key=64 HEX`.
    fn from_str(text: &str) -> Result<Self, InvalidDht> {
        let PeerEntry { id, address, key, connect } = text.parse()?;
        if connect.is_some() {
            return Err(InvalidPeerEntry::Part("connect=..".to_owned()).into());
        }
        let key = key.ok_or(InvalidPeerEntry::Missing("key"))?;
        let invalid = |part, reason: String| InvalidDht::Part { part, reason };
        let address = address.to_string().parse();
        let address = address.map_err(|error| invalid("address", format!("{error}")))?;
        let id = id.as_str().parse().map_err(|error| invalid("id", format!("{error}")))?;
        Ok(Self(Contact::new(id, key, address)))
    }
}

/// One `[[dht.bootstrap]]` table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BootstrapTable {
    id: String,
    address: String,
    key: String,
}

impl TryFrom<BootstrapTable> for Bootstrap {
    type Error = InvalidDht;

    fn try_from(table: BootstrapTable) -> Result<Self, InvalidDht> {
        let BootstrapTable { id, address, key } = table;
        // A comma would end the part that it stands in.
        if id.contains(',') || address.contains(',') {
            return Err(InvalidDht::Part { part: "id", reason: "has a comma".to_owned() });
        }
        format!("id={id},address={address},key={key}").parse()
    }
}

/// The `[dht]` table, or what flags say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DhtTable {
    /// Whether the node takes part.
    pub enabled: Option<bool>,
    /// Whom to ask first.
    #[serde(default)]
    pub bootstrap: Vec<Bootstrap>,
    /// How long records about this entity live.
    pub lifetime: Option<Lifetime>,
    /// Contacts in a bucket, nodes a lookup ends with, storers of a record.
    pub k: Option<Count>,
    /// Questions under way of one lookup.
    pub alpha: Option<Count>,
    /// Disjoint paths of a lookup.
    pub paths: Option<Count>,
}

impl DhtTable {
    /// What is decided, with what flags say over it; bootstrap contacts of both are asked.
    pub fn part(self, flags: Self) -> Option<DhtConfig> {
        if !flags.enabled.or(self.enabled).unwrap_or(false) {
            return None;
        }
        let bootstrap = self.bootstrap.into_iter().map(|Bootstrap(contact)| contact).collect();
        let mut part = DhtConfig { bootstrap, ..DhtConfig::default() };
        for Bootstrap(contact) in flags.bootstrap {
            part.bootstrap.retain(|held| held.entity_id() != contact.entity_id());
            part.bootstrap.push(contact);
        }
        let lifetime = flags.lifetime.or(self.lifetime);
        part.lifetime = lifetime.map_or(part.lifetime, |lifetime| lifetime.0);
        let or = |flag: Option<Count>, table: Option<Count>, usual| {
            flag.or(table).map_or(usual, |count| count.0)
        };
        part.table.k = or(flags.k, self.k, part.table.k);
        part.table.alpha = or(flags.alpha, self.alpha, part.table.alpha);
        part.table.paths = or(flags.paths, self.paths, part.table.paths);
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    #[test]
    fn a_flag_wins_over_the_table_and_the_table_over_the_default() {
        let text = format!(
            "enabled = true\nk = 8\nlifetime = '10m'\n[[bootstrap]]\nid = 'a'\naddress = 'http://a:1'\nkey = '{KEY}'"
        );
        let table: DhtTable = toml::from_str(&text).unwrap();
        let flag = format!("id=b,address=http://b:1,key={KEY}");
        let flags = DhtTable {
            lifetime: Some("3s".parse().unwrap()),
            bootstrap: vec![flag.parse().unwrap()],
            ..DhtTable::default()
        };
        let part = table.clone().part(flags).unwrap();
        assert_eq!((part.table.k, part.table.alpha, part.lifetime.as_secs()), (8, 3, 3));
        let ids: Vec<_> = part.bootstrap.iter().map(|held| held.entity_id().as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
        let off = DhtTable { enabled: Some(false), ..DhtTable::default() };
        assert!(table.part(off).is_none());
        assert!(DhtTable::default().part(DhtTable::default()).is_none(), "it is asked for");
    }

    #[test]
    fn what_is_no_setting_is_refused_with_the_reason() {
        for text in ["", "0s", "25h", "1d", "-1s", "1.5h", "h"] {
            assert_eq!(text.parse::<Lifetime>(), Err(InvalidDht::Lifetime), "{text}");
        }
        for count in [0, -1, 21] {
            assert_eq!(Count::try_from(count), Err(InvalidDht::Count), "{count}");
        }
        let refused = |text: &str| text.parse::<Bootstrap>().unwrap_err().to_string();
        assert_eq!(refused("id=a,address=http://a:1"), "`key=..` is missing");
        assert!(refused(&format!("id=ä,address=http://a:1,key={KEY}")).starts_with("`id`: "));
        assert!(refused("id=a,address=http://a:1,key=00").starts_with("key: "));
        assert!(toml::from_str::<DhtTable>("enabled = 'yes'").is_err());
    }
}
