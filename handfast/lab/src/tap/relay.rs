//! One exchange from beginning to end.

use std::sync::Arc;

use bytes::Bytes;
use handfast_faults::{Direction, Effect, HoldId, Link, Verdict};
use hyper::http::{HeaderValue, response};
use hyper::{Response, StatusCode, header};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::evidence::Fact;
use crate::tap::ReplayError;
use crate::tap::exchange::{Answer, Exchange, Fate};
use crate::tap::upstream::Received;
use crate::tap::wire::{Admitted, Decided, Request, Wire};

/// What the asker gets.
pub(super) enum Outcome {
    /// An answer.
    Answered(response::Parts, Bytes),
    /// Nothing: its connection is closed.
    Closed,
    /// Nothing: its connection is reset.
    Reset,
}

/// Carries one request through the tap and writes it down.
pub(super) async fn relay(wire: Arc<Wire>, link: Link, request: Request) -> Outcome {
    let Some(_permit) = wire.enter().await else { return Outcome::Closed };
    let _under_way = wire.begin();
    let Admitted { mut exchange, decided } = wire.admit(&link, &request);
    exchange.rule = decided.rule;
    let (body, copy) = match to_deliver(&wire, &mut exchange, &request, decided).await {
        Ok(deliver) => deliver,
        Err(outcome) => {
            wire.record(exchange);
            return outcome;
        }
    };
    exchange.delivered = Some(body.clone().into());
    let outcome = match send(&wire, &link, &request, body.clone()).await {
        Ok(received) => to_return(&wire, &mut exchange, received).await,
        Err(reason) => {
            exchange.fate = Fate::Unreachable { reason };
            if wire.is_reset(&link) { Outcome::Reset } else { Outcome::Closed }
        }
    };
    let index = exchange.index;
    wire.record(exchange);
    // Before the first answer goes back: whoever sees it may count on the copy being delivered.
    match copy {
        Copy::None => {}
        Copy::Same => {
            drop(send_again(&wire, &link, index, (&request, body), Fate::Duplicated).await);
        }
        // The rule named a message that is not recorded: its report shows the effect, the evidence
        // shows no replay.
        Copy::Recorded(index) => drop(replay(&wire, &link, index).await),
    }
    outcome
}

/// Sends a recorded message again and writes it down.
pub(super) async fn replay(wire: &Wire, link: &Link, index: u64) -> Result<Answer, ReplayError> {
    let recorded = wire.state().recording(link, index);
    let request = recorded.ok_or_else(|| ReplayError::NotRecorded { link: link.clone(), index })?;
    let body = request.body.clone();
    send_again(wire, link, Some(index), (&request, body), Fate::Replayed)
        .await
        .map_err(|reason| ReplayError::NoAnswer { link: link.clone(), index, reason })
}

/// What follows the delivery of a request.
enum Copy {
    None,
    Same,
    Recorded(u64),
}

/// What of the request is delivered, or what its asker gets in place of an answer.
async fn to_deliver(
    wire: &Wire,
    exchange: &mut Exchange,
    request: &Request,
    decided: Decided,
) -> Result<(Bytes, Copy), Outcome> {
    let direction = Direction::Request;
    let whole = request.body.clone();
    match decided.verdict {
        Verdict::Pass => Ok((whole, Copy::None)),
        Verdict::Duplicate => Ok((whole, Copy::Same)),
        Verdict::Replay { index } => Ok((whole, Copy::Recorded(index))),
        Verdict::Replace(body) => {
            exchange.fate = replaced(wire, exchange, direction);
            Ok((body.into(), Copy::None))
        }
        Verdict::Hold(id) => {
            exchange.fate = held(wire, exchange, (id, direction), decided.hold).await;
            if matches!(exchange.fate, Fate::Withheld(_)) {
                return Err(Outcome::Closed);
            }
            Ok((whole, Copy::None))
        }
        Verdict::Drop => {
            exchange.fate = Fate::Dropped(direction);
            Err(Outcome::Closed)
        }
        Verdict::Cut => {
            exchange.fate = Fate::Cut(direction);
            Err(Outcome::Reset)
        }
        Verdict::Respond { status, body } => {
            exchange.fate = Fate::Responded(direction);
            Err(own_answer(exchange, status, body.into()))
        }
    }
}

