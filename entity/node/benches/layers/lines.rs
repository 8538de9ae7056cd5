//! The lines that are measured against an aim. `TESTING.md` has the same, which `tests/it/bench_lines.rs` holds.

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

/// A figure with an aim.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// The word that measures its part alone.
    pub(crate) part: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) aim: Aim,
}

pub(crate) const FRAMES: Line = Line {
    part: "messages",
    name: "compact frames, 256 B, 64 in flight",
    unit: "/s",
    aim: Aim::AtLeast(60_000.0),
};
pub(crate) const TRIP: Line = Line {
    part: "trips",
    name: "round trip on one core, times raw WebSocket",
    unit: "x",
    aim: Aim::AtMost(2.0),
};
pub(crate) const ENVELOPES: Line = Line {
    part: "messages",
    name: "signed and sealed envelopes, share of sign + verify",
    unit: "%",
    aim: Aim::AtLeast(70.0),
};
pub(crate) const HANDSHAKE_HTTP: Line = Line {
    part: "handshake",
    name: "handshake 1.1 by HTTP, p50",
    unit: "ms",
    aim: Aim::AtMost(1.5),
};
pub(crate) const HANDSHAKE_SOCKET: Line = Line {
    part: "handshake",
    name: "handshake 1.1 by WebSocket, p50",
    unit: "ms",
    aim: Aim::AtMost(1.5),
};
pub(crate) const BULK: Line =
    Line { part: "bulk", name: "a file in chunks", unit: "MB/s", aim: Aim::AtLeast(300.0) };
pub(crate) const TRANSFERS: Line = Line {
    part: "transfers",
    name: "durable certified transfers, 256 in flight",
    unit: "/s",
    aim: Aim::AtLeast(5_000.0),
};
pub(crate) const IDLE: Line = Line {
    part: "idle",
    name: "memory with 1,000 idle WebSocket peers",
    unit: "MiB",
    aim: Aim::AtMost(60.0),
};

/// All of them, in their order.
pub(crate) const ALL: [Line; 8] =
    [FRAMES, TRIP, ENVELOPES, HANDSHAKE_HTTP, HANDSHAKE_SOCKET, BULK, TRANSFERS, IDLE];

impl Aim {
    /// Whether a figure is as it should be.
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(aim) => value >= aim,
            Self::AtMost(aim) => value <= aim,
        }
    }
}

impl std::fmt::Display for Aim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(aim) => write!(formatter, ">= {}", short(*aim)),
            Self::AtMost(aim) => write!(formatter, "<= {}", short(*aim)),
        }
    }
}

/// An aim has no more digits than it was given.
fn short(aim: f64) -> String {
    if aim < 100.0 { aim.to_string() } else { number(aim) }
}

/// A number for people: no more than three digits that say something where it is small, thousands apart where it is large.
pub(crate) fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        let text = format!("{value:.2}");
        return text.strip_suffix(".00").map_or(text.clone(), str::to_owned);
    }
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
