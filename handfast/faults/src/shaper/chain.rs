//! Loss by the two states of Gilbert and Elliott.

use crate::conditions::Loss;
use crate::dice::Chance;
use crate::stream::Stream;

/// Whether the link is in a good or a bad stretch. Begins with the share of bad stretches in the long run, so that there
/// is no time in which a chain has to settle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    is_bad: Option<bool>,
}

impl Chain {
    /// Whether packet `number` is lost. Each packet is asked about once, in order.
    pub(crate) fn loses(&mut self, loss: &Loss, stream: Stream, number: u64) -> bool {
        match *loss {
            Loss::None => false,
            Loss::Independent(chance) => chance.is_hit(stream.throw(number, 0)),
            Loss::GilbertElliott { p, r, good_loss, bad_loss } => {
                let change = stream.throw(number, 1);
                let is_bad = match self.is_bad {
                    None => bad_share(p, r).is_hit(stream.throw(number, 2)),
                    Some(true) => !r.is_hit(change),
                    Some(false) => p.is_hit(change),
                };
                self.is_bad = Some(is_bad);
                let chance = if is_bad { bad_loss } else { good_loss };
                chance.is_hit(stream.throw(number, 0))
            }
        }
    }
}

/// The share of packets that meet a bad stretch in the long run.
fn bad_share(p: Chance, r: Chance) -> Chance {
    let (p, r) = (p.as_share(), r.as_share());
    let share = if p + r > 0.0 { p / (p + r) } else { 0.0 };
    Chance::share(share).unwrap_or_default()
}
