//! Delays drawn from a distribution.
//!
//! A distribution is a table of its quantiles, as netem's are, but with what lies between two cells drawn as well; what
//! is judged afterwards ([`Delay::quantile`]) is read from the same table. A packet inherits luck by an autoregressive
//! normal variable behind the table (a Gaussian copula), so that correlation changes the order of delays and not their
//! distribution; netem mixes the numbers themselves, which squeezes it.

use std::sync::LazyLock;
use std::time::Duration;

use handfast_statistics::normal::{normal_at_most, normal_quantile};

use crate::conditions::{Delay, Shape};
use crate::stream::Stream;

impl Delay {
    /// The delay that this share of packets is not above: 0.5 for the median.
    pub fn quantile(&self, share: f64) -> Duration {
        let share = share.clamp(0.0, 1.0);
        nanos(Drawer::new(self).at(Table::of(self.shape).at_share(share)))
    }
}

/// Draws the delays of one direction.
#[derive(Clone, Debug)]
pub(crate) struct Drawer {
    table: &'static Table,
    base_ns: f64,
    jitter_ns: f64,
    /// How much luck is inherited, and how much is new.
    inherited: f64,
    new: f64,
    luck: Option<f64>,
}

impl Drawer {
    pub(crate) fn new(delay: &Delay) -> Self {
        let inherited = delay.correlation.as_share();
        Self {
            table: Table::of(delay.shape),
            base_ns: real_nanos(delay.base),
            jitter_ns: real_nanos(delay.jitter),
            inherited,
            new: (1.0 - inherited * inherited).max(0.0).sqrt(),
            luck: None,
        }
    }

    /// The delay of a packet, in nanoseconds.
    pub(crate) fn draw(&mut self, stream: Stream, number: u64, lane: u64) -> u64 {
        if self.jitter_ns <= 0.0 {
            return whole(self.base_ns);
        }
        let throw = stream.throw(number, lane);
        if self.inherited <= 0.0 {
            return whole(self.at(self.table.at(throw)));
        }
        let fresh = Table::of(Shape::Normal).at(throw);
        let luck = self.luck.map_or(fresh, |luck| self.inherited * luck + self.new * fresh);
        self.luck = Some(luck);
        whole(self.at(self.table.at_share(RANKS.rank(luck))))
    }

    fn at(&self, place: f64) -> f64 {
        (self.base_ns + self.jitter_ns * place).max(0.0)
    }
}

fn real_nanos(span: Duration) -> f64 {
    // Conditions are at most a minute long, far below 2^53 nanoseconds.
    handfast_statistics::number::real_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and at most some minutes of nanoseconds"
)]
fn whole(ns: f64) -> u64 {
    // Rounding by a function would be a call on every packet.
    (ns + 0.5) as u64
}

fn nanos(ns: f64) -> Duration {
    Duration::from_nanos(whole(ns))
}

/// Few enough that the tables of a distribution stay in the nearest cache.
const CELLS_BITS: u32 = 10;
const CELLS: usize = 1 << CELLS_BITS;

/// Quantiles of a distribution with mean 0, in units of the jitter.
#[derive(Debug)]
struct Table(Vec<f64>);

static CONSTANT: LazyLock<Table> = LazyLock::new(|| Table::new(|_| 0.0));
static UNIFORM: LazyLock<Table> = LazyLock::new(|| Table::new(|share| 2.0 * share - 1.0));
static NORMAL: LazyLock<Table> = LazyLock::new(|| Table::new(normal));
static PARETO: LazyLock<Table> = LazyLock::new(|| Table::new(pareto));
static PARETO_NORMAL: LazyLock<Table> =
    LazyLock::new(|| Table::new(|share| 0.25 * normal(share) + 0.75 * pareto(share)));

impl Table {
    fn new(quantile: impl Fn(f64) -> f64) -> Self {
        let shares = (0..=CELLS).map(|cell| share_of(cell, CELLS));
        Self(shares.map(quantile).collect())
    }

    fn of(shape: Shape) -> &'static Self {
        match shape {
            Shape::Constant => &CONSTANT,
            Shape::Uniform => &UNIFORM,
            Shape::Normal => &NORMAL,
            Shape::Pareto => &PARETO,
            Shape::ParetoNormal => &PARETO_NORMAL,
        }
    }

    /// The quantile at 64 even bits.
    fn at(&self, throw: u64) -> f64 {
        let cell = usize::try_from(throw >> (64 - CELLS_BITS)).unwrap_or(0);
        let within = u32::try_from(throw << CELLS_BITS >> 32).unwrap_or(0);
        self.between(cell, f64::from(within) / 4_294_967_296.0)
    }

    fn at_share(&self, share: f64) -> f64 {
        let (cell, within) = cell_of(share, CELLS);
        self.between(cell, within)
    }

    fn between(&self, cell: usize, within: f64) -> f64 {
        let (low, high) = (self.0[cell], self.0[cell + 1]);
        low + (high - low) * within
    }
}

/// Cut off at four standard deviations.
fn normal(share: f64) -> f64 {
    normal_quantile(share).clamp(-LUCK_MAX, LUCK_MAX)
}

/// Pareto with a = 3: its mean is 3/2 of its least value, its variance 3/4 of the square of that.
fn pareto(share: f64) -> f64 {
    let value = (1.0 - share).cbrt().recip();
    ((value - 1.5) / 0.75_f64.sqrt()).min(TAIL_MAX)
}

