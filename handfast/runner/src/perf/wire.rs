//! What goes over the wire for a handshake and for a message, counted by the recording proxy.

use handfast_lab::{Exchange, Fact, Reader};
use handfast_perf::{Figure, Metric};

use super::duo::{Duo, Way, call};
use super::{Cast, Means, PerfError, real};

/// Counts with peers of their own: what looks into each message takes its time.
///
/// Each handshake and each message is a round: where all gave the same, the figure is exact.
pub(super) async fn count(means: Means<'_>, cast: &Cast) -> Result<Vec<Figure>, PerfError> {
    let mut duo = Duo::open(means, cast, Way::Recorded).await?;
    let mut reader = duo.evidence().reader();
    let [mut handshakes, mut messages] = [Vec::new(), Vec::new()];
    for _ in 0..HANDSHAKES {
        // Closing belongs to the session before.
        duo.close_session().await?;
        duo.settled().await;
        Seen::take(&mut reader);
        duo.handshake().await?;
        duo.settled().await;
        handshakes.push(Seen::take(&mut reader));
        for _ in 0..MESSAGES {
            call(&duo.a, "message.send", duo.message()).await?;
            duo.settled().await;
            messages.push(Seen::take(&mut reader));
        }
    }
    duo.close().await;
    let figures = [
        (Metric::HandshakeBytes, &handshakes),
        (Metric::HandshakeTrips, &handshakes),
        (Metric::MessageBytes, &messages),
        (Metric::MessageTrips, &messages),
    ];
    let figure = |(metric, seen): (Metric, &Vec<Seen>)| {
        let is_bytes = matches!(metric, Metric::HandshakeBytes | Metric::MessageBytes);
        let value = |seen: &Seen| real(if is_bytes { seen.bytes } else { seen.requests });
        Figure::of_rounds(metric, seen.iter().map(value).collect())
    };
    Ok(figures.into_iter().filter_map(figure).collect())
}

/// What went over the wire.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    requests: u64,
    bytes: u64,
}

impl Seen {
    /// Everything since the last look, but signs of life, which come by themselves.
    fn take(reader: &mut Reader) -> Self {
        let mut seen = Self::default();
        while let Some(observation) = reader.try_next() {
            if let Fact::Exchange(exchange) = &observation.fact
                && exchange.kind.as_deref() != Some("heartbeat")
            {
                seen.requests += 1;
                seen.bytes += bytes(exchange);
            }
        }
        seen
    }
}

/// Bytes of the bodies of a request and its answer.
fn bytes(exchange: &Exchange) -> u64 {
    let answer = exchange.answer.as_ref().map_or(0, |answer| answer.body.len());
    u64::try_from(exchange.request.len() + answer).unwrap_or(u64::MAX)
}

const HANDSHAKES: usize = 2;
const MESSAGES: usize = 4;
