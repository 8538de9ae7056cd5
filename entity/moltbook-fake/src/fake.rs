//! Service and faults together.

use serde_json::{Value, json};

use crate::fault::{Fault, Faults};
use crate::service::{Answer, Ask, Service};

/// Longest account of what was seen; later requests are counted only.
pub const SEEN_MAX: usize = 100_000;

/// A service that can be told to break.
#[derive(Debug)]
pub struct Fake {
    /// The contract.
    pub service: Service,
    /// What goes wrong.
    pub faults: Faults,
    seen: Vec<Seen>,
}

/// One request that came. It never holds the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Method and target.
    pub line: String,
    /// Whether it brought a header with a key, right or wrong.
    pub with_key: bool,
    /// When.
    pub at: i64,
    /// What went wrong with it.
    pub fault: Option<Fault>,
}

/// What a request comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// This answer.
    Answer(Answer),
    /// This answer, whose body is not JSON but this.
    Raw(Answer, Vec<u8>),
    /// Half of this answer, then the end of the connection.
    Half(Answer),
    /// Nothing, until the client goes.
    Stall,
    /// An answer that never ends.
    Drip,
    /// A reset.
    Reset,
}

impl Fake {
    /// A fake of `service` in which nothing goes wrong yet.
    pub fn new(service: Service) -> Self {
        Self { service, faults: Faults::default(), seen: Vec::new() }
    }

    /// What has come, oldest first.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Answers `ask` at `now`, or breaks.
    pub fn handle(&mut self, ask: &Ask, now: i64) -> Act {
        let fault = self.faults.draw();
        if self.seen.len() < SEEN_MAX {
            self.seen.push(Seen {
                line: format!("{} {}", ask.method, ask.target),
                with_key: ask.authorization.is_some(),
                at: now,
                fault: fault.clone(),
            });
        }
        match fault {
            None => Act::Answer(self.service.handle(ask, now)),
            Some(fault) => self.break_with(&fault, ask, now),
        }
    }

    fn break_with(&mut self, fault: &Fault, ask: &Ask, now: i64) -> Act {
        let answer =
            |status, headers: Vec<(String, String)>| Answer { status, headers, body: json!({}) };
        match fault {
            Fault::TooMany { seconds } => {
                let header = ("Retry-After".to_owned(), seconds.to_string());
                let body = json!({ "success": false, "error": "Rate limit exceeded", "retry_after_seconds": seconds });
                Act::Answer(Answer { body, ..answer(429, vec![header]) })
            }
            Fault::Status(status) => {
                Act::Raw(answer(*status, vec![]), b"<html>broken</html>".to_vec())
            }
            Fault::ErrorAfter => {
                self.service.handle(ask, now);
                Act::Answer(answer(500, vec![]))
            }
            Fault::Stall => Act::Stall,
            Fault::Drip => Act::Drip,
            Fault::Reset => Act::Reset,
            Fault::ResetAfter => {
                self.service.handle(ask, now);
                Act::Reset
            }
            Fault::Redirect { to } => {
                Act::Answer(answer(302, vec![("Location".to_owned(), to.clone())]))
            }
            Fault::Truncate => Act::Half(self.service.handle(ask, now)),
            Fault::Oversize => {
                let mut good = self.service.handle(ask, now);
                good.body["padding"] = "x".repeat(1_100_000).into();
                Act::Answer(good)
            }
            Fault::ChangedTypes => {
                let mut good = self.service.handle(ask, now);
                change(&mut good.body);
                Act::Answer(good)
            }
            Fault::NoJson => {
                let good = self.service.handle(ask, now);
                Act::Raw(good, b"{\"success\": tru".to_vec())
            }
            Fault::QuoteKey => {
                let quoted = ask.authorization.as_deref().unwrap_or("nothing");
                let body = json!({ "success": false, "error": format!("bad header {quoted}"), "hint": quoted });
                let place =
                    ("Location".to_owned(), format!("https://elsewhere.example/?k={quoted}"));
                Act::Answer(Answer { body, ..answer(401, vec![place]) })
            }
        }
    }
}

/// Every text becomes a number and every number a text.
fn change(value: &mut Value) {
    match value {
        Value::String(_) => *value = 7.into(),
        Value::Number(number) => *value = number.to_string().into(),
        Value::Array(items) => items.iter_mut().for_each(change),
        Value::Object(fields) => fields.values_mut().for_each(change),
        Value::Null | Value::Bool(_) => {}
    }
}
