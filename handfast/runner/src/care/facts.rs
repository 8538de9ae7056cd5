//! What is measured on the machine around a failure.
//!
//! Only what the failure itself speaks of is looked at, and only where the failed unit was to use it: the port and the files that its
//! texts name, the programs of its peers, the folder it is played in, the clock while it ran.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use handfast_heal::fact::{Cache, Fact, Folder, Owner, Process};
use handfast_heal::failure::Failure;
use handfast_heal::fault::{InfraFault, JUMP_MIN_US};
use handfast_lab::reaper::UNIT_MARKER;
use handfast_scenario::name::PeerName;
use handfast_scenario::plan::{self, UnitId};
use handfast_scenario::project::PeerProgram;
use rustix::fs::{FlockOperation, flock};

use crate::absence;
use crate::ingredients;
use crate::place::Places;
use crate::run::Build;
use crate::unit::Surroundings;

/// Room that a unit needs for its peers' folders and logs, bytes (guessed: a peer's store and log of a scenario have some hundred KiB).
pub(crate) const ROOM_MIN: u64 = 4 * 1024 * 1024;

/// Ports and paths that are taken from the texts of a failure.
const NAMED_MAX: usize = 32;

/// Largest store that is read to see whether it is torn, bytes.
const STORE_LEN_MAX: u64 = 64 * 1024 * 1024;

/// Entries of a folder that are counted to find out what takes its room.
const COUNTED_MAX: usize = 100_000;

/// What time it is by the clock on the wall, microseconds since the Unix epoch.
#[derive(Clone)]
pub struct Wall(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Wall {
    /// A clock; a drill gives one that can be set without touching that of the machine.
    pub fn new(read: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// By how much it is ahead of the clock that nobody can set, microseconds.
    fn ahead_us(&self) -> i64 {
        let steady_us = i64::try_from(handfast_lab::clock::monotonic_ns() / 1_000);
        (self.0)().saturating_sub(steady_us.unwrap_or(i64::MAX))
    }
}

impl Default for Wall {
    /// That of the machine.
    fn default() -> Self {
        Self::new(handfast_lab::clock::unix_us)
    }
}

impl std::fmt::Debug for Wall {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Wall").finish_non_exhaustive()
    }
}

/// What was noted before anything failed, and what was repaired since.
#[derive(Debug)]
pub(crate) struct Noted {
    /// Id of the run.
    run: String,
    /// Where units of all runs of the project have their folders.
    scratch: PathBuf,
    wall: Wall,
    build: Build,
    builds: Arc<Mutex<BTreeMap<PeerName, String>>>,
    /// Units that are under way.
    living: Mutex<BTreeSet<UnitId>>,
    /// What was repaired, and when by the run's clock: it counts for every try that had begun before.
    repaired: Mutex<Vec<(u64, Fact)>>,
}

/// What is noted when a try begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    pub(crate) at_us: u64,
    ahead_us: i64,
}

impl Noted {
    /// Notes what every peer's build is made of; reading them takes its time, on a thread of its own.
    pub(crate) fn new(around: &Surroundings, run: &str, build: Build, wall: Wall) -> Self {
        let builds = Arc::new(Mutex::new(BTreeMap::new()));
        let noted = Self {
            run: run.to_owned(),
            scratch: around.places.root().join(".handfast").join("scratch"),
            wall,
            build,
            builds: builds.clone(),
            living: Mutex::default(),
            repaired: Mutex::default(),
        };
        let peers: Vec<PeerProgram> = around.project.peers.clone();
        let built: Vec<PeerProgram> =
            peers.into_iter().filter(|peer| peer.build.is_some()).collect();
        if build == Build::First && !built.is_empty() {
            let places = around.places.clone();
            let note = move || {
                for peer in built {
                    let Ok(digest) = ingredients::build(&places, &peer) else { continue };
                    let mut builds = builds.lock().unwrap_or_else(PoisonError::into_inner);
                    builds.insert(peer.name.clone(), digest.to_string());
                }
            };
            // Without the thread nothing is noted, and so nothing is found damaged.
            drop(std::thread::Builder::new().name("digests".to_owned()).spawn(note));
        }
        noted
    }

