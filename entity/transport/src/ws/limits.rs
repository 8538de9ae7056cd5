//! Every figure that bounds a WebSocket.

use std::time::Duration;

/// Bounds on what a connection may cost us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketLimits {
    /// Longest message in bytes, either way; a longer one ends the connection. It is the limit of a body of HTTP and room for
    /// the head of a forwarded message.
    pub message_max_bytes: usize,
    /// Messages of ours without an answer, those not written yet included; one more waits.
    pub unanswered_max: usize,
    /// The same in bytes.
    pub unanswered_max_bytes: usize,
    /// Messages about the connection itself that wait to be written; one more is refused. One for each message that may wait
    /// for its answer has room, since all of them may be answered at once.
    pub controls_max: usize,
    /// Messages that are read before anything else is done, those that need no answer included.
    pub batch_max: usize,
    /// Batches that are handed over and not answered yet; then nothing is read.
    pub batches_max: usize,
    /// All unfinished messages in memory of all connections that were accepted, beyond
    /// [`SocketLimits::UNFINISHED_SMALL_BYTES`] each; a connection that would exceed it ends.
    pub unfinished_max_bytes: usize,
    /// Time for a message from its first byte to its last.
    pub message_timeout: Duration,
    /// After so long without a byte the other side is asked for a sign of life, and again after as long.
    pub ping_after: Duration,
    /// So many such questions go unanswered; then the connection counts as broken.
    pub pings_max: u32,
    /// A message that runs into its time breaks the connection, if that was silent for so long.
    pub silence_max: Duration,
    /// Time to open a connection and to upgrade it.
    pub connect_timeout: Duration,
    /// Connections that were accepted and are open.
    pub connections_max: usize,
    /// Those of one remote host.
    pub connections_per_host_max: usize,
}

impl SocketLimits {
    /// What a connection may hold of an unfinished message without charge: with all connections of the default limits 128 MiB.
    pub const UNFINISHED_SMALL_BYTES: usize = 32 * 1024;

    /// The room for the head of a forwarded message, in bytes: 52 are needed.
    pub const FORWARD_HEAD_BYTES: usize = 64;

    /// The same while others want turns: no more than one signed envelope costs, so that nobody waits
    /// longer for the end of a turn of frames than of another one.
    pub(crate) const CONTENDED_BATCH_MAX: usize = 8;

    /// Buffers of an idle connection. Measured: 8 KiB read as fast as 64 KiB with messages of 256 bytes.
    pub(crate) const READ_BUFFER_BYTES: usize = 8 * 1024;

    /// So much is gathered before it is written.
    pub(crate) const WRITE_BUFFER_BYTES: usize = 32 * 1024;
}

impl Default for SocketLimits {
    /// 20 s and two questions are the protocol's (`docs/protocol/1.1.md#websocket-keep-alive`). The rest is guessed: as many
    /// messages without an answer as a peer has deliveries under way, in 16 times the largest message.
    fn default() -> Self {
        Self {
            message_max_bytes: 1024 * 1024 + Self::FORWARD_HEAD_BYTES,
            unanswered_max: 4096,
            unanswered_max_bytes: 16 * 1024 * 1024,
            controls_max: 64 + 64 * 64,
            batch_max: 64,
            batches_max: 64,
            unfinished_max_bytes: 128 * 1024 * 1024,
            message_timeout: Duration::from_secs(30),
            ping_after: Duration::from_secs(20),
            pings_max: 2,
            silence_max: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            connections_max: 4096,
            connections_per_host_max: 2048,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member of a relay says of each forward that it has dealt with it; where that has no room the connection ends.
    #[test]
    fn everything_that_may_be_answered_at_once_has_room_for_an_object_about_it() {
        let limits = SocketLimits::default();
        assert!(limits.controls_max > limits.batch_max * limits.batches_max);
    }
}
