//! The state all listeners of a tap share.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use handfast_faults::{
    Direction, HoldId, Lifetime, Link, Observed, RuleId, RuleReport, Verdict, WireRules, text_of,
};
use hyper::http::request;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::evidence::{Evidence, Fact};
use crate::tap::exchange::Exchange;
use crate::tap::upstream::Upstream;
use crate::tap::{CONCURRENT_MAX, Ground, TapConfig};

/// Messages a tap keeps for replay (guessed: as many as the evidence holds).
pub const RECORDED_MAX: usize = 200_000;

/// Size of the bodies a tap keeps for replay, in bytes (guessed: what a scenario sends again was sent early). Some are
/// shared with the evidence.
pub const RECORDED_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Wire {
    pub(super) config: TapConfig,
    pub(super) evidence: Evidence,
    pub(super) ground: Arc<dyn Ground>,
    upstreams: BTreeMap<String, Upstream>,
    state: Mutex<State>,
    exchanges: Arc<Semaphore>,
    under_way: watch::Sender<UnderWay>,
    /// Told of each rule that is laid.
    pub(super) laid: Notify,
}

/// A request as it came from the asker, complete.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: Arc<request::Parts>,
    pub(crate) body: Bytes,
}

impl Wire {
    pub(super) fn new(
        roles: &[String],
        config: TapConfig,
        evidence: Evidence,
        ground: Arc<dyn Ground>,
    ) -> io::Result<Self> {
        let upstreams = roles.iter().map(|role| (role.clone(), Upstream::default())).collect();
        let permits = u32::try_from(CONCURRENT_MAX).map_err(io::Error::other)?;
        let exchanges = Arc::new(Semaphore::new(usize::try_from(permits).unwrap_or_default()));
        let (state, under_way) = (Mutex::default(), watch::Sender::default());
        let laid = Notify::new();
        Ok(Self { config, evidence, ground, upstreams, state, exchanges, under_way, laid })
    }

    pub(super) fn upstream(&self, role: &str) -> Option<&Upstream> {
        self.upstreams.get(role)
    }

    pub(super) fn set_upstream(&self, role: &str, address: SocketAddr) {
        if let Some(upstream) = self.upstreams.get(role) {
            upstream.set_address(address);
        }
    }

    pub(super) fn has_role(&self, name: &str) -> bool {
        self.upstreams.contains_key(name)
    }

    /// A panic elsewhere leaves the state whole enough: counters and tables change independently.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether whoever sends on this link now is told that the connection is gone.
    pub(super) fn is_reset(&self, link: &Link) -> bool {
        self.ground.shapes().is_some_and(|shapes| shapes.resets(link))
    }

    pub(super) fn record(&self, exchange: Exchange) {
        self.evidence.record(Fact::Exchange(Arc::new(exchange)));
    }

