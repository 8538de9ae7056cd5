//! A client that is killed and restarted, a service that breaks, and a clock for each.

use std::time::Duration;

use entity_moltbook::budget::{Book, Boot};
use entity_moltbook::call::{Method, Request};
use entity_moltbook::exchange::{Exchange, Outcome, Patience, Step};
use entity_moltbook::reply::{Arrival, BODY_MAX, Reply, Trouble};
use entity_moltbook::{Call, Moment};
use entity_moltbook_fake::{Act, Answer, Ask, Fake, Service};

pub(crate) const KEY: &str = "moltbook_sk_of_the_world";
const MICROS: i64 = 1_000_000;

/// Everything there is.
pub(crate) struct World {
    pub(crate) fake: Fake,
    /// The service's time, in microseconds since its start.
    pub(crate) now: i64,
    /// The book as it lies on the disk.
    pub(crate) disk: Vec<u8>,
    /// How many of 1,000 steps kill the client.
    pub(crate) kills: u64,
    /// How many of 100 requests find no way.
    pub(crate) no_way: u64,
    boots: u64,
    /// The client's clock at the service's zero.
    offset: i64,
    chance: u64,
}

/// The client was killed.
pub(crate) struct Killed;

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let service = Service::new(1_780_000_000).with_account(KEY, "me", 0);
        let mut world = Self {
            fake: Fake::new(service),
            now: 0,
            disk: Vec::new(),
            kills: 0,
            no_way: 0,
            boots: 0,
            offset: 0,
            chance: seed,
        };
        let book = Book::new(world.moment());
        world.keep(&book);
        world
    }

    /// Whole seconds pass.
    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += seconds * MICROS;
    }

    /// The system starts again: another clock, which shows anything.
    pub(crate) fn reboot(&mut self) {
        self.boots += 1;
        let showing = i64::try_from(self.dice(1 << 40)).unwrap();
        self.offset = showing - self.now;
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment(self.now + self.offset)
    }

    pub(crate) fn book(&self) -> Book {
        Book::from_bytes(&self.disk, &self.boot(), self.moment()).unwrap()
    }

    pub(crate) fn keep(&mut self, book: &Book) {
        self.disk = book.to_bytes(&self.boot(), self.moment());
    }

    /// One call to its end, or until the client is killed.
    pub(crate) fn call(&mut self, call: Call, patience: u64) -> Result<Outcome, Killed> {
        let patience = Patience {
            whole: Duration::from_secs(patience),
            attempt: Duration::from_secs(10),
            seed: self.chance,
        };
        let mut exchange = Exchange::new(call, patience, self.moment());
        loop {
            self.perhaps_kill()?;
            match exchange.next() {
                Step::Reserve => {
                    let mut book = self.book();
                    let reserved = book.reserve(exchange.call(), self.moment());
                    self.keep(&book);
                    self.perhaps_kill()?;
                    exchange.handle_reserved(reserved, self.moment());
                }
                Step::Send { request, until } => {
                    let arrival = self.send(&request, until)?;
                    exchange.handle_arrival(arrival, self.moment());
                }
                Step::Settle(settle) => {
                    let mut book = self.book();
                    book.settle(*settle, self.moment());
                    self.keep(&book);
                    exchange.handle_settled();
                }
                Step::Wait(until) => {
                    self.now = self.now.max(until.0 - self.offset);
                    exchange.handle_woken(self.moment());
                }
                Step::Done => return Ok(exchange.into_outcome().unwrap()),
            }
        }
    }

    fn send(&mut self, request: &Request, until: Moment) -> Result<Arrival, Killed> {
        if self.dice(100) < self.no_way {
            return Ok(Arrival::Unsent(Trouble::NoConnection));
        }
        self.travel();
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let ask = Ask {
            method: method.to_owned(),
            target: format!("/api/v1{}", request.path),
            authorization: Some(format!("Bearer {KEY}")),
            body: request.body.clone().unwrap_or_default().into_bytes(),
        };
        let act = self.fake.handle(&ask, self.now);
        self.perhaps_kill()?;
        self.travel();
        Ok(match act {
            Act::Answer(answer) => arrival(&answer, answer.body.to_string().into_bytes()),
            Act::Raw(answer, body) => arrival(&answer, body),
            Act::Half(_) | Act::Reset => Arrival::Lost(Trouble::Broken),
            Act::Stall | Act::Drip => {
                self.now = until.0 - self.offset;
                Arrival::Lost(Trouble::TimedOut)
            }
        })
    }

    pub(crate) fn boot(&self) -> Boot {
        Boot::known(&format!("boot-{}", self.boots))
    }

    /// Up to four seconds on the way, which is more than the margin of a window.
    fn travel(&mut self) {
        self.now += i64::try_from(self.dice(4_000_000)).unwrap();
    }

    pub(crate) fn perhaps_kill(&mut self) -> Result<(), Killed> {
        if self.dice(1_000) < self.kills { Err(Killed) } else { Ok(()) }
    }

    /// SplitMix64.
    pub(crate) fn dice(&mut self, below: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

fn arrival(answer: &Answer, body: Vec<u8>) -> Arrival {
    if body.len() > BODY_MAX {
        return Arrival::TooLarge;
    }
    let header = |name: &str| {
        let found = answer.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    Arrival::Reply(Reply {
        status: answer.status,
        retry_after: header("Retry-After"),
        date: header("Date"),
        location: header("Location"),
        body,
    })
}
