//! What a drill plants: faults of the machine, and defects of the peer that look like them.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use handfast_heal::fault::InfraFault;

use super::peer::{LOCK, MARK, STORE};

/// What is planted into one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plant {
    /// A fault of the machine.
    Fault(InfraFault),
    /// A defect of the peer.
    Defect(Defect),
}

/// The faults that are planted. The others are told as not planted.
pub(super) const PLANTED: [InfraFault; 8] = [
    InfraFault::PortTaken,
    InfraFault::StaleLock,
    InfraFault::CorruptCache,
    InfraFault::MissingBinary,
    InfraFault::ClockJump,
    InfraFault::LeakedPeer,
    InfraFault::TornStore,
    InfraFault::WedgedBuild,
];

/// Why a fault is not planted; nothing of one that is.
pub(super) fn not_planted(fault: InfraFault) -> Option<&'static str> {
    match fault {
        InfraFault::FullTemporary => Some("repaired, and not planted: it takes a disk of its own"),
        InfraFault::DeadNamespace | InfraFault::KilledForMemory => {
            Some("recognised, and neither measured nor repaired")
        }
        InfraFault::DeadDatabase => Some("recognised, and the platform starts no database"),
        InfraFault::PortTaken
        | InfraFault::StaleLock
        | InfraFault::CorruptCache
        | InfraFault::MissingBinary
        | InfraFault::ClockJump
        | InfraFault::LeakedPeer
        | InfraFault::TornStore
        | InfraFault::WedgedBuild => None,
    }
}

/// A defect that shows itself once, in words of a fault of the machine: what passes after a repair would have been healed away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Defect {
    /// In whose words.
    pub(super) like: InfraFault,
    /// What the peer does.
    pub(super) does: &'static str,
    told: String,
}

/// What a defective peer does: each with a text of a fault on its log or in its answer.
const DOES: [&str; 5] = ["wrong", "refuse", "crash", "silent", "fail"];

impl Defect {
    /// All of them.
    pub(super) fn all() -> Vec<Self> {
        let of = |like: InfraFault| DOES.map(|does| Self::new(like, does));
        InfraFault::ALL.into_iter().flat_map(of).collect()
    }

    fn new(like: InfraFault, does: &'static str) -> Self {
        let text = like.signature().first().copied().unwrap_or_default();
        let told = format!("{does} {text} (at 127.0.0.1:9, /var/lock/drill.lock)");
        Self { like, does, told }
    }

    /// What the peer is told at a moment, if this is the one.
    pub(super) fn told(&self, scenario: &str, what: &str) -> Option<&str> {
        let moment = if self.does == "fail" { "start" } else { "play" };
        (scenario == "hit" && what == moment).then_some(self.told.as_str())
    }
}

/// Writes the project of a drill: a peer that is built, and three scenarios, of which the second one is hit.
pub(super) fn write(plant: &Plant, project: &Path, program: &Path) -> io::Result<()> {
    let put = |file: &str, text: &str| {
        let path = project.join(file);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    };
    let root = project.display();
    put(
        "handfast.toml",
        &format!(
            "[project]\nname = \"drill\"\n[peers.drill]\nbuild = [\"sh\", \"build.sh\"]\nstart = [\"target/drill\", \"{root}\"]\n\
             [categories.unit]\nparallel = 1\n"
        ),
    )?;
    put("drill.sh", &format!("#!/bin/sh\nexec '{}' {MARK} \"$@\"\n", program.display()))?;
    let wedge = match plant {
        Plant::Fault(InfraFault::WedgedBuild) => {
            "if [ ! -e begun ]; then : > begun; exec sleep 600; fi\n"
        }
        Plant::Fault(_) | Plant::Defect(_) => "",
    };
    put(
        "build.sh",
        &format!("{wedge}mkdir -p target && cp drill.sh target/drill && chmod +x target/drill\n"),
    )?;
    let step = "[[step]]\nrole = \"a\"\ncall = \"drill.play\"\nwithin = \"1s\"\nreturns = { done = true }\n";
    let again = match plant {
        Plant::Fault(InfraFault::PortTaken | InfraFault::LeakedPeer) => {
            format!("[[step]]\nstop = \"a\"\n[[step]]\nstart = \"a\"\n{step}")
        }
        Plant::Fault(_) | Plant::Defect(_) => String::new(),
    };
    for (number, scenario, more) in [(1, "before", ""), (2, "hit", &*again), (3, "after", "")] {
        let role = format!("[roles.a]\nargs = [\"--as\", \"{scenario}\"]\n");
        let text = format!("name = \"the scenario {scenario}\"\n{role}{step}{more}");
        put(&format!("scenarios/test_unit_{number}_{scenario}.toml"), &text)?;
    }
    match plant {
        Plant::Fault(InfraFault::StaleLock) => put(LOCK, &gone()?.to_string()),
        Plant::Fault(InfraFault::TornStore) => put(STORE, "{\"kept\":"),
        Plant::Fault(_) | Plant::Defect(_) => Ok(()),
    }
}

/// The number of a process that is gone.
fn gone() -> io::Result<u32> {
    let mut child = Command::new("true").stdin(Stdio::null()).spawn()?;
    child.wait()?;
    Ok(child.id())
}
