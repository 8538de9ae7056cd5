//! Namespaces, TUN, the mounts of a unit.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;

use super::{Ability, Question, State, said};
use crate::net::{Ask, Means, Owner};
use crate::sys::attempt;

const NAMESPACES: Question = Question {
    name: "namespaces",
    essential: false,
    costs: "faults of packets are only approximated by proxies: loss becomes a pause, and nothing is reordered, duplicated or dropped for its size",
    remedy: "run as root, or allow user namespaces: sysctl user.max_user_namespaces=10000, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0",
};
const TUN: Question = Question {
    name: "tun",
    essential: false,
    costs: "as without namespaces: no packet can be taken to the switch",
    remedy: "modprobe tun; give a container the device /dev/net/tun; let users open it (chmod 666 /dev/net/tun, or a rule of udev)",
};
const FULL_DISK: Question = Question {
    name: "full-disk",
    essential: false,
    costs: "a disturbance `limit = { disk = \"full\" }` fails its scenario as infrastructure",
    remedy: "run as root: the peer's folder is put on a file system of its own, which a user may not mount",
};

pub(super) fn examine(folder: &Path, reaper: &[OsString]) -> Vec<Ability> {
    vec![namespaces(folder, reaper), tun(), full_disk(folder)]
}

/// Makes one for a peer with all that belongs to it, by each right: a host may give a user namespace and no right inside it.
fn namespaces(folder: &Path, reaper: &[OsString]) -> Ability {
    let id = std::process::id();
    let owner = |ask| Owner {
        reaper: reaper.to_vec(),
        run: format!("doctor-{id}"),
        dir: folder.join(format!("doctor-network-{id}")),
        ask,
    };
    let found = [Ask::Root, Ask::Rootless].map(|ask| Means::find(&owner(ask)));
    let state = if found.iter().any(Means::has_packets) { State::Can } else { State::Cannot };
    NAMESPACES.answer(state, found.map(|means| means.to_string()).join("; "))
}

fn tun() -> Ability {
    let opened = File::options().read(true).write(true).open("/dev/net/tun");
    TUN.tried(opened.map(|_| "/dev/net/tun opens").map_err(|error| said("/dev/net/tun", &error)))
}

fn full_disk(folder: &Path) -> Ability {
    let place = folder.join(format!("doctor-disk-{}", std::process::id()));
    let tried = fs::create_dir(&place).and_then(|()| attempt::mount_a_disk(&place));
    // What is mounted was only there for the child.
    drop(fs::remove_dir(&place));
    FULL_DISK.tried(
        tried
            .map(|()| "a folder can be put on a file system of its own")
            .map_err(|error| said("mount", &error)),
    )
}
