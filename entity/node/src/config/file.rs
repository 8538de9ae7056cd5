//! `entity.toml`.
//!
//! ```toml
//! id = "entity-a"
//! listen = "0.0.0.0:8001"
//! advertise = "http://192.0.2.1:8001"
//! protocol = "both"            # "1.0", "1.1" or "both"
//! profile = "hardened"         # or "compat"
//! trust = "pinned"             # or "first-use"
//! connect = true
//! legacy_token_transfer = false # whether the inbox keeps a `token_transfer` of 1.0; else it is refused
//! is_relay = false             # hands messages of others on, and keeps them for who is absent
//! websocket = true             # false, true or "only": besides HTTP, or alone
//! partition_waits = true       # no new session over HTTP while the WebSocket to a peer is cut off
//! relay_patience = "30s"       # how long a relay may leave durable messages unacknowledged, "1s" to "1h"
//! frames = "auto"              # compact frames: "auto" (over WebSockets), "always" or "never"
//! data_dir = "/var/lib/entity"
//! key = "entity-a"             # of the wallet in data_dir; else its default
//! passphrase_file = "/run/credentials/entity/passphrase"
//!
//! [[peers]]
//! id = "entity-b"
//! address = "http://192.0.2.2:8002"
//! key = "<64 hex>"
//!
//! [relay_mail]                 # of a relay: what it keeps for who is absent
//! lifetime = "24h"             # between "1s" and "168h"
//! messages = 4096              # for one recipient, and of one sender; 1 to 65536
//!
//! [heartbeat]                  # whether peers live
//! period = "30s"               # between "2s" and "60m"
//! failures = 3                 # in a row make a peer unhealthy
//!
//! [sessions]                   # when sessions of 1.1 end; never more than the protocol allows, which these are
//! idle = "1h"                  # without a message
//! lifetime = "24h"             # in any case
//!
//! [transfers]                  # what is taken from a peer and offered to it
//! size = "1GiB"                # of one transfer, 1KiB to 512GiB
//! open_per_peer = 16           # at once, each way, 1 to 1024
//! bytes_per_peer = "4GiB"      # of all open ones together; at least one of that size
//! expiry = "30m"               # without progress, 1m to 24h
//!
//! [dht]                        # the distributed hash table
//! enabled = true
//! lifetime = "2h"              # of records about this entity, 1s to 24h; renewed at half
//! k = 20                       # contacts in a bucket, storers of a record, 1 to 20; alpha, paths: of lookups
//!
//! [[dht.bootstrap]]            # whom to ask first
//! id = "entity-c"
//! address = "http://192.0.2.3:8003"
//! key = "<64 hex>"
//!
//! [circuit]
//! failures = 5                 # deliveries in a row, then nothing is tried for a while
//!
//! [moltbook]                   # only with this table: docs/guide/moltbook.md
//! key_file = "/run/credentials/entity/moltbook"
//! status = "6h"                # how often it posts how it is, 31m to 168h; else never
//! mentions = "5m"              # how often it looks who names it, 1m to 168h; else never
//! hand_off = "entity-b"        # the peer that gets what names it
//! submolt = "general"          # where it posts
//! established = true           # the account is more than a day old
//!
//! [rate_limits.ping]           # by message type; `other` is shared by all types not named
//! burst = 60
//! per_second = 10
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_peer::PeerName;
use entity_peer::config::default_rate_limits;
use entity_peer::config::{Rate, RateLimits};
use entity_transport::http::Address;
use entity_wallet::KeyName;
use entity_wire::kind::MessageKind;
use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::choice::{ListenAddress, PeerEntry, Profile, Protocol, Trust, http_address};
use super::dht::DhtTable;
use super::frames::Frames;
use super::heartbeat::HeartbeatTable;
use super::mail::MailTable;
use super::moltbook::MoltbookTable;
use super::relays::RelayEntry;
use super::routes::RelayPatience;
use super::sessions::SessionsTable;
use super::transfers::TransfersTable;
use super::websocket::WebSockets;

/// A longer file is no configuration.
const FILE_LEN_MAX: u64 = 1024 * 1024;

