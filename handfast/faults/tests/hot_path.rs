//! What the policy may not do for each packet.

use handfast_faults::{Conditions, Packet, Shaper};

#[test]
fn deciding_about_a_packet_allocates_nothing() {
    let all = r#"{"delay": "50ms", "jitter": "10ms", "shape": "pareto-normal", "correlation": 0.25, "loss": 0.02, "burst": 8, "duplicate": 0.1, "corrupt": 0.1, "reorder": 0.1, "rate": "100Mbit/s", "mtu": 1400, "dead_flows": 0.1}"#;
    let conditions: Conditions = serde_json::from_str(all).unwrap();
    let mut shaper = Shaper::new(conditions, 7, "a -> b");
    // Tables of distributions are made once for all.
    send(&mut shaper, 0..10);
    let counted = allocation_counter::measure(|| send(&mut shaper, 10..50_000));
    assert_eq!(counted.count_total, 0);
    let account = shaper.account();
    assert!(account.duplicated > 0 && account.corrupted > 0 && account.dropped_total() > 0);
}

fn send(shaper: &mut Shaper, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let packet = Packet { length: 20 + number % 1_480, flow: u64::from(number % 100) };
        for copy in shaper.handle_packet(packet, u64::from(number) * 50_000).copies {
            shaper.handle_delivery(copy.due_ns, copy.due_ns + 30_000);
        }
    }
}
