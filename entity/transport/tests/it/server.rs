//! What the server answers and what it refuses.

use std::sync::atomic::Ordering;
use std::time::Duration;

use entity_transport::http::{Server, ServerLimits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Running, read_answer, read_to_end, within};

/// Sends one request that asks to close and checks the status line and the body of the answer.
#[track_caller]
fn check(answer: &str, status: &str, body: &str) {
    let (head, actual_body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    assert_eq!(head.lines().next(), Some(status), "{answer}");
    assert_eq!(actual_body, body, "{answer}");
}

fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").into()
}

#[tokio::test]
async fn known_paths_are_answered_as_compact_json() {
    let server = Running::start(ServerLimits::default());
    let answer = server.raw(&get("/thing?ignored=1")).await;
    check(&answer, "HTTP/1.1 200 OK", r#"{"path":"/thing"}"#);
    assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    check(&server.raw(&post("/echo", "{}")).await, "HTTP/1.1 200 OK", "{}");
}

/// docs/protocol/1.0.md#endpoints
#[tokio::test]
async fn a_wrong_path_or_method_has_the_texts_of_protocol_1_0() {
    let server = Running::start(ServerLimits::default());
    let not_found = r#"{"detail":"Not Found"}"#;
    let not_allowed = r#"{"detail":"Method Not Allowed"}"#;
    check(&server.raw(&get("/nothing")).await, "HTTP/1.1 404 Not Found", not_found);
    check(&server.raw(&post("/nothing", "{}")).await, "HTTP/1.1 404 Not Found", not_found);
    let answer = server.raw(&get("/echo")).await;
    check(&answer, "HTTP/1.1 405 Method Not Allowed", not_allowed);
    assert!(answer.contains("allow: POST\r\n"), "{answer}");
    check(&server.raw(&post("/thing", "")).await, "HTTP/1.1 405 Method Not Allowed", not_allowed);
    let head = String::from_utf8(get("/thing")).unwrap().replace("GET", "HEAD");
    check(&server.raw(head.as_bytes()).await, "HTTP/1.1 405 Method Not Allowed", "");
    assert_eq!(server.handler.answered.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_connection_is_kept_for_many_requests_and_takes_pipelined_ones() {
    let server = Running::start(ServerLimits::default());
    let mut stream = server.connect().await;
    for number in 0..3 {
        let body = format!("{number}");
        let request = format!(
            "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        check(&read_answer(&mut stream).await, "HTTP/1.1 200 OK", &body);
    }
    let two = b"GET /thing HTTP/1.1\r\nhost: a\r\n\r\nGET /thing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(two).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await.matches("HTTP/1.1 200 OK").count(), 2);
}

#[tokio::test]
async fn a_body_in_many_pieces_arrives_whole() {
    let server = Running::start(ServerLimits::default());
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    for letter in ["a", "b", "c"] {
        stream.write_all(format!("1\r\n{letter}\r\n").as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    check(&read_answer(&mut stream).await, "HTTP/1.1 200 OK", "abc");
}

const TOO_LARGE_BODY: &str = r#"{"detail":"message too large","error":{"code":"MESSAGE_TOO_LARGE","message":"message too large"}}"#;

#[tokio::test]
async fn a_body_at_the_limit_passes_and_one_byte_more_is_413() {
    let limits = ServerLimits { body_max_bytes: 1000, ..ServerLimits::default() };
    let server = Running::start(limits);
    let fitting = "x".repeat(1000);
    check(&server.raw(&post("/echo", &fitting)).await, "HTTP/1.1 200 OK", &fitting);
    check(
        &server.raw(&post("/echo", &"x".repeat(1001))).await,
        "HTTP/1.1 413 Payload Too Large",
        TOO_LARGE_BODY,
    );
    let mut chunked = b"POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..11 {
        chunked.extend_from_slice(format!("64\r\n{}\r\n", "x".repeat(100)).as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    check(&server.raw(&chunked).await, "HTTP/1.1 413 Payload Too Large", TOO_LARGE_BODY);
    assert_eq!(server.handler.answered.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_caller_of_20_mib_still_reads_its_413() {
    let server = Running::start(ServerLimits::default());
    let answer = server.raw(&post("/echo", &"x".repeat(20 * 1024 * 1024))).await;
    check(&answer, "HTTP/1.1 413 Payload Too Large", TOO_LARGE_BODY);
}

#[tokio::test]
async fn a_body_beyond_what_is_discarded_does_not_keep_the_connection() {
    let limits =
        ServerLimits { body_max_bytes: 10, discard_max_bytes: 1000, ..ServerLimits::default() };
    let server = Running::start(limits);
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n")
        .await
        .unwrap();
    stream.write_all(&[b'x'; 5000]).await.unwrap();
    check(&read_to_end(&mut stream).await, "HTTP/1.1 413 Payload Too Large", TOO_LARGE_BODY);
}

#[tokio::test]
async fn a_caller_that_asks_before_sending_a_large_body_is_refused_without_sending_it() {
    let limits = ServerLimits { body_max_bytes: 10, ..ServerLimits::default() };
    let server = Running::start(limits);
    let mut stream = server.connect().await;
    let head =
        b"POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head).await.unwrap();
    check(&read_to_end(&mut stream).await, "HTTP/1.1 413 Payload Too Large", TOO_LARGE_BODY);
}

#[tokio::test]
async fn large_bodies_together_stay_within_their_budget() {
    let size = ServerLimits::SMALL_BODY_BYTES + 1;
    let limits = ServerLimits {
        bodies_max_bytes: size,
        body_max_bytes: 2 * size,
        ..ServerLimits::default()
    };
    let server = Running::start(limits);
    let mut first = server.connect().await;
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {size}\r\n\r\n"
    );
    first.write_all(head.as_bytes()).await.unwrap();
    // The permission to go on shows that the budget is taken.
    let mut permission = [0; 25];
    within(tokio::io::AsyncReadExt::read_exact(&mut first, &mut permission)).await.unwrap();
    assert_eq!(&permission, b"HTTP/1.1 100 Continue\r\n\r\n");
    let refused = server.raw(&post("/echo", &"x".repeat(size))).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    check(&server.raw(&post("/echo", "small")).await, "HTTP/1.1 200 OK", "small");
    first.write_all("x".repeat(size).as_bytes()).await.unwrap();
    assert!(read_answer(&mut first).await.starts_with("HTTP/1.1 200 OK"));
    let afterwards = server.raw(&post("/echo", &"x".repeat(size))).await;
    assert!(afterwards.starts_with("HTTP/1.1 200 OK"), "the budget is given back");
}

#[tokio::test]
async fn a_head_above_the_limits_is_431() {
    let limits = ServerLimits { head_max_bytes: 4096, headers_max: 10, ..ServerLimits::default() };
    let server = Running::start(limits);
    let long = format!("GET /thing HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(5000));
    assert!(server.raw(long.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET /thing HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(10));
    assert!(server.raw(many.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    assert_eq!(server.handler.answered.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_head_sent_byte_by_byte_ends_at_its_time_limit() {
    let limits =
        ServerLimits { head_timeout: Duration::from_millis(50), ..ServerLimits::default() };
    let server = Running::start(limits);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /thing HT").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "", "the connection is closed without an answer");
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_its_time_limit() {
    // Long enough for the head to arrive on a busy machine.
    let limits = ServerLimits { head_timeout: Duration::from_secs(2), ..ServerLimits::default() };
    let server = Running::start(limits);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /thing HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let limits =
        ServerLimits { body_timeout: Duration::from_millis(50), ..ServerLimits::default() };
    let server = Running::start(limits);
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf")
        .await
        .unwrap();
    check(
        &read_to_end(&mut stream).await,
        "HTTP/1.1 408 Request Timeout",
        r#"{"detail":"Request Timeout"}"#,
    );
    assert_eq!(server.handler.answered.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn silent_and_slow_connections_give_way_to_whoever_comes() {
    let limits = ServerLimits { connections_max: 6, ..ServerLimits::default() };
    let server = Running::start(limits);
    let mut held = Vec::new();
    for said in
        [&b""[..], b"GET /th", b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf"]
    {
        for host in [2, 3] {
            let mut stream = server.connect_from(host).await;
            stream.write_all(said).await.unwrap();
            held.push(stream);
        }
    }
    // Each is one more than there are places for.
    for host in [1, 1, 4, 5] {
        let mut stream = server.connect_from(host).await;
        stream.write_all(b"GET /known HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"), "{host}");
        held.push(stream);
    }
    // Those went who had done nothing for longest, of the hosts with most.
    for stream in &mut held[..4] {
        assert!(matches!(within(stream.read(&mut [0; 1])).await, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn one_connection_too_many_is_503_and_a_freed_place_is_taken_again() {
    let limits = ServerLimits { connections_max: 2, ..ServerLimits::default() };
    let server = Running::start(limits);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /known HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        read_answer(&mut stream).await;
        held.push(stream);
    }
    let refused = read_to_end(&mut server.connect().await).await;
    assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
    assert!(
        refused.contains("retry-after: 1\r\n")
            && refused.contains(r#""code":"SERVICE_UNAVAILABLE""#),
        "{refused}"
    );
    let mut leaving = held.pop().unwrap();
    leaving
        .write_all(b"GET /thing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    read_to_end(&mut leaving).await;
    // The place is given back by the connection's task, which may still be ending.
    within(async {
        while !server.raw(&get("/thing")).await.starts_with("HTTP/1.1 200 OK") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn rubbish_is_400_and_the_server_goes_on() {
    let server = Running::start(ServerLimits::default());
    for rubbish in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"nonsense\r\n\r\n", b"GET\r\n\r\n"]
    {
        let answer = server.raw(rubbish).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    check(&server.raw(&get("/thing")).await, "HTTP/1.1 200 OK", r#"{"path":"/thing"}"#);
}

/// RFC 9112, section 6.3: the transfer encoding overrides the content length.
#[tokio::test]
async fn of_two_lengths_the_chunks_count() {
    let server = Running::start(ServerLimits::default());
    let both = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    check(&server.raw(both).await, "HTTP/1.1 200 OK", "ab");
    let unequal =
        b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc";
    assert!(server.raw(unequal).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_frees_the_address() {
    let server = Running::start(ServerLimits::default());
    let mut idle = server.connect().await;
    idle.write_all(b"GET /thing HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_answer(&mut idle).await;
    let address = server.address;
    server.stop().await;
    assert_eq!(read_to_end(&mut idle).await, "");
    let again = Running::serve(Server::bind(address, ServerLimits::default()).unwrap());
    check(&again.raw(&get("/thing")).await, "HTTP/1.1 200 OK", r#"{"path":"/thing"}"#);
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_request_longer_than_the_drain_time() {
    let limits =
        ServerLimits { drain_timeout: Duration::from_millis(50), ..ServerLimits::default() };
    let server = Running::start(limits);
    let mut stuck = server.connect().await;
    let head =
        b"POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n";
    stuck.write_all(head).await.unwrap();
    // The permission to go on shows that the request is under way.
    let mut permission = [0; 25];
    within(tokio::io::AsyncReadExt::read_exact(&mut stuck, &mut permission)).await.unwrap();
    server.stop().await;
    assert_eq!(read_to_end(&mut stuck).await, "");
}