/// What `entity.toml` says; everything may be absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The peer's own id.
    #[serde(default, deserialize_with = "parsed")]
    pub id: Option<PeerId>,
    /// Where to listen.
    pub listen: Option<ListenAddress>,
    /// The address others are told.
    #[serde(default, deserialize_with = "address_text")]
    pub advertise: Option<String>,
    /// The versions spoken.
    pub protocol: Option<Protocol>,
    /// How 1.0 is received.
    pub profile: Option<Profile>,
    /// Which keys are believed.
    pub trust: Option<Trust>,
    /// Whether sessions are opened without being asked for.
    pub connect: Option<bool>,
    /// Whether the inbox keeps a `token_transfer` of 1.0.
    pub legacy_token_transfer: Option<bool>,
    /// Which layers are used.
    pub websocket: Option<WebSockets>,
    /// When messages travel as compact frames.
    pub frames: Option<Frames>,
    /// Whether the node is a relay for others.
    pub is_relay: Option<bool>,
    /// Relays to be a member of.
    #[serde(default, rename = "relay")]
    pub relays: Vec<RelayEntry>,
    /// What the node keeps as a relay.
    #[serde(default)]
    pub relay_mail: MailTable,
    /// Whether new sessions wait while the WebSocket to a peer is partitioned.
    pub partition_waits: Option<bool>,
    /// How long a relay may leave durable messages unacknowledged.
    pub relay_patience: Option<RelayPatience>,
    /// Where the node keeps its files; relative to the working directory.
    pub data_dir: Option<PathBuf>,
    /// The key of the wallet to speak with.
    #[serde(default, deserialize_with = "parsed")]
    pub key: Option<KeyName>,
    /// The file with its passphrase; relative to the working directory.
    pub passphrase_file: Option<PathBuf>,
    /// The peers to know.
    #[serde(default, deserialize_with = "peers")]
    pub peers: Vec<PeerEntry>,
    /// How often peers are asked whether they live.
    #[serde(default)]
    pub heartbeat: HeartbeatTable,
    /// When sessions end.
    #[serde(default)]
    pub sessions: SessionsTable,
    /// How much may be transferred.
    #[serde(default)]
    pub transfers: TransfersTable,
    /// The part in the distributed hash table.
    #[serde(default)]
    pub dht: DhtTable,
    /// When nothing is tried for a while.
    #[serde(default)]
    pub circuit: CircuitTable,
    /// What the node does on Moltbook.
    pub moltbook: Option<MoltbookTable>,
    /// How many messages a sender may send.
    #[serde(default)]
    pub rate_limits: RateSettings,
}

/// The `[circuit]` table.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CircuitTable {
    failures: Option<NonZeroU32>,
}

impl CircuitTable {
    /// How many deliveries to a peer fail in a row before nothing is tried for a while.
    pub fn failures(self) -> NonZeroU32 {
        const USUAL: NonZeroU32 = NonZeroU32::new(5).unwrap();
        self.failures.unwrap_or(USUAL)
    }
}

/// Rates by message type; the rest keep their defaults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct RateSettings(BTreeMap<String, RateSetting>);

/// One `[rate_limits.TYPE]` table.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateSetting {
    burst: NonZeroU32,
    per_second: NonZeroU32,
}

impl RateSettings {
    /// The name that stands for every type without a table of its own.
    const OTHER: &str = "other";

    /// The defaults of a peer, those of the handshake of 1.0 among them, with these rates over them.
    pub fn limits(&self) -> RateLimits {
        let mut limits = default_rate_limits();
        for (kind, setting) in &self.0 {
            let rate = Rate::per_second(setting.burst.get(), setting.per_second.get());
            if kind == Self::OTHER {
                limits.set_other(rate);
            } else {
                limits.set(MessageKind::from_text(kind), rate);
            }
        }
        limits
    }
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("read the configuration file {}", path.display())]
    #[diagnostic(
        code(entity::config::unreadable),
        help("name an existing file with --config, or leave --config away")
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{message}")]
    #[diagnostic(code(entity::config::invalid))]
    Invalid {
        /// What is wrong.
        message: String,
        /// The text, for showing the place.
        #[source_code]
        source_code: NamedSource<String>,
        /// Where.
        #[label("here")]
        span: Option<SourceSpan>,
        /// What to do about it.
        #[help]
        help: String,
    },
}

/// Reads a configuration file.
///
/// # Errors
///
/// [`ConfigError`], which shows the place in the file.
#[expect(
    clippy::result_large_err,
    reason = "it carries the text it points into, and happens once in a start"
)]
pub fn load(path: &Path) -> Result<ConfigFile, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_LEN_MAX {
        return Err(unreadable(std::io::Error::other("the file is longer than 1 MiB")));
    }
    parse(&path.display().to_string(), &std::fs::read_to_string(path).map_err(unreadable)?)
}

/// Reads the text of a configuration file called `name`.
///
/// # Errors
///
/// [`ConfigError::Invalid`].
#[expect(
    clippy::result_large_err,
    reason = "it carries the text it points into, and happens once in a start"
)]
pub fn parse(name: &str, text: &str) -> Result<ConfigFile, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::Invalid {
        message: error.message().to_owned(),
        source_code: NamedSource::new(name, text.to_owned()).with_language("TOML"),
        span: error.span().map(|Range { start, end }| SourceSpan::from((start, end - start))),
        help: help_for(error.message()),
    })
}

/// The fix, where the message alone does not say it.
fn help_for(message: &str) -> String {
    if message.contains("unknown field") {
        "remove the line or correct its name; the fields are listed by `entity run --help`"
            .to_owned()
    } else if message.contains("http://") {
        "write the address as \"http://HOST:PORT\"".to_owned()
    } else if message.contains("hex") || message.contains("key") {
        "a key is the 64 hex digits that `entity wallet show` prints on the other side".to_owned()
    } else {
        "see the example in `entity run --help`".to_owned()
    }
}

fn parsed<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