    /// A unit is under way.
    pub(crate) fn unit_begins(&self, unit: &UnitId) {
        self.living.lock().unwrap_or_else(PoisonError::into_inner).insert(unit.clone());
    }

    /// A unit is over.
    pub(crate) fn unit_ends(&self, unit: &UnitId) {
        self.living.lock().unwrap_or_else(PoisonError::into_inner).remove(unit);
    }

    /// A try begins.
    pub(crate) fn begin(&self, now_us: u64) -> Begun {
        Begun { at_us: now_us, ahead_us: self.wall.ahead_us() }
    }

    /// Something was repaired: it counts for everything that was under way then.
    pub(crate) fn repaired(&self, now_us: u64, fact: Fact) {
        self.repaired.lock().unwrap_or_else(PoisonError::into_inner).push((now_us, fact));
    }

    /// A peer was built anew: what it is made of now is what is right.
    pub(crate) fn note_build(&self, places: &Places, peer: &PeerProgram) -> Result<(), String> {
        let digest = ingredients::build(places, peer)?;
        let mut builds = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        builds.insert(peer.name.clone(), digest.to_string());
        Ok(())
    }

    /// Measures what a failure of a try speaks of.
    pub(crate) fn measure(
        &self,
        around: &Surroundings,
        unit: &plan::Unit,
        failure: &Failure,
        begun: Begun,
    ) -> Vec<Fact> {
        let texts: Vec<String> = failure.texts().map(|(_, text)| text).collect();
        let speaks = |fault: InfraFault| {
            let of = |text: &String| {
                let text = text.to_lowercase();
                fault.signature().iter().any(|part| text.contains(part))
            };
            texts.iter().any(of)
        };
        let mut facts = Vec::new();
        if speaks(InfraFault::PortTaken) {
            facts.extend(ports(&texts).into_iter().filter_map(|port| self.holder(unit, port)));
        }
        if speaks(InfraFault::StaleLock) {
            facts.extend(paths(&texts).into_iter().filter_map(|path| self.lock_of(unit, &path)));
        }
        if speaks(InfraFault::FullTemporary) {
            facts.extend(self.room(unit));
        }
        if speaks(InfraFault::TornStore) {
            facts.extend(paths(&texts).into_iter().filter_map(|path| self.store(unit, &path)));
        }
        if speaks(InfraFault::CorruptCache) || speaks(InfraFault::MissingBinary) {
            let peers: BTreeSet<&PeerName> = unit.peers.values().collect();
            let peers = peers.into_iter().filter_map(|name| around.project.peer(name));
            facts.extend(peers.filter_map(|peer| self.program(&around.places, peer)));
        }
        let by_us = self.wall.ahead_us().saturating_sub(begun.ahead_us);
        if by_us.unsigned_abs() >= JUMP_MIN_US {
            // Nobody knows the moment any nearer than that it is between the try's beginning and its end.
            facts.push(Fact::ClockJumped { by_us, at_us: failure.span_us.1 });
        }
        let repaired = self.repaired.lock().unwrap_or_else(PoisonError::into_inner);
        let since = repaired.iter().filter(|(at_us, _)| *at_us >= begun.at_us);
        facts.extend(since.map(|(_, fact)| fact.clone()));
        facts
    }

    /// Who holds a port, if anybody does.
    fn holder(&self, unit: &plan::Unit, port: u16) -> Option<Fact> {
        let inodes = listening(port);
        if inodes.is_empty() {
            return None;
        }
        let holds = |pid: &u32| {
            let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            open.filter_map(|entry| fs::read_link(entry.path()).ok())
                .any(|target| target.to_str().is_some_and(|target| inodes.contains(target)))
        };
        let pid = pids().into_iter().find(holds)?;
        Some(Fact::PortHeld { port, by: self.process(unit, pid)? })
    }

    /// A process, and whose it is.
    fn process(&self, unit: &plan::Unit, pid: u32) -> Option<Process> {
        let started_ticks = started_ticks(pid)?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned();
        let of = match marked_folder(pid) {
            _ if pid == std::process::id() => Owner::Platform,
            Some(folder) => self.owner(&unit.id, &folder),
            None => Owner::Stranger,
        };
        Some(Process { pid, started_ticks, name, of })
    }

