//! What a unit prepares before a role starts, so that limits can be put on it later: control groups that its processes join before their
//! program begins, since memory used earlier would never be accounted, and a disk that can be filled.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use handfast_faults::disturbance::Limit;

use super::cpu::Cpu;
use super::descriptors::{Descriptors, Player};
use super::full_disk::{self, FullDisk};
use super::groups::hierarchy::Hierarchies;
use super::groups::{Controller, Group, RoleGroups};
use super::memory::Memory;
use super::processes::Processes;
use super::slow_disk::{SlowDisk, disk_under};
use super::{InForce, LimitError, what};
use crate::clock::Clock;
use crate::unit::RoleConfig;

/// What is prepared for the roles of a unit.
#[derive(Debug)]
pub(crate) struct Resources {
    clock: Clock,
    unit: PathBuf,
    roles: BTreeMap<String, Prepared>,
}

#[derive(Debug, Default)]
struct Prepared {
    folder: PathBuf,
    groups: RoleGroups,
    /// Where its disk is seen from here; the reason why there is none, if one was asked for.
    disk: Option<Result<PathBuf, String>>,
    player: Arc<Player>,
}

impl Resources {
    /// Makes the control groups that the limits of these roles need. What the host cannot do shows when a limit is put on.
    ///
    /// `name` is part of the name of each group: unique on this host.
    pub(crate) fn prepare<'a>(
        unit: &Path,
        name: &str,
        roles: impl IntoIterator<Item = &'a RoleConfig>,
        clock: Clock,
    ) -> Self {
        let hierarchies = Hierarchies::of_this_process().unwrap_or_default();
        let prepare = |role: &RoleConfig| {
            let wanted: BTreeSet<Controller> = role.limits.iter().filter_map(controller).collect();
            let group = format!("{name}-{}", role.name);
            let groups = RoleGroups::make(&hierarchies, &wanted, &group, unit);
            let folder = unit.join(&role.name);
            (role.name.clone(), Prepared { folder, groups, ..Prepared::default() })
        };
        Self { clock, unit: unit.to_owned(), roles: roles.into_iter().map(prepare).collect() }
    }

    /// Keeps what became of the disk that a role needs; `reaper` is the process that mounted it and sees it.
    pub(crate) fn set_disk(&mut self, role: &str, disk: Result<(), String>, reaper: u32) {
        if let Some(prepared) = self.roles.get_mut(role) {
            let seen = |()| {
                let disk = full_disk::disk_of(&self.unit, role);
                let root = PathBuf::from(format!("/proc/{reaper}/root"));
                root.join(disk.strip_prefix("/").unwrap_or(&disk))
            };
            let disk = disk.map(seen);
            if let Ok(disk) = &disk {
                prepared.folder = full_disk::folder_on(disk);
            }
            prepared.disk = Some(disk);
        }
    }

    /// The folders of the groups that a process of a role has to join.
    pub(crate) fn groups_of(&self, role: &str) -> Vec<PathBuf> {
        let folders = self.roles.get(role).map(|prepared| prepared.groups.folders());
        folders.into_iter().flatten().map(Path::to_owned).collect()
    }

    /// The role's folder as this process sees it.
    pub(crate) fn folder_of(&self, role: &str) -> Option<&Path> {
        self.roles.get(role).map(|prepared| prepared.folder.as_path())
    }

    /// A process begins to play a role.
    pub(crate) fn started(&self, role: &str, pid: u32) {
        if let Some(prepared) = self.roles.get(role) {
            prepared.player.started(pid);
        }
    }

    /// As of [`super::Limiting::limit`].
    pub(crate) fn limit(&self, role: &str, limit: &Limit) -> Result<Box<dyn InForce>, LimitError> {
        let no_role = || LimitError::NoSuchRole { role: role.to_owned() };
        let prepared = self.roles.get(role).ok_or_else(no_role)?;
        let what = what(limit);
        let not_prepared = || LimitError::NotPrepared { role: role.to_owned(), what };
        let not_possible = |why: &str| LimitError::NotPossible { what, why: why.to_owned() };
        let group = |controller| -> Result<Group, LimitError> {
            let group = prepared.groups.get(controller).ok_or_else(not_prepared)?;
            group.cloned().map_err(not_possible)
        };
        let refused = |source: io::Error| LimitError::Refused { what, source };
        let in_force: Box<dyn InForce> = match *limit {
            Limit::Cpu { percent } => {
                Box::new(Cpu::apply(group(Controller::Cpu)?, percent.into()).map_err(refused)?)
            }
            Limit::Memory { bytes } => {
                Box::new(Memory::apply(group(Controller::Memory)?, bytes).map_err(refused)?)
            }
            Limit::Processes { most } => {
                let group = group(Controller::Pids)?;
                Box::new(Processes::apply(group, most.into()).map_err(refused)?)
            }
            Limit::Descriptors { most } => {
                Box::new(Descriptors::apply(prepared.player.clone(), role, most.into())?)
            }
            Limit::DiskFull => {
                let disk = prepared.disk.as_ref().ok_or_else(not_prepared)?;
                let disk = disk.as_ref().map_err(|why| not_possible(why))?;
                Box::new(FullDisk::apply(disk.clone()).map_err(refused)?)
            }
            Limit::DiskSlow { bytes_per_s } => {
                let group = group(Controller::Io)?;
                let disk = disk_under(&prepared.folder).map_err(|why| not_possible(&why))?;
                let slow = SlowDisk::apply(group, disk, bytes_per_s, self.clock);
                Box::new(slow.map_err(refused)?)
            }
        };
        Ok(in_force)
    }
}

/// The controller that a limit needs.
fn controller(limit: &Limit) -> Option<Controller> {
    match limit {
        Limit::Cpu { .. } => Some(Controller::Cpu),
        Limit::Memory { .. } => Some(Controller::Memory),
        Limit::Processes { .. } => Some(Controller::Pids),
        Limit::DiskSlow { .. } => Some(Controller::Io),
        Limit::Descriptors { .. } | Limit::DiskFull => None,
    }
}
