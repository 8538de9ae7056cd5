//! A slow disk: so many bytes a second, by the throttling of the block layer.
//!
//! Version 2 counts what the kernel writes back later to whoever wrote it. Version 1 counts what a process asks the disk for itself: reads
//! and everything that it syncs, which is what a peer waits for that keeps its word.

use std::path::Path;
use std::{fs, io};

use handfast_faults::account::{Line, LineVerdict};
use rustix::fs::{major, minor, stat};

use super::groups::{Group, Version};
use super::line::{bytes, line};
use super::{InForce, LimitError};
use crate::clock::Clock;

const WHAT: &str = "the speed of the disk";

/// A limit that is in force.
#[derive(Debug)]
pub(super) struct SlowDisk {
    group: Group,
    disk: String,
    bytes_per_s: u64,
    clock: Clock,
    since_us: u64,
    before: u64,
}

impl SlowDisk {
    /// Puts it on, for reading and for writing each.
    pub(super) fn apply(
        group: Group,
        disk: String,
        bytes_per_s: u64,
        clock: Clock,
    ) -> io::Result<Self> {
        let before = moved(&group, &disk);
        let slow = Self { group, disk, bytes_per_s, clock, since_us: clock.now_us(), before };
        slow.set(Some(bytes_per_s)).inspect_err(|_| drop(slow.set(None)))?;
        Ok(slow)
    }

    fn set(&self, limit: Option<u64>) -> io::Result<()> {
        let disk = &self.disk;
        match self.group.version() {
            Version::One => {
                // 0 is no limit.
                let rule = format!("{disk} {}", limit.unwrap_or_default());
                self.group.write("blkio.throttle.read_bps_device", &rule)?;
                self.group.write("blkio.throttle.write_bps_device", &rule)
            }
            Version::Two => {
                let limit = limit.map_or_else(|| "max".to_owned(), |limit| limit.to_string());
                self.group.write("io.max", &format!("{disk} rbps={limit} wbps={limit}"))
            }
        }
    }
}

impl InForce for SlowDisk {
    fn measured(&mut self) -> Vec<Line> {
        let elapsed_us = self.clock.now_us().saturating_sub(self.since_us).max(1);
        let moved = moved(&self.group, &self.disk).saturating_sub(self.before);
        let verdict = judge(self.bytes_per_s, moved, elapsed_us);
        let asked = format!("{} a second", bytes(self.bytes_per_s));
        let measured = format!("{} in {} ms", bytes(moved), elapsed_us / 1_000);
        vec![line("disk", asked, measured, verdict)]
    }

    fn undo(mut self: Box<Self>) -> Result<Vec<Line>, LimitError> {
        let lines = self.measured();
        self.set(None).map_err(|source| LimitError::Refused { what: WHAT, source })?;
        Ok(lines)
    }
}

/// How far above the limit a measurement may be, in percent: the kernel lets a slice of 100 ms through at once.
const TOLERANCE_PERCENT: u64 = 25;

/// What is too little to say anything about the speed: less than the kernel lets through at once.
fn judge(bytes_per_s: u64, moved: u64, elapsed_us: u64) -> LineVerdict {
    let allowed = u128::from(bytes_per_s) * u128::from(elapsed_us) / 1_000_000;
    let at_once = u128::from(bytes_per_s / 10);
    let most = allowed * u128::from(100 + TOLERANCE_PERCENT) / 100 + at_once;
    // Reading and writing have a limit each, and both are counted.
    if u128::from(moved) > 2 * most {
        LineVerdict::Missed
    } else if u128::from(moved) * 2 >= allowed.max(at_once) {
        LineVerdict::Held
    } else {
        LineVerdict::TooFew
    }
}

/// Bytes that a group has moved to and from a disk.
fn moved(group: &Group, disk: &str) -> u64 {
    match group.version() {
        Version::One => {
            let text = group.read("blkio.throttle.io_service_bytes").unwrap_or_default();
            moved_one(&text, disk)
        }
        Version::Two => moved_two(&group.read("io.stat").unwrap_or_default(), disk),
    }
}

/// Lines of the form `254:0 Write 4096`.
fn moved_one(text: &str, disk: &str) -> u64 {
    let numbers = text.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let counts = fields.next()? == disk && matches!(fields.next()?, "Read" | "Write");
        counts.then(|| fields.next()?.parse::<u64>().ok()).flatten()
    });
    numbers.sum()
}

/// Lines of the form `254:0 rbytes=0 wbytes=4096 rios=0 ..`.
fn moved_two(text: &str, disk: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(disk)?.strip_prefix(' '));
    let fields = line.unwrap_or_default().split(' ').filter_map(|field| field.split_once('='));
    let counted = fields.filter(|(key, _)| matches!(*key, "rbytes" | "wbytes"));
    counted.filter_map(|(_, number)| number.parse::<u64>().ok()).sum()
}

/// The disk under a folder, as `MAJOR:MINOR`: of a partition the whole disk, since only that is throttled.
///
/// The error says what is there instead.
pub(crate) fn disk_under(folder: &Path) -> Result<String, String> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    let device = stat(folder).map_err(|error| failed(error.into()))?.st_dev;
    let name = format!("{}:{}", major(device), minor(device));
    let Ok(entry) = fs::canonicalize(format!("/sys/dev/block/{name}")) else {
        let text =
            format!("{} does not lie on a disk of its own (device {name})", folder.display());
        return Err(text);
    };
    if !entry.join("partition").exists() {
        return Ok(name);
    }
    let whole = entry.parent().map(|disk| fs::read_to_string(disk.join("dev")));
    let whole = whole.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into())).map_err(failed)?;
    Ok(whole.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_count_what_was_read_and_written() {
        let one = "8:0 Read 9\n254:0 Read 100\n254:0 Write 20\n254:0 Sync 120\n254:0 Total 120\nTotal 129";
        assert_eq!(moved_one(one, "254:0"), 120);
        let two = "254:01 rbytes=7\n254:0 rbytes=100 wbytes=20 rios=3 wios=1 dbytes=5 dios=0";
        assert_eq!(moved_two(two, "254:0"), 120);
        assert_eq!(moved_two("", "254:0") + moved_one("", "254:0"), 0);
    }

    #[test]
    fn a_disk_at_its_limit_is_told_from_an_idle_one_and_from_one_that_runs_away() {
        let second = 1_000_000;
        assert_eq!(judge(1_000, 1_000, second), LineVerdict::Held);
        assert_eq!(judge(1_000, 1_900, second), LineVerdict::Held);
        assert_eq!(judge(1_000, 10, second), LineVerdict::TooFew);
        assert_eq!(judge(1_000, 10_000, second), LineVerdict::Missed);
        assert_eq!(judge(1_000_000, 40_000, 1_000), LineVerdict::TooFew);
        assert_eq!(judge(1_000_000, 60_000, 1_000), LineVerdict::Held);
        assert_eq!(judge(u64::MAX, u64::MAX, u64::MAX), LineVerdict::TooFew);
    }

    #[test]
    fn what_is_no_disk_is_told() {
        assert!(disk_under(Path::new("/proc")).unwrap_err().contains("does not lie on a disk"));
        assert!(disk_under(Path::new("/nonexistent")).is_err());
    }
}
