//! What processes hold: open descriptors and memory of their own, as `/proc` says it of any program in any language.

use std::collections::BTreeSet;
use std::fs;
use std::io;

/// What a process and everything it has started hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Open descriptors.
    pub descriptors: u64,
    /// Bytes of memory that no file stands behind: heaps and stacks. Programs and libraries are not in it, nor is what is
    /// mapped of files, so that what a process has merely touched does not look like a leak.
    pub memory_bytes: u64,
}

impl Usage {
    /// Looks at a process and its descendants. One that ends meanwhile holds nothing.
    ///
    /// # Errors
    ///
    /// If `/proc` cannot be read, or the process itself is gone.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut usage = Self::of_one(pid)?;
        for descendant in descendants(pid) {
            let one = Self::of_one(descendant).unwrap_or_default();
            usage.descriptors += one.descriptors;
            usage.memory_bytes += one.memory_bytes;
        }
        Ok(usage)
    }

    fn of_one(pid: u32) -> io::Result<Self> {
        let open = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let memory = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        Ok(Self {
            descriptors: u64::try_from(open).unwrap_or(u64::MAX),
            memory_bytes: anonymous_bytes(&memory).ok_or(io::ErrorKind::InvalidData)?,
        })
    }
}

/// Processor time that a process and everything it has started have used so far, in microseconds, to 10 ms.
///
/// # Errors
///
/// If `/proc` cannot be read, or the process itself is gone.
pub fn cpu_us(pid: u32) -> io::Result<u64> {
    let of_one = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        ticks(&stat).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    };
    let own = of_one(pid)?;
    // One that ends meanwhile is counted by its parent.
    let theirs = descendants(pid).into_iter().filter_map(|descendant| of_one(descendant).ok());
    Ok((own + theirs.sum::<u64>()) * TICK_US)
}

/// User and system time, own and of children that have ended: fields 14 to 17 of `/proc/PID/stat`, the name before them may have anything in it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields = after_name.split_whitespace().skip(11).take(4);
    let fields: Option<Vec<u64>> = fields.map(|field| field.parse().ok()).collect();
    fields.filter(|fields| fields.len() == 4).map(|fields| fields.iter().sum())
}

/// A tick of `/proc`: 100 a second on every Linux, whatever the kernel's own are.
const TICK_US: u64 = 10_000;

/// Processor time that everything below a process has used so far, in microseconds, to 10 ms: whether anything moves there. Where a process
/// ends that nobody waits for, it falls.
pub fn cpu_below_us(pid: u32) -> u64 {
    let of_one = |pid: u32| ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    descendants(pid).into_iter().filter_map(of_one).sum::<u64>() * TICK_US
}

/// The line `Anonymous:  1234 kB`.
fn anonymous_bytes(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

/// All processes below one, by the parents that `/proc` names.
pub(crate) fn descendants(pid: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for task in fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                if found.insert(child) {
                    parents.push(child);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_memory_that_no_file_stands_behind_is_read() {
        let rollup =
            "00400000-7ffe rollup\nRss:      900 kB\nAnonymous:     12 kB\nLazyFree: 0 kB\n";
        assert_eq!(anonymous_bytes(rollup), Some(12 * 1_024));
        assert_eq!(anonymous_bytes("Rss: 900 kB\n"), None);
    }

    #[test]
    fn processor_time_is_read_whatever_a_program_is_called() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 90 0 0 0 5 6 7 8 20 0 1 0 9 10 11";
        assert_eq!(ticks(stat), Some(26));
        assert_eq!(ticks("7 (a) S 1 7"), None);
        assert!(cpu_us(std::process::id()).is_ok() && cpu_us(u32::MAX).is_err());
    }

    #[test]
    fn descriptors_and_memory_of_a_child_and_its_child_are_seen() {
        // `cat` waits for its input, whoever starts it.
        let mut shell = Command::new("sh");
        shell.args(["-c", "cat & exec cat 3</dev/null 4</dev/null"]);
        let start = |command: &mut Command| {
            command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
        };
        let mut child = start(&mut shell);
        // A child that has not begun its program yet has next to nothing.
        let mut looks = 0;
        loop {
            looks += 1;
            let usage = Usage::of(child.id()).unwrap();
            let is_whole = usage.descriptors >= 6 && usage.memory_bytes > 16 * 1_024;
            if is_whole && !descendants(child.id()).is_empty() {
                break;
            }
            assert!(looks < 1_000_000, "{usage:?}");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Usage::of(child.id()).is_err());
    }

    #[test]
    fn what_is_opened_and_filled_shows() {
        let own = std::process::id();
        let before = Usage::of(own).unwrap();
        let files: Vec<File> = (0..64).map(|_| File::open("/dev/null").unwrap()).collect();
        let filled = vec![1_u8; 8 << 20];
        let after = Usage::of(own).unwrap();
        assert!(after.descriptors >= before.descriptors + 32, "{before:?} {after:?}");
        assert!(after.memory_bytes >= before.memory_bytes + (4 << 20), "{before:?} {after:?}");
        drop((files, filled));
    }
}
