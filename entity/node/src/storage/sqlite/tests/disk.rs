//! A disk in memory that remembers in which order SQLite wrote, truncated, deleted and synced, and that can be built again
//! as a loss of power at any moment may leave it.
//!
//! What it assumes of a disk is what SQLite assumes: what was synced stays; of what was not, each sector of each write is
//! there, or not, or junk, whatever happened to the others; bytes beside a write are not touched. Names are durable with
//! their directory, which SQLite's own file system syncs at the first sync of a log that it made, and at no other time; the
//! log before the tables syncs it when it is opened.
//!
//! A process that dies takes nothing from a disk: what it had not synced is seen by the next one, and still lost when the power
//! fails then. So a disk whose power did not fail remembers everything that happened to it before.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use super::super::log::{LOG_NAME, LogFile, Wanted};
use rusqlite::{Connection, OpenFlags};
use sqlite_vfs::{DatabaseHandle, LockKind, OpenAccess, OpenOptions, Vfs, WalDisabled, register};

/// The unit that is written whole or not at all, in bytes.
pub(super) const SECTOR_LEN: usize = 512;

/// The name of the file system in SQLite.
const VFS: &str = "power";

/// Something that happened to a file.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Create,
    Write {
        offset: usize,
        data: Vec<u8>,
    },
    Truncate {
        len: usize,
    },
    Delete,
    Sync,
    /// The names of all files, as they are.
    SyncNames,
}

/// What happened, in order.
pub(super) type History = Vec<(String, Act)>;

type Files = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Default)]
struct State {
    files: Files,
    history: History,
}

/// One disk; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    /// Where it is mounted.
    mount: String,
    state: Arc<Mutex<State>>,
}

/// How what was not synced comes out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// All of it is there: the process died, the power did not fail.
    Kept,
    /// Nothing of it is there.
    Lost,
    /// Each sector as chance has it.
    Torn(u64),
}

impl Disk {
    /// Makes an empty one.
    pub(super) fn new() -> Self {
        Self::with(Files::new(), History::new())
    }

    /// Makes one with files that a loss of power cannot take.
    fn durable(files: Files) -> Self {
        let mut history = History::new();
        for (name, data) in &files {
            let write = Act::Write { offset: 0, data: data.clone() };
            history.extend([Act::Create, write, Act::Sync].map(|act| (name.clone(), act)));
        }
        history.push((String::new(), Act::SyncNames));
        Self::with(files, history)
    }

    fn with(files: Files, history: History) -> Self {
        let mut disks = lock(disks());
        let mount = format!("/{}/", disks.next);
        disks.next += 1;
        let state = Arc::new(Mutex::new(State { files, history }));
        disks.mounted.insert(mount.clone(), Arc::clone(&state));
        Self { mount, state }
    }

    /// A connection to the store on it.
    pub(super) fn connect(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = format!("{}entity.db", self.mount);
        Connection::open_with_flags_and_vfs(path, flags, VFS).unwrap()
    }

    pub(super) fn has_log(&self) -> bool {
        lock(&self.state).files.contains_key(LOG_NAME)
    }

    /// The log on it.
    pub(super) fn log(&self) -> impl FnOnce(Wanted) -> io::Result<Box<dyn LogFile>> + use<> {
        let state = Arc::clone(&self.state);
        move |wanted| {
            let exists = lock(&state).files.contains_key(LOG_NAME);
            let file = File::new(state, LOG_NAME.to_owned());
            match (exists, wanted) {
                (true, _) => {}
                (false, Wanted::Any) => file.note(Act::Create),
                (false, Wanted::There) => return Err(ErrorKind::NotFound.into()),
            }
            file.note(Act::Sync);
            file.note(Act::SyncNames);
            Ok(Box::new(file) as Box<dyn LogFile>)
        }
    }

    /// How much has happened to it.
    pub(super) fn moment(&self) -> usize {
        lock(&self.state).history.len()
    }

    /// What happened to it.
    pub(super) fn history(&self) -> History {
        lock(&self.state).history.clone()
    }

