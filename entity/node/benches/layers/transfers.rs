//! Durable certified transfers: a committee of two, one order in flight on each of 256 accounts.

use crate::pair::Pair;
use crate::report::Measured;
use crate::{Bench, crypto, lines};

/// Accounts with one order in flight each.
const ACCOUNTS: u32 = 256;

struct Round {
    per_second: f64,
    nodes_us: f64,
    /// What the signatures of the transfers themselves allow: an order and two votes, each made once and checked once.
    ceiling: f64,
}

pub(crate) fn measured(bench: &Bench) -> Vec<Measured> {
    let mut pair = Pair::start_with(ACCOUNTS, &["--ws"]);
    let rounds: Vec<_> = (0..bench.effort.rounds)
        .map(|_| {
            bench.busy.look();
            let rates = crypto::rates();
            let paid = pair.many_at_a_time(bench.effort.payments);
            Round {
                per_second: paid.per_second,
                nodes_us: paid.nodes_us,
                ceiling: 1.0 / (3.0 / rates.sign_all + 3.0 / rates.verify_all),
            }
        })
        .collect();
    pair.check();
    let of = |figure: fn(&Round) -> f64| rounds.iter().map(figure);
    let line = Measured::new(lines::TRANSFERS, of(|round| round.per_second).collect())
        .beside("what their own signatures allow", "/s", of(|round| round.ceiling))
        .beside("share of it", "%", of(|round| 100.0 * round.per_second / round.ceiling))
        .beside("processor time of both nodes for one", "us", of(|round| round.nodes_us));
    vec![line]
}
