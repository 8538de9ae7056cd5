//! One question by HTTP, and what became of it.

use std::time::Duration;

use bytes::Bytes;
use entity_peer::output::{Delivery, FailureKind, Request, Transmit};
use entity_transport::http::{Address, Call, Failure, Method};
use entity_wire::frame::batch;
use entity_wire::reply::Reply;
use tracing::debug;

use super::Node;
use crate::flaws;

impl Node {
    /// Asks a base address by HTTP, within the time that is left.
    pub(crate) async fn attempt(
        &self,
        transmit: &Transmit,
        base: &str,
        timeout: Duration,
    ) -> Delivery {
        let Ok(address) = base.parse::<Address>() else {
            return Delivery::Failed { kind: FailureKind::Address };
        };
        let is_frame = matches!(transmit.request, Request::Frame(_));
        let (method, path, body) = match &transmit.request {
            Request::Message(body) => (Method::POST, "/message", body.clone()),
            Request::Frame(frame) => (Method::POST, "/frame", alone(frame)),
            Request::Health => (Method::GET, "/health", Bytes::new()),
        };
        let call = Call { method, path, body, timeout };
        let _turn = flaws::turn().await;
        match self.shared.client.call(&address, call).await {
            Ok(answer) if is_frame && answer.status == 200 => of_one_frame(&answer.body),
            Ok(answer) => Delivery::Answered { status: answer.status, body: answer.body },
            Err(failure) => {
                debug!(peer = %transmit.peer, %address, error = %failure, "no answer");
                Delivery::Failed { kind: kind_of(&failure) }
            }
        }
    }
}

/// The body of a `POST /frame` with one frame.
fn alone(frame: &[u8]) -> Bytes {
    let mut body = Vec::with_capacity(4 + frame.len());
    batch::push(&mut body, frame);
    body.into()
}

/// What became of the one frame of a `POST /frame`, as if it had been answered by itself.
fn of_one_frame(body: &[u8]) -> Delivery {
    let results = batch::read_results(body, 1).unwrap_or_default();
    let Some(outcome) = results.first() else {
        return Delivery::Failed { kind: FailureKind::Malformed };
    };
    let (status, body) = match outcome {
        Ok(()) => (200, Bytes::new()),
        Err(code) => (code.status(), Reply::error(*code).body.into()),
    };
    Delivery::Answered { status, body }
}

fn kind_of(failure: &Failure) -> FailureKind {
    match failure {
        Failure::Connect(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            FailureKind::Refused
        }
        Failure::Connect(_) | Failure::Request(_) => FailureKind::Address,
        Failure::ConnectTimeout | Failure::Timeout => FailureKind::TimedOut,
        Failure::Broken(error) if error.is_parse() => FailureKind::Malformed,
        Failure::Broken(_) => FailureKind::Broken,
        Failure::AnswerTooLarge => FailureKind::Malformed,
    }
}
