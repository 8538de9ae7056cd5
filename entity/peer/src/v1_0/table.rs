//! The 1.0 sessions with one peer.

use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_session::v1_0::accepted::AcceptedMessages;
use entity_session::v1_0::established::Established;
use entity_session::v1_0::initiator::{AwaitingAck, Confirming};
use entity_session::v1_0::responder::AwaitingConfirm;
use entity_session::v1_0::sealing::SealedSession;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::handshake::Held;
use super::lane::Lane;
use crate::name::PeerName;
use crate::view::{Role, SessionName, SessionView};

/// How long a session that was replaced still receives: what the other side sent before it knew. Guessed, as in 1.1.
const RETIRED_LIFETIME: Duration = Duration::from_secs(30);

/// The sessions with one peer: at most one of each kind, so that nothing a peer does makes more.
#[derive(Debug, Default)]
pub(crate) struct PeerSessions {
    /// A handshake we opened.
    pub(crate) opening: Option<AwaitingAck>,
    /// A handshake we opened, acknowledged and confirmed, with the key that signed the acknowledgement.
    pub(crate) confirming: Option<(Confirming, PublicKey)>,
    /// A handshake the peer opened while ours was under way.
    pub(crate) held: Option<Held>,
    /// A handshake the peer opened.
    pub(crate) responding: Option<AwaitingConfirm>,
    /// The newest established session. It stays when it has expired, so that what belongs to it is still refused.
    pub(crate) current: Option<Current>,
    /// The established session before, and until when it receives.
    pub(crate) retired: Option<(Established, Timestamp)>,
    /// The order in which messages of a session are sent.
    pub(super) lane: Lane,
    /// What fills the fields of messages outside a session.
    pub(crate) outside: Option<Outside>,
    /// The messages accepted from the peer.
    pub(crate) accepted: AcceptedMessages,
}

/// The established session that we send in.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) session: Established,
    pub(crate) role: Role,
    /// Whether its expiry was announced.
    is_expired: bool,
    /// Whether the peer answers as if it did not know the session.
    is_doubted: bool,
}

/// The id and the last number of messages outside a session.
///
/// Source: docs/protocol/1.0.md#sessions-and-sequence
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) id: String,
    pub(crate) last_sequence: u64,
}

/// Where a received message belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// To no session.
    Outside,
    /// To the session whose confirmation is under way.
    Confirming,
    /// To the current session.
    Current,
    /// To the session before.
    Retired,
}

impl PeerSessions {
    /// Returns the current session where it is live.
    pub(crate) fn live(&self, now: Timestamp) -> Option<&Current> {
        self.current.as_ref().filter(|current| !current.session.is_expired(now))
    }

    /// Returns the current session where it is live.
    pub(crate) fn live_mut(&mut self, now: Timestamp) -> Option<&mut Current> {
        self.current.as_mut().filter(|current| !current.session.is_expired(now))
    }