/// What of the answer goes back.
async fn to_return(wire: &Wire, exchange: &mut Exchange, received: Received) -> Outcome {
    let direction = Direction::Response;
    let status = received.head.status.as_u16();
    exchange.answer = Some(Answer { status, body: received.body.clone().into() });
    let decided = wire.judge_answer(exchange, &received.body);
    if decided.rule.is_some() {
        exchange.rule = decided.rule;
    }
    let mut body = received.body;
    match decided.verdict {
        // A rule cannot ask for a copy of an answer: `Rule::new` refuses it.
        Verdict::Pass | Verdict::Duplicate | Verdict::Replay { .. } => {}
        Verdict::Replace(changed) => {
            exchange.fate = replaced(wire, exchange, direction);
            body = changed.into();
        }
        Verdict::Hold(id) => {
            exchange.fate = held(wire, exchange, (id, direction), decided.hold).await;
            if matches!(exchange.fate, Fate::Withheld(_)) {
                return Outcome::Closed;
            }
        }
        Verdict::Drop => {
            exchange.fate = Fate::Dropped(direction);
            return Outcome::Closed;
        }
        Verdict::Cut => {
            exchange.fate = Fate::Cut(direction);
            return Outcome::Reset;
        }
        Verdict::Respond { status, body } => {
            exchange.fate = Fate::Responded(direction);
            return own_answer(exchange, status, body.into());
        }
    }
    exchange.returned = Some(Answer { status, body: body.clone().into() });
    Outcome::Answered(received.head, body)
}

/// An answer that no peer gave.
fn own_answer(exchange: &mut Exchange, status: u16, body: Bytes) -> Outcome {
    // Never: `Rule::new` refuses the rule.
    let Ok(code) = StatusCode::from_u16(status) else { return Outcome::Closed };
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = code;
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    exchange.returned = Some(Answer { status, body: body.clone().into() });
    Outcome::Answered(head, body)
}

/// Names what the rule of `exchange` changed.
pub(super) fn replaced(wire: &Wire, exchange: &Exchange, direction: Direction) -> Fate {
    let what =
        exchange.rule.and_then(|rule| wire.state().rules.edit(rule).map(ToString::to_string));
    Fate::Replaced { direction, what: what.unwrap_or_default() }
}

/// Waits for the release of a held message.
pub(super) async fn held(
    wire: &Wire,
    exchange: &Exchange,
    (id, direction): (HoldId, Direction),
    hold: Option<oneshot::Receiver<()>>,
) -> Fate {
    let clock = wire.evidence.clock();
    let since_us = clock.now_us();
    let Some(hold) = hold else { return Fate::Withheld(direction) };
    let (link, index, kind) = (exchange.link.clone(), exchange.index, exchange.kind.clone());
    wire.evidence.record(Fact::Held { hold: id, message: Effect { link, direction, index, kind } });
    match hold.await {
        Ok(()) => Fate::Held { direction, for_us: clock.now_us().saturating_sub(since_us) },
        Err(_) => Fate::Withheld(direction),
    }
}

/// Delivers a request once more and writes the copy down.
pub(super) async fn send_again(
    wire: &Wire,
    link: &Link,
    index: Option<u64>,
    (request, body): (&Request, Bytes),
    fate: Fate,
) -> Result<Answer, String> {
    let began_us = wire.evidence.clock().now_us();
    let kind = handfast_faults::text_of(&request.body, &wire.config.kind_field);
    let mut exchange = Exchange::new(link.clone(), index, kind, began_us, request);
    exchange.delivered = Some(body.clone().into());
    exchange.fate = fate;
    let sent = send(wire, link, request, body).await;
    let answer = sent.map(|received| Answer {
        status: received.head.status.as_u16(),
        body: received.body.into(),
    });
    match &answer {
        Ok(answer) => exchange.answer = Some(answer.clone()),
        Err(reason) => exchange.fate = Fate::Unreachable { reason: reason.clone() },
    }
    wire.record(exchange);
    answer
}

async fn send(
    wire: &Wire,
    link: &Link,
    request: &Request,
    body: Bytes,
) -> Result<Received, String> {
    let upstream = wire.upstream(&link.to).ok_or("no such role")?;
    let within = wire.config.answer_within;
    let sending = upstream.send((&wire.ground, link), &request.head, body);
    match timeout(within, sending).await {
        Ok(sent) => sent.map_err(|error| error.to_string()),
        Err(_elapsed) => Err(format!("no answer within {within:?}")),
    }
}
