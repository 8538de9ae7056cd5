//! What is kept of a unit while it is played, in case it fails. Every list has its limit: the latest are kept.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use handfast_scenario::event::WireBytes;
use handfast_scenario::name::RoleName;
use handfast_scenario::{Recorded, RunEvent};

use crate::timeline::{self, Calls, Moment};

/// Lines of the time axis that are kept.
pub const MOMENTS_MAX: usize = 500;
/// Messages on the wire that are kept with their bodies.
pub const WIRE_MAX: usize = 200;
/// Lines of each peer's log that are kept.
pub const LOG_LINES_MAX: usize = 300;
/// Bytes of each body that are shown.
pub const BODY_BYTES_MAX: usize = 4096;

/// The story of one unit.
#[derive(Debug)]
pub struct Detail {
    started_us: u64,
    calls: Calls,
    /// The time axis.
    pub moments: VecDeque<Moment>,
    /// The wire record.
    pub wire: VecDeque<Exchange>,
    /// The peers' logs.
    pub logs: BTreeMap<RoleName, VecDeque<String>>,
    /// How much is missing at the front of each of these.
    pub left_out: LeftOut,
}

/// What did not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Of the time axis.
    pub moments: u64,
    /// Of the wire record.
    pub wire: u64,
}

/// A message on the wire and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The line it has on the time axis.
    pub moment: Moment,
    /// What was sent.
    pub request: Body,
    /// What arrived, where the wire changed it.
    pub delivered: Option<Body>,
    /// What was answered.
    pub response: Option<Body>,
}

/// A body as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// JSON with indents, text, or the hexadecimal digits of anything else.
    pub text: String,
    /// How many bytes there were.
    pub len: u64,
    /// Whether some are missing here.
    pub cut: bool,
}

impl Detail {
    pub(super) fn new(started_us: u64) -> Self {
        Self {
            started_us,
            calls: Calls::default(),
            moments: VecDeque::new(),
            wire: VecDeque::new(),
            logs: BTreeMap::new(),
            left_out: LeftOut::default(),
        }
    }

    pub(super) fn read(&mut self, recorded: &Recorded) {
        if let RunEvent::PeerLog { role, line, .. } = &recorded.event {
            let lines = self.logs.entry(role.clone()).or_default();
            if lines.len() == LOG_LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(line.clone());
        }
        let moment = timeline::moment(recorded, self.started_us);
        if let (Some(moment), RunEvent::WireMessage { request, delivered, response, .. }) =
            (&moment, &recorded.event)
        {
            if self.wire.len() == WIRE_MAX {
                self.wire.pop_front();
                self.left_out.wire += 1;
            }
            self.wire.push_back(Exchange {
                moment: moment.clone(),
                request: Body::of(request),
                delivered: delivered.as_ref().map(Body::of),
                response: response.as_ref().map(|response| Body::of(&response.body)),
            });
        }
        let called = self.calls.read(recorded, self.started_us);
        for moment in moment.into_iter().chain(called) {
            self.add(moment);
        }
    }

    fn add(&mut self, moment: Moment) {
        let moment = match self.moments.back_mut() {
            Some(last) => last.absorb(moment),
            None => Some(moment),
        };
        let Some(moment) = moment else { return };
        if self.moments.len() == MOMENTS_MAX {
            self.moments.pop_front();
            self.left_out.moments += 1;
        }
        self.moments.push_back(moment);
    }
}

impl Body {
    fn of(bytes: &WireBytes) -> Self {
        // A record that somebody edited may hold no base64; then there is nothing to show.
        let known = bytes.bytes().unwrap_or_default();
        let whole = u64::try_from(known.len()).is_ok_and(|len| len == bytes.len);
        let json = || serde_json::from_slice::<serde_json::Value>(&known).ok();
        let text = match json().filter(|_| whole) {
            Some(json) => serde_json::to_string_pretty(&json).unwrap_or_default(),
            None => match std::str::from_utf8(&known) {
                Ok(text) => text.to_owned(),
                Err(_) => known.iter().fold(String::new(), |mut digits, byte| {
                    // Writing to a text cannot fail.
                    write!(digits, "{byte:02x}").unwrap_or_default();
                    digits
                }),
            },
        };
        let mut end = text.len().min(BODY_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let cut = end < text.len() || !whole;
        Self { text: text[..end].to_owned(), len: bytes.len, cut }
    }
}
