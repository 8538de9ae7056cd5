//! What passed the switch, as a pcapng file (draft-ietf-opsawg-pcapng): one interface a port, raw IP, nanoseconds.
//!
//! A packet stands in it when a port sent it (direction *inbound*) and once for each copy that was delivered (*outbound*, at the
//! interface of whom it is for). A comment says what was done to it. A thread of its own writes, so that no disk makes packets late:
//! what it does not keep up with, and what exceeds the limit of the file, is counted and said in the file's statistics.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};

/// What came of a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// Packets in the file.
    pub packets: u64,
    /// Packets that are not in it: too fast for the disk, or beyond the limit of the file.
    pub missed: u64,
    /// Why writing ended early, if it did.
    pub error: Option<String>,
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A port sent it.
    In,
    /// It was delivered to a port.
    Out,
}

/// A capture that goes on.
#[derive(Debug)]
pub(super) struct Capture {
    batch: Batch,
    full: SyncSender<Batch>,
    spare: Receiver<Batch>,
    missed: u64,
    writer: JoinHandle<Captured>,
}

/// Packets that go to the writer together.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    notes: Vec<Note>,
}

#[derive(Clone, Copy, Debug)]
struct Note {
    at_ns: u64,
    port: u32,
    way: Way,
    length: usize,
    comment: Option<&'static str>,
}

impl Capture {
    /// Makes the file and begins. `unix_ns` is what has to be added to the switch's clock to get the time since the Unix epoch.
    ///
    /// # Errors
    ///
    /// The file cannot be made, or the system has no thread left.
    pub(super) fn start(path: &Path, ports: &[String], unix_ns: u64) -> io::Result<Self> {
        let limit = Limited { file: BufWriter::new(File::create(path)?), left: FILE_BYTES_MAX };
        let mut writer = Writer::new(limit, ports, unix_ns).map_err(plain)?;
        let (full, batches) = sync_channel::<Batch>(BATCHES_MAX);
        let (back, spare) = sync_channel(BATCHES_MAX);
        let thread = std::thread::Builder::new().name("capture".to_owned()).spawn(move || {
            for mut batch in batches {
                writer.write(&batch);
                batch.clear();
                // Where nobody takes it back, it is dropped.
                back.try_send(batch).unwrap_or_default();
            }
            writer.finish()
        })?;
        Ok(Self { batch: Batch::default(), full, spare, missed: 0, writer: thread })
    }

    /// Notes a packet.
    pub(super) fn note(
        &mut self,
        at_ns: u64,
        port: usize,
        way: Way,
        bytes: &[u8],
        comment: Option<&'static str>,
    ) {
        let port = u32::try_from(port).unwrap_or(u32::MAX);
        self.batch.bytes.extend_from_slice(bytes);
        self.batch.notes.push(Note { at_ns, port, way, length: bytes.len(), comment });
        let first_ns = self.batch.notes.first().map_or(at_ns, |note| note.at_ns);
        if self.batch.bytes.len() >= BATCH_BYTES || at_ns.saturating_sub(first_ns) >= BATCH_AGE_NS {
            self.hand_over();
        }
    }

    /// Gives what was noted to the writer.
    pub(super) fn hand_over(&mut self) {
        if self.batch.notes.is_empty() {
            return;
        }
        let next = self.spare.try_recv().unwrap_or_default();
        let full = std::mem::replace(&mut self.batch, next);
        match self.full.try_send(full) {
            Ok(()) => {}
            Err(TrySendError::Full(mut batch) | TrySendError::Disconnected(mut batch)) => {
                self.missed += batch.notes.len() as u64;
                batch.clear();
                self.batch = batch;
            }
        }
    }

    /// Writes the rest and ends.
    pub(super) fn finish(mut self) -> Captured {
        self.hand_over();
        drop(self.full);
        let mut captured = self.writer.join().unwrap_or_else(|_| Captured {
            error: Some("the writer of the capture panicked".to_owned()),
            ..Captured::default()
        });
        captured.missed += self.missed;
        captured
    }
}

