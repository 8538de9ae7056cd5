//! What tells the processes of a run by the network they are in.
//!
//! A process can leave its environment behind, and with it the markers of the run. It cannot leave the network it was started
//! in, unless it has rights of its own. So each network carries an address on its loopback interface that nobody uses and that
//! follows from run and unit; `/proc/PID/net/if_inet6` shows it for every process inside. A number of a namespace would not
//! do: the system gives it to the next one.

use std::ffi::OsStr;
use std::fs;
use std::net::Ipv6Addr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::Pid;

/// First two bytes of a badge, out of the addresses that are nobody's in particular (RFC 4193).
const START: u64 = 0xfd77;

/// The address by which the networks of a unit are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    run: u64,
    unit: u64,
}

impl Badge {
    /// The badge of a unit, whose folder is `dir`, of a run.
    pub(crate) fn of(run: impl AsRef<OsStr>, dir: &Path) -> Self {
        Self { run: half_of_run(run.as_ref()), unit: hash(dir.as_os_str()) }
    }

    pub(crate) fn address(self) -> Ipv6Addr {
        Ipv6Addr::from_bits(u128::from(self.run) << 64 | u128::from(self.unit))
    }
}

/// Half of a badge: what all networks of a run share, or those of a unit.
#[derive(Clone, Debug)]
pub(crate) struct Half {
    digits: String,
    at: usize,
}

impl Half {
    pub(crate) fn of_run(run: &OsStr) -> Self {
        Self { digits: format!("{:016x}", half_of_run(run)), at: 0 }
    }

    pub(crate) fn of_unit(dir: &Path) -> Self {
        Self { digits: format!("{:016x}", hash(dir.as_os_str())), at: 16 }
    }

    /// Whether a process is in such a network.
    pub(crate) fn is_around(&self, pid: Pid) -> bool {
        // The system lists no networks of processes that are gone, or another user's.
        let addresses = fs::read_to_string(format!("/proc/{pid}/net/if_inet6"));
        self.is_among(&addresses.unwrap_or_default())
    }

    /// Each line is an address of 32 hexadecimal digits, then index, prefix length, scope, flags and name of the interface.
    fn is_among(&self, addresses: &str) -> bool {
        let is_badge = |line: &str| line.starts_with("fd77") && line.trim_end().ends_with(" lo");
        let has_half =
            |line: &str| line.get(self.at..).is_some_and(|rest| rest.starts_with(&self.digits));
        addresses.lines().any(|line| is_badge(line) && has_half(line))
    }
}

/// The upper half of a badge: 48 bits of the run's id.
fn half_of_run(run: &OsStr) -> u64 {
    START << 48 | hash(run) >> 16
}

/// FNV-1a: the same in every build, which the standard library's does not promise.
fn hash(text: &OsStr) -> u64 {
    text.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_the_same_in_every_build() {
        let badge = Badge::of("20261123-054500-0badcafe", Path::new("/run/0-x"));
        assert_eq!(badge.address().to_string(), "fd77:f35b:1585:d7d0:d332:7cef:213a:1b05");
        assert_eq!(hash(OsStr::new("")), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(OsStr::new("a")), 0xaf63_dc4c_8601_ec8c, "the published vector of FNV-1a");
    }

    #[track_caller]
    fn check(address: Ipv6Addr, name: &str, expected: (bool, bool)) {
        let digits = format!("{:032x}", address.to_bits());
        let list = format!(
            "00000000000000000000000000000001 01 80 10 80       lo\n{digits} 01 80 00 80 {name:>8}\n"
        );
        let seen = (Half::of_run(OsStr::new("r")), Half::of_unit(Path::new("/x")));
        assert_eq!((seen.0.is_among(&list), seen.1.is_among(&list)), expected, "{list}");
    }

    #[test]
    fn a_run_and_a_unit_are_told_by_their_halves_on_loopback_alone() {
        check(Badge::of("r", Path::new("/x")).address(), "lo", (true, true));
        check(Badge::of("r", Path::new("/y")).address(), "lo", (true, false));
        check(Badge::of("s", Path::new("/x")).address(), "lo", (false, true));
        check(Badge::of("r", Path::new("/x")).address(), "eth0", (false, false));
        check(Ipv6Addr::LOCALHOST, "lo", (false, false));
    }

    #[test]
    fn this_process_is_in_no_run() {
        assert!(!Half::of_run(OsStr::new("any")).is_around(rustix::process::getpid()));
    }
}
