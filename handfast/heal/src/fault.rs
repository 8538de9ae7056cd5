//! The twelve faults of a machine that are repaired: by what each is recognised, and what exactly is to be repaired.
//!
//! A fault is recognised only where three things agree: a text of the failure speaks of it, a [`Fact`] was measured that proves it, and
//! the failure came at a moment at which it can be its cause ([`Judgement`]). What a product can bring about by itself (a full folder,
//! a torn store, a lock left behind, memory) proves nothing when it belongs to the failed unit's own peers.

use std::fmt;

use handfast_scenario::event::Exit;
use handfast_scenario::name::PeerName;
use handfast_scenario::plan::UnitId;
use serde::{Deserialize, Serialize};

use crate::fact::{Cache, Fact, Owner, Process};
use crate::failure::{Failure, Judgement, Subject};

#[cfg(test)]
mod tests;

/// A fault of the machine or of what the platform keeps on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InfraFault {
    /// Somebody else holds the port.
    PortTaken,
    /// A lock file whose process is gone.
    StaleLock,
    /// No room in the temporary folder.
    FullTemporary,
    /// The namespaces of a network are gone.
    DeadNamespace,
    /// A kept build or environment is not what it was.
    CorruptCache,
    /// The kernel ended a peer for want of memory that others had.
    KilledForMemory,
    /// A program's file is not there.
    MissingBinary,
    /// The machine's clock was set.
    ClockJump,
    /// A process of a unit that is over still lives.
    LeakedPeer,
    /// A store of the platform was written by half.
    TornStore,
    /// A build does nothing any more.
    WedgedBuild,
    /// A database does not answer.
    DeadDatabase,
}

/// What exactly is to be repaired, removed or left alone: one thing, so that nothing else is touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "remedy", rename_all = "snake_case", deny_unknown_fields)]
pub enum Remedy {
    /// Take another port, and leave whoever holds this one in peace.
    LeavePort {
        /// The port to leave.
        port: u16,
    },
    /// Remove this lock file.
    RemoveLock {
        /// The file.
        file: String,
    },
    /// Remove this folder, which is left of a unit that is over.
    RemoveFolder {
        /// The folder.
        folder: String,
    },
    /// Make the network of this unit anew.
    RebuildNetwork {
        /// Whose network.
        unit: UnitId,
    },
    /// Throw away what is kept, and make it anew.
    Rebuild {
        /// What is kept.
        cache: Cache,
    },
    /// Run the unit again while no other unit runs.
    RunAlone {
        /// The unit.
        unit: UnitId,
    },
    /// Take the time of the machine anew, so that nothing is measured across the jump.
    ReadClock {
        /// The moment of the jump, microseconds of the run.
        at_us: u64,
    },
    /// End this process, if it still is the one that was seen.
    EndProcess {
        /// The process.
        process: Process,
    },
    /// Move this store away, and begin a new one beside it.
    MoveStore {
        /// The file or folder.
        store: String,
    },
    /// End the build of this peer, and begin it anew.
    RestartBuild {
        /// Which peer's.
        peer: PeerName,
    },
    /// Start this database again.
    RestartDatabase {
        /// Where it is.
        place: String,
    },
}

/// A fault that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// Which.
    pub fault: InfraFault,
    /// What is to be repaired; nothing where only a person can, for example with what belongs to somebody else.
    pub remedy: Option<Remedy>,
    /// The fact that proves it.
    pub fact: Fact,
    /// Who said the text that speaks of it, and the text.
    pub said: (String, String),
}

/// A clock that differs by less was adjusted, not set: what time services do all day.
pub const JUMP_MIN_US: u64 = 1_000_000;

