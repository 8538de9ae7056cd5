//! When a session has to be kept, and how it comes back.

use entity_journal::Write;
use entity_wire::id::{Generation, MessageNumber};
use entity_wire::time::Timestamp;

use std::collections::BTreeSet;

use super::{Framing, Renewing, Session, SessionLimits, Use};
use crate::v1_1::channels::Channels;
use crate::v1_1::numbers::{COMMIT_LAG_MAX, Incoming, Outgoing};
use crate::v1_1::record::Essence;

/// Which part of the idle limit the kept time of the last authenticated message may be stale: a twelfth (300 s of an hour), a
/// guess. After a restart the idle limit may come so much too early.
const HEARD_LAG_PART: u32 = 12;

/// What was kept last.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    is_asked: bool,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    version: u64,
    reserved: u64,
    handled: u64,
    heard_at: Timestamp,
}

impl Keeping {
    /// Asks for the session to be kept as it is when the input at hand has been dealt with.
    pub(super) const fn commit(&mut self) {
        self.is_asked = true;
    }

    /// Takes note that nothing is kept any more; says whether anything was.
    pub(super) fn forget(&mut self) -> bool {
        self.last.take().is_some()
    }
}

impl Session {
    /// Goes on where an earlier run of this side left off, without keys. `kept` are the numbers of durable messages that
    /// will be sent again.
    pub(in crate::v1_1) fn restore(
        essence: Essence,
        kept: &BTreeSet<MessageNumber>,
        now: Timestamp,
    ) -> Self {
        let numbers = (essence.reserved, essence.acked);
        let framing = Framing::agreed_in(&essence.capabilities);
        let mut session = Self {
            id: essence.id,
            role: essence.role,
            peer: essence.peer,
            peer_key: essence.peer_key,
            capabilities: essence.capabilities,
            ready_at: essence.ready_at,
            heard_at: essence.heard_at,
            limits: SessionLimits::default(),
            use_: Use::Both,
            channels: Channels::none(),
            secrets: essence.secrets,
            renewing: Renewing::new(now),
            resumed_at: Generation::ZERO,
            outgoing: Outgoing::restore(numbers, kept, now),
            incoming: Incoming::restore(essence.handled),
            keeping: Keeping::default(),
            framing,
        };
        session.keeping.last = Some(session.last());
        session
    }

    /// What has to be kept before anything that the input at hand has brought about leaves; nothing where what was kept
    /// last is as good.
    pub(in crate::v1_1) fn take_write(&mut self) -> Option<Write> {
        if self.is_retired() || !self.is_write_due() {
            return None;
        }
        self.keeping = Keeping { is_asked: false, last: Some(self.last()) };
        Some(self.essence().put())
    }

    /// Says that this run gives out no more numbers, and has everything kept exactly.
    pub(in crate::v1_1) const fn close_books(&mut self) {
        self.outgoing.close_books();
        self.keeping.commit();
    }

    /// Whether there is anything of this session to be forgotten.
    pub(in crate::v1_1) const fn is_kept(&self) -> bool {
        self.keeping.last.is_some()
    }

    fn is_write_due(&self) -> bool {
        let Some(last) = &self.keeping.last else { return true };
        self.keeping.is_asked
            || self.secrets.version() != last.version
            || self.outgoing.reserved() != last.reserved
            || self.incoming.handled() >= last.handled + COMMIT_LAG_MAX
            || self.heard_at >= last.heard_at.plus(self.limits.idle() / HEARD_LAG_PART)
    }

    fn last(&self) -> Last {
        Last {
            version: self.secrets.version(),
            reserved: self.outgoing.reserved(),
            handled: self.incoming.handled(),
            heard_at: self.heard_at,
        }
    }

    fn essence(&self) -> Essence {
        Essence {
            id: self.id,
            role: self.role,
            peer: self.peer.clone(),
            peer_key: self.peer_key,
            capabilities: self.capabilities.clone(),
            ready_at: self.ready_at,
            heard_at: self.heard_at,
            secrets: self.secrets.clone(),
            reserved: self.outgoing.reserved(),
            acked: self.outgoing.acked(),
            handled: self.incoming.handled(),
        }
    }
}
