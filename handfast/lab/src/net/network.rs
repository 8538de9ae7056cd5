//! The network of a unit: its places and the switch between them.

use std::collections::BTreeSet;
use std::io;

use handfast_faults::Conditions;
use socket2::Socket;

use crate::net::error::NetError;
use crate::net::holder::SocketKind;
use crate::net::means::Means;
use crate::net::namespaces::{Namespaces, Owner};
use crate::net::place::Place;
use crate::net::plan::NetPlan;
use crate::net::switch::{LinkAccount, Switch, SwitchError, SwitchReport};

/// The network of a unit. Dropping it ends the switch and gives the namespaces up.
#[derive(Debug)]
pub struct Net {
    // In this order: the switch closes the interfaces before their namespaces go.
    switch: Switch,
    namespaces: Namespaces,
    roles: BTreeSet<String>,
}

impl Net {
    /// Makes a place for each role of the plan and joins them under its conditions. Takes some milliseconds.
    ///
    /// # Errors
    ///
    /// [`NetError`]; nothing is left then.
    pub async fn up(owner: &Owner, plan: NetPlan) -> Result<Self, NetError> {
        let (namespaces, ports) = Namespaces::up(owner, &plan.roles, plan.offload).await?;
        let switch = Switch::start(ports, &plan)?;
        Ok(Self { switch, namespaces, roles: plan.roles.into_iter().collect() })
    }

    /// The same for callers without a runtime: blocks meanwhile.
    ///
    /// # Errors
    ///
    /// As of [`Net::up`].
    pub fn make(owner: &Owner, plan: &NetPlan) -> Result<Self, NetError> {
        let (namespaces, ports) = Namespaces::make(owner, &plan.roles, plan.offload)?;
        let switch = Switch::start(ports, plan)?;
        Ok(Self { switch, namespaces, roles: plan.roles.iter().cloned().collect() })
    }

    /// Ends the switch: what is still under way is lost, the accounts are complete, and so is the capture.
    pub fn down(self) -> SwitchReport {
        self.switch.stop()
    }

    /// Who has a place.
    pub fn roles(&self) -> &BTreeSet<String> {
        &self.roles
    }

    /// Where a role's peer is; none for a role there is not.
    pub fn place(&self, role: &str) -> Option<&Place> {
        self.namespaces.place(role)
    }

    /// Makes a socket that is in the network of a role's place for good. Blocks for a round trip to the holder.
    ///
    /// # Errors
    ///
    /// What the system says; that there is no such role; that the holder is gone.
    pub fn socket(&self, role: &str, kind: SocketKind) -> io::Result<Socket> {
        self.namespaces.socket(role, kind)
    }

    /// By what right the places were made.
    pub fn means(&self) -> &Means {
        self.namespaces.means()
    }

    /// Changes the conditions of one direction; returns the moment from which they hold, in nanoseconds of
    /// [`crate::clock::monotonic_ns`].
    ///
    /// # Errors
    ///
    /// As of [`Switch::set`].
    pub fn set(&self, from: &str, to: &str, conditions: Conditions) -> Result<u64, SwitchError> {
        self.switch.set(from, to, conditions)
    }

    /// What each direction was asked for and did until now, for each of the conditions that there were.
    ///
    /// # Errors
    ///
    /// As of [`Switch::accounts`].
    pub fn accounts(&self) -> Result<Vec<LinkAccount>, SwitchError> {
        self.switch.accounts()
    }

    /// The namespaces alone.
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// The switch alone.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }
}