    /// The disk that is found when the power comes back, had it failed after all of `history`.
    pub(super) fn after_power_loss(history: &[(String, Act)], fate: Fate) -> Self {
        let mut dice = Dice(match fate {
            Fate::Torn(seed) => seed,
            Fate::Kept | Fate::Lost => 0,
        });
        let durable = durable(history);
        // Each file by its name and by how many of that name there were; and which of them the directory names.
        let (mut contents, mut made, mut directory) =
            (Files::new(), BTreeMap::new(), BTreeMap::new());
        for ((name, act), is_durable) in history.iter().zip(durable) {
            let number: &mut usize = made.entry(name).or_default();
            let happens = match fate {
                Fate::Kept => true,
                Fate::Lost => is_durable,
                Fate::Torn(_) => is_durable || dice.below(2) == 0,
            };
            match act {
                Act::Create => {
                    *number += 1;
                    if happens {
                        directory.insert(name, *number);
                    }
                }
                Act::Delete if happens => drop(directory.remove(name)),
                Act::Write { offset, data } if matches!(fate, Fate::Torn(_)) && !is_durable => {
                    let file = contents.entry(file_name(name, *number)).or_default();
                    write_torn(file, *offset, data, &mut dice);
                }
                Act::Write { .. } | Act::Truncate { .. } if happens => {
                    change(contents.entry(file_name(name, *number)).or_default(), act);
                }
                Act::Write { .. }
                | Act::Truncate { .. }
                | Act::Delete
                | Act::Sync
                | Act::SyncNames => {}
            }
        }
        let content = |(name, number): (&String, usize)| {
            (name.clone(), contents.remove(&file_name(name, number)).unwrap_or_default())
        };
        let files = directory.into_iter().map(content).collect();
        match fate {
            Fate::Kept => Self::with(files, history.to_vec()),
            Fate::Lost | Fate::Torn(_) => Self::durable(files),
        }
    }
}

fn file_name(name: &str, number: usize) -> String {
    format!("{name}#{number}")
}

/// Which acts a loss of power after all of them cannot undo.
fn durable(history: &[(String, Act)]) -> Vec<bool> {
    let mut durable = vec![false; history.len()];
    // What a sync of each file, and what one of the directory, makes durable.
    let mut waiting: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut names = Vec::new();
    for (moment, (name, act)) in history.iter().enumerate() {
        match act {
            Act::Create => names.push(moment),
            Act::Delete => {
                names.push(moment);
                // Nobody sees what is in it any more, unless its name comes back.
                waiting.remove(name.as_str());
            }
            Act::Write { .. } | Act::Truncate { .. } => {
                waiting.entry(name).or_default().push(moment);
            }
            Act::Sync => {
                for done in waiting.remove(name.as_str()).unwrap_or_default() {
                    durable[done] = true;
                }
            }
            Act::SyncNames => {
                for done in names.drain(..) {
                    durable[done] = true;
                }
            }
        }
    }
    durable
}

impl Drop for Disk {
    fn drop(&mut self) {
        lock(disks()).mounted.remove(&self.mount);
    }
}

/// Makes a change to a file that happens as a whole.
fn change(file: &mut Vec<u8>, act: &Act) {
    match act {
        Act::Write { offset, data } => write(file, *offset, data),
        Act::Truncate { len } => file.resize(*len, 0),
        Act::Create | Act::Delete | Act::Sync | Act::SyncNames => {}
    }
}

/// Writes what chance leaves of each sector.
fn write_torn(file: &mut Vec<u8>, offset: usize, data: &[u8], dice: &mut Dice) {
    let mut start = 0;
    while start < data.len() {
        // Sectors have their places on the disk, wherever a write begins.
        let len = (SECTOR_LEN - (offset + start) % SECTOR_LEN).min(data.len() - start);
        let sector = &data[start..start + len];
        match dice.below(5) {
            0 | 1 => write(file, offset + start, sector),
            2 => {
                let junk: Vec<u8> = sector.iter().map(|byte| byte ^ dice.byte()).collect();
                write(file, offset + start, &junk);
            }
            _ => {}
        }
        start += len;
    }
}

fn write(file: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if file.len() < offset + data.len() {
        file.resize(offset + data.len(), 0);
    }
    file[offset..offset + data.len()].copy_from_slice(data);
}

/// Chance from a seed: SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

#[derive(Default)]
struct Disks {
    next: u64,
    mounted: BTreeMap<String, Arc<Mutex<State>>>,
}

