//! What the operator decides: file, environment and flags, in rising precedence.
//!
//! - [`choice`]: the words an operator writes, shared by all three.
//! - [`dht`]: the part in the distributed hash table.
//! - [`heartbeat`]: how often peers are asked whether they live.
//! - [`mod@file`]: `entity.toml`, with errors that point into it.
//! - [`moltbook`]: what the node does on Moltbook.
//! - [`sessions`]: when sessions end.
//! - [`transfers`]: how much may be transferred.
//! - [`frames`]: when messages travel as compact frames.
//! - [`relays`]: being a relay, and being a member of some.
//! - [`mail`]: what a relay keeps.
//! - [`routes`]: how ways are chosen.
//! - [`websocket`]: which layers are used.
//! - this file: [`Settings`], the outcome.
//!
//! Flags and environment arrive together as [`Overrides`]: the command line library reads both and prefers flags.

pub mod choice;
pub mod dht;
pub mod file;
pub mod frames;
pub mod heartbeat;
pub mod mail;
pub mod moltbook;
pub mod relays;
pub mod routes;
pub mod sessions;
pub mod transfers;
pub mod websocket;

use std::num::NonZeroU32;
use std::path::PathBuf;

use entity_crypto::identity::PeerId;
use entity_peer::Config;
use entity_peer::config::{
    AutoConnect, DhtConfig, Heartbeat, LegacyTransfers, RateLimits, SessionLimits, TransferConfig,
};
use entity_wallet::KeyName;

use crate::relay::BridgeConfig;
use choice::{ListenAddress, PeerEntry, Profile, Protocol, Trust};
use dht::DhtTable;
use file::ConfigFile;
use frames::Frames;
use heartbeat::Period;
use mail::MailTable;
use moltbook::MoltbookTable;
use relays::RelayEntry;
use routes::RelayPatience;
use sessions::SessionsTable;
use websocket::WebSockets;

/// Where a node keeps its files when nobody says: `$XDG_DATA_HOME/entity`, `~/.local/share/entity`, or `entity-data` here.
pub fn default_data_dir() -> PathBuf {
    let directory =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    match (directory("XDG_DATA_HOME"), directory("HOME")) {
        (Some(data), _) => data.join("entity"),
        (None, Some(home)) => home.join(".local").join("share").join("entity"),
        (None, None) => PathBuf::from("entity-data"),
    }
}

/// What flags and environment say; `None` leaves the word to the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The peer's own id.
    pub id: Option<PeerId>,
    /// Where to listen.
    pub listen: Option<ListenAddress>,
    /// The address others are told.
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
    /// How often peers are asked whether they live.
    pub heartbeat: Option<Period>,
    /// When sessions end.
    pub sessions: SessionsTable,
    /// The part in the distributed hash table.
    pub dht: DhtTable,
    /// Which layers are used.
    pub websocket: Option<WebSockets>,
    /// When messages travel as compact frames.
    pub frames: Option<Frames>,
    /// Whether the node is a relay for others.
    pub is_relay: Option<bool>,
    /// Relays to be a member of, before those of the file.
    pub relays: Vec<RelayEntry>,
    /// What the node keeps as a relay.
    pub mail: MailTable,
    /// Whether new sessions wait while the WebSocket to a peer is partitioned.
    pub partition_waits: Option<bool>,
    /// How long a relay may leave durable messages unacknowledged.
    pub relay_patience: Option<RelayPatience>,
    /// Where the node keeps its files.
    pub data_dir: Option<PathBuf>,
    /// The key of the wallet to speak with.
    pub key: Option<KeyName>,
    /// Peers to know, added to those of the file; one of the same id replaces it.
    pub peers: Vec<PeerEntry>,
}

