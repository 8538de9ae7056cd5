//! Whose turn it is: hosts among each other, and within a host the accounts on it. Pure; work is counted in nanoseconds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::fair::Queue;
use crate::host::Host;

/// Whose work it is: a host, and on it the peer that has proved who it is, or nobody yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    pub(super) host: Host,
    pub(super) account: Option<Arc<str>>,
}

/// Names one who waits.
pub(super) type Ticket = u64;

/// A turn that somebody has.
#[derive(Debug)]
pub(super) struct Turn {
    flow: Flow,
    charged: [u64; 2],
    /// A known peer has it that asked for no more meanwhile.
    is_patient: bool,
    /// It is the last that there was.
    is_last: bool,
    /// Patient peers were about when it began.
    were_about: bool,
    begun: Duration,
}

/// So long after two flows were heard of beside each other they are in each other's way, and their pieces of work are small.
/// Guessed: some round trips.
const CONTENTION: Duration = Duration::from_millis(100);

/// Of two and more turns one is kept from one flow for so many times what it and the other made of a turn last: who comes back
/// later loses little by waiting for the end of a piece of work, and would keep much more than it wants from who has much to do.
const RESERVED_PART: u32 = 8;

/// While patient peers are about, all others together have one part in so many of the last turn's time.
///
/// Equal parts would be the half of it, beside one patient peer. But whoever waits for an answer before it goes on leaves the turn
/// free each time, and whoever sends ahead takes it: what is lost that way is given back here.
pub(super) const OTHERS_PART: u32 = 8;

/// At most so long after its last turn a patient peer is about. Less where the pieces of work of others are small: who comes back
/// after [`OTHERS_PART`] of them loses no more by waiting for the end of one than by having them put off.
const ABOUT_MAX: Duration = Duration::from_millis(20);

/// The last turn is kept free for patient peers for no more than so many times what they have used. Whoever asks for little and
/// seldom would keep others from it for as much as an honest peer otherwise, and pay nothing. Guessed: an honest peer takes less
/// than that between an answer and its next message.
pub(super) const PATIENCE: u32 = 16;

/// Others may have saved up what is theirs of so much time: their pieces of work may be small beside those of patient peers, and
/// between two of these is time for one.
const CREDIT: Duration = Duration::from_micros(800);

/// Hosts that want nothing and are remembered for what their accounts have had.
pub(super) const RESTING_MAX: usize = 64;

/// Those who work, and those who wait for it.
#[derive(Debug)]
pub(super) struct Book {
    turns_max: usize,
    hosts: Queue<Host>,
    on_host: BTreeMap<Host, OnHost>,
    /// Hosts of which nobody wanted anything at some time since they were noted here.
    resting: VecDeque<Host>,
    running: usize,
    waiting: usize,
    last: Option<Flow>,
    contended_until: Duration,
    /// Until when one of several turns is kept for others: from flows, then from hosts.
    reserved_until: [Duration; 2],
    /// Who had a turn last and who before, and what they made of it.
    made: [Option<(Flow, Duration)>; 2],
    /// Those who wait and are patient.
    patient: BTreeSet<Flow>,
    /// When those who are not patient may have the last turn again while patient peers are about, and who they are.
    held_until: Duration,
    /// When a patient peer had its last turn.
    seen: Option<Duration>,
    /// For how long the last turn may be kept free for them: what they have used, [`PATIENCE`] times, and no more of it than
    /// [`ABOUT_MAX`].
    patience: Duration,
    /// What those who are not patient made of the last turn last.
    piece: Duration,
}

#[derive(Debug, Default)]
struct OnHost {
    accounts: Queue<Option<Arc<str>>>,
    lines: BTreeMap<Option<Arc<str>>, Line>,
    running: usize,
    /// Whether it is among those who rest.
    is_noted: bool,
}

/// Those of one flow.
#[derive(Debug, Default)]
struct Line {
    /// And whether it has sent more already.
    waiting: VecDeque<(Ticket, bool)>,
    running: usize,
}

