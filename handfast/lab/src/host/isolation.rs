//! Namespaces, TUN, the mounts of a unit.

use std::fs::{self, File};
use std::path::Path;

use rustix::thread::UnshareFlags;

use super::{Ability, Question, State, said};
use crate::sys::attempt;

const NAMESPACES: Question = Question {
    name: "namespaces",
    essential: false,
    costs: "faults of packets are only approximated by proxies: loss becomes a pause, and nothing is reordered, duplicated or dropped for its size",
    remedy: "run as root, or allow user namespaces: sysctl user.max_user_namespaces=10000, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0; in Docker --cap-add SYS_ADMIN or --privileged",
};
const TUN: Question = Question {
    name: "tun",
    essential: false,
    costs: "as without namespaces: no packet can be taken to the switch",
    remedy: "modprobe tun; in Docker --device /dev/net/tun",
};
const FULL_DISK: Question = Question {
    name: "full-disk",
    essential: false,
    costs: "a disturbance `limit = { disk = \"full\" }` fails its scenario as infrastructure",
    remedy: "run as root: the peer's folder is put on a file system of its own, which a user may not mount",
};

pub(super) fn examine(folder: &Path) -> Vec<Ability> {
    vec![namespaces(), tun(), full_disk(folder)]
}

fn namespaces() -> Ability {
    let by_right = attempt::unshare(UnshareFlags::NEWNET);
    let rootless = attempt::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET);
    match (by_right, rootless) {
        (Ok(()), Ok(())) => {
            NAMESPACES.answer(State::Can, "as this user, and inside user namespaces")
        }
        (Ok(()), Err(error)) => NAMESPACES
            .answer(State::Can, format!("as this user; {}", said("user namespaces", &error))),
        (Err(_), Ok(())) => NAMESPACES.answer(State::Can, "inside user namespaces"),
        (Err(first), Err(second)) => {
            let (first, second) = (said("as this user", &first), said("user namespaces", &second));
            NAMESPACES.answer(State::Cannot, format!("{first}; {second}"))
        }
    }
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