fn address_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let address = http_address(&text).map_err(D::Error::custom)?;
    Ok(Some(address.to_string()))
}

/// One `[[peers]]` table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerTable {
    #[serde(deserialize_with = "from_text")]
    id: PeerName,
    #[serde(deserialize_with = "from_text")]
    address: Address,
    #[serde(default, deserialize_with = "key")]
    key: Option<PublicKey>,
    connect: Option<bool>,
}

fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PublicKey>, D::Error> {
    let text = String::deserialize(deserializer)?;
    PublicKey::from_hex(&text)
        .map(Some)
        .map_err(|error| D::Error::custom(format!("not a public key: {error}")))
}

fn peers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PeerEntry>, D::Error> {
    let tables = Vec::<PeerTable>::deserialize(deserializer)?;
    let mut peers: Vec<PeerEntry> = Vec::with_capacity(tables.len());
    for PeerTable { id, address, key, connect } in tables {
        if peers.iter().any(|peer| peer.id == id) {
            return Err(D::Error::custom(format!("the peer `{id}` stands here twice")));
        }
        peers.push(PeerEntry { id, address, key, connect });
    }
    Ok(peers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message and the marked text of the error that `text` gives.
    #[track_caller]
    fn check(text: &str, message: &str, marked: &str) {
        let Err(ConfigError::Invalid { message: actual, span, help, .. }) =
            parse("entity.toml", text)
        else {
            panic!("accepted: {text}");
        };
        let span = span.expect("the error has a place");
        assert!(actual.contains(message), "{actual}");
        assert_eq!(&text[span.offset()..span.offset() + span.len()], marked, "{actual}");
        assert!(!help.is_empty());
    }

    #[test]
    fn every_error_points_at_its_place() {
        check("identity = 'a'\n", "unknown field `identity`", "identity");
        check("protocol = '2.0'\n", "unknown variant `2.0`", "'2.0'");
        check("listen = 'here'\n", "not `host:port`", "'here'");
        check("id = 'a b'\n", "", "'a b'");
        check("[[peers]]\nid = 'b'\naddress = 'b:1'\n", "does not start with `http://`", "'b:1'");
        check(
            "[[peers]]\nid = 'b'\naddress = 'http://b:1'\nkey = '00'\n",
            "not a public key",
            "'00'",
        );
        check("[rate_limits.ping]\nburst = 0\nper_second = 1\n", "0", "0");
        check("[heartbeat]\nperiod = '1s'\n", "between `2s` and `60m`", "'1s'");
        check("[heartbeat]\nfailures = 0\n", "0", "0");
        check("[sessions]\nidle = '2h'\n", "between `1s` and `1h`", "'2h'");
        check("[sessions]\nlifetime = '25h'\n", "between `1s` and `24h`", "'25h'");
        check("[transfers]\nsize = '1TB'\n", "between `1KiB` and `512GiB`", "'1TB'");
        check("[transfers]\nopen_per_peer = 0\n", "between 1 and 1024", "0");
        check("[transfers]\nopen_per_peer = 1025\n", "between 1 and 1024", "1025");
        check("[transfers]\nexpiry = '1s'\n", "between `1m` and `24h`", "'1s'");
        check("[transfers]\nfiles = 1\n", "unknown field `files`", "files");
        check("[circuit]\nfailures = 0\n", "0", "0");
        check("id = \n", "must be quoted", "");
    }

    #[test]
    fn a_peer_may_always_promise_as_much_as_one_transfer_has() {
        for text in
            ["size = '5GiB'", "bytes_per_peer = '512MiB'", "size='1KiB'\nbytes_per_peer='1MiB'"]
        {
            let error = parse("entity.toml", &format!("[transfers]\n{text}\n")).unwrap_err();
            assert!(error.to_string().contains("`bytes_per_peer` is less than"), "{error}");
        }
        assert!(parse("entity.toml", "[transfers]\nsize='5GiB'\nbytes_per_peer='5GiB'\n").is_ok());
    }

    #[test]
    fn a_peer_cannot_stand_twice() {
        let twice = "[[peers]]\nid = 'b'\naddress = 'http://b:1'\n[[peers]]\nid = 'b'\naddress = 'http://b:2'\n";
        let error = parse("entity.toml", twice).unwrap_err();
        assert!(error.to_string().contains("the peer `b` stands here twice"), "{error}");
    }

    #[test]
    fn rates_are_laid_over_the_defaults() {
        let text = "[rate_limits.ping]\nburst = 3\nper_second = 2\n[rate_limits.other]\nburst = 9\nper_second = 9\n";
        let limits = parse("entity.toml", text).unwrap().rate_limits.limits();
        let mut expected = default_rate_limits();
        expected.set(MessageKind::Ping, Rate::per_second(3, 2));
        expected.set_other(Rate::per_second(9, 9));
        assert_eq!(limits, expected);
    }

    #[test]
    fn a_missing_file_says_its_name() {
        let error = load(Path::new("missing/entity.toml")).unwrap_err();
        assert_eq!(error.to_string(), "read the configuration file missing/entity.toml");
    }
}
