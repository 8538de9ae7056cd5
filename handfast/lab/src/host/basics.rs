//! Without these no scenario runs.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::{Ability, Question, State, said};
use crate::resource::full_disk::space;
use crate::resource::line::bytes;
use crate::sys::attempt;

const SCRATCH: Question = Question {
    name: "scratch",
    essential: true,
    costs: "no scenario runs: each peer has a folder, and a full one looks like a fault of the peer",
    remedy: "make room there: runs have their folders in .handfast of the project",
};
const REAPER: Question = Question {
    name: "reaper",
    essential: true,
    costs: "no scenario runs: what a peer leaves behind could not be ended",
    remedy: "allow prctl(PR_SET_CHILD_SUBREAPER), Linux 3.4; a sandbox filters it",
};
const LOOPBACK: Question = Question {
    name: "loopback",
    essential: true,
    costs: "peers cannot reach each other at the address that lacks",
    remedy: "ip link set lo up; for ::1 also sysctl net.ipv6.conf.lo.disable_ipv6=0",
};
const DESCRIPTORS: Question = Question {
    name: "descriptors",
    essential: true,
    costs: "fewer scenarios run at the same time; a run says `Too many open files`",
    remedy: "ulimit -n 4096, or LimitNOFILE= of the service",
};

/// Room that a few units need, in bytes: stores, transfers of a few MiB, logs (measured: below 40 MiB for every scenario of this project).
const ROOM_LEAST: u64 = 256 << 20;
/// Room that whole runs with records need, in bytes (guessed).
const ROOM_ENOUGH: u64 = 2 << 30;

/// Descriptors of the smallest run: a unit with its proxy and a connection a pair of roles (guessed from 30 a unit).
const DESCRIPTORS_LEAST: u64 = 128;
/// Descriptors of units at the same time as many as anybody's machine has cores (guessed).
const DESCRIPTORS_ENOUGH: u64 = 1_024;

pub(super) fn examine(folder: &Path) -> Vec<Ability> {
    vec![scratch(folder), reaper(), loopback(), descriptors()]
}

fn scratch(folder: &Path) -> Ability {
    let probe = folder.join(format!("doctor-{}", std::process::id()));
    let written = fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe));
    if let Err(error) = written {
        return SCRATCH
            .answer(State::Cannot, said(&format!("write in {}", folder.display()), &error));
    }
    match space(folder) {
        Ok((_, free)) => {
            let state = graded(free, ROOM_LEAST, ROOM_ENOUGH);
            let free = bytes(free >> 20 << 20);
            SCRATCH.answer(state, format!("{free} free in {}", folder.display()))
        }
        Err(error) => SCRATCH.answer(State::Cannot, said("statvfs", &error)),
    }
}

/// Whether an amount is enough, too little, or enough for a part.
fn graded(amount: u64, least: u64, enough: u64) -> State {
    match amount {
        amount if amount < least => State::Cannot,
        amount if amount < enough => State::Partly,
        _ => State::Can,
    }
}

fn reaper() -> Ability {
    let tried = attempt::become_subreaper();
    REAPER.tried(
        tried.map(|()| "a process can take over orphans").map_err(|error| said("prctl", &error)),
    )
}

fn loopback() -> Ability {
    let listen = |address| TcpListener::bind((address, 0)).map_err(|error| said(address, &error));
    match (listen("127.0.0.1"), listen("::1")) {
        (Ok(_), Ok(_)) => LOOPBACK.answer(State::Can, "127.0.0.1 and ::1"),
        (Ok(_), Err(why)) => LOOPBACK.answer(State::Partly, format!("127.0.0.1, and not {why}")),
        (Err(why), _) => LOOPBACK.answer(State::Cannot, why),
    }
}

fn descriptors() -> Ability {
    let limit = getrlimit(Resource::Nofile);
    let soft = limit.current.unwrap_or(u64::MAX);
    let text =
        |limit: Option<u64>| limit.map_or_else(|| "any number".to_owned(), |n| n.to_string());
    let found = format!("{} a process, at most {}", text(limit.current), text(limit.maximum));
    DESCRIPTORS.answer(graded(soft, DESCRIPTORS_LEAST, DESCRIPTORS_ENOUGH), found)
}

/// The release of the kernel.
pub(super) fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

/// Memory of the machine.
pub(super) fn memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    total_of(&text)
}

/// The line `MemTotal:  1234 kB`.
fn total_of(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default().saturating_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read() {
        assert_eq!(total_of("MemTotal:       24684084 kB\nMemFree: 1 kB\n"), 24_684_084 * 1_024);
        assert_eq!(total_of("MemFree: 1 kB\n"), 0);
    }

    #[test]
    fn an_amount_is_graded_at_its_borders() {
        let cases =
            [(9, State::Cannot), (10, State::Partly), (19, State::Partly), (20, State::Can)];
        for (amount, state) in cases {
            assert_eq!(graded(amount, 10, 20), state, "{amount}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_a_lack_with_its_reason() {
        let found = scratch(Path::new("/proc/nowhere"));
        assert_eq!((found.state, found.essential), (State::Cannot, true));
        assert!(found.found.starts_with("write in /proc/nowhere: "), "{}", found.found);
        assert!(found.remedy.contains(".handfast"));
    }
}
