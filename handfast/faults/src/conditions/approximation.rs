//! What becomes of conditions where no packets are to be had.

use serde::Serialize;

use crate::conditions::{Conditions, Shape};

/// A condition that a proxy between streams carries out differently, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Approximation {
    /// The field of the conditions, such as `loss`.
    pub what: &'static str,
    /// What the proxy does in its place.
    pub how: &'static str,
    /// Whether anything of it takes effect.
    pub acts: bool,
}

impl Conditions {
    /// What a proxy between streams makes of these conditions, field by field; a field that is not named is carried out
    /// as it is meant: a constant delay, a rate, dead flows and both ways of cutting.
    ///
    /// Nothing is known to a proxy below the stream: it cannot lose, double or damage a packet, and congestion control
    /// and retransmission of the peers' own sockets never see the link.
    pub fn approximated(&self) -> Vec<Approximation> {
        let all = [
            (self.delay.shape != Shape::Constant, JITTER),
            (!self.delay.keeps_order, ORDER),
            (self.loss.share() > 0.0, LOSS),
            (!self.duplicate.is_never(), DUPLICATE),
            (!self.corrupt.is_never() && self.renew_checksums, CORRUPT_UNSEEN),
            (!self.corrupt.is_never() && !self.renew_checksums, CORRUPT),
            (!self.reorder.chance.is_never(), REORDER),
            (self.rate.is_some(), QUEUE),
            (self.mtu.is_some(), MTU),
        ];
        all.into_iter().filter_map(|(is_asked, what)| is_asked.then_some(what)).collect()
    }
}

const fn acts(what: &'static str, how: &'static str) -> Approximation {
    Approximation { what, how, acts: true }
}

const fn idle(what: &'static str, how: &'static str) -> Approximation {
    Approximation { what, how, acts: false }
}

const JITTER: Approximation = acts(
    "jitter",
    "each piece of a stream waits as long as a packet would; pieces keep their order",
);
const ORDER: Approximation =
    idle("keeps_order", "a stream keeps its order: its receiver would have sorted the packets");
const LOSS: Approximation = acts(
    "loss",
    "a lost piece arrives after the pause in which a TCP sender would have sent it again; what follows waits behind it",
);
const DUPLICATE: Approximation =
    idle("duplicate", "nothing: the receiver of a stream would have dropped the second copy");
const CORRUPT: Approximation = acts(
    "corrupt",
    "as a lost piece: the receiver's checksum would have dropped the packet, and it would have been sent again",
);
const CORRUPT_UNSEEN: Approximation =
    idle("renew_checksums", "nothing: a proxy changes no byte of a stream; rules of the wire can");
const REORDER: Approximation = acts(
    "reorder",
    "what follows a piece that stays behind waits for it, as in the receiver of a stream",
);
const QUEUE: Approximation =
    acts("queue", "the rate holds, but a full queue makes the sender wait and loses nothing");
const MTU: Approximation = acts(
    "mtu",
    "a connection that sends as much at once as fills a packet beyond it gets stuck, as one whose large packets vanish",
);