    /// Whose a file or folder is, by where it lies. In doubt it is of something that is not over: nothing of that is touched.
    fn owner(&self, unit: &UnitId, path: &Path) -> Owner {
        let Ok(below) = path.strip_prefix(&self.scratch) else {
            let platform = self.scratch.parent().is_some_and(|folder| path.starts_with(folder));
            return if platform { Owner::Platform } else { Owner::Stranger };
        };
        // `RUN/NUMBER-UNIT`, where the unit's name is cut and made fit for a file name; other folders of a run are the platform's.
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).take(2).collect();
        let [run, folder] = parts.as_slice() else { return Owner::Platform };
        let name = match folder.split_once('-') {
            Some((number, name)) if number.parse::<u64>().is_ok() => name.to_owned(),
            Some(_) | None => return Owner::Platform,
        };
        let is = |id: &UnitId| file_name(id.as_str()) == name;
        if is(unit) {
            return Owner::Unit { unit: unit.clone() };
        }
        let living = self.living.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = living.iter().find(|id| is(id)) {
            return Owner::Unit { unit: other.clone() };
        }
        // Another handfast may play in the same project, and nobody here knows which of its units are over.
        let lock = self.scratch.join(&**run).join("lock");
        let is_others = **run != *self.run && holder_lives(&lock).unwrap_or(lock.exists());
        let unit = UnitId::new(name);
        if is_others { Owner::Unit { unit } } else { Owner::Ended { unit } }
    }

    /// A lock file, and whether who made it lives.
    fn lock_of(&self, unit: &plan::Unit, path: &Path) -> Option<Fact> {
        if !path.file_name()?.to_string_lossy().contains("lock") || !path.is_file() {
            return None;
        }
        let of = self.owner(&unit.id, path);
        Some(Fact::LockFound { file: shown(path), of, holder_lives: holder_lives(path).ok()? })
    }

    /// The room of the folder in which units are played, if it is short.
    fn room(&self, unit: &plan::Unit) -> Option<Fact> {
        let found = rustix::fs::statvfs(&self.scratch).ok()?;
        let free_bytes = found.f_bavail.saturating_mul(found.f_frsize);
        if free_bytes >= ROOM_MIN {
            return None;
        }
        let runs = fs::read_dir(&self.scratch).into_iter().flatten().flatten();
        let units = runs.flat_map(|run| fs::read_dir(run.path()).into_iter().flatten().flatten());
        let folders = units.map(|entry| entry.path()).filter(|path| path.is_dir());
        let folder = |path: PathBuf| {
            let bytes = size(&path);
            Folder { of: self.owner(&unit.id, &path), path: shown(&path), bytes }
        };
        let largest = folders.map(folder).max_by_key(|folder| folder.bytes);
        let folder = shown(&self.scratch);
        Some(Fact::RoomShort { folder, free_bytes, needed_bytes: ROOM_MIN, largest })
    }

    /// A store that ends in the middle of something.
    fn store(&self, unit: &plan::Unit, path: &Path) -> Option<Fact> {
        let is_torn = is_torn(path).ok()?;
        let of = self.owner(&unit.id, path);
        is_torn.then(|| Fact::StoreTorn { store: shown(path), of })
    }

    /// A program that is not there, or not what was noted after its build.
    fn program(&self, places: &Places, peer: &PeerProgram) -> Option<Fact> {
        let file = places.fill(&peer.start).into_iter().next()?;
        let is_there = if file.contains('/') {
            Path::new(&file).is_file()
        } else {
            absence::in_path(&file).is_some()
        };
        if !is_there {
            let is_built = peer.build.is_some() && self.build == Build::First;
            let built_by = is_built.then(|| peer.name.clone());
            return Some(Fact::ProgramMissing { file, built_by });
        }
        let noted = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = noted.get(&peer.name)?.clone();
        let found = ingredients::build(places, peer).map_or_else(|why| why, |it| it.to_string());
        let cache = Cache::Build { peer: peer.name.clone() };
        (noted != found).then_some(Fact::CacheDamaged { cache, noted, found })
    }
}

/// The part of a unit's name that stands in the name of its folder, as the lab makes it.
fn file_name(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars().take(60).map(|c| if safe(c) { c } else { '_' }).collect()
}

