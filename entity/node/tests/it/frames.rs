//! Compact frames between nodes: over HTTP where configured, over WebSockets by themselves, and many in one request.

use entity_peer::Config;
use entity_peer::config::Frames;
use entity_wire::frame::batch;

use crate::support::{PATIENCE, TestNode, acquainted, http};

fn always(config: &mut Config) {
    config.frames = Frames::Always;
}

/// Messages came as frames; whatever else there was to say may have, too.
#[track_caller]
fn assert_took(node: &TestNode, at_least: u64) {
    let taken = node.node().frames_taken();
    assert!(taken >= at_least, "{} took {taken} frames of {at_least}", node.name);
}

fn with_sockets(config: &mut Config) {
    config.websocket = true;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_go_both_ways_over_http() {
    let (a, b) = acquainted(always).await;
    a.open(&b).await.unwrap();
    for number in 0..50 {
        a.send(&b, &number.to_string()).await.unwrap();
        b.send(&a, &number.to_string()).await.unwrap();
    }
    assert_eq!((a.inbox().len(), b.inbox().len()), (50, 50));
    assert_took(&a, 50);
    assert_took(&b, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_side_has_them_off_both_directions_work() {
    let off = |config: &mut Config| config.frames = Frames::Never;
    let (a, b) = (TestNode::start("a", always), TestNode::start("b", off));
    a.add(&b).await;
    b.add(&a).await;
    a.open(&b).await.unwrap();
    a.send(&b, "there").await.unwrap();
    b.send(&a, "back").await.unwrap();
    assert_eq!((a.inbox().len(), b.inbox().len()), (1, 1));
    assert_eq!((a.node().frames_taken(), b.node().frames_taken()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_go_both_ways_over_a_websocket() {
    let (a, b) = acquainted(with_sockets).await;
    a.open(&b).await.unwrap();
    a.send(&b, "the first to want a connection").await.unwrap();
    tokio::time::timeout(PATIENCE, a.node().reached_by_socket()).await.expect("a connection");
    let before = (a.node().frames_taken(), b.node().frames_taken());
    for number in 0..50 {
        a.send(&b, &number.to_string()).await.unwrap();
        b.send(&a, &number.to_string()).await.unwrap();
    }
    assert_eq!((a.inbox().len(), b.inbox().len()), (50, 51));
    assert_took(&a, before.0 + 50);
    assert_took(&b, before.1 + 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_answered_frame_by_frame_or_refused_as_a_whole() {
    let b = TestNode::start("b", always);
    let post = |body: Vec<u8>| http(b.serving.address(), "POST", "/frame", &body);
    let mut body = Vec::new();
    batch::push(&mut body, b"short");
    let mut unknown = vec![0x11; 60];
    unknown[7] = 0x41;
    unknown[9] = 0x81;
    batch::push(&mut body, &unknown);
    let (status, answer) = post(body.clone());
    assert_eq!(status, 200);
    assert!(answer.ends_with(r#"{"results":["INVALID_MESSAGE","SESSION_NOT_FOUND"]}"#), "{answer}");
    body.push(0);
    assert_eq!(post(body).0, 400);
    let (status, answer) = post(Vec::new());
    assert!(status == 200 && answer.ends_with(r#"{"results":[]}"#), "{answer}");
}
