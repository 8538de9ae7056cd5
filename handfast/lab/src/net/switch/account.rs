//! What one direction of a link was asked for, and what it did.

use handfast_faults::{Account, Conditions, Line, LineVerdict};

/// What one direction of a link was asked for, and what it did while the same conditions held.
#[derive(Clone, Debug)]
pub struct LinkAccount {
    /// Who sends.
    pub from: String,
    /// To whom.
    pub to: String,
    /// The conditions that held.
    pub asked: Conditions,
    /// What was decided, packet by packet, and how late it was carried out.
    pub account: Account,
    /// How all that was decided was carried out, under whatever conditions; beside those that hold, none beside others.
    pub carried: Option<Carried>,
    /// Whether accounts of other conditions are counted in: there were more than can be told apart. Then nothing of it is judged.
    pub is_mixed: bool,
}

/// How the switch carried out what was decided for one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Copies that reached the other side.
    pub delivered: u64,
    /// Resets that were sent back.
    pub resets: u64,
    /// Packets for which the switch had no room: more waited than it can keep. Each is a loss that nobody asked for.
    pub overflowed: u64,
    /// Packets that the other side's kernel refused. Each is a loss that nobody asked for.
    pub refused: u64,
}

impl Carried {
    /// Losses that nobody asked for: where there is one, more was lost than the account says.
    pub fn unasked_losses(&self) -> u64 {
        self.overflowed + self.refused
    }
}

impl LinkAccount {
    /// What was asked and what was measured, and a line more where the switch lost what nobody asked it to lose.
    pub fn judge(&self) -> Vec<Line> {
        let mut lines = if self.is_mixed { Vec::new() } else { self.account.judge(&self.asked) };
        let lost = self.carried.as_ref().map_or(0, Carried::unasked_losses);
        if lost > 0 {
            lines.push(Line {
                what: "switch".to_owned(),
                asked: "loses nothing by itself".to_owned(),
                measured: format!("{lost} packets lost by the switch"),
                verdict: LineVerdict::Missed,
            });
        }
        lines
    }
}
