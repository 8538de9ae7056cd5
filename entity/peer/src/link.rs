//! The relation to one peer: which version to speak, what waits for a session, and when to try again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use entity_flaw::{Flaw, planted};
use entity_wire::code::ErrorCode;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use crate::command::{CommandError, CommandId, Send};
use crate::config::Protocols;
use crate::core::Reason;
use crate::name::PeerName;

/// The relation to one peer.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Whether a session is wanted at all times.
    pub(crate) keep: bool,
    /// The version of the handshake we have under way.
    pub(crate) opening: Option<Version>,
    /// How often the other version was tried since a session was asked for.
    switches: u32,
    waiters: VecDeque<Waiter>,
    failures: u32,
    retry_at: Option<Timestamp>,
}

/// What waits for a session.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// A command to open one.
    Open(CommandId),
    /// A message.
    Message(Reason, Send),
}

impl Waiter {
    /// Returns the command that waits, or `None` where nobody does.
    pub(crate) fn command(&self) -> Option<CommandId> {
        match self {
            Self::Open(command) => Some(*command),
            Self::Message(reason, _) => reason.command(),
        }
    }
}

impl Link {
    /// Adds a waiter; gives it back where there are `count_max` already.
    pub(crate) fn wait(&mut self, waiter: Waiter, count_max: usize) -> Result<(), Waiter> {
        if self.waiters.len() >= count_max {
            return Err(waiter);
        }
        self.waiters.push_back(waiter);
        Ok(())
    }

    /// Takes all waiters.
    pub(crate) fn take_waiters(&mut self) -> VecDeque<Waiter> {
        std::mem::take(&mut self.waiters)
    }

    /// Takes the waiter of one command.
    pub(crate) fn withdraw(&mut self, command: CommandId) -> Option<Waiter> {
        let place = self.waiters.iter().position(|waiter| waiter.command() == Some(command))?;
        self.waiters.remove(place)
    }

    /// Returns the other version, where a handshake that failed like this is to be repeated in it at once.
    ///
    /// `proved` is the highest version that the peer's key has proved.
    ///
    /// Source: docs/protocol/1.1.md#negotiation, docs/protocol/1.1.md#downgrade-protection
    pub(crate) fn switch_version(
        &mut self,
        protocols: Protocols,
        proved: Option<Version>,
        error: &CommandError,
    ) -> Option<Version> {
        let failed = self.opening?;
        if protocols != Protocols::Both || self.switches >= SWITCHES_MAX {
            return None;
        }
        let other = match failed {
            // An answer is not authenticated, so it counts only for a key that has not proved otherwise.
            Version::V1_1 if proved == Some(Version::V1_1) && !planted(Flaw::AcceptsDowngrade) => {
                return None;
            }
            Version::V1_1 => Version::V1_0,
            Version::V0_3 | Version::V1_0 => Version::V1_1,
        };
        if !refuses_version(error, failed) {
            return None;
        }
        self.switches += 1;
        self.opening = Some(other);
        Some(other)
    }

    /// Notes that a session is ready.
    pub(crate) fn succeeded(&mut self) {
        self.opening = None;
        self.switches = 0;
        self.failures = 0;
        self.retry_at = None;
    }

    /// Notes that a handshake failed, and when to try again where a session is to be kept.
    fn failed(&mut self, now: Timestamp) {
        self.opening = None;
        self.switches = 0;
        let tries_again = self.keep && !planted(Flaw::GivesUpSessions);
        self.retry_at = tries_again.then(|| now.plus(retry_pause(self.failures)));
        self.failures = self.failures.saturating_add(1);
    }

    /// Asks for a session as soon as the next deadline is handled, where one is to be kept.
    fn reopen(&mut self, now: Timestamp) {
        if self.keep && self.opening.is_none() {
            self.retry_at = Some(now);
        }
    }
}