/// Everything an operator has decided, defaults filled in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The peer's own id; `None` derives it from the key.
    pub id: Option<PeerId>,
    /// Where to listen.
    pub listen: ListenAddress,
    /// The address others are told; `None` derives it from the listening address.
    pub advertise: Option<String>,
    /// The versions spoken.
    pub protocol: Protocol,
    /// How 1.0 is received.
    pub profile: Profile,
    /// Which keys are believed.
    pub trust: Trust,
    /// Whether sessions are opened without being asked for.
    pub connect: bool,
    /// Whether the inbox keeps a `token_transfer` of 1.0.
    pub legacy_token_transfer: bool,
    /// Which layers are used.
    pub websocket: WebSockets,
    /// When messages travel as compact frames.
    pub frames: Frames,
    /// What the node does as a relay, and at which relays it is a member.
    pub bridge: BridgeConfig,
    /// Where the node keeps its files.
    pub data_dir: PathBuf,
    /// The key of the wallet to speak with; `None` is the wallet's default.
    pub key: Option<KeyName>,
    /// The file with the passphrase of the key, if no flag or variable says otherwise.
    pub passphrase_file: Option<PathBuf>,
    /// How often peers are asked whether they live.
    pub heartbeat: Heartbeat,
    /// When sessions end.
    pub sessions: SessionLimits,
    /// How much may be transferred.
    pub transfers: TransferConfig,
    /// The part in the distributed hash table; `None` takes none.
    pub dht: Option<DhtConfig>,
    /// How many deliveries to a peer fail in a row before nothing is tried for a while.
    pub circuit_failures: NonZeroU32,
    /// Messages a sender may spend, by type.
    pub rate_limits: RateLimits,
    /// What the node does on Moltbook, if anything.
    pub moltbook: Option<MoltbookTable>,
    /// The peers to know from the start.
    pub peers: Vec<PeerEntry>,
}

impl Settings {
    /// Lays `overrides` over `file`, and both over the defaults; `default_data_dir` is used where neither names one.
    pub fn resolve(overrides: Overrides, file: ConfigFile, default_data_dir: PathBuf) -> Self {
        let data_dir = overrides.data_dir.or(file.data_dir).unwrap_or(default_data_dir);
        let mut peers = file.peers;
        for peer in overrides.peers {
            match peers.iter_mut().find(|known| known.id == peer.id) {
                Some(known) => *known = peer,
                None => peers.push(peer),
            }
        }
        let dht = file.dht.part(overrides.dht);
        // The table is made of strangers: whoever takes part meets them, unless it is told not to.
        let usual_trust = if dht.is_some() { Trust::FirstUse } else { Trust::Pinned };
        let is_relay = overrides.is_relay.or(file.is_relay);
        let mail = file.relay_mail.under(overrides.mail);
        let mut bridge = relays::decide((is_relay, mail), overrides.relays, file.relays);
        if let Some(waits) = overrides.partition_waits.or(file.partition_waits) {
            bridge.partition_waits = waits;
        }
        if let Some(patience) = overrides.relay_patience.or(file.relay_patience) {
            bridge.patience = patience.into();
        }
        // Relays are on WebSockets.
        let usual_sockets = if bridge.is_relay || !bridge.relays.is_empty() {
            WebSockets::Beside
        } else {
            WebSockets::default()
        };
        Self {
            id: overrides.id.or(file.id),
            listen: overrides.listen.or(file.listen).unwrap_or_default(),
            advertise: overrides.advertise.or(file.advertise),
            protocol: overrides.protocol.or(file.protocol).unwrap_or(Protocol::Both),
            profile: overrides.profile.or(file.profile).unwrap_or(Profile::Hardened),
            trust: overrides.trust.or(file.trust).unwrap_or(usual_trust),
            connect: overrides.connect.or(file.connect).unwrap_or(true),
            legacy_token_transfer: overrides
                .legacy_token_transfer
                .or(file.legacy_token_transfer)
                .unwrap_or(false),
            frames: overrides.frames.or(file.frames).unwrap_or_default(),
            websocket: overrides.websocket.or(file.websocket).unwrap_or(usual_sockets),
            bridge,
            key: overrides.key.or(file.key),
            passphrase_file: file.passphrase_file,
            data_dir,
            heartbeat: file.heartbeat.heartbeat(overrides.heartbeat),
            sessions: file.sessions.limits(overrides.sessions),
            transfers: file.transfers.bounds(),
            dht,
            circuit_failures: file.circuit.failures(),
            rate_limits: file.rate_limits.limits(),
            moltbook: file.moltbook,
            peers,
        }
    }