fn disks() -> &'static Mutex<Disks> {
    static DISKS: OnceLock<Mutex<Disks>> = OnceLock::new();
    DISKS.get_or_init(|| {
        register(VFS, Mounts, false).unwrap();
        Mutex::default()
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// The file system that SQLite sees: all disks that are mounted.
struct Mounts;

/// A file name split into its disk and its name there.
fn locate(path: &str) -> io::Result<(Arc<Mutex<State>>, String)> {
    let end = path.match_indices('/').nth(1).map(|(place, _)| place + 1);
    let (mount, name) = path.split_at(end.ok_or(ErrorKind::NotFound)?);
    let disk = lock(disks()).mounted.get(mount).cloned().ok_or(ErrorKind::NotFound)?;
    Ok((disk, name.to_owned()))
}

impl Vfs for Mounts {
    type Handle = File;

    fn open(&self, path: &str, options: OpenOptions) -> io::Result<File> {
        let (disk, name) = locate(path)?;
        let exists = lock(&disk).files.contains_key(&name);
        if !exists && matches!(options.access, OpenAccess::Read | OpenAccess::Write) {
            return Err(ErrorKind::NotFound.into());
        }
        let mut file = File::new(disk, name);
        if !exists {
            file.note(Act::Create);
            file.is_new_log = file.name != "entity.db";
        }
        Ok(file)
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        let (disk, name) = locate(path)?;
        if !lock(&disk).files.contains_key(&name) {
            return Err(ErrorKind::NotFound.into());
        }
        File::new(disk, name).note(Act::Delete);
        Ok(())
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        let (disk, name) = locate(path)?;
        // As with SQLite's own: an empty log is none.
        let exists = lock(&disk).files.get(&name).is_some_and(|file| !file.is_empty());
        Ok(exists)
    }

    fn temporary_name(&self) -> String {
        "/0/temporary".to_owned()
    }

    fn random(&self, buffer: &mut [i8]) {
        // The salts of the log; the same in every run.
        buffer.fill(7);
    }

    fn sleep(&self, duration: Duration) -> Duration {
        duration
    }
}

/// An open file.
pub(super) struct File {
    disk: Arc<Mutex<State>>,
    name: String,
    lock: LockKind,
    /// SQLite's own file system syncs the directory with its first sync.
    is_new_log: bool,
}

impl File {
    fn new(disk: Arc<Mutex<State>>, name: String) -> Self {
        Self { disk, name, lock: LockKind::None, is_new_log: false }
    }

    fn note(&self, act: Act) {
        let mut state = lock(&self.disk);
        match act {
            Act::Delete => drop(state.files.remove(&self.name)),
            Act::Create | Act::Write { .. } | Act::Truncate { .. } => {
                change(state.files.entry(self.name.clone()).or_default(), &act);
            }
            Act::Sync | Act::SyncNames => {}
        }
        state.history.push((self.name.clone(), act));
    }
}

impl LogFile for File {
    fn len(&self) -> io::Result<usize> {
        Ok(lock(&self.disk).files.get(&self.name).map_or(0, Vec::len))
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<()> {
        let state = lock(&self.disk);
        let file = state.files.get(&self.name).map_or(&[][..], Vec::as_slice);
        buffer.copy_from_slice(file.get(..buffer.len()).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&mut self, at: usize, data: &[u8]) -> io::Result<()> {
        self.note(Act::Write { offset: at, data: data.to_vec() });
        Ok(())
    }

    fn cut(&mut self, len: usize) -> io::Result<()> {
        self.note(Act::Truncate { len });
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.note(Act::Sync);
        Ok(())
    }

    fn remove(&mut self) -> io::Result<()> {
        self.note(Act::Delete);
        Ok(())
    }
}

impl DatabaseHandle for File {
    type WalIndex = WalDisabled;

    fn size(&self) -> io::Result<u64> {
        let len = lock(&self.disk).files.get(&self.name).map_or(0, Vec::len);
        Ok(u64::try_from(len).unwrap())
    }

    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = lock(&self.disk);
        let file = state.files.get(&self.name).map_or(&[][..], Vec::as_slice);
        let rest = file.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        // What lies beyond the end is read as zeros, and said to.
        buffer[len..].fill(0);
        if len < buffer.len() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn write_all_at(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.note(Act::Write { offset, data: data.to_vec() });
        Ok(())
    }

    fn sync(&mut self, _data_only: bool) -> io::Result<()> {
        self.note(Act::Sync);
        if mem::take(&mut self.is_new_log) {
            self.note(Act::SyncNames);
        }
        Ok(())
    }

    fn set_len(&mut self, size: u64) -> io::Result<()> {
        self.note(Act::Truncate { len: usize::try_from(size).unwrap() });
        Ok(())
    }

    fn lock(&mut self, lock: LockKind) -> io::Result<bool> {
        self.lock = lock;
        Ok(true)
    }

    fn reserved(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn current_lock(&self) -> io::Result<LockKind> {
        Ok(self.lock)
    }

    fn wal_index(&self, _readonly: bool) -> io::Result<WalDisabled> {
        Err(ErrorKind::Unsupported.into())
    }
}
