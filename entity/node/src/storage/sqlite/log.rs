//! The log before the tables: what is durable and not in them yet.
//!
//! A group of batches is one entry at the end of a file whose room is there already, and one sync of its data. When the log is
//! long, or somebody wants to read, all of it goes into the tables in one transaction, which notes the log's generation; the next
//! entry begins at the front again, one generation on. So an entry counts if it follows one that counts, is whole, and is of the
//! generation after the one that the tables have.
//!
//! ```text
//! entry    "EnLg" | generation 8 | length of the writes 4 | mark 8 | digest 16 | writes
//! write    1 put state, 2 put archive, 3 delete state, 4 delete archive | length 1, space | length 4, key | length 4, value (of a put)
//! ```
//!
//! Numbers are big-endian. The mark is the beginning of the HMAC-SHA256 of what is before it, the digest that of the entry with
//! zeros in its place, both with the store's own key. Behind the end lie the bytes of older entries, and in them whatever
//! strangers had kept: without the key nobody can write something that is taken for an entry once the end comes to lie before it.

use std::fmt;
use std::io::{self, BufRead as _};

use entity_crypto::derivation::hmac_sha256;
use entity_crypto::encoding::{hex_decode_array, hex_encode};
use entity_journal::{Retention, Write};
use zeroize::Zeroizing;

/// The name of the file beside the store.
pub const LOG_NAME: &str = "entity.db-log";

/// Bytes from which the log is brought into the tables. Measured: a group of that size writes the pages that payments share once, and takes no longer
/// than who waits for the next group hardly notices.
pub(super) const LEN_MAX: usize = 4 * 1024 * 1024;

/// The room that stays: of the group that reaches [`LEN_MAX`] as much as is usual, so that the file is not cut and grown each time.
const ROOM_MAX: usize = 2 * LEN_MAX;

/// The room of the file grows by so many bytes at a time: a sync of data alone needs room that is there.
const ROOM_STEP: usize = 256 * 1024;

const MAGIC: &[u8; 4] = b"EnLg";
const MARK_AT: usize = 16;
const MARK_LEN: usize = 8;
const DIGEST_AT: usize = MARK_AT + MARK_LEN;
const DIGEST_LEN: usize = 16;
const HEAD_LEN: usize = DIGEST_AT + DIGEST_LEN;

/// Whether a log has to be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It is made where there is none.
    Any,
    /// There is one: it may hold what the tables have not.
    There,
}

/// The file under a log.
pub(super) trait LogFile: Send {
    /// Its length in bytes.
    fn len(&self) -> io::Result<usize>;
    /// Reads from the front, as many bytes as there is room for.
    fn read(&self, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes at a place.
    fn write(&mut self, at: usize, data: &[u8]) -> io::Result<()>;
    /// Cuts it.
    fn cut(&mut self, len: usize) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Takes it away.
    fn remove(&mut self) -> io::Result<()>;
}

/// What the entries of a store are marked with: secret random bytes, noted in its tables.
pub(super) struct LogKey(Zeroizing<[u8; 32]>);

impl LogKey {
    /// Takes random bytes.
    pub(super) fn new(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// Reads what [`LogKey::to_hex`] gives.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        hex_decode_array(text).ok().map(Self::new)
    }

    /// As the tables have it.
    pub(super) fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex_encode(&*self.0))
    }

    fn mark(&self, head: &[u8]) -> [u8; MARK_LEN] {
        first(&hmac_sha256(&*self.0, head))
    }

    fn digest(&self, entry: &[u8]) -> [u8; DIGEST_LEN] {
        first(&hmac_sha256(&*self.0, entry))
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LogKey(..)")
    }
}

/// A log that is open.
pub(super) struct Log {
    file: Box<dyn LogFile>,
    key: LogKey,
    generation: u64,
    /// Where the next entry goes.
    end: usize,
    /// The length of the file.
    room: usize,
    entry: Vec<u8>,
}

