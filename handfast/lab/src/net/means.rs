//! Whether this host gives namespaces.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// Namespaces by whichever right there is.
    #[default]
    Auto,
    /// Namespaces by this process's own right: root, or `CAP_SYS_ADMIN`.
    Root,
    /// Namespaces inside a user namespace, also where it would not be needed.
    Rootless,
    /// No namespaces, for this reason.
    Proxies {
        /// Why, such as `--network proxies`.
        why: String,
    },
}

/// How faults of the network are carried out here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "means")]
pub enum Means {
    /// Each peer has a network of its own, every packet passes the switch.
    Namespaces,
    /// The same, inside a user namespace: this user may not make networks otherwise.
    Rootless,
    /// Peers share the host's network; proxies do what a proxy can.
    Proxies {
        /// Why there are no namespaces: what was tried, and what the system said.
        why: String,
    },
}

impl Means {
    /// Whether every packet passes the switch.
    pub fn has_packets(&self) -> bool {
        match self {
            Self::Namespaces | Self::Rootless => true,
            Self::Proxies { .. } => false,
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespaces => f.write_str("network namespaces"),
            Self::Rootless => f.write_str("network namespaces inside a user namespace"),
            Self::Proxies { why } => write!(f, "proxies ({why})"),
        }
    }
}
