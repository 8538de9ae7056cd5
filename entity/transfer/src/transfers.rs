//! All transfers of a node.

use std::collections::{BTreeMap, VecDeque};

use entity_crypto::identity::PeerId;
use entity_journal::{Record, Write};
use entity_wire::payload::chunk::{BreakReason, ChunkComplete, Ending, FILE, TransferId};
use entity_wire::time::Timestamp;
use thiserror::Error;

use crate::config::Config;
use crate::deadlines::Deadlines;
use crate::ended::{self, Ended};
use crate::incoming::Incoming;
use crate::outgoing::{Outgoing, Want};
use crate::record::{DamagedRecord, Kept, delete_open};
use crate::vocabulary::{Direction, Event, Io, Message, Output, Source, Standing, View};

mod receiving;
mod sending;

pub use receiving::may_be_chunked;

/// All transfers of a node, both ways.
///
/// The caller owes that messages came in a session of the peer they are said to be from. Outputs are carried out in
/// order, and after the writes of the same input are durable.
#[derive(Debug)]
pub struct Transfers {
    config: Config,
    outgoing: BTreeMap<TransferId, Outgoing>,
    incoming: BTreeMap<TransferId, Incoming>,
    ended: Ended,
    deadlines: Deadlines,
    outputs: VecDeque<Output>,
    writes: Vec<Write>,
}

/// There is no such open transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no open transfer has this id")]
pub struct CancelError;