/// Luck beyond this is this.
const LUCK_MAX: f64 = 4.0;

/// A straggler of a Pareto distribution is at most so many standard deviations late.
const TAIL_MAX: f64 = 16.0;

/// Which share of all is less lucky, for luck that is normal: a table, because it is asked for each packet.
static RANKS: LazyLock<Ranks> = LazyLock::new(|| {
    let luck = (0..=CELLS).map(|cell| (share_of(cell, CELLS) * 2.0 - 1.0) * LUCK_MAX);
    Ranks(luck.map(normal_at_most).collect())
});

#[derive(Debug)]
struct Ranks(Vec<f64>);

impl Ranks {
    fn rank(&self, luck: f64) -> f64 {
        let (cell, within) = cell_of(f64::midpoint(luck / LUCK_MAX, 1.0), CELLS);
        let (low, high) = (self.0[cell], self.0[cell + 1]);
        low + (high - low) * within
    }
}

fn share_of(cell: usize, cells: usize) -> f64 {
    let real = handfast_statistics::number::real;
    real(cell) / real(cells)
}

/// The cell below a share, and how far into it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to the cells of a table before"
)]
fn cell_of(share: f64, cells: usize) -> (usize, f64) {
    let place = share.clamp(0.0, 1.0) * cells as f64;
    let cell = (place as usize).min(cells - 1);
    (cell, place - cell as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Chance;

    const MS: Duration = Duration::from_millis(1);

    fn delay(shape: Shape, correlation: u32) -> Delay {
        let correlation = Chance::per_mille(correlation);
        Delay { base: 50 * MS, jitter: 5 * MS, shape, correlation, keeps_order: false }
    }

    fn drawn(delay: &Delay, count: u64) -> Vec<f64> {
        let stream = Stream::new(3, "a -> b", "delay");
        let mut drawer = Drawer::new(delay);
        (0..count)
            .map(|number| {
                handfast_statistics::number::real_u64(drawer.draw(stream, number, 0)) / 1e6
            })
            .collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / share_of(values.len(), 1)
    }

    fn deviation(values: &[f64]) -> f64 {
        let middle = mean(values);
        mean(&values.iter().map(|value| (value - middle).powi(2)).collect::<Vec<_>>()).sqrt()
    }

    #[test]
    fn mean_and_deviation_are_those_that_were_asked_for() {
        for (shape, expected) in [
            (Shape::Constant, 0.0),
            (Shape::Uniform, 5.0 / 3.0_f64.sqrt()),
            (Shape::Normal, 5.0),
            // Cut off, so that a little of its deviation is missing.
            (Shape::Pareto, 4.6),
            (Shape::ParetoNormal, 4.4),
        ] {
            for correlation in [0, 500] {
                let values = drawn(&delay(shape, correlation), 100_000);
                assert!((mean(&values) - 50.0).abs() < 0.1, "{shape:?}: {}", mean(&values));
                let found = deviation(&values);
                assert!((found - expected).abs() < 0.25, "{shape:?}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn correlation_is_what_neighbours_share_and_leaves_the_distribution() {
        for per_mille in [0, 250, 900] {
            let values = drawn(&delay(Shape::Normal, per_mille), 50_000);
            let (middle, spread) = (mean(&values), deviation(&values));
            let pairs: Vec<f64> =
                values.windows(2).map(|pair| (pair[0] - middle) * (pair[1] - middle)).collect();
            let found = mean(&pairs) / (spread * spread);
            let asked = f64::from(per_mille) / 1_000.0;
            assert!((found - asked).abs() < 0.03, "{found} instead of {asked}");
        }
    }

    #[test]
    fn quantiles_are_where_so_many_of_the_delays_are_not_above() {
        for shape in [Shape::Uniform, Shape::Normal, Shape::Pareto, Shape::ParetoNormal] {
            let delay = delay(shape, 0);
            let values = drawn(&delay, 100_000);
            for share in [0.5, 0.9, 0.99] {
                let most = delay.quantile(share).as_secs_f64() * 1e3;
                let below = values.iter().filter(|&&value| value <= most).count();
                let found = share_of(below, values.len());
                assert!((found - share).abs() < 0.005, "{shape:?} at {share}: {found}");
            }
        }
    }

    #[test]
    fn a_delay_is_never_below_zero_nor_beyond_the_tail() {
        let jitter = 5 * MS;
        let wide = Delay { base: MS, jitter, ..delay(Shape::Pareto, 0) };
        let values = drawn(&wide, 100_000);
        let most = values.iter().copied().fold(0.0, f64::max);
        assert!(values.iter().any(|&value| value <= 0.0));
        assert!(most > 60.0 && most <= 81.0, "{most}");
    }

    proptest! {
        #[test]
        fn quantiles_rise(shape in 0_usize..4, low in 0.0_f64..1.0, more in 0.0_f64..1.0) {
            let shape = [Shape::Uniform, Shape::Normal, Shape::Pareto, Shape::ParetoNormal][shape];
            let delay = delay(shape, 0);
            let high = low + (1.0 - low) * more;
            prop_assert!(delay.quantile(low) <= delay.quantile(high));
        }
    }
}
