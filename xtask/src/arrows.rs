//! Which crate may depend on which, and which may not know the outside world.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

/// What the manifest of one crate says: the names of its normal dependencies.
pub type Dependencies = BTreeMap<String, BTreeSet<String>>;

/// Reads the normal dependencies of every crate below `entity/` and `handfast/`.
///
/// # Errors
///
/// A manifest that cannot be read, or is no TOML, ends the check.
pub fn dependencies(root: &Path) -> io::Result<Dependencies> {
    let mut all = Dependencies::new();
    for half in ["entity", "handfast"] {
        for entry in fs::read_dir(root.join(half))? {
            let manifest = entry?.path().join("Cargo.toml");
            let Ok(text) = fs::read_to_string(&manifest) else { continue };
            let table: toml::Table = toml::from_str(&text)
                .map_err(|error| io::Error::other(format!("{}: {error}", manifest.display())))?;
            let name = table
                .get("package")
                .and_then(|package| package.get("name"))
                .and_then(toml::Value::as_str)
                .unwrap_or_default();
            let keys = table.get("dependencies").and_then(toml::Value::as_table);
            let keys = keys.map(|table| table.keys().cloned().collect()).unwrap_or_default();
            all.insert(name.to_owned(), keys);
        }
    }
    Ok(all)
}

/// Returns each dependency that breaks a rule of `ARCHITECTURE.md`, as a sentence.
pub fn broken(dependencies: &Dependencies) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, needs) in dependencies {
        for need in needs {
            let ours = need.starts_with("entity-") || need.starts_with("handfast-");
            if ours && !allowed(name, need) {
                broken.push(format!("{name} may not depend on {need}"));
            }
            if PURE.contains(&name.as_str()) && IMPURE_LIBRARIES.contains(&need.as_str()) {
                broken.push(format!("{name} is pure and may not depend on {need}"));
            }
        }
        if !ARROWS.iter().any(|(from, _)| from == name) {
            broken.push(format!("{name} stands in no row of xtask/src/arrows.rs"));
        }
    }
    broken
}

/// Whether a crate takes `(input, now)` and returns outputs.
pub fn is_pure(name: &str) -> bool {
    PURE.contains(&name)
}

fn allowed(from: &str, to: &str) -> bool {
    ARROWS.iter().any(|(name, may)| *name == from && may.contains(&to))
}