    /// Waits for room for one more exchange; held until it is written down.
    pub(super) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.exchanges.clone().acquire_owned().await.ok()
    }

    /// Waits until no exchange is on its way.
    pub(super) async fn idle(&self) {
        let all = u32::try_from(CONCURRENT_MAX).unwrap_or(u32::MAX);
        // The semaphore is never closed, so there is no error to see.
        drop(self.exchanges.acquire_many(all).await);
    }

    /// Counts an exchange as one that is under way, until what is returned is dropped.
    pub(super) fn begin(&self) -> Begun<'_> {
        let mut number = 0;
        self.under_way.send_modify(|under_way| {
            number = under_way.begun;
            under_way.begun += 1;
            under_way.open.insert(number);
        });
        Begun { under_way: &self.under_way, number }
    }

    /// Waits until every exchange that is under way now is over.
    pub(super) async fn settled(&self) {
        let mut watch = self.under_way.subscribe();
        let later = watch.borrow().begun;
        let is_over = |under_way: &UnderWay| under_way.open.range(..later).next().is_none();
        // The sender lives as long as the wire, so there is no error to see.
        drop(watch.wait_for(is_over).await);
    }

    /// Takes a request in: its type, its number, and what the rules say.
    pub(super) fn admit(&self, link: &Link, request: &Request) -> Admitted {
        let head = &request.head;
        let path = head.uri.path();
        // The base of a peer may have a path of its own, as that of one behind a relay.
        let is_message = head.method == hyper::Method::POST
            && (path.ends_with(&self.config.message_path) || path.ends_with(FRAMES_PATH));
        let kind = is_message.then(|| text_of(&request.body, &self.config.kind_field)).flatten();
        self.admit_as(link, request, kind.as_deref(), is_message)
    }

    /// Takes a request in that is known to be a message of this type, or none.
    pub(super) fn admit_as(
        &self,
        link: &Link,
        request: &Request,
        kind: Option<&str>,
        is_message: bool,
    ) -> Admitted {
        let began_us = self.evidence.clock().now_us();
        let mut state = self.state();
        let index = is_message.then(|| state.keep(link, request));
        let (verdict, rule) = state.rules.decide(&Observed {
            link,
            direction: Direction::Request,
            index,
            kind,
            body: &request.body,
        });
        let hold = state.hold(&verdict);
        drop(state);
        let kind = kind.map(str::to_owned);
        let exchange = Exchange::new(link.clone(), index, kind, began_us, request);
        Admitted { exchange, decided: Decided { verdict, rule, hold } }
    }

    /// Whether a rule takes down what is open of this type on a link. Only a standing rule for this very type does.
    pub(super) fn takes_down(&self, link: &Link, kind: &str) -> bool {
        let mut state = self.state();
        let is_meant = |report: &RuleReport| {
            report.rule.selector().kind.as_deref() == Some(kind)
                && report.rule.lifetime() == Lifetime::Standing
        };
        if !state.rules.reports().iter().any(is_meant) {
            return false;
        }
        let index = Some(state.last_index(link));
        let direction = Direction::Request;
        let observed = Observed { link, direction, index, kind: Some(kind), body: &[] };
        matches!(state.rules.decide(&observed).0, Verdict::Cut | Verdict::Drop)
    }

    /// What the rules say of an answer.
    pub(super) fn judge_answer(&self, exchange: &Exchange, body: &[u8]) -> Decided {
        let mut state = self.state();
        let (verdict, rule) = state.rules.decide(&Observed {
            link: &exchange.link,
            direction: Direction::Response,
            index: exchange.index,
            kind: exchange.kind.as_deref(),
            body,
        });
        let hold = state.hold(&verdict);
        Decided { verdict, rule, hold }
    }
}

/// Where messages are posted that are no JSON: they have no type, and are seen and kept like all others.
const FRAMES_PATH: &str = "/frame";

/// Exchanges that are under way, numbered as they began.
#[derive(Debug, Default)]
struct UnderWay {
    begun: u64,
    open: BTreeSet<u64>,
}

/// An exchange that is under way.
#[derive(Debug)]
pub(super) struct Begun<'a> {
    under_way: &'a watch::Sender<UnderWay>,
    number: u64,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.under_way.send_modify(|under_way| {
            under_way.open.remove(&self.number);
        });
    }
}

/// A request that was taken in.
pub(super) struct Admitted {
    pub(super) exchange: Exchange,
    pub(super) decided: Decided,
}

/// What the rules said of one half of an exchange.
pub(super) struct Decided {
    pub(super) verdict: Verdict,
    pub(super) rule: Option<RuleId>,
    /// Comes when the message is released; fails when it never will be. Set for a hold only.
    pub(super) hold: Option<oneshot::Receiver<()>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) rules: WireRules,
    holds: BTreeMap<HoldId, oneshot::Sender<()>>,
    closed: bool,
    counters: BTreeMap<Link, u64>,
    recorded: BTreeMap<(Link, u64), Request>,
    recorded_bytes: usize,
}

impl State {
    pub(super) fn last_index(&self, link: &Link) -> u64 {
        self.counters.get(link).copied().unwrap_or(0)
    }

    pub(super) fn recording(&self, link: &Link, index: u64) -> Option<Request> {
        self.recorded.get(&(link.clone(), index)).cloned()
    }