impl Book {
    /// With so many turns at a moment.
    pub(super) fn new(turns_max: usize) -> Self {
        Self {
            turns_max: turns_max.max(1),
            hosts: Queue::default(),
            on_host: BTreeMap::new(),
            resting: VecDeque::new(),
            running: 0,
            waiting: 0,
            last: None,
            contended_until: Duration::ZERO,
            reserved_until: [Duration::ZERO; 2],
            made: [None, None],
            patient: BTreeSet::new(),
            held_until: Duration::ZERO,
            seen: None,
            patience: Duration::ZERO,
            piece: Duration::ZERO,
        }
    }

    /// How many turns there are.
    pub(super) const fn turns_max(&self) -> usize {
        self.turns_max
    }

    /// Asks for a turn. Without one, the ticket waits for [`Book::next`].
    ///
    /// One comes at once where one is free and nobody is in the way, or where the flow has had no more than others. Whoever has
    /// had more waits even so: the next of the others may have come already, and only not have asked yet.
    pub(super) fn ask(
        &mut self,
        flow: &Flow,
        (ticket, is_ahead): (Ticket, bool),
        now: Duration,
    ) -> Option<Turn> {
        self.note(flow, now);
        let on_host = self.on_host.entry(flow.host).or_default();
        let is_due = self.hosts.is_due(&flow.host) && on_host.accounts.is_due(&flow.account);
        self.hosts.wait(&flow.host);
        on_host.accounts.wait(&flow.account);
        on_host
            .lines
            .entry(flow.account.clone())
            .or_default()
            .waiting
            .push_back((ticket, is_ahead));
        self.waiting += 1;
        if self.is_patient(flow) {
            // For so long it was waited for.
            let waited = self.seen.map_or(Duration::ZERO, |seen| now.saturating_sub(seen));
            self.patience = self.patience.saturating_sub(waited);
            self.seen = Some(now);
            self.patient.insert(flow.clone());
        } else {
            self.patient.remove(flow);
        }
        let is_alone = self.waiting == 1 && !self.is_contended(now);
        if !(is_due || is_alone) || self.running >= self.turns_max || !self.may_run(flow, now) {
            return None;
        }
        // Whoever of the same flow waits longer goes first.
        let front = self.line(flow).and_then(|line| line.waiting.front());
        let is_first = front.is_some_and(|(first, _)| *first == ticket);
        is_first.then(|| self.grant(flow.clone(), now).1)
    }

    /// The next who gets a turn, where one is free.
    pub(super) fn next(&mut self, now: Duration) -> Option<(Ticket, Turn)> {
        if self.running >= self.turns_max {
            return None;
        }
        if self.is_kept(now) {
            // All others are left alone: there may be many of them.
            let flow = self.patient.iter().filter(|flow| self.may_run(flow, now));
            let flow = flow.min_by_key(|flow| self.starts(flow))?.clone();
            return Some(self.grant(flow, now));
        }
        let flow = self.hosts.in_order().find_map(|host| {
            let accounts = self.on_host.get(host)?.accounts.in_order();
            let mut flows = accounts.map(|account| Flow { host: *host, account: account.clone() });
            flows.find(|flow| self.may_run(flow, now))
        })?;
        Some(self.grant(flow, now))
    }

    /// Takes a turn back that cost so much.
    pub(super) fn end(&mut self, turn: Turn, cost: Duration, now: Duration) {
        let Turn { flow, charged: [of_host, of_account], is_patient, is_last, were_about, begun } =
            turn;
        if is_patient {
            self.seen = Some(now);
            let earned = cost.saturating_mul(PATIENCE);
            self.patience = self.patience.saturating_add(earned).min(ABOUT_MAX);
        } else if is_last && were_about {
            // Meanwhile a patient peer could not show that it is about.
            self.seen = self.seen.map(|seen| seen + now.saturating_sub(begun));
        }
        if is_last && !is_patient {
            // With what it took to come to it.
            let cost = cost.max(now.saturating_sub(begun));
            self.piece = cost;
            let begun = now.saturating_sub(cost).saturating_sub(CREDIT);
            self.held_until =
                self.held_until.max(begun).saturating_add(cost.saturating_mul(OTHERS_PART));
        }
        self.note_made(&flow, cost, now);
        // A look at the clock is never for nothing, so that what costs less than its resolution costs something.
        let cost = u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.running = self.running.saturating_sub(1);
        self.hosts.settle(&flow.host, of_host, cost);
        if let Some(on_host) = self.on_host.get_mut(&flow.host) {
            on_host.running = on_host.running.saturating_sub(1);
            on_host.accounts.settle(&flow.account, of_account, cost);
            if let Some(line) = on_host.lines.get_mut(&flow.account) {
                line.running = line.running.saturating_sub(1);
            }
        }
        self.look_at_patience(&flow);
        self.tidy(&flow);
    }

