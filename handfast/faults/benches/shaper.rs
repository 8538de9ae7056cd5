//! What the policy costs a packet: `cargo bench -p handfast-faults [-- --quick]`.
//!
//! Beside each row stands the same loop over a link on which nothing happens: its cost is that of the loop, the account and
//! the cache, so that the ratio of a row means something on a busy machine as well. Processor time of the thread, medians
//! of several rounds.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]

use std::hint::black_box;

use handfast_faults::{Conditions, Packet, Shaper};
use rustix::time::{ClockId, clock_gettime};

const ROWS: &[(&str, &str)] = &[
    ("nothing", "{}"),
    ("delay", r#"{"delay": "50ms"}"#),
    ("jitter", r#"{"delay": "50ms", "jitter": "10ms", "shape": "normal"}"#),
    ("correlated", r#"{"delay": "50ms", "jitter": "10ms", "shape": "pareto", "correlation": 0.5}"#),
    ("loss", r#"{"loss": 0.02}"#),
    ("bursts", r#"{"loss": 0.02, "burst": 8}"#),
    ("rate", r#"{"rate": "1Gbit/s", "queue": "1MiB"}"#),
    (
        "all",
        r#"{"delay": "50ms", "jitter": "10ms", "shape": "pareto-normal", "correlation": 0.25, "loss": 0.02, "burst": 8, "duplicate": 0.01, "corrupt": 0.01, "reorder": 0.01, "rate": "1Gbit/s", "queue": "1MiB", "mtu": 1500}"#,
    ),
];

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, packets) = if is_quick { (3, 200_000) } else { (9, 2_000_000) };
    let rows: Vec<Conditions> =
        ROWS.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
    let mut found = vec![Vec::new(); rows.len()];
    for _ in 0..rounds {
        for (conditions, times) in rows.iter().zip(&mut found) {
            times.push(round(conditions, packets));
        }
    }
    let medians: Vec<f64> = found.into_iter().map(median).collect();
    for ((name, _), ns) in ROWS.iter().zip(&medians) {
        println!("{name:<12} {ns:>7.1} ns a packet   {:>5.2} of nothing", ns / medians[0]);
    }
}

/// Nanoseconds a packet.
fn round(conditions: &Conditions, packets: u32) -> f64 {
    let mut shaper = Shaper::new(conditions.clone(), 7, "a -> b");
    let begin = used_s();
    for number in 0..u64::from(packets) {
        let packet = Packet { length: 1_500, flow: number % 16 };
        black_box(shaper.handle_packet(black_box(packet), number * 12_000));
    }
    (used_s() - begin) * 1e9 / f64::from(packets)
}

/// Processor time of this thread, in seconds.
#[expect(clippy::cast_precision_loss, reason = "some seconds")]
fn used_s() -> f64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
