use super::*;

#[tokio::test]
async fn a_listener_that_is_too_slow_sees_a_gap() {
    let config = Config::new("a".parse().unwrap());
    let node = Node::new(config, SigningKey::from_seed([1; 32]), [2; 32], Clock::start());
    let mut events = node.listen();
    let more = 3;
    for _ in 0..Node::EVENTS_MAX + more {
        assert_eq!(node.message(b"no message").await.status, 400);
    }
    let mut last = 0;
    while let Ok(event) = events.try_recv() {
        last += 1;
        assert_eq!(event.n, last);
    }
    assert_eq!(usize::try_from(last).unwrap(), Node::EVENTS_MAX);
    node.message(b"no message").await;
    assert_eq!(usize::try_from(events.try_recv().unwrap().n).unwrap(), Node::EVENTS_MAX + more + 1);
}