impl InfraFault {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::PortTaken,
        Self::StaleLock,
        Self::FullTemporary,
        Self::DeadNamespace,
        Self::CorruptCache,
        Self::KilledForMemory,
        Self::MissingBinary,
        Self::ClockJump,
        Self::LeakedPeer,
        Self::TornStore,
        Self::WedgedBuild,
        Self::DeadDatabase,
    ];

    /// The word for it in texts and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PortTaken => "port taken",
            Self::StaleLock => "stale lock",
            Self::FullTemporary => "full temporary folder",
            Self::DeadNamespace => "dead namespace",
            Self::CorruptCache => "corrupt cache",
            Self::KilledForMemory => "killed for memory",
            Self::MissingBinary => "missing binary",
            Self::ClockJump => "clock jump",
            Self::LeakedPeer => "leaked peer",
            Self::TornStore => "torn store",
            Self::WedgedBuild => "wedged build",
            Self::DeadDatabase => "dead database",
        }
    }

    /// What texts say that speak of it, in small letters. A text alone proves nothing.
    pub fn signature(self) -> &'static [&'static str] {
        match self {
            Self::PortTaken | Self::LeakedPeer => {
                &["address already in use", "address in use", "eaddrinuse"]
            }
            Self::StaleLock => &["lock"],
            Self::FullTemporary => &["no space left on device", "enospc", "disk quota exceeded"],
            Self::DeadNamespace => &[
                "the switch has",
                "the switch failed",
                "the switch could not start",
                "holder of the namespaces",
                "network of the unit",
                "network is unreachable",
                "not done within",
                "did not answer",
            ],
            Self::CorruptCache => &[
                "did not build",
                "exec format error",
                // What a shell makes of a program that the kernel does not take for one.
                "cannot execute",
                "syntax error",
                ": not found",
                "bad magic",
                "corrupt",
                "invalid metadata",
                "not a valid",
                "modulenotfounderror",
                "importerror",
                "undefined symbol",
            ],
            Self::KilledForMemory => &["for want of memory", "out of memory"],
            Self::MissingBinary => {
                &["no such file or directory", "not found", "not in path", "enoent"]
            }
            Self::ClockJump => {
                &["not done within", "did not answer", "clock", "expired", "timestamp"]
            }
            Self::TornStore => &[
                "is damaged",
                "malformed",
                "checksum",
                "unexpected end",
                "unexpected eof",
                "is no event",
                "not an event",
                "half written",
            ],
            Self::WedgedBuild => &["did not build", "not done within"],
            Self::DeadDatabase => &[
                "connection refused",
                "server closed the connection",
                "database",
                "failed to use the history",
            ],
        }
    }

    /// The latest moment at which it can be the cause of a failure.
    ///
    /// Where peers already play, only what no peer can bring about counts: its network and the machine's clock are out of its reach,
    /// and that the kernel killed it is proved by how much it had. A peer that does not come up again may have broken its own store or
    /// left its own lock; that somebody else holds its port is not its doing.
    fn latest(self) -> Judgement {
        match self {
            Self::DeadNamespace | Self::KilledForMemory | Self::ClockJump => Judgement::Unanswered,
            Self::PortTaken | Self::LeakedPeer => Judgement::NotUp,
            Self::StaleLock
            | Self::FullTemporary
            | Self::CorruptCache
            | Self::MissingBinary
            | Self::TornStore
            | Self::WedgedBuild
            | Self::DeadDatabase => Judgement::Unbegun,
        }
    }
}

/// The fault that a failure comes from, if text, fact and moment agree; of several the first of the facts.
///
/// A failure in which a peer answered wrongly comes from no fault, whatever was measured.
pub fn recognise(failure: &Failure, facts: &[Fact]) -> Option<Recognised> {
    let judgement = failure.judgement();
    facts.iter().find_map(|fact| {
        let (fault, remedy) = proved(failure, fact)?;
        if judgement > fault.latest() {
            return None;
        }
        let said = spoken_of(failure, fault)?;
        Some(Recognised { fault, remedy, fact: fact.clone(), said })
    })
}

/// The text that speaks of a fault, and who said it.
fn spoken_of(failure: &Failure, fault: InfraFault) -> Option<(String, String)> {
    let speaks = |text: &str| {
        let text = text.to_lowercase();
        fault.signature().iter().any(|part| text.contains(part))
    };
    let (speaker, text) = failure.texts().find(|(_, text)| speaks(text))?;
    Some((speaker.to_string(), text))
}

/// The fault that a fact proves for a failure, and its remedy; nothing where it proves none, or where the product may be its cause.
fn proved(failure: &Failure, fact: &Fact) -> Option<(InfraFault, Option<Remedy>)> {
    let Subject::Unit(unit) = &failure.subject else { return None };
    match fact {
        Fact::PortHeld { port, by } => proved_by_holder(unit, *port, by),
        Fact::LockFound { file, of, holder_lives: false } => {
            let remedy = Remedy::RemoveLock { file: file.clone() };
            let is_ours = *of == Owner::Platform || is_left_by_another(unit, of);
            is_ours.then_some((InfraFault::StaleLock, Some(remedy)))
        }
        Fact::LockFound { holder_lives: true, .. } => None,
        Fact::RoomShort { free_bytes, needed_bytes, .. } if free_bytes >= needed_bytes => None,
        Fact::RoomShort { largest, .. } => {
            let left = largest.as_ref().filter(|largest| is_left_by_another(unit, &largest.of));
            let remedy = left.map(|left| Remedy::RemoveFolder { folder: left.path.clone() });
            // A peer that fills the folder may be the defect that is looked for.
            let of = largest.as_ref().map(|largest| &largest.of);
            let is_peers = matches!(of, Some(Owner::Unit { .. } | Owner::Ended { .. }));
            (remedy.is_some() || !is_peers).then_some((InfraFault::FullTemporary, remedy))
        }
        Fact::NamespaceGone { unit: of } => {
            let remedy = Remedy::RebuildNetwork { unit: of.clone() };
            (of == unit).then_some((InfraFault::DeadNamespace, Some(remedy)))
        }
        Fact::MemoryShort { role, own_bytes, share_bytes } => {
            // A limit that the scenario sets, and a peer that has taken all it may, are no fault of the machine.
            let was_killed = failure
                .exits
                .iter()
                .any(|exit| exit.role == *role && exit.how == Exit::OutOfMemory && !exit.disturbed);
            let is_others = was_killed && own_bytes < share_bytes;
            let remedy = Remedy::RunAlone { unit: unit.clone() };
            is_others.then_some((InfraFault::KilledForMemory, Some(remedy)))
        }
        Fact::ClockJumped { by_us, at_us } => {
            let (from, until) = failure.span_us;
            let is_in = by_us.unsigned_abs() >= JUMP_MIN_US && (from..=until).contains(at_us);
            is_in.then_some((InfraFault::ClockJump, Some(Remedy::ReadClock { at_us: *at_us })))
        }
        Fact::ProcessLeft { process } => proved_by_left(unit, process),
        Fact::StoreTorn { store, of } => {
            let remedy = Remedy::MoveStore { store: store.clone() };
            (*of == Owner::Platform).then_some((InfraFault::TornStore, Some(remedy)))
        }
        Fact::CacheDamaged { .. } | Fact::ProgramMissing { .. } | Fact::BuildSilent { .. } => {
            proved_by_build(failure, fact)
        }
        Fact::DatabaseGone { place, of } => {
            let remedy = Remedy::RestartDatabase { place: place.clone() };
            match of {
                Owner::Platform => Some((InfraFault::DeadDatabase, Some(remedy))),
                Owner::Stranger => Some((InfraFault::DeadDatabase, None)),
                Owner::Unit { .. } | Owner::Ended { .. } => None,
            }
        }
    }
}

