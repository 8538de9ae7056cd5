//! What is measured of two peers that talk.

use std::fmt;

use serde::{Serialize, Serializer};

/// Something that is measured of two peers that talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// From asking for a session to the session that is ready.
    Handshake,
    /// From the moment at which a message was to be sent until its sender has heard that it was taken.
    Latency,
    /// Messages that were taken in a second, with many on their way at once.
    Throughput,
    /// Memory of its own of the peer that has more of it.
    Memory,
    /// Processor time of both peers, a message.
    CpuPerMessage,
    /// Bytes of requests and answers on the wire, a handshake.
    HandshakeBytes,
    /// Requests on the wire, a handshake.
    HandshakeTrips,
    /// Bytes of requests and answers on the wire, a message.
    MessageBytes,
    /// Requests on the wire, a message.
    MessageTrips,
}

impl Metric {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Handshake,
        Self::Latency,
        Self::Throughput,
        Self::Memory,
        Self::CpuPerMessage,
        Self::HandshakeBytes,
        Self::HandshakeTrips,
        Self::MessageBytes,
        Self::MessageTrips,
    ];

    /// Its name in files and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Latency => "latency",
            Self::Throughput => "throughput",
            Self::Memory => "memory",
            Self::CpuPerMessage => "cpu_per_message",
            Self::HandshakeBytes => "handshake_bytes",
            Self::HandshakeTrips => "handshake_trips",
            Self::MessageBytes => "message_bytes",
            Self::MessageTrips => "message_trips",
        }
    }

    /// The metric of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// The unit of its values.
    pub fn unit(self) -> Unit {
        match self {
            Self::Handshake | Self::Latency | Self::CpuPerMessage => Unit::Microseconds,
            Self::Throughput => Unit::PerSecond,
            Self::Memory | Self::HandshakeBytes | Self::MessageBytes => Unit::Bytes,
            Self::HandshakeTrips | Self::MessageTrips => Unit::Trips,
        }
    }

    /// Whether more of it is better.
    pub fn is_better_high(self) -> bool {
        self == Self::Throughput
    }

    /// Whether it is counted and not measured: the same work gives the same value on every machine, and any difference is one.
    pub fn is_counter(self) -> bool {
        match self {
            Self::HandshakeBytes
            | Self::HandshakeTrips
            | Self::MessageBytes
            | Self::MessageTrips => true,
            Self::Handshake
            | Self::Latency
            | Self::Throughput
            | Self::Memory
            | Self::CpuPerMessage => false,
        }
    }

    /// A value as a cost: the less, the better. Of a rate it is the time that one takes.
    pub fn cost(self, value: f64) -> f64 {
        if self.is_better_high() { value.recip() } else { value }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The unit of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Microseconds,
    /// A second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Requests and their answers.
    Trips,
}

impl Unit {
    /// As it stands in the history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "us",
            Self::PerSecond => "1/s",
            Self::Bytes => "bytes",
            Self::Trips => "trips",
        }
    }

    /// A value for people, such as `1.2 ms`.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Microseconds if value < 1_000.0 => format!("{value:.0} us"),
            Self::Microseconds if value < 100_000.0 => format!("{:.2} ms", value / 1_000.0),
            Self::Microseconds if value < 1_000_000.0 => format!("{:.0} ms", value / 1_000.0),
            Self::Microseconds => format!("{:.2} s", value / 1_000_000.0),
            Self::PerSecond if value < 100.0 => format!("{value:.1}/s"),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Bytes if value < 100_000.0 => format!("{value:.0} B"),
            Self::Bytes if value < 100e6 => format!("{:.1} MB", value / 1e6),
            Self::Bytes if value < 1e9 => format!("{:.0} MB", value / 1e6),
            Self::Bytes => format!("{:.2} GB", value / 1e9),
            Self::Trips => {
                format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name() {
        for metric in Metric::ALL {
            assert_eq!(Metric::named(metric.name()), Some(metric));
        }
        assert_eq!(Metric::named("speed"), None);
    }

    #[test]
    fn values_read_well() {
        let shown = |unit: Unit, values: &[f64]| -> Vec<String> {
            values.iter().map(|value| unit.show(*value)).collect()
        };
        assert_eq!(
            shown(Unit::Microseconds, &[7.0, 1_234.0, 512_000.0, 1_234_567.0]),
            ["7 us", "1.23 ms", "512 ms", "1.23 s"]
        );
        assert_eq!(shown(Unit::PerSecond, &[49.96, 12_345.6]), ["50.0/s", "12346/s"]);
        assert_eq!(
            shown(Unit::Bytes, &[812.0, 1.25e6, 512e6, 16e9]),
            ["812 B", "1.2 MB", "512 MB", "16.00 GB"]
        );
        assert_eq!(shown(Unit::Trips, &[3.0, 1.5]), ["3", "1.5"]);
    }
}