    /// Lets a ticket wait no more.
    pub(super) fn withdraw(&mut self, flow: &Flow, ticket: Ticket) {
        let Some(on_host) = self.on_host.get_mut(&flow.host) else { return };
        let Some(line) = on_host.lines.get_mut(&flow.account) else { return };
        let before = line.waiting.len();
        line.waiting.retain(|(waiting, _)| *waiting != ticket);
        self.waiting -= before - line.waiting.len();
        self.look_at_patience(flow);
        self.rest(flow);
        self.tidy(flow);
    }

    /// Whether somebody may be given a turn.
    pub(super) fn has_next(&self) -> bool {
        self.waiting > 0 && self.running < self.turns_max
    }

    /// Until when the last turn is kept for patient peers, if it is the only free one and only others wait.
    pub(super) fn held_until(&self, now: Duration) -> Option<Duration> {
        let until = self.kept_until();
        (self.has_next() && self.running + 1 == self.turns_max && now < until).then_some(until)
    }

    /// Whether several flows want work these days.
    pub(super) fn is_contended(&self, now: Duration) -> bool {
        now < self.contended_until
    }

    /// How many hosts and accounts of hosts are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        let on_host = self.on_host.values().map(|on_host| on_host.accounts.len());
        self.hosts.len() + self.on_host.len() + on_host.sum::<usize>()
    }

    /// Whether those noted as patient are those who wait and are.
    #[cfg(test)]
    pub(super) fn knows_who_is_patient(&self) -> bool {
        let flows = self.on_host.iter().flat_map(|(host, on_host)| {
            let waiting = on_host.lines.iter().filter(|(_, line)| !line.waiting.is_empty());
            waiting.map(|(account, _)| Flow { host: *host, account: account.clone() })
        });
        flows.filter(|flow| self.is_patient(flow)).collect::<BTreeSet<_>>() == self.patient
    }

    fn note(&mut self, flow: &Flow, now: Duration) {
        if let Some(last) = self.last.as_ref().filter(|last| *last != flow) {
            self.contended_until = now + CONTENTION;
            let is_of_hosts = last.host != flow.host;
            self.reserve(is_of_hosts, now);
        }
        if self.last.as_ref() != Some(flow) {
            self.last = Some(flow.clone());
        }
    }

    /// Keeps one of several turns from each of the two flows that had one last, for the other.
    fn reserve(&mut self, is_of_hosts: bool, now: Duration) {
        let made = self.made.iter().flatten().fold(Duration::ZERO, |sum, (_, made)| sum + *made);
        let until = now + made.saturating_mul(RESERVED_PART).min(CONTENTION);
        let [flows, hosts] = &mut self.reserved_until;
        *flows = until.max(*flows);
        if is_of_hosts {
            *hosts = until.max(*hosts);
        }
    }

    /// Notes what a flow made of a turn.
    fn note_made(&mut self, flow: &Flow, cost: Duration, now: Duration) {
        let [last, before] = &mut self.made;
        if let Some((_, made)) = last.as_mut().filter(|(of, _)| of == flow) {
            *made = cost;
            return;
        }
        let other = last.replace((flow.clone(), cost));
        let is_of_hosts = other.as_ref().is_some_and(|(of, _)| of.host != flow.host);
        let is_first = other.is_none();
        *before = other;
        if !is_first {
            self.reserve(is_of_hosts, now);
        }
    }

    /// Until when patient peers are about.
    fn about_until(&self) -> Duration {
        let about = self.piece.saturating_mul(OTHERS_PART).min(self.patience);
        self.seen.map_or(Duration::ZERO, |seen| seen + about)
    }

    /// Until when the last turn is kept for them.
    fn kept_until(&self) -> Duration {
        self.held_until.min(self.about_until())
    }

    /// Whether a flow is a known peer's that waits for an answer before it asks for more.
    fn is_patient(&self, flow: &Flow) -> bool {
        let line = self.line(flow).filter(|_| flow.account.is_some());
        line.is_some_and(|line| {
            let is_ahead = line.waiting.front().is_some_and(|(_, is_ahead)| *is_ahead);
            line.running == 0 && line.waiting.len() <= 1 && !is_ahead
        })
    }

    /// Keeps the set of those who wait and are patient.
    fn look_at_patience(&mut self, flow: &Flow) {
        let waits = self.line(flow).is_some_and(|line| !line.waiting.is_empty());
        if waits && self.is_patient(flow) {
            self.patient.insert(flow.clone());
        } else {
            self.patient.remove(flow);
        }
    }

    /// Of two and more turns one stays free for others, while there are others. And the last is not for everybody.
    fn may_run(&self, flow: &Flow, now: Duration) -> bool {
        if self.is_kept(now) && !self.patient.contains(flow) {
            return false;
        }
        let Some(on_host) = self.on_host.get(&flow.host) else { return true };
        let of_flow = on_host.lines.get(&flow.account).map_or(0, |line| line.running);
        let max = |until: Duration| match self.turns_max {
            turns if turns > 1 && now < until => turns - 1,
            turns => turns,
        };
        of_flow < max(self.reserved_until[0]) && on_host.running < max(self.reserved_until[1])
    }

    /// Whether the turn that is free is kept for patient peers.
    fn is_kept(&self, now: Duration) -> bool {
        self.running + 1 == self.turns_max && now < self.kept_until()
    }

    /// Where a flow that waits stands: its host, and it on that.
    fn starts(&self, flow: &Flow) -> [Option<u64>; 2] {
        let on_host = self.on_host.get(&flow.host);
        [self.hosts.start(&flow.host), on_host.and_then(|it| it.accounts.start(&flow.account))]
    }

    fn line(&self, flow: &Flow) -> Option<&Line> {
        self.on_host.get(&flow.host)?.lines.get(&flow.account)
    }

    /// Gives a turn to whoever is first in a flow that waits.
    fn grant(&mut self, flow: Flow, now: Duration) -> (Ticket, Turn) {
        let is_patient = self.patient.remove(&flow);
        let of_host = self.hosts.serve(&flow.host);
        let mut charged = [of_host, 0];
        let mut ticket = 0;
        if let Some(on_host) = self.on_host.get_mut(&flow.host) {
            charged[1] = on_host.accounts.serve(&flow.account);
            on_host.running += 1;
            if let Some(line) = on_host.lines.get_mut(&flow.account) {
                line.running += 1;
                ticket = line.waiting.pop_front().map_or(0, |(ticket, _)| ticket);
            }
        }
        self.running += 1;
        self.waiting -= 1;
        self.rest(&flow);
        let is_last = self.running == self.turns_max;
        (
            ticket,
            Turn {
                flow,
                charged,
                is_patient,
                is_last,
                were_about: now < self.about_until(),
                begun: now,
            },
        )
    }

    /// Notes where nobody of a flow waits any more.
    fn rest(&mut self, flow: &Flow) {
        let Some(on_host) = self.on_host.get_mut(&flow.host) else { return };
        if on_host.lines.get(&flow.account).is_none_or(|line| line.waiting.is_empty()) {
            on_host.accounts.rest(&flow.account);
        }
        if on_host.accounts.in_order().next().is_none() {
            self.hosts.rest(&flow.host);
        }
    }

    /// Forgets the line of a flow that wants nothing. What its host has had is remembered for a while: between two pieces of work
    /// there is a moment in which nobody wants anything.
    fn tidy(&mut self, flow: &Flow) {
        let Some(on_host) = self.on_host.get_mut(&flow.host) else { return };
        let is_over = |line: &Line| line.waiting.is_empty() && line.running == 0;
        if on_host.lines.get(&flow.account).is_some_and(is_over) {
            on_host.lines.remove(&flow.account);
        }
        if !on_host.lines.is_empty() || std::mem::replace(&mut on_host.is_noted, true) {
            return;
        }
        self.resting.push_back(flow.host);
        if self.resting.len() <= RESTING_MAX {
            return;
        }
        let Some(host) = self.resting.pop_front() else { return };
        if let Some(on_host) = self.on_host.get_mut(&host) {
            on_host.is_noted = false;
            if on_host.lines.is_empty() {
                self.on_host.remove(&host);
            }
        }
    }
}
