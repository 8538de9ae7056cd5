//! Two tables, a wire and two disks between them, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use entity_crypto::derivation::sha256;
use entity_journal::{Batch, Journal, MemoryJournal};
use entity_wire::json::Object;
use entity_wire::payload::chunk::{
    ChunkAck, ChunkHead, ChunkInit, ChunkResend, Cut, Piece, Ranges,
};
use proptest::prelude::*;

use super::*;
use crate::prefix::PrefixDigest;
use crate::record::SPACE;
use crate::vocabulary::{FinishOutcome, Keep, Offer, OfferError, ReadFailure, WriteOutcome};

mod bounds;
mod hostile;
mod pair;

fn id(byte: u8) -> TransferId {
    TransferId::from_random([byte; 16])
}

fn peer(name: &str) -> PeerId {
    name.parse().unwrap()
}

fn start() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

fn after(duration: Duration) -> Timestamp {
    start().plus(duration)
}

fn small() -> Config {
    Config { chunk_size: 1_024, sync_bytes: 16 << 10, ..Config::default() }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|byte| u8::try_from(byte % 251).unwrap()).collect()
}

fn file_offer(to: &str, data: &[u8]) -> Offer {
    Offer {
        to: peer(to),
        kind: FILE.to_owned(),
        name: Some("data.bin".parse().unwrap()),
        source: Source::File { path: "/data.bin".to_owned(), modified_us: 7 },
        total_size: data.len() as u64,
        sha256: sha256(data),
    }
}

fn init_of(byte: u8, data: &[u8]) -> ChunkInit {
    ChunkInit {
        transfer: id(byte),
        cut: Cut::new(data.len() as u64, 1_024).unwrap(),
        sha256: sha256(data),
        kind: FILE.to_owned(),
        name: None,
    }
}

fn outputs(transfers: &mut Transfers) -> Vec<Output> {
    transfers.take_writes();
    std::iter::from_fn(|| transfers.poll_output()).collect()
}

/// What was sent, in short.
fn sent(outputs: &[Output]) -> Vec<String> {
    let told = outputs.iter().filter_map(|output| match output {
        Output::Send { message, .. } => Some(told(message)),
        Output::Io(_) | Output::Event(_) => None,
    });
    told.collect()
}

fn told(message: &Message) -> String {
    match message {
        Message::Init(_) => "init".to_owned(),
        Message::Chunk { index, .. } => format!("chunk {index}"),
        Message::Ack(ack) => format!("ack {:?}", ack.received.as_slice()),
        Message::Resend(resend) => format!("resend {:?}", resend.ranges.as_slice()),
        Message::Complete(complete) => match complete.ending {
            Ending::Whole { .. } => "whole".to_owned(),
            Ending::Broken { reason } => format!("broken {reason}"),
        },
    }
}

fn chunk_of(byte: u8, index: u32, data: &[u8]) -> (ChunkHead, std::sync::Arc<Object>) {
    let object = Piece::new(data).into_object(id(byte), index);
    (ChunkHead::from_object(&object).unwrap(), std::sync::Arc::new(object))
}
