//! What may go wrong on purpose.

use std::collections::VecDeque;

use serde::Deserialize;

/// One thing that goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 429 that asks to wait so many seconds; nothing is done.
    TooMany {
        /// How long.
        seconds: u32,
    },
    /// This status, with a page of HTML; nothing is done.
    Status(u16),
    /// 500 after it was done.
    ErrorAfter,
    /// No answer at all, until the client gives up; nothing is done.
    Stall,
    /// The answer comes one byte at a time, and never ends.
    Drip,
    /// The connection is reset; nothing is done.
    Reset,
    /// It is done, and the connection is reset in place of an answer.
    ResetAfter,
    /// 302 to another place; nothing is done.
    Redirect {
        /// Where.
        to: String,
    },
    /// It is done, and the answer ends in its midst.
    Truncate,
    /// It is done, and the answer is longer than anybody can want.
    Oversize,
    /// It is done, and every text of the answer has become a number and every number a text.
    ChangedTypes,
    /// It is done, and the answer is no JSON.
    NoJson,
    /// The answer quotes the header with the key, as careless services do.
    QuoteKey,
}

/// Which faults come when.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    script: VecDeque<Fault>,
    percent: u8,
    chance: u64,
}

/// Most faults that a script can hold.
pub const SCRIPT_MAX: usize = 10_000;

impl Faults {
    /// The next requests go wrong like this, one fault each.
    pub fn script(&mut self, faults: impl IntoIterator<Item = Fault>) {
        let room = SCRIPT_MAX - self.script.len();
        self.script.extend(faults.into_iter().take(room));
    }

    /// About so many of 100 requests go wrong, which and how follows from `seed`.
    pub fn by_chance(&mut self, percent: u8, seed: u64) {
        self.percent = percent.min(100);
        self.chance = seed;
    }

    /// What goes wrong with the next request.
    pub fn draw(&mut self) -> Option<Fault> {
        if let Some(fault) = self.script.pop_front() {
            return Some(fault);
        }
        if self.percent == 0 || self.dice() % 100 >= u64::from(self.percent) {
            return None;
        }
        let seconds = u32::try_from(self.dice() % 90 + 1).unwrap_or(1);
        Some(match self.dice() % 11 {
            0 => Fault::TooMany { seconds },
            1 => Fault::Status(
                [500, 502, 503, 504, 418][usize::try_from(self.dice() % 5).unwrap_or(0)],
            ),
            2 => Fault::ErrorAfter,
            3 => Fault::Stall,
            4 => Fault::Reset,
            5 => Fault::ResetAfter,
            6 => Fault::Redirect { to: "https://elsewhere.example/api/v1/posts".to_owned() },
            7 => Fault::Truncate,
            8 => Fault::Oversize,
            9 => Fault::ChangedTypes,
            _ => Fault::NoJson,
        })
    }

    /// SplitMix64.
    fn dice(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