impl Transfers {
    /// Makes a table without transfers.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            ended: Ended::default(),
            deadlines: Deadlines::default(),
            outputs: VecDeque::new(),
            writes: Vec::new(),
        }
    }

    /// Goes on with the transfers that were kept: records of [`crate::SPACE`].
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub fn restore(
        config: Config,
        records: impl IntoIterator<Item = Record>,
        now: Timestamp,
    ) -> Result<Self, DamagedRecord> {
        let mut transfers = Self::new(config);
        let mut ends = Vec::new();
        for record in records {
            match Kept::read(&record)? {
                Kept::Outgoing { id, offer, cut, offered_at } => {
                    let window = (transfers.config.window_max, now);
                    let mut outgoing = Outgoing::new(id, offer, cut, window);
                    outgoing.offered_at = offered_at;
                    transfers.outgoing.insert(id, outgoing);
                }
                Kept::Incoming { peer, init, durable, .. } => {
                    let id = init.transfer;
                    transfers.incoming.insert(id, Incoming::new(peer, init, &durable, now));
                    transfers.schedule(id);
                }
                Kept::Ended { view, at } => ends.push((view, at)),
            }
        }
        ends.sort_by_key(|(view, at)| (*at, view.id));
        for end in ends {
            transfers.ended.remember(end, &transfers.config, &mut transfers.writes);
        }
        let peers: Vec<PeerId> =
            transfers.outgoing.values().map(|outgoing| outgoing.offer.to.clone()).collect();
        for peer in peers {
            transfers.begin_waiting(&peer, now);
        }
        Ok(transfers)
    }

    /// Ends an open transfer, and tells the other side.
    ///
    /// # Errors
    ///
    /// There is none with this id.
    pub fn cancel(&mut self, id: TransferId, now: Timestamp) -> Result<(), CancelError> {
        if !self.outgoing.contains_key(&id) && !self.incoming.contains_key(&id) {
            return Err(CancelError);
        }
        self.break_off(id, BreakReason::Cancelled, now);
        Ok(())
    }

    /// Takes a `chunk_complete` of a peer.
    pub fn handle_complete(&mut self, from: &PeerId, complete: &ChunkComplete, now: Timestamp) {
        let id = complete.transfer;
        let is_ours = self.outgoing.get(&id).is_some_and(|outgoing| outgoing.offer.to == *from);
        let is_theirs = self.incoming.get(&id).is_some_and(|incoming| incoming.peer == *from);
        match complete.ending {
            Ending::Whole { sha256 } if is_ours => {
                let promised = self.outgoing.get(&id).map(|outgoing| outgoing.offer.sha256);
                let is_it = promised == Some(sha256);
                let mismatch = Standing::Failed(BreakReason::Mismatch);
                self.end(id, if is_it { Standing::Done } else { mismatch }, None, now);
            }
            Ending::Broken { reason } if is_ours => self.handle_refused(id, reason, now),
            Ending::Broken { reason } if is_theirs => {
                self.end(id, Standing::Failed(reason), None, now);
            }
            // Not known, of somebody else, or from the wrong side.
            Ending::Whole { .. } | Ending::Broken { .. } => {}
        }
    }

    /// Does what is due. Calling early is harmless.
    pub fn handle_deadline(&mut self, now: Timestamp) {
        while let Some(id) = self.deadlines.take_due(now) {
            let idle_since = match (self.outgoing.get(&id), self.incoming.get(&id)) {
                (Some(outgoing), _) => outgoing.progress_at(),
                (None, Some(incoming)) => incoming.heard_at(),
                (None, None) => continue,
            };
            if now >= idle_since.plus(self.config.idle_limit) {
                self.break_off(id, BreakReason::Expired, now);
                continue;
            }
            let mut wants = Vec::new();
            if let Some(outgoing) = self.outgoing.get_mut(&id) {
                outgoing.handle_deadline(&mut wants, now);
            } else if let Some(incoming) = self.incoming.get_mut(&id) {
                incoming.handle_deadline((&self.config, now), &mut wants);
            }
            self.want(id, wants);
        }
        self.ended.expire(&self.config, &mut self.writes, now);
    }

    /// When [`Self::handle_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let ended = self.ended.next_deadline(&self.config);
        [self.deadlines.next(), ended].into_iter().flatten().min()
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes what is to be kept, all of the last input together.
    pub fn take_writes(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.writes)
    }

    /// Every transfer: ended ones in the order of their end, then open ones by id.
    pub fn views(&self) -> impl Iterator<Item = View> {
        let outgoing = self.outgoing.values().map(view_of_outgoing);
        let incoming = self.incoming.values().map(view_of_incoming);
        self.ended.views().cloned().chain(outgoing).chain(incoming)
    }

    /// One transfer.
    pub fn view(&self, id: TransferId) -> Option<View> {
        let outgoing = self.outgoing.get(&id).map(view_of_outgoing);
        let open = outgoing.or_else(|| self.incoming.get(&id).map(view_of_incoming));
        open.or_else(|| self.ended.get(id).cloned())
    }

    /// The open transfers that are on their way in: what has something written that is still needed.
    pub fn incoming(&self) -> impl Iterator<Item = TransferId> {
        self.incoming.keys().copied()
    }

    /// The bounds.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Ends a transfer from this side, and tells the other.
    fn break_off(&mut self, id: TransferId, reason: BreakReason, now: Timestamp) {
        let Some(view) = self.view(id).filter(|view| view.standing == Standing::Open) else {
            return;
        };
        // One that never began is not known to the other side.
        if self.outgoing.get(&id).is_none_or(|outgoing| !outgoing.is_waiting()) {
            self.send_complete(&view.peer, id, Ending::Broken { reason });
        }
        self.end(id, Standing::Failed(reason), None, now);
    }

    /// Takes a transfer out of the open ones and remembers how it ended.
    fn end(&mut self, id: TransferId, standing: Standing, path: Option<String>, now: Timestamp) {
        let outgoing = self.outgoing.remove(&id);
        let incoming = self.incoming.remove(&id);
        self.deadlines.set(id, None);
        let open = outgoing.as_ref().map(view_of_outgoing);
        let Some(open) = open.or_else(|| incoming.as_ref().map(view_of_incoming)) else { return };
        let is_kept = outgoing.is_none_or(|outgoing| match outgoing.offer.source {
            Source::File { .. } => true,
            Source::Memory(_) => false,
        });
        let mut view = View { standing, ..open };
        if standing == Standing::Done {
            view.received = view.total_size;
        }
        if path.is_some() {
            view.path = path;
        }
        self.output(Output::Io(match view.direction {
            Direction::Outgoing => Io::Close { transfer: id },
            Direction::Incoming => Io::Discard { transfer: id },
        }));
        if is_kept {
            self.writes.push(delete_open(id));
            self.writes.extend(ended::kept(&view, now).write());
        }
        self.ended.remember((view.clone(), now), &self.config, &mut self.writes);
        let peer = view.peer.clone();
        self.output(Output::Event(match standing {
            Standing::Open | Standing::Done => Event::Done(view),
            Standing::Failed(_) => Event::Failed(view),
        }));
        self.begin_waiting(&peer, now);
    }

    fn send_complete(&mut self, to: &PeerId, id: TransferId, ending: Ending) {
        let message = Message::Complete(ChunkComplete { transfer: id, ending });
        self.output(Output::Send { to: to.clone(), transfer: id, message });
    }

    /// Passes on what a transfer wants, and notes when it is next due.
    fn want(&mut self, id: TransferId, wants: Vec<Want>) {
        self.schedule(id);
        let outgoing = self.outgoing.get(&id).map(|outgoing| &outgoing.offer.to);
        let peer = outgoing.or_else(|| self.incoming.get(&id).map(|incoming| &incoming.peer));
        let Some(peer) = peer.cloned() else { return };
        for want in wants {
            self.output(match want {
                Want::Io(io) => Output::Io(io),
                Want::Send(message) => Output::Send { to: peer.clone(), transfer: id, message },
            });
        }
    }

    fn schedule(&mut self, id: TransferId) {
        let idle_limit = self.config.idle_limit;
        let outgoing = self.outgoing.get(&id).map(|outgoing| {
            let due = outgoing.next_deadline();
            due.into_iter().chain([outgoing.progress_at().plus(idle_limit)]).min()
        });
        let incoming = self.incoming.get(&id).map(|incoming| {
            let due = incoming.next_deadline(&self.config);
            due.into_iter().chain([incoming.heard_at().plus(idle_limit)]).min()
        });
        self.deadlines.set(id, outgoing.or(incoming).flatten());
    }

    fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }
}

fn view_of_outgoing(outgoing: &Outgoing) -> View {
    let offer = &outgoing.offer;
    View {
        id: outgoing.id,
        peer: offer.to.clone(),
        direction: Direction::Outgoing,
        kind: offer.kind.clone(),
        name: offer.name.clone(),
        total_size: offer.total_size,
        received: outgoing.acked_bytes(),
        sha256: offer.sha256,
        path: match &offer.source {
            Source::File { path, .. } => Some(path.clone()),
            Source::Memory(_) => None,
        },
        standing: Standing::Open,
    }
}

fn view_of_incoming(incoming: &Incoming) -> View {
    let init = &incoming.init;
    View {
        id: init.transfer,
        peer: incoming.peer.clone(),
        direction: Direction::Incoming,
        kind: init.kind.clone(),
        name: init.name.clone(),
        total_size: init.cut.total_size(),
        received: incoming.received_bytes(),
        sha256: init.sha256,
        path: None,
        standing: Standing::Open,
    }
}

/// Whether something is a file and no message.
fn is_file(kind: &str) -> bool {
    kind == FILE
}

#[cfg(test)]
mod tests;
