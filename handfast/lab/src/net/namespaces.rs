//! What is held while the peers of a unit have networks of their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use socket2::Socket;

use crate::net::badge::Badge;
use crate::net::error::NetError;
use crate::net::holder::{Holder, Made, Make, Rights, SocketKind};
use crate::net::means::{Ask, Means};
use crate::net::place::{self, PLACES_MAX, Place};
use crate::net::port::Port;

/// Whose namespaces they are.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The command that becomes a reaper, see [`crate::LabConfig::reaper`]; with one argument more it becomes a holder.
    pub reaper: Vec<OsString>,
    /// Id of the run; marks the holder as [`crate::reaper::RUN_MARKER`].
    pub run: String,
    /// The unit's folder; marks the holder as [`crate::reaper::UNIT_MARKER`].
    pub dir: PathBuf,
    /// By what right.
    pub ask: Ask,
}

/// The namespaces of a unit's roles, a place each. Dropping it gives them up: they are gone when the last process inside is.
#[derive(Debug)]
pub struct Namespaces {
    places: BTreeMap<String, (u8, Place)>,
    means: Means,
    holder: Holder,
}

impl Namespaces {
    /// Makes a place for each of these roles, at most [`PLACES_MAX`], and gives what a switch needs of them. With `offload` a
    /// `virtio_net_hdr` stands before every packet. Takes some milliseconds.
    ///
    /// # Errors
    ///
    /// [`NetError`]; nothing is left then.
    pub async fn up(
        owner: &Owner,
        roles: &[String],
        offload: bool,
    ) -> Result<(Self, Vec<Port>), NetError> {
        let (owner, roles) = (owner.clone(), roles.to_vec());
        let made = tokio::task::spawn_blocking(move || Self::make(&owner, &roles, offload));
        made.await.unwrap_or_else(|error| Err(NetError::Holder(io::Error::other(error))))
    }

    /// The same for callers without a runtime: blocks meanwhile.
    ///
    /// # Errors
    ///
    /// As of [`Namespaces::up`].
    pub fn make(
        owner: &Owner,
        roles: &[String],
        offload: bool,
    ) -> Result<(Self, Vec<Port>), NetError> {
        let rights = match &owner.ask {
            Ask::Auto => Rights::Either,
            Ask::Root => Rights::Own,
            Ask::Rootless => Rights::Users,
            Ask::Proxies { why } => return Err(NetError::NotHere { why: why.clone() }),
        };
        let count =
            u8::try_from(roles.len()).ok().filter(|&count| usize::from(count) <= PLACES_MAX);
        let count = count.ok_or(NetError::TooManyRoles { count: roles.len() })?;
        if let Some(role) = roles.iter().enumerate().find(|&(n, role)| roles[..n].contains(role)) {
            return Err(NetError::Twice { role: role.1.clone() });
        }
        let holder = Holder::start(owner).map_err(NetError::Holder)?;
        let badge = Badge::of(&owner.run, &owner.dir).address();
        let made = holder.make(Make { rights, places: count, offload, badge })?;
        let rootless = made.iter().any(|made| made.rootless);
        let means = if rootless { Means::Rootless } else { Means::Namespaces };
        let (places, ports) = settle(roles, made);
        Ok((Self { places, means, holder }, ports))
    }

    /// Where a role's peer is; `None` for a role there is not.
    pub fn place(&self, role: &str) -> Option<&Place> {
        self.places.get(role).map(|(_, place)| place)
    }

    /// All roles and their places.
    pub fn places(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.places.iter().map(|(role, (_, place))| (role.as_str(), place))
    }

    /// Makes a socket that is in the network of a role's place for good, wherever it is bound or connected from. Blocks for a
    /// round trip to the holder.
    ///
    /// # Errors
    ///
    /// What the system says; that there is no such role; that the holder is gone.
    pub fn socket(&self, role: &str, kind: SocketKind) -> io::Result<Socket> {
        let (number, _) = self.places.get(role).ok_or_else(|| no_role(role))?;
        self.holder.socket(*number, kind).map(Socket::from)
    }

    /// By what right they were made.
    pub fn means(&self) -> &Means {
        &self.means
    }

    /// The process that made them.
    pub fn holder_pid(&self) -> u32 {
        self.holder.pid()
    }
}

impl Means {
    /// Finds out by doing it: makes one namespace with everything in it, and gives it up again. Takes some milliseconds.
    pub fn find(owner: &Owner) -> Self {
        let roles = ["probe".to_owned()];
        match Namespaces::make(owner, &roles, false) {
            Ok((namespaces, _ports)) => namespaces.means,
            Err(NetError::NotHere { why }) => Self::Proxies { why },
            Err(
                error @ (NetError::TooManyRoles { .. }
                | NetError::Twice { .. }
                | NetError::Holder(_)
                | NetError::Switch(_)),
            ) => Self::Proxies { why: crate::net::error::with_causes(&error) },
        }
    }
}

fn settle(roles: &[String], made: Vec<Made>) -> (BTreeMap<String, (u8, Place)>, Vec<Port>) {
    let mut users = None;
    let mut places = BTreeMap::new();
    let mut ports = Vec::new();
    for ((role, made), number) in roles.iter().zip(made).zip(0..) {
        users = made.users.map(Arc::new).or(users);
        let (v4, v6) = place::addresses(number);
        let place = Place {
            v4,
            v6: made.has_v6.then_some(v6),
            network: made.network,
            users: users.clone(),
        };
        places.insert(role.clone(), (number, place));
        ports.push(Port { name: role.clone(), tun: made.tun, v4, v6 });
    }
    (places, ports)
}

fn no_role(role: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no place for {role:?}"))
}
