//! What a verdict follows from, as one digest: the same key means that playing the cell again proves nothing new.
//!
//! In it are: the platform (its version and its own program), the scenario's file and the files it names, its variant,
//! the programs of all peers that play with their settings, the cell's own budget, protocols and network. Not in it: the seed, the
//! machine's load, the time: a verdict that depends on those is flaky, which no key can say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use handfast_scenario::name::PeerName;
use handfast_scenario::project::PeerProgram;

use crate::cell::Cell;

/// First part of every key; it changes when the rules of this page do.
const TAG: &str = "handfast cell 1";

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// The digests of what keys are made of, as far as it is on disk.
#[derive(Debug, Clone, Default)]
pub struct Ingredients {
    /// The platform.
    pub platform: Option<Digest>,
    /// The files of each peer's program; an absent peer is not in it.
    pub builds: BTreeMap<PeerName, Digest>,
    /// Scenario files and the files they name, relative to the project.
    pub files: BTreeMap<String, Digest>,
    /// How networks are made, where a scenario asks for one; empty: as the host gives them.
    pub means: String,
}

impl Ingredients {
    /// The key of a cell whose scenario stands in `file`; `None` where one of its peers is absent, or the platform or a file unknown.
    pub fn key(&self, cell: &Cell, file: &str) -> Option<Digest> {
        let unit = &cell.unit;
        let mut key = Builder::new(TAG);
        key.part(self.platform?.to_string());
        key.part(unit.scenario.id.to_string());
        key.part(file).part(self.files.get(file)?.to_string());
        for word in named_files(cell) {
            // A word that is no file stands in the scenario's own file, and counts with it.
            if let Some(digest) = self.files.get(&word) {
                key.part(&word).part(digest.to_string());
            }
        }
        for (role, peer) in &unit.peers {
            key.part(role.as_str()).part(peer.as_str()).part(self.builds.get(peer)?.to_string());
        }
        for (role, protocol) in cell.protocols() {
            key.part(role.as_str()).part(protocol);
        }
        key.part(cell.network()).part(unit.category.as_str());
        if unit.scenario.needs_network() && !self.means.is_empty() {
            key.part("means").part(&self.means);
        }
        key.part(unit.budget.as_micros().to_string());
        Some(key.finish())
    }
}

/// The words of a scenario that may be files of the project: what its roles are started with.
pub fn named_files(cell: &Cell) -> BTreeSet<String> {
    let roles = cell.unit.scenario.roles.values();
    roles.flat_map(|role| role.args.iter().chain(role.env.values()).cloned()).collect()
}

/// The digest of a peer's program: its settings in `handfast.toml` and its files, by path and content.
pub fn build(peer: &PeerProgram, files: &BTreeMap<String, Digest>) -> Digest {
    let mut build = Builder::new("handfast build 1");
    for word in peer.start.words() {
        build.part(word);
    }
    build.part("env");
    for (name, value) in &peer.env {
        build.part(name).part(value);
    }
    build.part("versions");
    for version in &peer.versions {
        build.part(version);
    }
    build.part("files");
    for (path, digest) in files {
        build.part(path).part(digest.to_string());
    }
    build.finish()
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut builder = Stream::default();
        builder.push(bytes);
        builder.finish()
    }
}

impl fmt::Display for Digest {
    /// 64 lower-case hex digits.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

/// A digest of bytes that come piece by piece, such as a file's.
pub struct Stream(Context);

impl Default for Stream {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Stream(..)")
    }
}

impl Stream {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    pub fn finish(self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        Digest(digest)
    }
}

/// A digest of texts, each with its length before it: no two lists of texts are the same bytes.
pub(crate) struct Builder(Stream);

impl Builder {
    pub(crate) fn new(tag: &str) -> Self {
        let mut builder = Self(Stream::default());
        builder.part(tag);
        builder
    }

    pub(crate) fn part(&mut self, text: impl AsRef<str>) -> &mut Self {
        let text = text.as_ref();
        self.0.push(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.push(text.as_bytes());
        self
    }

    pub(crate) fn finish(self) -> Digest {
        self.0.finish()
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