/// The ports that texts name, each as `:PORT` or `port PORT`.
fn ports(texts: &[String]) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for text in texts {
        let starts = text.match_indices(':').map(|(at, _)| at + 1);
        let words = text.match_indices("port ").map(|(at, found)| at + found.len());
        for start in starts.chain(words) {
            let rest = text.get(start..).unwrap_or_default();
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            ports.extend(digits.parse::<u16>().ok().filter(|port| *port > 0));
        }
    }
    ports.into_iter().take(NAMED_MAX).collect()
}

/// The files and folders that texts name with their whole path.
fn paths(texts: &[String]) -> BTreeSet<PathBuf> {
    let border =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')' | ',' | ';');
    let words = texts.iter().flat_map(|text| text.split(border));
    let words = words.map(|word| word.trim_end_matches([':', '.']));
    let paths = words.filter(|word| word.starts_with('/')).map(PathBuf::from);
    let there = paths.filter(|path| path.symlink_metadata().is_ok_and(|data| !data.is_symlink()));
    there.take(NAMED_MAX).collect()
}

/// What listens on a TCP port of this machine: the names of its sockets, as `/proc/PID/fd` has them.
fn listening(port: u16) -> BTreeSet<String> {
    let mut sockets = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            // `sl local_address rem_address st .. inode`, where 0A is LISTEN.
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, "0A", ..] = fields.as_slice() else { continue };
            let found =
                local.rsplit_once(':').and_then(|(_, hex)| u16::from_str_radix(hex, 16).ok());
            if found == Some(port) {
                sockets.extend(fields.get(9).map(|inode| format!("socket:[{inode}]")));
            }
        }
    }
    sockets
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// When a process was started, in ticks of the kernel; nothing for one that is gone.
pub(crate) fn started_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold blanks and brackets; the 3rd field is the state, the 22nd the start.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let is_dead = matches!(fields.first(), Some(&("Z" | "X")));
    fields.get(19).filter(|_| !is_dead)?.parse().ok()
}

/// The folder of the unit that a process was started for, as its environment says.
pub(crate) fn marked_folder(pid: u32) -> Option<PathBuf> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let marker = format!("{UNIT_MARKER}=");
    let variables = environment.split(|byte| *byte == 0);
    let mut folders = variables.filter_map(|variable| variable.strip_prefix(marker.as_bytes()));
    folders.next().map(|folder| PathBuf::from(String::from_utf8_lossy(folder).into_owned()))
}

/// Whether who made a lock file lives: somebody has it locked, or the process whose number is in it is there.
pub(crate) fn holder_lives(path: &Path) -> io::Result<bool> {
    let file = File::options().read(true).open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(true),
        Err(error) => return Err(error.into()),
        Ok(()) => {}
    }
    let text = fs::read_to_string(path)?;
    let pid = text.split_whitespace().next().and_then(|word| word.parse::<u32>().ok());
    // Of a lock that names nobody nothing is known: it may be one that its maker never locks.
    Ok(pid.is_none_or(|pid| started_ticks(pid).is_some()))
}

/// Whether a store ends in the middle of something: a JSON file that does not end, a SQLite file shorter than its pages.
fn is_torn(path: &Path) -> io::Result<bool> {
    // The history has other ways to be whole, and others may have it open.
    let is_history =
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("history."));
    if is_history || !path.is_file() || fs::metadata(path)?.len() > STORE_LEN_MAX {
        return Ok(false);
    }
    let bytes = fs::read(path)?;
    let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    Ok(match kind.as_str() {
        "json" => serde_json::from_slice::<serde_json::Value>(&bytes).is_err(),
        "sqlite" | "db" => is_torn_sqlite(&bytes),
        _ => false,
    })
}

