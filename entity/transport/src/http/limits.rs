//! Every figure that bounds the HTTP server and client.

use std::time::Duration;

use crate::ws::SocketLimits;

/// Bounds on what the callers of a server may cost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Largest request body in bytes; a longer one is answered 413.
    pub body_max_bytes: usize,
    /// How much of a refused, too long body is read and thrown away, so that a caller that is still writing sees the 413
    /// rather than a reset connection. Beyond it the connection is closed at once.
    pub discard_max_bytes: usize,
    /// All large bodies in memory at one moment, in bytes; a request that would exceed it is answered 503.
    pub bodies_max_bytes: usize,
    /// Largest request head (request line and headers) in bytes; a longer one is answered 431.
    pub head_max_bytes: usize,
    /// Most headers of one request; more are answered 431.
    pub headers_max: usize,
    /// Time for a complete request head, counted from the opening of the connection or the previous answer. It is the idle
    /// limit of a kept connection and the bound on callers that send a head byte by byte.
    pub head_timeout: Duration,
    /// Time for a complete request body, counted from the end of the head; later it is answered 408.
    pub body_timeout: Duration,
    /// Open connections of the whole server; one more is answered 503 and closed.
    pub connections_max: usize,
    /// Open connections of one remote host, so that a single host cannot take every place; one more is answered 503.
    pub connections_per_host_max: usize,
    /// Time that open requests get to finish when the server stops.
    pub drain_timeout: Duration,
    /// What a WebSocket may cost; each gives its place among the connections of HTTP back.
    pub sockets: SocketLimits,
}

impl ServerLimits {
    /// Bodies up to this size are not charged to [`ServerLimits::bodies_max_bytes`]: with every connection of the default
    /// limits carrying one, they take 64 MiB.
    pub const SMALL_BODY_BYTES: usize = 64 * 1024;
}

impl ServerLimits {
    /// Of so many descriptors that the process may have, those that connections of callers leave to files and to connections of
    /// our own: a quarter.
    const RESERVED_PART: usize = 4;

    /// With no more places than a process with so many descriptors can fill: beyond them nobody could be let in, not even for
    /// somebody who has to go.
    #[must_use]
    pub fn within(mut self, descriptors: usize) -> Self {
        let places = descriptors - descriptors.div_ceil(Self::RESERVED_PART);
        if self.connections_max.saturating_add(self.sockets.connections_max) > places {
            self.connections_max = self.connections_max.min(places / 2).max(1);
            let rest = places.saturating_sub(self.connections_max);
            self.sockets.connections_max = self.sockets.connections_max.min(rest).max(1);
        }
        let half = |max: usize| max.div_ceil(2);
        self.connections_per_host_max =
            self.connections_per_host_max.min(half(self.connections_max));
        self.sockets.connections_per_host_max =
            self.sockets.connections_per_host_max.min(half(self.sockets.connections_max));
        self
    }
}

impl Default for ServerLimits {
    /// Guessed for a peer on a small machine: 1 MiB a body is sixteen 64 KiB chunks; 30 s is the timeout of the slowest
    /// request of protocol 1.0, so no honest caller is cut off.
    fn default() -> Self {
        Self {
            body_max_bytes: 1024 * 1024,
            discard_max_bytes: 32 * 1024 * 1024,
            bodies_max_bytes: 128 * 1024 * 1024,
            head_max_bytes: 16 * 1024,
            headers_max: 64,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            connections_max: 1024,
            connections_per_host_max: 512,
            drain_timeout: Duration::from_secs(2),
            sockets: SocketLimits::default(),
        }
    }
}

/// Bounds on what the peers we call may cost us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// Time to open a connection (`docs/protocol/1.0.md#client-rules`).
    pub connect_timeout: Duration,
    /// Largest answer body in bytes.
    pub answer_max_bytes: usize,
    /// Connections open to one address at a moment; further calls wait for one within their own timeout.
    pub connections_per_address_max: usize,
    /// Idle connections kept for one address.
    pub idle_per_address_max: usize,
    /// Addresses with a place in the pool; a call to one more waits for nothing and keeps no connection afterwards.
    pub addresses_max: usize,
    /// How long an idle connection is kept. It is below the 5 s after which the common Python server closes idle
    /// connections, so that a request rarely meets a closing connection.
    pub idle_timeout: Duration,
}

impl Default for ClientLimits {
    /// 5 s to connect is protocol 1.0's figure. 128 connections are measured: an answer waits for the disk of the peer, so few
    /// of them leave both sides idle meanwhile, and all are kept, because opening one costs more than a message. The rest is
    /// guessed: an answer of a peer is far below 1 MiB.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            answer_max_bytes: 1024 * 1024,
            connections_per_address_max: 128,
            idle_per_address_max: 128,
            addresses_max: 1024,
            idle_timeout: Duration::from_secs(4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_leave_a_quarter_of_the_descriptors() {
        let usual = ServerLimits::default();
        assert_eq!(usual.within(20_000), usual);
        for descriptors in [64, 256, 1_024, 4_096, 6_000] {
            let limits = usual.within(descriptors);
            let (http, ws) = (limits.connections_max, limits.sockets.connections_max);
            assert!(http + ws <= descriptors * 3 / 4, "{http} + {ws} of {descriptors}");
            assert_eq!(http, 1_024.min(descriptors * 3 / 8));
            assert!(limits.connections_per_host_max <= http.div_ceil(2));
            assert!(limits.sockets.connections_per_host_max <= ws.div_ceil(2));
        }
        let least = usual.within(0);
        assert_eq!((least.connections_max, least.sockets.connections_max), (1, 1));
    }
}
