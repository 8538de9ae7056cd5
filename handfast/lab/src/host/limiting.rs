//! Control groups and other limits.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use super::{Ability, Question, State, said};
use crate::resource::descriptors::may_raise;
use crate::resource::groups::hierarchy::Hierarchies;
use crate::resource::groups::{Controller, Group, PROCESSES, RoleGroups, inventory};
use crate::resource::slow_disk::disk_under;
use crate::sys::attempt;

const REMEDY: &str = "run as root, or below a group that is handed over to you: systemd-run --user --scope -p Delegate=yes";

const CPU: Question = Question {
    name: "limit-cpu",
    essential: false,
    costs: "a disturbance `limit = { cpu = .. }` fails its scenario as infrastructure",
    remedy: REMEDY,
};
const MEMORY: Question = Question {
    name: "limit-memory",
    essential: false,
    costs: "a disturbance `limit = { memory = .. }` fails its scenario as infrastructure",
    remedy: REMEDY,
};
const PROCESSES_LIMIT: Question = Question {
    name: "limit-processes",
    essential: false,
    costs: "a disturbance `limit = { processes = .. }` fails its scenario as infrastructure",
    remedy: REMEDY,
};
const SLOW_DISK: Question = Question {
    name: "slow-disk",
    essential: false,
    costs: "a disturbance `limit = { disk = \"64KiB/s\" }` fails its scenario as infrastructure",
    remedy: "as for the other limits, and the project has to lie on a real disk: no tmpfs, no overlay",
};
const DESCRIPTORS: Question = Question {
    name: "limit-descriptors",
    essential: false,
    costs: "only the soft limit is set: a peer that raises its own escapes",
    remedy: "run with CAP_SYS_RESOURCE, which root has as a rule",
};

pub(super) fn examine(folder: &Path) -> Vec<Ability> {
    let unit = folder.join(format!("doctor-groups-{}", std::process::id()));
    // Where the folder cannot be made, no group can be written down, and each says so.
    drop(std::fs::create_dir(&unit));
    let wanted = BTreeSet::from(Controller::ALL);
    let hierarchies = Hierarchies::of_this_process().unwrap_or_default();
    let name = format!("doctor-{}", std::process::id());
    let groups = RoleGroups::make(&hierarchies, &wanted, &name, &unit);
    let questions =
        [(CPU, Controller::Cpu), (MEMORY, Controller::Memory), (PROCESSES_LIMIT, Controller::Pids)];
    let mut abilities: Vec<Ability> = questions
        .iter()
        .map(|(question, controller)| question.tried(group(&groups, *controller)))
        .collect();
    let disk = group(&groups, Controller::Io)
        .and_then(|found| disk_under(folder).map(|disk| format!("{found}, on the disk {disk}")));
    abilities.push(SLOW_DISK.tried(disk));
    abilities.push(descriptors());
    // What stays in spite of everything is empty and does nothing; nobody can be told here.
    drop(inventory::remove_all(&unit));
    drop(std::fs::remove_dir_all(&unit));
    abilities
}

/// Whether a process can join the group of a controller, and which it is.
fn group(groups: &RoleGroups, controller: Controller) -> Result<String, String> {
    let lacks = || format!("no control group here has the controller {controller}");
    let group: &Group = groups.get(controller).ok_or_else(lacks)?.map_err(str::to_owned)?;
    let file = group.folder().join(PROCESSES);
    let joined = File::options().write(true).open(&file).and_then(attempt::join);
    joined.map_err(|error| said(&file.display().to_string(), &error))?;
    let version = group.version();
    Ok(format!("control group {version}, {}", controller.name(version)))
}

fn descriptors() -> Ability {
    if may_raise() {
        DESCRIPTORS.answer(State::Can, "hard and soft limit of a running process")
    } else {
        DESCRIPTORS.answer(State::Partly, "soft limit of a running process")
    }
}