    /// The configuration of the peer called `id`.
    pub fn peer_config(&self, id: PeerId) -> Config {
        let mut config = Config::new(id);
        config.protocols = self.protocol.protocols();
        config.profile = self.profile.profile();
        config.trust = self.trust.trust();
        config.address.clone_from(&self.advertise);
        config.auto_connect =
            if self.connect { AutoConnect::Connect } else { AutoConnect::OnCommand };
        config.rate_limits = self.rate_limits.clone();
        config.heartbeat = self.heartbeat;
        config.sessions = self.sessions;
        config.transfers = self.transfers.clone();
        config.dht.clone_from(&self.dht);
        config.circuit_failures_max = self.circuit_failures.get();
        self.websocket.apply(&mut config);
        config.frames = self.frames.frames();
        config.legacy_transfers = if self.legacy_token_transfer {
            LegacyTransfers::Kept
        } else {
            LegacyTransfers::Refused
        };
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> ConfigFile {
        file::parse("entity.toml", text).unwrap()
    }

    fn entry(text: &str) -> PeerEntry {
        text.parse().unwrap()
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let text = "id = 'file'\nkey = 'from-file'\nprotocol = '1.0'\n[[peers]]\nid = 'b'\naddress = 'http://b:1'\n[[peers]]\nid = 'c'\naddress = 'http://c:1'\n";
        let overrides = Overrides {
            id: Some("flag".parse().unwrap()),
            peers: vec![entry("id=b,address=http://b:2"), entry("id=d,address=http://d:1")],
            ..Overrides::default()
        };
        let settings = Settings::resolve(overrides, file(text), PathBuf::from("data"));
        assert_eq!(settings.id.unwrap().as_str(), "flag");
        assert_eq!((settings.protocol, settings.profile), (Protocol::V1_0, Profile::Hardened));
        assert_eq!(settings.key.unwrap().as_str(), "from-file");
        let peers: Vec<_> = settings.peers.iter().map(|peer| peer.address.to_string()).collect();
        assert_eq!(peers, ["http://b:2", "http://c:1", "http://d:1"]);
    }

    #[test]
    fn who_takes_part_in_the_table_meets_strangers_unless_told_not_to() {
        let trust = |text: &str| {
            let settings =
                Settings::resolve(Overrides::default(), file(text), PathBuf::from("data"));
            let config = settings.peer_config("a".parse().unwrap());
            (config.dht.is_some(), config.trust)
        };
        let (pinned, first_use) =
            (entity_peer::config::Trust::Pinned, entity_peer::config::Trust::FirstUse);
        assert_eq!(trust(""), (false, pinned));
        assert_eq!(trust("[dht]\nenabled = true\n"), (true, first_use));
        assert_eq!(trust("trust = 'pinned'\n[dht]\nenabled = true\n"), (true, pinned));
    }

    #[test]
    fn configured_rates_leave_the_others_of_a_peer_as_they_are() {
        let limits = |text: &str| {
            let settings =
                Settings::resolve(Overrides::default(), file(text), PathBuf::from("data"));
            settings.peer_config("a".parse().unwrap()).rate_limits
        };
        let mut usual = Config::new("a".parse().unwrap()).rate_limits;
        assert_eq!(limits(""), usual);
        usual
            .set(entity_wire::kind::MessageKind::Ping, entity_peer::config::Rate::per_second(3, 2));
        assert_eq!(limits("[rate_limits.ping]\nburst = 3\nper_second = 2\n"), usual);
    }

    #[test]
    fn every_decision_reaches_the_peer() {
        let text = "protocol = '1.1'\nprofile = 'compat'\ntrust = 'first-use'\nconnect = false\nlegacy_token_transfer = true\nwebsocket = 'only'\nframes = 'always'\nadvertise = 'http://a:1'\n[sessions]\nidle = '1m'\nlifetime = '2h'\n[transfers]\nsize = '1MiB'\nopen_per_peer = 2\nbytes_per_peer = '9MiB'\nexpiry = '5m'\n";
        let settings = Settings::resolve(Overrides::default(), file(text), PathBuf::from("data"));
        let config = settings.peer_config("a".parse().unwrap());
        assert_eq!(config.protocols, entity_peer::config::Protocols::OnlyV1_1);
        assert_eq!(config.profile, entity_peer::config::Profile::Compat);
        assert_eq!(config.trust, entity_peer::config::Trust::FirstUse);
        assert_eq!(config.auto_connect, AutoConnect::OnCommand);
        assert_eq!(config.legacy_transfers, LegacyTransfers::Kept);
        assert!(config.websocket && !config.http);
        assert_eq!(config.frames, entity_peer::config::Frames::Always);
        assert_eq!(config.address.as_deref(), Some("http://a:1"));
        let (idle, lifetime) = (config.sessions.idle(), config.sessions.lifetime());
        assert_eq!((idle.as_secs(), lifetime.as_secs()), (60, 7_200));
        assert!(config.dht.is_none());
        let transfers = config.transfers;
        assert_eq!(
            (transfers.transfer_bytes_max, transfers.bytes_per_peer_max),
            (1 << 20, 9 << 20)
        );
        assert_eq!((transfers.open_per_peer_max, transfers.idle_limit.as_secs()), (2, 300));
    }
}
