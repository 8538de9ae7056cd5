//! The HTTP side of a node: `POST /message`, `POST /frame`, and what GET shows of it (`docs/protocol/1.0.md#endpoints`).
//!
//! `/peers` and `/stats` name the addresses of others. In the profile `hardened` only callers on this machine see them; in
//! `compat` everybody does, as with the earlier peer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_peer::Peer;
use entity_peer::config::Profile;
use entity_transport::http::{Answer, Handler, Request, ServerLimits, Verb};
use entity_transport::ws::Receiver;
use entity_wire::limits::{COMPAT_MESSAGE_LEN_MAX, MESSAGE_LEN_MAX};
use entity_wire::relay::Form;
use entity_wire::time::Timestamp;
use serde::Serialize;

use crate::layers::{Layers, Socket};
use crate::node::Node;
use crate::relay::Bridge;
use crate::views::{HealthReport, Peers, PublicKeyView, Root, Stats};

/// The endpoints of one node.
#[derive(Debug)]
pub struct Endpoints {
    node: Node,
    port: u16,
    profile: Profile,
}

impl Endpoints {
    /// The endpoints of `node`, which listens on `address`.
    pub fn new(node: Node, address: SocketAddr) -> Arc<Self> {
        let profile = node.look(|peer, _| peer.config().profile);
        Arc::new(Self { node, port: address.port(), profile })
    }

    /// The limits of a server for a node of this profile.
    pub fn limits(profile: Profile) -> ServerLimits {
        let body_max_bytes = match profile {
            Profile::Hardened => MESSAGE_LEN_MAX,
            Profile::Compat => COMPAT_MESSAGE_LEN_MAX,
        };
        let sockets = Layers::limits(profile);
        ServerLimits { body_max_bytes, sockets, ..ServerLimits::default() }
    }

    fn show<T: Serialize>(&self, view: impl FnOnce(&Peer, Timestamp) -> T) -> Answer {
        json(&self.node.look(view))
    }

    /// The relay that this node is.
    fn relay(&self) -> Option<&Arc<Bridge>> {
        self.node.layers().bridge().filter(|bridge| bridge.is_relay())
    }

    fn may_see_addresses(&self, caller: IpAddr) -> bool {
        match self.profile {
            Profile::Hardened => caller.to_canonical().is_loopback(),
            Profile::Compat => true,
        }
    }
}

impl Handler for Endpoints {
    fn endpoint(&self, path: &str) -> Option<Verb> {
        match path {
            "/message" | "/frame" if self.node.layers().has_http() => Some(Verb::Post),
            "/" | "/health" | "/peers" | "/stats" | "/public-key" => Some(Verb::Get),
            _ if self.relay().is_some() => mailbox(path).map(|_| Verb::Post),
            _ => None,
        }
    }

    fn socket(&self, path: &str) -> Option<Arc<dyn Receiver>> {
        let takes_it = path == entity_wire::socket::PATH && self.node.layers().has_sockets();
        takes_it.then(|| -> Arc<dyn Receiver> { Arc::new(Socket::accepted(self.node.downgrade())) })
    }

    async fn answer(&self, request: Request<'_>) -> Answer {
        match request.path {
            "/message" => self.node.message_of(&request.body, request.caller).await.into(),
            "/frame" => self.node.frames_of(&request.body, Some(request.caller)).await.into(),
            "/" => self.show(|peer, _| Root::of(peer)),
            "/health" => self.show(|peer, now| HealthReport::of(peer, now, self.port)),
            "/public-key" => self.show(|peer, _| PublicKeyView::of(peer)),
            "/peers" | "/stats" if !self.may_see_addresses(request.remote.ip()) => {
                Answer::new(403, r#"{"detail":"Forbidden"}"#)
            }
            "/peers" => match self.node.settled().await {
                Ok(()) => self.show(|peer, _| Peers::of(peer)),
                Err(_) => Answer::new(503, r#"{"detail":"Service Unavailable"}"#),
            },
            "/stats" => self.show(|peer, _| Stats::of(peer)),
            path if let (Some(relay), Some(parcel)) = (self.relay(), mailbox(path)) => {
                relay.post(&self.node, parcel, (request.body, request.remote.ip())).await
            }
            _ => Answer::new(404, r#"{"detail":"Not Found"}"#),
        }
    }
}

/// Whose mailbox a path is, and what is posted there (`docs/protocol/1.1.md#relay`).
fn mailbox(path: &str) -> Option<(PublicKey, Form)> {
    let (key, form) = path.strip_prefix("/relay/")?.split_once('/')?;
    let form = match form {
        "message" => Form::Envelope,
        "frame" => Form::Frame,
        _ => return None,
    };
    Some((PublicKey::from_hex(key).ok()?, form))
}

fn json<T: Serialize>(view: &T) -> Answer {
    // The views are structs of texts and numbers with text keys, which always have a JSON form.
    serde_json::to_vec(view).map_or_else(|_| Answer::new(500, "{}"), |body| Answer::new(200, body))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use entity_crypto::signing::SigningKey;
    use entity_peer::Config;
    use entity_transport::http::Caller;

    use super::*;
    use crate::clock::Clock;

    /// The statuses that a caller at `remote` gets.
    async fn check(profile: Profile, remote: &str, expected: [u16; 3]) {
        let mut config = Config::new("a".parse().unwrap());
        config.profile = profile;
        let node = Node::new(config, SigningKey::from_seed([1; 32]), [2; 32], Clock::start());
        let endpoints = Endpoints::new(node, "127.0.0.1:8001".parse().unwrap());
        let remote = SocketAddr::new(remote.parse().unwrap(), 50_000);
        for (path, expected) in ["/peers", "/stats", "/health"].into_iter().zip(expected) {
            let (body, caller) = (Bytes::new(), &Caller::without_connection(remote));
            let answer = endpoints.answer(Request { path, body, remote, caller }).await;
            assert_eq!(answer.status, expected, "{path} {profile:?} {remote}");
        }
    }

    #[tokio::test]
    async fn a_hardened_peer_shows_addresses_on_this_machine_alone() {
        check(Profile::Hardened, "127.0.0.1", [200; 3]).await;
        check(Profile::Hardened, "::1", [200; 3]).await;
        check(Profile::Hardened, "::ffff:127.0.0.1", [200; 3]).await;
        check(Profile::Hardened, "192.0.2.1", [403, 403, 200]).await;
        check(Profile::Hardened, "2001:db8::1", [403, 403, 200]).await;
        check(Profile::Compat, "192.0.2.1", [200; 3]).await;
    }
}