/// <https://sqlite.org/fileformat2.html#the_database_header>: 16 bytes of magic, the page size at 16, the number of pages at 28.
fn is_torn_sqlite(bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        return false;
    }
    let word = |at: usize, len: usize| {
        let bytes = bytes.get(at..at + len)?;
        Some(bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let (Some(size), Some(pages)) = (word(16, 2), word(28, 4)) else { return true };
    let size = if size == 1 { 65_536 } else { size };
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    !bytes.starts_with(b"SQLite format 3\0") || len < size.saturating_mul(pages)
}

fn size(folder: &Path) -> u64 {
    let (mut bytes, mut left) = (0_u64, COUNTED_MAX);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if left == 0 {
                return bytes;
            }
            left -= 1;
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => bytes = bytes.saturating_add(data.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn ports_and_paths_are_read_from_what_texts_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.lock");
        fs::write(&file, "1").unwrap();
        let texts = [
            "bind 127.0.0.1:4711: address already in use".to_owned(),
            format!("port 80 at 12:99999, the lock \"{}\": held; /not/there", file.display()),
        ];
        assert_eq!(ports(&texts), BTreeSet::from([80, 4711]));
        assert_eq!(paths(&texts), BTreeSet::from([file]));
    }

    /// What nobody here knows to be over is touched by nobody here: a unit under way, one of another handfast, a program of the run.
    #[test]
    fn a_folder_is_left_of_a_unit_that_is_over_only_where_that_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().join(".handfast/scratch");
        let noted = Noted {
            run: "own".to_owned(),
            scratch: scratch.clone(),
            wall: Wall::default(),
            build: Build::Skip,
            builds: Arc::default(),
            living: Mutex::new(BTreeSet::from([UnitId::new("beside[v=1] (a=x)")])),
            repaired: Mutex::default(),
        };
        for (run, pid) in [("alive", std::process::id()), ("dead", u32::MAX)] {
            fs::create_dir_all(scratch.join(run)).unwrap();
            fs::write(scratch.join(run).join("lock"), pid.to_string()).unwrap();
        }
        let unit = |name: &str| Owner::Unit { unit: UnitId::new(name) };
        let ended = |name: &str| Owner::Ended { unit: UnitId::new(name) };
        let own = UnitId::new("hit (a=x)");
        let check = |path: &Path, expected: Owner| assert_eq!(noted.owner(&own, path), expected);
        check(&scratch.join("own/3-hit__a_x_"), unit("hit (a=x)"));
        check(&scratch.join("own/4-beside_v_1___a_x_/b"), unit("beside[v=1] (a=x)"));
        check(&scratch.join("own/2-over/b/store"), ended("over"));
        check(&scratch.join("own/program-1"), Owner::Platform);
        check(&scratch.join("alive/2-over"), unit("over"));
        check(&scratch.join("dead/2-over"), ended("over"));
        check(&scratch.join("gone/2-over"), ended("over"));
        check(&scratch.join("lock"), Owner::Platform);
        check(&folder.path().join(".handfast/known-passes.json"), Owner::Platform);
        check(&folder.path().join("src/main.rs"), Owner::Stranger);
    }

    #[test]
    fn who_listens_on_a_port_is_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(listening(port).len(), 1);
        drop(socket);
        assert_eq!(listening(port), BTreeSet::new());
    }

    #[test]
    fn a_lock_is_held_while_its_maker_lives_or_has_it_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let check = |text: &str, expected: bool| {
            fs::write(&path, text).unwrap();
            assert_eq!(holder_lives(&path).unwrap(), expected, "{text}");
        };
        check(&std::process::id().to_string(), true);
        check("4294967295", false);
        check("", true);
        check("4294967295", false);
        let held = File::open(&path).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        assert!(holder_lives(&path).unwrap());
    }

    #[test]
    fn a_store_is_torn_where_it_ends_in_the_middle() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, bytes: &[u8], expected: bool| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            assert_eq!(is_torn(&path).unwrap(), expected, "{name}");
        };
        check("a.json", b"{\"x\":1}", false);
        check("b.json", b"{\"x\":", true);
        check("c.txt", b"{", false);
        let mut page = vec![0; 512];
        page[..16].copy_from_slice(b"SQLite format 3\0");
        page[16..18].copy_from_slice(&[2, 0]);
        page[31] = 1;
        check("d.db", &page, false);
        check("e.db", &page[..511], true);
        check("f.db", b"", false);
        check("history.db", &page[..511], false);
    }

    #[test]
    fn the_process_that_runs_this_has_a_start_and_one_that_is_not_there_has_none() {
        assert!(started_ticks(std::process::id()).is_some());
        assert_eq!(started_ticks(u32::MAX), None);
    }
}
