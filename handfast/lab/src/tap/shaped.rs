//! Links between streams, for hosts on which there are no namespaces: what goes from the tap to a peer and back is under
//! the same [`Shaper`]s as the packets of a switch would be, piece by piece.
//!
//! A stream knows no packets, so that much of this is an approximation; [`Conditions::approximated`] says of which and how.
//! What is the same: the policy, its seed, its accounts.
//!
//! - [`Shapes`]: every direction of a unit
//! - `flight`: one direction of one connection under way, pure
//! - `carrier`: a connection whose two directions are carried ([`Shaped`])

mod carrier;
mod flight;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handfast_faults::{Account, Conditions, Cut, Link, Packet, Shaper};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::net::switch::LinkAccount;

pub use carrier::Shaped;

use flight::arrival;

/// Stretches of different conditions that one direction keeps accounts of; what follows is counted with the last
/// (guessed: more than a unit has disturbances that overlap).
pub const STRETCHES_MAX: usize = 64;

/// A packet that opens a connection, in bytes: headers of IPv4 and TCP with their usual options.
const OPENING: u32 = 60;

/// How long a caller waits before it asks for a connection again (RFC 6298, section 2.1); then twice as long.
const OPENING_PAUSE: Duration = Duration::from_secs(1);

/// Every direction between the peers of a unit.
#[derive(Debug)]
pub struct Shapes {
    seed: u64,
    base: BTreeMap<Link, Conditions>,
    directions: Mutex<BTreeMap<Link, Arc<Direction>>>,
    origin: Instant,
    /// Dropping it ends the connections.
    carriers: Mutex<JoinSet<()>>,
}

impl Shapes {
    /// Starts with the conditions of each direction; nothing happens on a direction that is not named.
    pub fn new(seed: u64, base: BTreeMap<Link, Conditions>) -> Self {
        let origin = Instant::now();
        let (directions, carriers) = (Mutex::default(), Mutex::default());
        Self { seed, base, directions, origin, carriers }
    }

    /// Changes the conditions from `from` to `to`, from here on. What is under way arrives as was decided.
    pub fn set(&self, from: &str, to: &str, conditions: Conditions) {
        let direction = self.direction(&Link::new(from, to));
        direction.lane().set(conditions, self.now_ns());
    }

    /// Whether whoever sends over a connection of this link is told that it is gone.
    pub(super) fn resets(&self, link: &Link) -> bool {
        let back = Link::new(&link.to, &link.from);
        let is_cut = |link| self.direction(link).lane().shaper.conditions().cut == Some(Cut::Reset);
        is_cut(link) || is_cut(&back)
    }

    /// What each direction did under each of its conditions, in the order of their first time.
    pub fn accounts(&self) -> Vec<LinkAccount> {
        let directions: Vec<_> =
            self.directions().iter().map(|(link, of)| (link.clone(), Arc::clone(of))).collect();
        let mut all = Vec::new();
        for (link, direction) in directions {
            for Stretch { asked, account, is_mixed } in direction.lane().stretches() {
                let Link { from, to } = link.clone();
                all.push(LinkAccount { from, to, asked, account, carried: None, is_mixed });
            }
        }
        all
    }

    /// Opens a connection from `link.from` to `link.to` by `connecting`, once its first packet would have arrived; it is
    /// there when the answer would have.
    ///
    /// # Errors
    ///
    /// What `connecting` says, or that the link answers with a reset.
    pub async fn connect(
        &self,
        link: &Link,
        connecting: impl Future<Output = io::Result<TcpStream>>,
    ) -> io::Result<Shaped> {
        let there = self.direction(link);
        let back = self.direction(&Link::new(&link.to, &link.from));
        let flow = there.flows.fetch_add(1, Ordering::Relaxed);
        self.knock(&there, flow).await?;
        let stream = connecting.await?;
        self.knock(&back, flow).await?;
        stream.set_nodelay(true)?;
        let mut carriers = self.carriers.lock().unwrap_or_else(PoisonError::into_inner);
        while carriers.try_join_next().is_some() {}
        carrier::start(&mut carriers, stream, self.origin, (there, back), flow)
    }

    /// Waits until a packet that opens a connection has arrived, however often it has to be sent.
    async fn knock(&self, direction: &Direction, flow: u64) -> io::Result<()> {
        let mut pause = OPENING_PAUSE;
        loop {
            let now_ns = self.now_ns();
            let packet = Packet { length: OPENING, flow };
            let arrival = arrival(&mut direction.lane().shaper, packet, now_ns);
            match arrival.map_err(|flight::Reset| io::ErrorKind::ConnectionRefused)? {
                Some(at_ns) => {
                    sleep_until(self.origin + Duration::from_nanos(at_ns)).await;
                    direction.lane().shaper.handle_delivery(at_ns, self.now_ns());
                    return Ok(());
                }
                None => sleep_until(self.origin + Duration::from_nanos(now_ns) + pause).await,
            }
            pause *= 2;
        }
    }

    fn direction(&self, link: &Link) -> Arc<Direction> {
        let mut directions = self.directions();
        let new = || {
            let conditions = self.base.get(link).cloned().unwrap_or_default();
            let shaper = Shaper::new(conditions, self.seed, &link.to_string());
            Arc::new(Direction::new(shaper.between_streams()))
        };
        Arc::clone(directions.entry(link.clone()).or_insert_with(new))
    }

    fn now_ns(&self) -> u64 {
        since(self.origin)
    }

    /// A panic elsewhere leaves a table of directions, whichever they are.
    fn directions(&self) -> MutexGuard<'_, BTreeMap<Link, Arc<Direction>>> {
        self.directions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One direction, shared by its connections.
#[derive(Debug)]
struct Direction {
    lane: Mutex<Lane>,
    /// Connections that were opened.
    flows: AtomicU64,
}

#[derive(Debug)]
struct Lane {
    shaper: Shaper,
    past: Vec<Stretch>,
}

/// What a direction did while the same conditions held, or with the conditions of others that found no room.
#[derive(Clone, Debug)]
struct Stretch {
    asked: Conditions,
    account: Account,
    is_mixed: bool,
}

impl Direction {
    fn new(shaper: Shaper) -> Self {
        Self { lane: Mutex::new(Lane { shaper, past: Vec::new() }), flows: AtomicU64::new(1) }
    }

    /// A panic elsewhere leaves counts that are right up to one packet.
    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a packet takes at least.
    fn delay(&self) -> Duration {
        self.lane().shaper.conditions().delay.base
    }
}

impl Lane {
    fn set(&mut self, conditions: Conditions, now_ns: u64) {
        if *self.shaper.conditions() == conditions {
            return;
        }
        let (asked, account) = (self.shaper.conditions().clone(), self.shaper.take_account());
        add(&mut self.past, asked, account);
        self.shaper.set(conditions, now_ns);
    }

    /// The past and the present, the same conditions together.
    fn stretches(&self) -> Vec<Stretch> {
        let mut all = self.past.clone();
        add(&mut all, self.shaper.conditions().clone(), self.shaper.account().clone());
        all
    }
}

fn add(stretches: &mut Vec<Stretch>, asked: Conditions, account: Account) {
    if let Some(same) = stretches.iter_mut().find(|stretch| stretch.asked == asked) {
        same.account.merge(&account);
    } else if stretches.len() < STRETCHES_MAX {
        stretches.push(Stretch { asked, account, is_mixed: false });
    } else if let Some(last) = stretches.last_mut() {
        last.account.merge(&account);
        last.is_mixed = true;
    }
}

fn since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod through_the_tap;