/// Each crate with the crates of ours that it may name in `[dependencies]`.
const ARROWS: &[(&str, &[&str])] = &[
    ("entity-flaw", &[]),
    ("entity-crypto", &[]),
    ("entity-wire", &["entity-crypto", "entity-flaw"]),
    ("entity-journal", &[]),
    ("entity-session", &["entity-crypto", "entity-flaw", "entity-wire", "entity-journal"]),
    ("entity-ledger", &["entity-crypto", "entity-flaw", "entity-wire", "entity-journal"]),
    ("entity-wallet", &["entity-crypto", "entity-wire"]),
    ("entity-transfer", &["entity-crypto", "entity-flaw", "entity-wire", "entity-journal"]),
    ("entity-dht", &["entity-crypto", "entity-wire", "entity-journal"]),
    ("entity-bridge", &["entity-crypto", "entity-flaw", "entity-wire", "entity-journal"]),
    (
        "entity-peer",
        &[
            "entity-crypto",
            "entity-flaw",
            "entity-wire",
            "entity-journal",
            "entity-session",
            "entity-ledger",
            "entity-transfer",
            "entity-dht",
        ],
    ),
    (
        "entity-contract",
        &["entity-crypto", "entity-wire", "entity-journal", "entity-ledger", "entity-peer"],
    ),
    ("entity-transport", &["entity-wire"]),
    ("entity-moltbook", &["entity-crypto"]),
    ("entity-moltbook-client", &["entity-moltbook"]),
    // It shares no code with the client, so that the two cannot be wrong alike.
    ("entity-moltbook-fake", &[]),
    (
        "entity-node",
        &[
            "entity-crypto",
            "entity-flaw",
            "entity-wire",
            "entity-journal",
            "entity-ledger",
            "entity-wallet",
            "entity-transfer",
            "entity-dht",
            "entity-bridge",
            "entity-peer",
            "entity-contract",
            "entity-transport",
            "entity-moltbook",
            "entity-moltbook-client",
        ],
    ),
    ("handfast-schedule", &[]),
    ("handfast-statistics", &[]),
    ("handfast-trend", &["handfast-statistics"]),
    ("handfast-perf", &["handfast-statistics", "handfast-trend"]),
    ("handfast-scenario", &["handfast-schedule", "handfast-faults"]),
    ("handfast-faults", &["handfast-statistics"]),
    ("handfast-chaos", &["handfast-faults"]),
    ("handfast-contract", &[]),
    ("handfast-oracle", &["handfast-scenario", "handfast-faults", "handfast-contract"]),
    ("handfast-matrix", &["handfast-scenario"]),
    ("handfast-history", &["handfast-scenario"]),
    ("handfast-workflow", &["handfast-scenario"]),
    ("handfast-heal", &["handfast-scenario", "handfast-trend"]),
    ("handfast-notify", &["handfast-scenario", "handfast-matrix", "handfast-lab"]),
    // Only tests know it.
    ("handfast-fakeslack", &[]),
    (
        "handfast-report",
        &["handfast-scenario", "handfast-faults", "handfast-contract", "handfast-matrix"],
    ),
    (
        "handfast-lab",
        &["handfast-scenario", "handfast-faults", "handfast-contract", "handfast-statistics"],
    ),
    ("handfast-stub", &["handfast-contract"]),
    // The one joint in code between the two halves.
    (
        "handfast-simulation",
        &[
            "entity-crypto",
            "entity-wire",
            "entity-journal",
            "entity-ledger",
            "entity-transfer",
            "entity-dht",
            "entity-peer",
            "entity-contract",
            "handfast-faults",
            "handfast-oracle",
            "handfast-scenario",
        ],
    ),
    // A program of its own, so that nothing else is linked with both halves.
    ("handfast-simulator", &["handfast-simulation", "handfast-faults", "handfast-scenario"]),
    (
        "handfast-runner",
        &[
            "handfast-scenario",
            "handfast-faults",
            "handfast-chaos",
            "handfast-contract",
            "handfast-oracle",
            "handfast-lab",
            "handfast-report",
            "handfast-matrix",
            "handfast-history",
            "handfast-perf",
            "handfast-statistics",
            "handfast-heal",
        ],
    ),
    (
        "handfast-cli",
        &[
            "handfast-scenario",
            "handfast-faults",
            "handfast-chaos",
            "handfast-contract",
            "handfast-oracle",
            "handfast-report",
            "handfast-lab",
            "handfast-runner",
            "handfast-stub",
            "handfast-matrix",
            "handfast-history",
            "handfast-workflow",
            "handfast-notify",
            "handfast-schedule",
            "handfast-trend",
            "handfast-perf",
            "handfast-statistics",
            "handfast-heal",
        ],
    ),
];

/// Crates that take `(input, now)` and return outputs.
const PURE: &[&str] = &[
    "entity-flaw",
    "entity-crypto",
    "entity-wire",
    "entity-journal",
    "entity-session",
    "entity-ledger",
    "entity-wallet",
    "entity-transfer",
    "entity-dht",
    "entity-bridge",
    "entity-peer",
    "entity-contract",
    "entity-moltbook",
    "handfast-simulation",
    "handfast-schedule",
    "handfast-scenario",
    "handfast-faults",
    "handfast-chaos",
    "handfast-contract",
    "handfast-oracle",
    "handfast-report",
    "handfast-matrix",
    "handfast-workflow",
    "handfast-statistics",
    "handfast-trend",
    "handfast-heal",
    "handfast-perf",
];

/// Libraries that read sockets, files, clocks or the system's randomness.
const IMPURE_LIBRARIES: &[&str] = &[
    "tokio",
    "hyper",
    "hyper-util",
    "socket2",
    "rusqlite",
    "rustix",
    "getrandom",
    "tempfile",
    "signal-hook",
    "ureq",
    "rustls",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;

    fn of(name: &str, needs: &[&str]) -> Dependencies {
        BTreeMap::from([(name.to_owned(), needs.iter().map(|&need| need.to_owned()).collect())])
    }

    #[test]
    fn every_arrow_is_drawn() {
        let dependencies = dependencies(&files::root()).unwrap();
        assert!(dependencies.len() >= 10, "manifests were read");
        let broken = broken(&dependencies);
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn the_platform_may_not_know_the_peer() {
        assert_eq!(
            broken(&of("handfast-lab", &["entity-wire"])),
            vec!["handfast-lab may not depend on entity-wire"]
        );
    }

    #[test]
    fn a_pure_crate_may_not_know_the_runtime() {
        assert_eq!(
            broken(&of("entity-wire", &["tokio"])),
            vec!["entity-wire is pure and may not depend on tokio"]
        );
    }

    #[test]
    fn an_unknown_crate_must_be_entered() {
        assert_eq!(broken(&of("handfast-new", &[])).len(), 1);
    }
}