/// Why a log cannot be brought into the tables.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnfitLog {
    /// The tables are older than what it begins with.
    #[error("it goes on from a later moment")]
    Ahead,
    /// It is damaged from this byte on, and goes on behind the damage. An entry is written when the one before is durable, so a
    /// loss of power leaves no such log.
    #[error("it is damaged at byte {at}")]
    Damaged { at: usize },
    /// It cannot be read.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A write as the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Logged<'a> {
    pub(super) retention: Retention,
    pub(super) space: &'a str,
    pub(super) key: &'a [u8],
    /// `None` takes the record away.
    pub(super) value: Option<&'a [u8]>,
}

impl Log {
    /// Opens a log before tables that have everything up to `generation`.
    pub(super) fn open(
        file: Box<dyn LogFile>,
        key: LogKey,
        generation: u64,
    ) -> Result<Self, UnfitLog> {
        let room = file.len()?;
        let mut bytes = vec![0; room];
        file.read(&mut bytes)?;
        let generation = generation + 1;
        if entry_at_front(&bytes, &key).is_some_and(|entry| entry.generation > generation) {
            return Err(UnfitLog::Ahead);
        }
        let end = whole(&bytes, &key, generation);
        let behind = bytes.get(end + 1..).unwrap_or_default();
        if has_entry(behind, &key, generation) {
            return Err(UnfitLog::Damaged { at: end });
        }
        Ok(Self { file, key, generation, end, room, entry: Vec::new() })
    }

    /// The generation of its entries.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// How many bytes wait for the tables.
    pub(super) fn len(&self) -> usize {
        self.end
    }

    /// Appends writes as one entry. On return it survives a loss of power.
    pub(super) fn append<'a>(
        &mut self,
        writes: impl IntoIterator<Item = &'a Write>,
    ) -> io::Result<()> {
        self.entry.clear();
        encode(&mut self.entry, &self.key, self.generation, writes)?;
        let end = self.end + self.entry.len();
        if end > self.room {
            let room = end.next_multiple_of(ROOM_STEP);
            self.file.write(self.room, &vec![0; room - self.room])?;
            self.room = room;
        }
        self.file.write(self.end, &self.entry)?;
        self.file.sync()?;
        self.end = end;
        Ok(())
    }

    /// Everything that waits for the tables.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.end];
        self.file.read(&mut bytes)?;
        Ok(bytes)
    }

    /// The tables have everything: begins at the front again.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.generation += 1;
        self.end = 0;
        if self.room > ROOM_MAX {
            self.file.cut(LEN_MAX)?;
            self.room = LEN_MAX;
        }
        // A large entry was an exception.
        if self.entry.capacity() > LEN_MAX {
            self.entry = Vec::new();
        }
        Ok(())
    }

    /// Takes the file away: the tables have everything.
    pub(super) fn remove(&mut self) -> io::Result<()> {
        self.file.remove()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Log").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// Writes one entry behind what `out`, which is empty, has.
fn encode<'a>(
    out: &mut Vec<u8>,
    key: &LogKey,
    generation: u64,
    writes: impl IntoIterator<Item = &'a Write>,
) -> io::Result<()> {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&generation.to_be_bytes());
    out.extend_from_slice(&[0; HEAD_LEN - 12]);
    for write in writes {
        let (space, name) = write.place();
        let (kind, value) = match (write, space.retention()) {
            (Write::Put { value, .. }, Retention::State) => (1, Some(value)),
            (Write::Put { value, .. }, Retention::Archive) => (2, Some(value)),
            (Write::Delete { .. }, Retention::State) => (3, None),
            (Write::Delete { .. }, Retention::Archive) => (4, None),
        };
        out.push(kind);
        out.push(u8::try_from(space.name().len()).map_err(too_large)?);
        out.extend_from_slice(space.name().as_bytes());
        put_bytes(out, name)?;
        if let Some(value) = value {
            put_bytes(out, value)?;
        }
    }
    let len = u32::try_from(out.len() - HEAD_LEN).map_err(too_large)?;
    out[12..MARK_AT].copy_from_slice(&len.to_be_bytes());
    let mark = key.mark(&out[..MARK_AT]);
    out[MARK_AT..DIGEST_AT].copy_from_slice(&mark);
    let digest = key.digest(out);
    out[DIGEST_AT..HEAD_LEN].copy_from_slice(&digest);
    Ok(())
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    let len = u32::try_from(bytes.len()).map_err(too_large)?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

