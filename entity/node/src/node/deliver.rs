//! One transmission, from the peer to the wire and its outcome back.

use bytes::Bytes;
use entity_peer::output::{Delivery, FailureKind, Request, Transmit};
use entity_transport::http::{Address, Call, Failure, Method, Scheme};
use entity_wire::frame::batch;
use entity_wire::reply::Reply;
use tokio::sync::watch;
use tracing::debug;

use super::Node;

impl Node {
    pub(crate) async fn deliver(self, transmit: Transmit) {
        let under_way = UnderWay::start(&self.shared.under_way);
        let id = transmit.id;
        let delivery = self.attempt(transmit).await;
        self.input(|peer, now| peer.handle_delivery(id, delivery, now));
        drop(under_way);
    }

    pub(crate) async fn attempt(&self, transmit: Transmit) -> Delivery {
        let Ok(address) = transmit.address.parse::<Address>() else {
            return Delivery::Failed { kind: FailureKind::Address };
        };
        if address.scheme() == Scheme::Ws {
            return Delivery::Failed { kind: FailureKind::Address };
        }
        let is_frame = matches!(transmit.request, Request::Frame(_));
        let (method, path, body) = match transmit.request {
            Request::Message(body) => (Method::POST, "/message", body),
            Request::Frame(frame) => (Method::POST, "/frame", alone(&frame)),
            Request::Health => (Method::GET, "/health", Bytes::new()),
        };
        let call = Call { method, path, body, timeout: transmit.timeout };
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

/// Counts one transmission as long as it lives.
struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    fn start(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
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
