use super::*;

#[test]
fn what_nobody_takes_is_left_and_what_is_taken_comes_in_order() {
    let space = Space::state("b");
    let mut stored = Stored::default();
    assert_eq!(stored.summary(), "nothing");
    for (space, key) in [("b", "2"), ("b", "10"), ("a", "1")] {
        stored.put(space, Record { key: key.into(), value: Vec::new() });
    }
    assert_eq!(stored.summary(), "a 1, b 2");
    let seen: Vec<_> = stored.records(space).collect();
    assert_eq!(seen, [(b"10".as_slice(), b"".as_slice()), (b"2", b"")]);
    let keys: Vec<_> = stored.take(space).map(|record| record.key).collect();
    assert_eq!(keys, [b"10".as_slice(), b"2"]);
    assert_eq!(stored.take(space).count(), 0);
    assert_eq!(stored.left().collect::<Vec<_>>(), ["a"]);
}
