//! Small file systems that only a unit sees.

use std::ffi::CString;
use std::path::Path;
use std::{fs, io};

use crate::resource::full_disk::{disk_of, folder_on};
use crate::sys::mounts;

/// Disks that one reaper mounts: as many as a unit can have roles (guessed).
const DISKS_MAX: usize = 64;

/// What a reaper has mounted. Its processes see it because they are started here; nobody else does.
#[derive(Debug, Default)]
pub(super) struct Disks {
    roles: Vec<String>,
}

impl Disks {
    /// Puts a new file system under a role's folder, which is empty.
    ///
    /// # Errors
    ///
    /// What the host does not allow: nothing is mounted then.
    pub(super) fn mount(&mut self, unit: &Path, role: &str, bytes: u64) -> io::Result<()> {
        if self.roles.len() >= DISKS_MAX {
            return Err(io::Error::other("there are too many disks in this unit"));
        }
        let disk = disk_of(unit, role);
        fs::create_dir(&disk)?;
        if self.roles.is_empty() {
            mounts::begin_own()?;
        }
        let options = CString::new(format!("size={bytes},mode=700"))?;
        mounts::mount_memory(&mounts::text(&disk)?, &options)?;
        let folder = folder_on(&disk);
        let bound = fs::create_dir(&folder).and_then(|()| mounts::bind(&folder, &unit.join(role)));
        if let Err(error) = bound {
            mounts::unmount(&disk)?;
            return Err(error);
        }
        self.roles.push(role.to_owned());
        Ok(())
    }

    /// Takes all of them away, so that the unit's folder can be removed.
    pub(super) fn unmount(&self, unit: &Path) -> io::Result<()> {
        for role in &self.roles {
            mounts::unmount(&unit.join(role))?;
            mounts::unmount(&disk_of(unit, role))?;
        }
        Ok(())
    }
}
