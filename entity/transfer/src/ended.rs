//! How the last transfers ended.

use std::collections::{BTreeMap, VecDeque};

use entity_crypto::identity::PeerId;
use entity_journal::Write;
use entity_wire::payload::chunk::TransferId;
use entity_wire::time::Timestamp;

use crate::config::Config;
use crate::record::{self, Kept};
use crate::vocabulary::View;

/// The last ends, so that a question about an ended transfer has an answer and nothing is received twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended {
    ends: BTreeMap<TransferId, (View, Timestamp)>,
    /// In the order in which they ended.
    order: VecDeque<TransferId>,
    of_peer: BTreeMap<PeerId, VecDeque<TransferId>>,
}

impl Ended {
    pub(crate) fn get(&self, id: TransferId) -> Option<&View> {
        self.ends.get(&id).map(|(view, _)| view)
    }

    /// In the order in which they ended.
    pub(crate) fn views(&self) -> impl Iterator<Item = &View> {
        self.order.iter().filter_map(|id| self.get(*id))
    }

    /// Remembers an end; what no longer has a place is forgotten.
    pub(crate) fn remember(
        &mut self,
        (view, at): (View, Timestamp),
        config: &Config,
        writes: &mut Vec<Write>,
    ) {
        let (id, peer) = (view.id, view.peer.clone());
        if self.ends.insert(id, (view, at)).is_none() {
            self.order.push_back(id);
            self.of_peer.entry(peer.clone()).or_default().push_back(id);
        }
        let own = self.of_peer.get(&peer);
        let own = own.filter(|ids| ids.len() > config.ended_per_peer_max);
        if let Some(oldest) = own.and_then(|ids| ids.front().copied()) {
            self.forget(oldest, writes);
        }
        if self.order.len() > config.ended_max
            && let Some(oldest) = self.order.front().copied()
        {
            self.forget(oldest, writes);
        }
    }

    /// Forgets what ended too long ago.
    pub(crate) fn expire(&mut self, config: &Config, writes: &mut Vec<Write>, now: Timestamp) {
        while let Some(oldest) = self.order.front().copied()
            && let Some((_, at)) = self.ends.get(&oldest)
            && now >= at.plus(config.ended_limit)
        {
            self.forget(oldest, writes);
        }
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn next_deadline(&self, config: &Config) -> Option<Timestamp> {
        let (_, at) = self.ends.get(self.order.front()?)?;
        Some(at.plus(config.ended_limit))
    }

    fn forget(&mut self, id: TransferId, writes: &mut Vec<Write>) {
        let Some((view, _)) = self.ends.remove(&id) else { return };
        self.order.retain(|other| *other != id);
        if let Some(ids) = self.of_peer.get_mut(&view.peer) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.of_peer.remove(&view.peer);
            }
        }
        writes.push(record::delete_ended(id));
    }
}

/// The record of an end.
pub(crate) fn kept(view: &View, at: Timestamp) -> Kept {
    Kept::Ended { view: view.clone(), at }
}