impl Batch {
    fn clear(&mut self) {
        self.bytes.clear();
        self.notes.clear();
    }
}

/// The file.
struct Writer<W: Write> {
    file: PcapNgWriter<Limited<W>>,
    ports: u32,
    unix_ns: u64,
    last_ns: u64,
    captured: Captured,
}

impl<W: Write> Writer<W> {
    fn new(file: Limited<W>, ports: &[String], unix_ns: u64) -> Result<Self, PcapError> {
        let program = Cow::Borrowed("handfast: the switch of the lab");
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![SectionHeaderOption::UserApplication(program)],
            ..SectionHeaderBlock::default()
        };
        let mut file = PcapNgWriter::with_section_header(file, section)?;
        for port in ports {
            file.write_pcapng_block(InterfaceDescriptionBlock {
                linktype: DataLink::RAW,
                snaplen: 0,
                options: vec![
                    InterfaceDescriptionOption::IfName(Cow::Owned(port.clone())),
                    InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
                ],
            })?;
        }
        let ports = u32::try_from(ports.len()).unwrap_or(u32::MAX);
        Ok(Self { file, ports, unix_ns, last_ns: 0, captured: Captured::default() })
    }

    fn write(&mut self, batch: &Batch) {
        let mut bytes = batch.bytes.as_slice();
        for note in &batch.notes {
            let (packet, rest) = bytes.split_at(note.length);
            bytes = rest;
            let fits = self.file.get_ref().left >= packet.len() as u64 + BLOCK_OVERHEAD;
            if self.captured.error.is_some() || !fits {
                self.captured.missed += 1;
                continue;
            }
            match self.packet(note, packet) {
                Ok(()) => self.captured.packets += 1,
                Err(error) => {
                    self.captured.missed += 1;
                    self.captured.error = Some(error.to_string());
                }
            }
        }
    }

    fn packet(&mut self, note: &Note, packet: &[u8]) -> Result<(), PcapError> {
        self.last_ns = self.unix_ns.saturating_add(note.at_ns);
        let direction = match note.way {
            Way::In => INBOUND,
            Way::Out => OUTBOUND,
        };
        let mut options = vec![EnhancedPacketOption::Flags(direction)];
        if let Some(comment) = note.comment {
            options.push(EnhancedPacketOption::Comment(Cow::Borrowed(comment)));
        }
        let block = EnhancedPacketBlock {
            interface_id: note.port,
            timestamp: Duration::from_nanos(self.last_ns),
            original_len: u32::try_from(packet.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(packet),
            options,
        };
        self.file.write_pcapng_block(block).map(drop)
    }

    fn finish(mut self) -> Captured {
        if self.captured.missed > 0 {
            for interface_id in 0..self.ports {
                let options = vec![InterfaceStatisticsOption::IsbIfDrop(self.captured.missed)];
                let block =
                    InterfaceStatisticsBlock { interface_id, timestamp: self.last_ns, options };
                // The report says the same.
                drop(self.file.write_pcapng_block(block));
            }
        }
        if let Err(error) = self.file.into_inner().file.flush() {
            self.captured.error.get_or_insert(error.to_string());
        }
        self.captured
    }
}

/// A file with an end.
struct Limited<W> {
    file: W,
    left: u64,
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.left = self.left.saturating_sub(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn plain(error: PcapError) -> io::Error {
    if let PcapError::IoError(error) = error { error } else { io::Error::other(error) }
}

/// The file ends at 256 MiB: 170,000 packets of 1,500 bytes, a minute of a link of 30 Mbit/s.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// What a block has beside the packet, at most: header, trailer, padding, flags and a comment.
const BLOCK_OVERHEAD: u64 = 128;

/// A batch goes to the writer when it has so many bytes, or its first packet is so old; so many wait at most, 8 MiB.
const BATCH_BYTES: usize = 64 << 10;
const BATCH_AGE_NS: u64 = 100_000_000;
const BATCHES_MAX: usize = 128;

/// `if_tsresol`: ten to the power of minus nine.
const NANOSECONDS: u8 = 9;

/// `epb_flags`: bits 0 and 1.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