    /// Says whether the peer answers as if it did not know the current session.
    pub(crate) fn is_doubted(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.is_doubted)
    }

    /// Notes that the peer answered a message of session `id` as if it did not know it. Says whether that is news.
    pub(crate) fn doubt(&mut self, id: &str) -> bool {
        let current = self.current.as_mut().filter(|current| current.session.id() == id);
        current.is_some_and(|current| !std::mem::replace(&mut current.is_doubted, true))
    }

    /// Forgets what was noted by [`PeerSessions::doubt`].
    pub(crate) fn end_doubt(&mut self) {
        if let Some(current) = &mut self.current {
            current.is_doubted = false;
        }
    }

    /// Puts a new established session in place of the current one, and returns the id of that.
    pub(crate) fn establish(
        &mut self,
        session: Established,
        role: Role,
        now: Timestamp,
    ) -> Option<String> {
        let current = Current { session, role, is_expired: false, is_doubted: false };
        let before = self.current.replace(current)?;
        let id = (!before.is_expired).then(|| before.session.id().to_owned());
        self.retired = Some((before.session, now.plus(RETIRED_LIFETIME)));
        id
    }

    /// Returns where a message with this session id belongs; `None` where sessions exist, but not this one.
    pub(crate) fn place(&self, id: &str, now: Timestamp) -> Option<Place> {
        if self.current.as_ref().is_some_and(|current| current.session.id() == id) {
            return Some(Place::Current);
        }
        if self.confirming.as_ref().is_some_and(|(confirming, _)| confirming.session.id() == id) {
            return Some(Place::Confirming);
        }
        let retired = self.retired.as_ref().filter(|(_, until)| now <= *until);
        if retired.is_some_and(|(session, _)| session.id() == id) {
            return Some(Place::Retired);
        }
        self.current.is_none().then_some(Place::Outside)
    }

    /// Returns the session at a place.
    pub(crate) fn at(&self, place: Place) -> Option<&Established> {
        match place {
            Place::Outside => None,
            Place::Current => self.current.as_ref().map(|current| &current.session),
            Place::Confirming => {
                self.confirming.as_ref().map(|(confirming, _)| &confirming.session)
            }
            Place::Retired => self.retired.as_ref().map(|(session, _)| session),
        }
    }

    /// Returns the session at a place, to record in.
    pub(crate) fn at_mut(&mut self, place: Place) -> Option<&mut Established> {
        match place {
            Place::Outside => None,
            Place::Current => self.current.as_mut().map(|current| &mut current.session),
            Place::Confirming => {
                self.confirming.as_mut().map(|(confirming, _)| &mut confirming.session)
            }
            Place::Retired => self.retired.as_mut().map(|(session, _)| session),
        }
    }

    /// Returns the sealed side with this id of any session that receives.
    pub(crate) fn sealed(&mut self, id: &str) -> Option<&mut SealedSession> {
        let current = self.current.as_mut().map(|current| &mut current.session);
        let confirming = self.confirming.as_mut().map(|(confirming, _)| &mut confirming.session);
        let retired = self.retired.as_mut().map(|(session, _)| session);
        [current, confirming, retired]
            .into_iter()
            .flatten()
            .filter_map(|session| session.sealing.as_mut())
            .find(|sealed| sealed.id() == id)
    }

    /// Says whether an established session with this id is current or retired.
    pub(crate) fn holds(&self, id: &str) -> bool {
        let current = self.current.as_ref().map(|current| &current.session);
        let retired = self.retired.as_ref().map(|(session, _)| session);
        [current, retired].into_iter().flatten().any(|session| session.id() == id)
    }

    /// Forgets the established session with this id.
    pub(crate) fn forget_established(&mut self, id: &str) {
        self.current.take_if(|current| current.session.id() == id);
        self.retired.take_if(|(session, _)| session.id() == id);
    }

    /// Forgets everything but which messages were accepted; returns the id of the session that was live.
    pub(crate) fn forget_all(&mut self) -> Option<String> {
        (self.opening, self.confirming, self.held) = (None, None, None);
        (self.responding, self.retired) = (None, None);
        let current = self.current.take()?;
        (!current.is_expired).then(|| current.session.id().to_owned())
    }

    /// Returns the key that an unfinished handshake holds the peer to.
    pub(crate) fn provisional_key(&self) -> Option<PublicKey> {
        let confirming = self.confirming.as_ref().map(|(_, key)| *key);
        confirming.or_else(|| self.responding.as_ref().map(|responding| *responding.key()))
    }

    /// Forgets handshakes that are older than `timeout`; says whether there was one.
    pub(crate) fn expire_half_open(&mut self, timeout: Duration, now: Timestamp) -> bool {
        let is_old = |created_at: Timestamp| now >= created_at.plus(timeout);
        let opening = self.opening.take_if(|opening| is_old(opening.created_at()));
        let responding = self.responding.take_if(|responding| is_old(responding.created_at()));
        opening.is_some() || responding.is_some()
    }

    /// Forgets the session before the current one when its time is over.
    pub(crate) fn expire_retired(&mut self, now: Timestamp) {
        self.retired.take_if(|(_, until)| now > *until);
    }

    /// Returns the id of the current session when it has just expired.
    pub(crate) fn expire_current(&mut self, now: Timestamp) -> Option<String> {
        let current = self.current.as_mut()?;
        if current.is_expired || !current.session.is_expired(now) {
            return None;
        }
        current.is_expired = true;
        Some(current.session.id().to_owned())
    }

    /// Returns when one of the above has something to do.
    pub(crate) fn next_deadline(&self, timeout: Duration) -> Option<Timestamp> {
        let just_after = |time: Timestamp| time.plus(Duration::from_micros(1));
        let current = self.current.as_ref().filter(|current| !current.is_expired);
        let deadlines = [
            self.opening.as_ref().map(|opening| opening.created_at().plus(timeout)),
            self.responding.as_ref().map(|responding| responding.created_at().plus(timeout)),
            self.held.as_ref().map(Held::answer_at),
            self.retired.as_ref().map(|(_, until)| just_after(*until)),
            current.map(|current| just_after(current.session.expires_at())),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Returns what can be seen of these sessions.
    pub(crate) fn views(&self, peer: &PeerName, key: Option<PublicKey>) -> Vec<SessionView> {
        let view = |id: &str, role, state, sealed| SessionView {
            id: SessionName(id.to_owned()),
            peer: peer.clone(),
            peer_key: key,
            version: Version::V1_0,
            role,
            state,
            generation: 0,
            sealed,
        };
        let established = |session: &Established, role, state| {
            view(session.id(), role, state, session.sealing.is_some())
        };
        let current = self.current.as_ref().map(|current| {
            let state = if current.is_expired { "expired" } else { "ready" };
            established(&current.session, current.role, state)
        });
        let views = [
            current,
            self.opening
                .as_ref()
                .map(|opening| view(opening.id(), Role::Initiator, "handshake_sent", false)),
            self.confirming.as_ref().map(|(confirming, _)| {
                established(&confirming.session, Role::Initiator, "handshake_acked")
            }),
            self.responding
                .as_ref()
                .map(|responding| view(responding.id(), Role::Responder, "handshake_acked", false)),
        ];
        views.into_iter().flatten().collect()
    }
}