    pub(super) fn release(&mut self, id: HoldId) -> bool {
        self.rules.released(id);
        self.holds.remove(&id).is_some_and(|hold| hold.send(()).is_ok())
    }

    /// Ends every hold without releasing it, and every later one at once.
    pub(super) fn withhold_all(&mut self) {
        self.closed = true;
        for id in std::mem::take(&mut self.holds).into_keys() {
            self.rules.released(id);
        }
    }

    /// Numbers a message and keeps it while there is room.
    fn keep(&mut self, link: &Link, request: &Request) -> u64 {
        let counter = self.counters.entry(link.clone()).or_default();
        *counter += 1;
        let index = *counter;
        let bytes = self.recorded_bytes + request.body.len();
        if self.recorded.len() < RECORDED_MAX && bytes <= RECORDED_BYTES_MAX {
            self.recorded_bytes = bytes;
            self.recorded.insert((link.clone(), index), request.clone());
        }
        index
    }

    fn hold(&mut self, verdict: &Verdict) -> Option<oneshot::Receiver<()>> {
        let Verdict::Hold(id) = verdict else { return None };
        let (release, released) = oneshot::channel();
        if self.closed {
            self.rules.released(*id);
        } else {
            self.holds.insert(*id, release);
        }
        Some(released)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request(len: usize) -> Request {
        let (head, ()) = hyper::Request::post("/message").body(()).unwrap().into_parts();
        Request { head: Arc::new(head), body: vec![0; len].into() }
    }

    #[test]
    fn a_full_recording_numbers_on_but_keeps_no_more() {
        let link = Link::new("a", "b");
        let mut state = State::default();
        let small = request(1);
        for index in 1..=RECORDED_MAX as u64 {
            assert_eq!(state.keep(&link, &small), index);
        }
        let beyond = state.keep(&link, &small);
        assert_eq!(beyond, RECORDED_MAX as u64 + 1);
        assert!(state.recording(&link, beyond - 1).is_some());
        assert!(state.recording(&link, beyond).is_none());
    }

    #[tokio::test]
    async fn so_many_exchanges_are_on_their_way_and_the_next_one_waits() {
        let evidence = Evidence::new(crate::clock::Clock::start());
        let wire =
            Wire::new(&[], TapConfig::default(), evidence, Arc::new(crate::tap::Loopback)).unwrap();
        let mut under_way = Vec::new();
        for _ in 0..CONCURRENT_MAX {
            under_way.push(wire.enter().await.unwrap());
        }
        let mut next = Box::pin(wire.enter());
        assert!(tokio::time::timeout(Duration::ZERO, &mut next).await.is_err());
        under_way.pop();
        assert!(next.await.is_some());
    }

    #[tokio::test]
    async fn what_was_under_way_is_waited_for_and_what_begins_later_is_not() {
        async fn is_over(settled: impl Future<Output = ()>) -> bool {
            tokio::time::timeout(Duration::ZERO, settled).await.is_ok()
        }
        let evidence = Evidence::new(crate::clock::Clock::start());
        let wire =
            Wire::new(&[], TapConfig::default(), evidence, Arc::new(crate::tap::Loopback)).unwrap();
        wire.settled().await;
        let (first, second) = (wire.begin(), wire.begin());
        let mut settled = Box::pin(wire.settled());
        assert!(!is_over(&mut settled).await);
        let later = wire.begin();
        drop(second);
        assert!(!is_over(&mut settled).await);
        drop(first);
        assert!(is_over(&mut settled).await);
        drop(later);
    }

    #[test]
    fn a_recording_keeps_so_many_bytes() {
        let link = Link::new("a", "b");
        let mut state = State::default();
        // Shared: the bodies are one and the same buffer.
        let large = request(RECORDED_BYTES_MAX / 4);
        for _ in 0..5 {
            state.keep(&link, &large);
        }
        assert!(state.recording(&link, 4).is_some());
        assert!(state.recording(&link, 5).is_none());
        assert_eq!(state.last_index(&link), 5);
    }
}
