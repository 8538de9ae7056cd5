//! What a node does by itself.

use super::*;

#[test]
fn a_record_outlives_those_that_stored_it_first() {
    let mut net = Net::grown(40);
    let record = Written { seconds: 80_000, issued_at: net.now, ..WRITTEN }.checked();
    net.publish(7, &record);
    let key = record.record().key();
    let first = net.holders(key);
    // Half of the storers go now, and the other half after the rest has sent the record on.
    let (now_gone, later_gone) = first.split_at(first.len() / 2);
    for gone in now_gone {
        net.kill(*gone);
    }
    net.run_for(Duration::from_mins(100));
    for gone in later_gone {
        net.kill(*gone);
    }
    let reader = (1..=40).find(|seed| net.machines.contains_key(seed)).unwrap();
    assert_eq!(net.find_records(reader, key), [record]);
}

#[test]
fn nobody_makes_a_record_last_longer_than_its_owner_said() {
    let mut net = Net::grown(20);
    let record = Written { seconds: 7_200, issued_at: net.now, ..WRITTEN }.checked();
    net.publish(7, &record);
    let key = record.record().key();
    net.run_for(Duration::from_mins(115));
    assert_eq!(net.find_records(3, key).len(), 1, "it was sent on meanwhile");
    net.run_for(Duration::from_mins(5));
    assert_eq!(net.find_records(3, key), []);
    assert_eq!(net.holders(key), Vec::<u16>::new());
}

#[test]
fn buckets_in_which_nothing_is_looked_up_are_refreshed_within_an_hour() {
    let mut net = Net::grown(20);
    net.letters.clear();
    net.run_for(Duration::from_mins(50));
    let quiet = net.letters.len();
    net.run_for(Duration::from_mins(15));
    let finds = net.letters.iter().filter(|(.., message)| message.kind() == "dht_find").count();
    assert!(finds > 20 && net.letters.len() > quiet, "{finds}");
    let oldest = net.machines.values().map(|machine| machine.table().longest_not_looked_up().1);
    assert!(oldest.min() >= Some(net.now.minus(Duration::from_mins(61))));
}

#[test]
fn upkeep_takes_no_more_than_its_share_of_the_lookups() {
    let mut dht = dht(1);
    meet(&mut dht, 2, START);
    for owner in 1..=100 {
        dht.offer(&Written { owner, name: "y", seconds: 80_000, ..WRITTEN }.checked(), START);
    }
    // Nobody answers, so nothing comes to its end.
    dht.handle_deadline(at(2 * 3_600));
    assert_eq!(dht.under_way().0, 8);
    assert!(dht.find_nodes(node(5).id().into(), at(2 * 3_600)).is_ok(), "there is room for others");
    let mut turns = 0;
    while let Some(next) = dht.next_deadline().filter(|next| *next < at(3 * 3_600)) {
        dht.handle_deadline(next.max(at(2 * 3_600)));
        drain(&mut dht);
        turns += 1;
        assert!(turns < 2_000, "deadlines that have passed must not come again and again");
    }
}