/// What is built counts for the units in which that peer plays.
fn proved_by_build(failure: &Failure, fact: &Fact) -> Option<(InfraFault, Option<Remedy>)> {
    let plays = |peer: &PeerName| failure.peers.values().any(|other| other == peer);
    if let Fact::CacheDamaged { cache, noted, found } = fact {
        let is_its = noted != found && plays(cache.peer());
        let remedy = Remedy::Rebuild { cache: cache.clone() };
        return is_its.then_some((InfraFault::CorruptCache, Some(remedy)));
    }
    if let Fact::BuildSilent { peer, silent_us, limit_us } = fact {
        let is_its = silent_us >= limit_us && plays(peer);
        let remedy = Remedy::RestartBuild { peer: peer.clone() };
        return is_its.then_some((InfraFault::WedgedBuild, Some(remedy)));
    }
    let Fact::ProgramMissing { built_by, .. } = fact else { return None };
    let Some(peer) = built_by else { return Some((InfraFault::MissingBinary, None)) };
    let cache = Cache::Build { peer: peer.clone() };
    plays(peer).then_some((InfraFault::MissingBinary, Some(Remedy::Rebuild { cache })))
}

/// Who holds a port decides what is done: nobody's process is ended but what is left of a unit that is over.
fn proved_by_holder(
    unit: &UnitId,
    port: u16,
    by: &Process,
) -> Option<(InfraFault, Option<Remedy>)> {
    match &by.of {
        Owner::Ended { .. } => proved_by_left(unit, by),
        // A peer that is in its own way, or in that of its partner.
        Owner::Unit { unit: of } if of == unit => None,
        Owner::Unit { .. } | Owner::Platform | Owner::Stranger => {
            Some((InfraFault::PortTaken, Some(Remedy::LeavePort { port })))
        }
    }
}

fn proved_by_left(unit: &UnitId, process: &Process) -> Option<(InfraFault, Option<Remedy>)> {
    let remedy = Remedy::EndProcess { process: process.clone() };
    is_left_by_another(unit, &process.of).then_some((InfraFault::LeakedPeer, Some(remedy)))
}

/// What the failed unit itself left in an earlier try may be its own defect.
fn is_left_by_another(unit: &UnitId, of: &Owner) -> bool {
    matches!(of, Owner::Ended { unit: other } if other != unit)
}

impl fmt::Display for InfraFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeavePort { port } => write!(formatter, "leave port {port}, take another"),
            Self::RemoveLock { file } => write!(formatter, "remove the lock {file}"),
            Self::RemoveFolder { folder } => write!(formatter, "remove the folder {folder}"),
            Self::RebuildNetwork { unit } => write!(formatter, "make the network of {unit} anew"),
            Self::Rebuild { cache } => write!(formatter, "make {cache} anew"),
            Self::RunAlone { unit } => write!(formatter, "run {unit} while nothing else runs"),
            Self::ReadClock { .. } => formatter.write_str("take the time of the machine anew"),
            Self::EndProcess { process } => write!(formatter, "end the process {process}"),
            Self::MoveStore { store } => write!(formatter, "move {store} away, begin a new one"),
            Self::RestartBuild { peer } => write!(formatter, "begin the build of {peer} anew"),
            Self::RestartDatabase { place } => {
                write!(formatter, "start the database at {place} again")
            }
        }
    }
}
