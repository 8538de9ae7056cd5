//! The actions that a workflow uses, each by the commit that was looked at.
//!
//! A tag can be moved, a commit cannot; the version stands beside it for people, and for the programs that raise it.
//! To raise one: take the commit of the release (`git ls-remote --tags https://github.com/actions/checkout`), hold it against a second
//! source, read what changed between the two commits, put it here, run `handfast ci generate`. A program may raise the
//! lines of a generated workflow first (Dependabot, Renovate): the next `handfast ci check` then says that this table is behind.
//!
//! Checked on 2026-11-22 against the lock file of `github/gh-aw` (`.github/aw/actions-lock.json`) and, for each, the pins of two other public repositories.

/// An action and the commit it is used at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// `owner/name`, with the folder in it if there is one.
    pub action: &'static str,
    /// The commit: 40 hexadecimal digits.
    pub commit: &'static str,
    /// The release that is this commit.
    pub version: &'static str,
}

/// Takes the repository.
pub const CHECKOUT: Pin = Pin {
    action: "actions/checkout",
    commit: "3d3c42e5aac5ba805825da76410c181273ba90b1",
    version: "v7.0.1",
};

/// Gets a cache.
pub const CACHE_RESTORE: Pin = Pin {
    action: "actions/cache/restore",
    commit: "55cc8345863c7cc4c66a329aec7e433d2d1c52a9",
    version: "v6.1.0",
};

/// Keeps a cache.
pub const CACHE_SAVE: Pin = Pin { action: "actions/cache/save", ..CACHE_RESTORE };

/// Keeps files beside the run.
pub const UPLOAD: Pin = Pin {
    action: "actions/upload-artifact",
    commit: "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a",
    version: "v7.0.1",
};

/// Gets them in another job.
pub const DOWNLOAD: Pin = Pin {
    action: "actions/download-artifact",
    commit: "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c",
    version: "v8.0.1",
};

/// All of them.
pub const ALL: [Pin; 5] = [CHECKOUT, CACHE_RESTORE, CACHE_SAVE, UPLOAD, DOWNLOAD];

impl Pin {
    /// What follows `uses:`.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.action, self.commit)
    }
}

/// What is odd about an action that a workflow uses; `None`: it is one of [`ALL`], or part of the same repository.
pub fn oddity(uses: &str) -> Option<String> {
    if uses.starts_with("./") || ALL.iter().any(|pin| pin.reference() == uses) {
        return None;
    }
    let (action, version) = uses.split_once('@').unwrap_or((uses, ""));
    let is_commit = version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_digest = uses.starts_with("docker://") && version.starts_with("sha256:");
    if !is_commit && !is_digest {
        return Some(format!("{uses} is not pinned: write the full commit, the version beside it"));
    }
    let known = ALL.iter().find(|pin| pin.action == action);
    Some(match known {
        Some(pin) => format!("{uses} is another commit than {} ({})", pin.commit, pin.version),
        None => format!("{action} is an action that handfast does not use itself"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_a_full_commit_with_a_version() {
        for pin in ALL {
            assert_eq!(oddity(&pin.reference()), None);
            assert!(
                pin.commit.len() == 40 && pin.commit.bytes().all(|byte| byte.is_ascii_hexdigit())
            );
            assert!(pin.version.starts_with('v') && pin.version.split('.').count() == 3);
        }
    }

    #[test]
    fn what_is_not_pinned_or_foreign_is_named() {
        let odd = |uses: &str| oddity(uses).unwrap_or_default();
        assert!(odd("actions/checkout@v7").contains("not pinned"));
        assert!(odd("actions/checkout@main").contains("not pinned"));
        assert!(odd("actions/checkout@3d3c42e").contains("not pinned"));
        assert!(odd("docker://alpine:3").contains("not pinned"));
        assert!(
            odd("actions/checkout@0000000000000000000000000000000000000000").contains("v7.0.1")
        );
        let foreign = "a/b@3d3c42e5aac5ba805825da76410c181273ba90b1";
        assert!(odd(foreign).contains("does not use itself"));
        assert_eq!(oddity("./.github/actions/own"), None);
    }
}
