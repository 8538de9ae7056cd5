//! What the peers and the tap of a unit stand in, where it has a network of its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use handfast_faults::Conditions;
use socket2::Socket;

use crate::lab::{LabConfig, LabError};
use crate::net::switch::{LinkAccount, SwitchError};
use crate::net::{Ask, Means, Net, NetPlan, Owner, Place, SocketKind};
use crate::tap::shaped::Shapes;
use crate::tap::{Ground, Loopback};
use crate::unit::NetworkConfig;

/// What is between the roles of a unit that has a network of its own. Clones are the same.
#[derive(Clone, Debug)]
pub enum Links {
    /// Namespaces, and a switch for every packet.
    Packets(Arc<Net>),
    /// Connections through the tap, for this reason.
    Streams {
        /// Their conditions.
        shapes: Arc<Shapes>,
        /// Why there are no namespaces.
        why: String,
    },
}

impl Links {
    /// How it is carried out.
    pub fn means(&self) -> Means {
        match self {
            Self::Packets(net) => net.means().clone(),
            Self::Streams { why, .. } => Means::Proxies { why: why.clone() },
        }
    }

    /// Changes the conditions of one direction. Blocks until they hold: some 50 us.
    ///
    /// # Errors
    ///
    /// As of [`Net::set`].
    pub fn set(&self, from: &str, to: &str, conditions: Conditions) -> Result<(), SwitchError> {
        match self {
            Self::Packets(net) => net.set(from, to, conditions).map(drop),
            Self::Streams { shapes, .. } => {
                shapes.set(from, to, conditions);
                Ok(())
            }
        }
    }

    /// What each direction was asked and did, for each of the conditions that it had.
    ///
    /// # Errors
    ///
    /// As of [`Net::accounts`].
    pub fn accounts(&self) -> Result<Vec<LinkAccount>, SwitchError> {
        match self {
            Self::Packets(net) => net.accounts(),
            Self::Streams { shapes, .. } => Ok(shapes.accounts()),
        }
    }

    fn net(&self) -> Option<&Net> {
        match self {
            Self::Packets(net) => Some(net),
            Self::Streams { .. } => None,
        }
    }
}

/// Makes what is between the roles of a unit, if it is to have a network of its own.
pub(super) async fn raise(
    lab: &LabConfig,
    roles: &[String],
    dir: &Path,
    config: Option<NetworkConfig>,
) -> Result<Option<Links>, LabError> {
    let Some(NetworkConfig { ask, base, seed, capture }) = config else { return Ok(None) };
    if let Ask::Proxies { why } = ask {
        return Ok(Some(Links::Streams { shapes: Arc::new(Shapes::new(seed, base)), why }));
    }
    let (reaper, run, dir) = (lab.reaper.clone(), lab.run.clone(), dir.to_owned());
    let owner = Owner { reaper, run, dir, ask };
    // Large segments as one packet would be faster, but a condition that begins later would meet them whole.
    let plan = NetPlan { roles: roles.to_vec(), base, seed, capture, offload: false };
    let net = Net::up(&owner, plan).await.map_err(LabError::Network)?;
    Ok(Some(Links::Packets(Arc::new(net))))
}

/// Where the tap's sockets stand.
pub(super) fn ground(links: Option<&Links>) -> Arc<dyn Ground> {
    match links {
        None => Arc::new(Loopback),
        Some(Links::Packets(net)) => net.clone(),
        Some(Links::Streams { shapes, .. }) => shapes.clone(),
    }
}

/// Where a role's peer is, in a network of namespaces.
pub(super) fn place<'a>(links: Option<&'a Links>, role: &str) -> Option<&'a Place> {
    links.and_then(Links::net)?.place(role)
}

/// The address at which a role's peer is to listen.
pub(super) fn address(links: Option<&Links>, role: &str) -> IpAddr {
    place(links, role).map_or(Ipv4Addr::LOCALHOST, |place| place.v4).into()
}

/// Where others reach a peer that listens at `listen`; nowhere if that is a loopback which only the peer itself has.
pub(super) fn reachable(
    links: Option<&Links>,
    role: &str,
    listen: SocketAddr,
) -> Option<SocketAddr> {
    if links.and_then(Links::net).is_none() {
        return Some(listen);
    }
    if listen.ip().is_unspecified() {
        return Some(SocketAddr::new(address(links, role), listen.port()));
    }
    (!listen.ip().is_loopback()).then_some(listen)
}

impl Ground for Net {
    fn tcp(&self, role: &str) -> io::Result<Socket> {
        self.socket(role, SocketKind::Tcp4)
    }

    fn is_apart(&self) -> bool {
        true
    }
}