fn too_large(_: std::num::TryFromIntError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a record is too large for the log")
}

/// How many bytes at the front are whole entries of a generation.
fn whole(bytes: &[u8], key: &LogKey, generation: u64) -> usize {
    let mut end = 0;
    while let Some(entry) = bytes.get(end..).and_then(|rest| entry_at_front(rest, key))
        && entry.generation == generation
    {
        end += entry.len;
    }
    end
}

/// Whether there is a whole entry of a generation anywhere.
fn has_entry(bytes: &[u8], key: &LogKey, generation: u64) -> bool {
    let front: Vec<u8> = [&MAGIC[..], &generation.to_be_bytes()].concat();
    let mut rest = bytes;
    while let Ok(1..) = rest.skip_until(MAGIC[0]) {
        let from = bytes.len() - rest.len() - 1;
        let there = bytes.get(from..).filter(|there| there.starts_with(&front));
        if there.and_then(|there| entry_at_front(there, key)).is_some() {
            return true;
        }
    }
    false
}

/// An entry that is whole.
struct Entry {
    generation: u64,
    len: usize,
}

/// The entry at the front, if there is a whole one.
fn entry_at_front(bytes: &[u8], key: &LogKey) -> Option<Entry> {
    let head = bytes.first_chunk::<HEAD_LEN>()?;
    let (magic, rest) = head.split_first_chunk::<4>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (mark, digest) = rest.split_first_chunk::<MARK_LEN>()?;
    // The mark comes first: where others chose the bytes, no long digest is made for them.
    if magic != MAGIC || *mark != key.mark(&head[..MARK_AT]) {
        return None;
    }
    let len = HEAD_LEN + usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let mut entry = bytes.get(..len)?.to_vec();
    entry.get_mut(DIGEST_AT..HEAD_LEN)?.fill(0);
    let generation = u64::from_be_bytes(*generation);
    (key.digest(&entry) == digest).then_some(Entry { generation, len })
}

/// The writes of whole entries, in order; `None` for bytes that are none.
pub(super) fn writes(mut bytes: &[u8]) -> Option<Vec<Logged<'_>>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>()?;
        let (_, rest_of_head) = head.split_first_chunk::<12>()?;
        let (len, _) = rest_of_head.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
        let (mut entry, behind) = rest.split_at_checked(len)?;
        while let Some((kind, rest)) = entry.split_first() {
            let (space_len, rest) = rest.split_first()?;
            let (space, rest) = rest.split_at_checked(usize::from(*space_len))?;
            let (key, rest) = take_bytes(rest)?;
            let (value, rest) = match kind {
                1 | 2 => take_bytes(rest).map(|(value, rest)| (Some(value), rest))?,
                3 | 4 => (None, rest),
                _ => return None,
            };
            let retention = if kind % 2 == 1 { Retention::State } else { Retention::Archive };
            all.push(Logged { retention, space: std::str::from_utf8(space).ok()?, key, value });
            entry = rest;
        }
        bytes = behind;
    }
    Some(all)
}

fn first<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    let mut first = [0; N];
    first.copy_from_slice(&digest[..N]);
    first
}

fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

/// The last write to each record, in the order of the records: that is the order of the tables, which then are gone through once.
pub(super) fn last_of_each<'a>(mut all: Vec<Logged<'a>>) -> Vec<Logged<'a>> {
    // The sort keeps the order of those that are about one record.
    all.sort_by(|a, b| a.place().cmp(&b.place()));
    let mut last: Vec<Logged<'a>> = Vec::with_capacity(all.len());
    for write in all {
        match last.last_mut() {
            Some(held) if held.place() == write.place() => *held = write,
            Some(_) | None => last.push(write),
        }
    }
    last
}

impl<'a> Logged<'a> {
    fn place(&self) -> (Retention, &'a str, &'a [u8]) {
        (self.retention, self.space, self.key)
    }
}

#[cfg(test)]
mod tests;
