//! What somebody measured on the machine around a failure.
//!
//! A text says what a program believes; a fact is what the platform looked up by itself: who holds the port, how much is free, what a
//! file's digest is. Nothing is repaired without one. Each fact is about something that the failed unit itself was to use: whoever
//! measures looks at nothing else.

use std::fmt;

use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use serde::{Deserialize, Serialize};

/// Something that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
    /// The port that the unit was given is held.
    PortHeld {
        /// The port.
        port: u16,
        /// By whom.
        by: Process,
    },
    /// A lock file stands in the way.
    LockFound {
        /// The file.
        file: String,
        /// Whose it is.
        of: Owner,
        /// Whether the process that made it still lives.
        holder_lives: bool,
    },
    /// The temporary folder has less room than the unit needs.
    RoomShort {
        /// The folder.
        folder: String,
        /// Bytes free.
        free_bytes: u64,
        /// Bytes needed.
        needed_bytes: u64,
        /// The folder inside it that takes most, where it can be told.
        largest: Option<Folder>,
    },
    /// The network namespaces of the unit are gone.
    NamespaceGone {
        /// Whose network.
        unit: UnitId,
    },
    /// What is kept of a build or an environment is not what was put there.
    CacheDamaged {
        /// What is kept.
        cache: Cache,
        /// The digest that was noted, lower-case hex.
        noted: String,
        /// The digest found, or what is there in its place.
        found: String,
    },
    /// The kernel ended a peer for want of memory.
    MemoryShort {
        /// The peer's role.
        role: RoleName,
        /// What the peer itself had, bytes.
        own_bytes: u64,
        /// What it may have, bytes.
        share_bytes: u64,
    },
    /// A program's file is not there.
    ProgramMissing {
        /// The file.
        file: String,
        /// The peer whose build makes it; nothing for a program of the machine.
        built_by: Option<PeerName>,
    },
    /// The clock of the machine was set while the unit ran.
    ClockJumped {
        /// By how much, microseconds; negative: back.
        by_us: i64,
        /// When, microseconds of the run by its own clock, which nobody can set.
        at_us: u64,
    },
    /// A process of an earlier unit lives although that unit is over.
    ProcessLeft {
        /// The process.
        process: Process,
    },
    /// A store ends in the middle of something, or does not fit its own checksum.
    StoreTorn {
        /// The file or folder.
        store: String,
        /// Whose it is.
        of: Owner,
    },
    /// A build says and does nothing.
    BuildSilent {
        /// Of which peer.
        peer: PeerName,
        /// For how long it has written nothing and used no processor, microseconds.
        silent_us: u64,
        /// How long it may, microseconds.
        limit_us: u64,
    },
    /// A database does not answer.
    DatabaseGone {
        /// Where it is, without a password.
        place: String,
        /// Whose it is.
        of: Owner,
    },
}

/// A process that cannot be taken for a later one with its number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it was started, in ticks of the kernel since the machine's start.
    pub started_ticks: u64,
    /// Its program.
    pub name: String,
    /// Whose it is.
    pub of: Owner,
}

/// Whose something is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "owner", rename_all = "snake_case", deny_unknown_fields)]
pub enum Owner {
    /// The platform's.
    Platform,
    /// A unit's of this run which is not over: of the failed one itself, or of another beside it.
    Unit {
        /// Which unit.
        unit: UnitId,
    },
    /// It is left of a unit that is over, of this run or of an earlier one.
    Ended {
        /// Which unit.
        unit: UnitId,
    },
    /// Somebody else's on this machine.
    Stranger,
}

/// A folder that takes room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// Where it is.
    pub path: String,
    /// How much it takes.
    pub bytes: u64,
    /// Whose it is.
    pub of: Owner,
}

/// What is kept so that it need not be made again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "cache", rename_all = "snake_case", deny_unknown_fields)]
pub enum Cache {
    /// The build of a peer.
    Build {
        /// Which peer.
        peer: PeerName,
    },
    /// The environment in which a peer is built or runs, such as its installed packages.
    Environment {
        /// Which peer.
        peer: PeerName,
    },
}

impl Cache {
    /// The peer it belongs to.
    pub fn peer(&self) -> &PeerName {
        match self {
            Self::Build { peer } | Self::Environment { peer } => peer,
        }
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build { peer } => write!(formatter, "the build of {peer}"),
            Self::Environment { peer } => write!(formatter, "the environment of {peer}"),
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.name, self.pid)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => formatter.write_str("handfast"),
            Self::Unit { unit } => write!(formatter, "{unit}"),
            Self::Ended { unit } => write!(formatter, "{unit}, which is over"),
            Self::Stranger => formatter.write_str("somebody else"),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortHeld { port, by } => {
                write!(formatter, "port {port} is held by {by} of {}", by.of)
            }
            Self::LockFound { file, of, holder_lives } => {
                let holder = if *holder_lives { "lives" } else { "is gone" };
                write!(formatter, "the lock {file} of {of} is there, and who made it {holder}")
            }
            Self::RoomShort { folder, free_bytes, needed_bytes, largest } => {
                write!(formatter, "{folder} has {free_bytes} bytes free of {needed_bytes} needed")?;
                largest.as_ref().map_or(Ok(()), |largest| {
                    let Folder { path, bytes, of } = largest;
                    write!(formatter, "; {path} of {of} takes {bytes}")
                })
            }
            Self::NamespaceGone { unit } => write!(formatter, "the network of {unit} is gone"),
            Self::CacheDamaged { cache, noted, found } => {
                write!(formatter, "{cache} has digest {noted}, found {found}")
            }
            Self::MemoryShort { role, own_bytes, share_bytes } => write!(
                formatter,
                "the peer of {role} was killed for want of memory with {own_bytes} bytes of its {share_bytes}"
            ),
            Self::ProgramMissing { file, built_by } => match built_by {
                Some(peer) => {
                    write!(formatter, "{file}, which the build of {peer} makes, is not there")
                }
                None => write!(formatter, "{file} is not on this machine"),
            },
            Self::ClockJumped { by_us, at_us } => {
                write!(formatter, "the clock was set by {by_us} us at {at_us} us of the run")
            }
            Self::ProcessLeft { process } => write!(formatter, "{process} of {} lives", process.of),
            Self::StoreTorn { store, of } => write!(formatter, "{store} of {of} is half written"),
            Self::BuildSilent { peer, silent_us, limit_us } => write!(
                formatter,
                "the build of {peer} has done nothing for {silent_us} us, and may for {limit_us}"
            ),
            Self::DatabaseGone { place, of } => {
                write!(formatter, "the database of {of} at {place} does not answer")
            }
        }
    }
}