/// Says whether a handshake ended because the other side does not go on with `version`: by its answer, or by what it
/// signed in its acknowledgement.
fn refuses_version(error: &CommandError, version: Version) -> bool {
    match error {
        CommandError::Refused { status: 400, detail, .. } => {
            *detail == format!("Unsupported version: {version}")
        }
        // A 1.1 handshake that names another version is broken, not refused.
        CommandError::Handshake { code, .. } => {
            version != Version::V1_1 && *code == ErrorCode::InvalidVersion
        }
        CommandError::Refused { .. }
        | CommandError::UnknownPeer { .. }
        | CommandError::UnknownSession { .. }
        | CommandError::KeyMismatch { .. }
        | CommandError::NoKey { .. }
        | CommandError::Sealing { .. }
        | CommandError::Malformed { .. }
        | CommandError::UnknownTask { .. }
        | CommandError::Task { .. }
        | CommandError::UnknownTransfer { .. }
        | CommandError::Transfer { .. }
        | CommandError::TooLarge { .. }
        | CommandError::Overloaded { .. }
        | CommandError::CircuitOpen { .. }
        | CommandError::Unreachable { .. }
        | CommandError::TimedOut { .. }
        | CommandError::Token(_)
        | CommandError::Dht(_)
        | CommandError::Cancelled => false,
    }
}

/// From 1.1 to 1.0, and back where 1.0 turns out to be a downgrade.
const SWITCHES_MAX: u32 = 2;

/// Returns how long to wait after the handshake number `failures` (from 0) failed.
///
/// *Units*: 250 ms, doubled each time up to 30 s. Guessed: peers that are started together meet within a second, and a
/// peer that is away costs one request in half a minute.
fn retry_pause(failures: u32) -> Duration {
    let pause = RETRY_PAUSE_MIN.saturating_mul(1 << failures.min(16));
    pause.min(RETRY_PAUSE_MAX)
}

const RETRY_PAUSE_MIN: Duration = Duration::from_millis(250);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// The links, by peer. Only peers of the roster have one, so their number is bounded with it.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: BTreeMap<PeerName, Link>,
    /// No handshake is to be tried again before; there need not be one then. With it an input need not look at every link.
    retry_from: Option<Timestamp>,
}

impl Links {
    /// Returns the link to a peer, made where there is none.
    pub(crate) fn to(&mut self, peer: &PeerName) -> &mut Link {
        if !self.links.contains_key(peer) {
            self.links.insert(peer.clone(), Link::default());
        }
        self.links.get_mut(peer).expect("it was inserted above where it was missing")
    }

    /// Notes that a handshake with a peer failed, and when to try again where a session is to be kept.
    pub(crate) fn failed(&mut self, peer: &PeerName, now: Timestamp) {
        let link = self.to(peer);
        link.failed(now);
        let retry_at = link.retry_at;
        self.note_retry(retry_at);
    }

    /// Asks for a session with a peer as soon as the next deadline is handled, where one is to be kept.
    pub(crate) fn reopen(&mut self, peer: &PeerName, now: Timestamp) {
        let link = self.to(peer);
        link.reopen(now);
        let retry_at = link.retry_at;
        self.note_retry(retry_at);
    }

    /// Takes a peer whose handshake is to be tried again at `now`.
    pub(crate) fn next_due(&mut self, now: Timestamp) -> Option<PeerName> {
        if self.retry_from.is_none_or(|from| now < from) {
            return None;
        }
        let due = self
            .links
            .iter_mut()
            .find(|(_, link)| link.retry_at.is_some_and(|retry_at| retry_at <= now));
        let Some((peer, link)) = due else {
            self.retry_from = self.links.values().filter_map(|link| link.retry_at).min();
            return None;
        };
        link.retry_at = None;
        Some(peer.clone())
    }

    /// Forgets a peer, and returns what waited for a session with it.
    pub(crate) fn forget(&mut self, peer: &PeerName) -> VecDeque<Waiter> {
        self.links.remove(peer).map(|mut link| link.take_waiters()).unwrap_or_default()
    }

    /// Tries the handshake with a peer again later, because its circuit is open.
    pub(crate) fn postpone(&mut self, peer: &PeerName, until: Timestamp) {
        self.to(peer).retry_at = Some(until);
        self.note_retry(Some(until));
    }

    /// Returns when the next handshake is to be tried again, or an earlier time, from which on [`Links::next_due`] knows better.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.retry_from
    }

    fn note_retry(&mut self, retry_at: Option<Timestamp>) {
        self.retry_from = [self.retry_from, retry_at].into_iter().flatten().min();
    }

    /// Takes the waiter of one command, whoever it waits for.
    pub(crate) fn withdraw(&mut self, command: CommandId) -> Option<Waiter> {
        self.links.values_mut().find_map(|link| link.withdraw(command))
    }
}

#[cfg(test)]
mod tests;
