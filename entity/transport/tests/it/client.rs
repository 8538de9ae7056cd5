//! The client: reuse, limits, failures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use entity_transport::http::{
    Address, Answer, Call, Client, ClientLimits, Failure, Method, ServerLimits,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::support::{PATIENCE, Running, within};

fn post(body: &'static str) -> Call<'static> {
    Call {
        method: Method::POST,
        path: "/echo",
        body: Bytes::from_static(body.as_bytes()),
        timeout: PATIENCE,
    }
}

fn address_of(listener: &TcpListener) -> Address {
    format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()
}

async fn listen() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = address_of(&listener);
    (listener, address)
}

/// Reads one request head with its body, which must be in the same segment.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut received = vec![0; 4096];
    let read = within(stream.read(&mut received)).await.unwrap();
    received.truncate(read);
    String::from_utf8(received).unwrap()
}

async fn answer(stream: &mut TcpStream, body: &str) {
    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn calls_to_one_address_share_a_connection() {
    let (listener, address) = listen().await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&accepted);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                while !read_request(&mut stream).await.is_empty() {
                    answer(&mut stream, "{}").await;
                }
            });
        }
    });
    let client = Client::new(ClientLimits::default());
    for _ in 0..5 {
        assert_eq!(client.call(&address, post("x")).await.unwrap(), Answer::new(200, "{}"));
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_request_is_what_a_server_of_protocol_1_0_expects() {
    let (listener, address) = listen().await;
    let prefixed: Address = format!("{address}/prefix").parse().unwrap();
    let client = Client::new(ClientLimits::default());
    let calling = tokio::spawn(async move { client.call(&prefixed, post("{}")).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let request = read_request(&mut stream).await;
    assert!(request.starts_with("POST /prefix/echo HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", address.authority())), "{request}");
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    assert!(
        request.contains("content-length: 2\r\n") && request.ends_with("\r\n\r\n{}"),
        "{request}"
    );
    answer(&mut stream, "ok").await;
    assert_eq!(within(calling).await.unwrap().unwrap().body, "ok");
}

#[tokio::test]
async fn any_status_is_an_answer_with_its_retry_after() {
    let server = Running::start(ServerLimits::default());
    let client = Client::new(ClientLimits::default());
    let address: Address = format!("http://{}", server.address).parse().unwrap();
    let busy = client.call(&address, Call { path: "/busy", ..post("") }).await.unwrap();
    assert_eq!((busy.status, busy.retry_after_seconds), (503, Some(7)));
    let missing =
        client.call(&address, Call { method: Method::GET, path: "/x", ..post("") }).await.unwrap();
    assert_eq!((missing.status, &missing.body[..]), (404, &br#"{"detail":"Not Found"}"#[..]));
}

/// The server closes the kept connection before the second call: nothing of that call was written, so it goes out anew.
#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let (listener, address) = listen().await;
    let client = Client::new(ClientLimits::default());
    for _ in 0..3 {
        let calling = {
            let (client, address) = (client.clone(), address.clone());
            tokio::spawn(async move { client.call(&address, post("x")).await })
        };
        let (mut stream, _) = within(listener.accept()).await.unwrap();
        read_request(&mut stream).await;
        answer(&mut stream, "{}").await;
        drop(stream);
        assert_eq!(within(calling).await.unwrap().unwrap().status, 200);
    }
}

/// A server that has read the request may have handled it: sending it again is the peer's decision.
#[tokio::test]
async fn a_request_that_was_written_is_never_sent_twice() {
    let (listener, address) = listen().await;
    let client = Client::new(ClientLimits::default());
    let calling = tokio::spawn(async move {
        let first = client.call(&address, post("first")).await;
        let second = client.call(&address, post("second")).await;
        (first, second)
    });
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    read_request(&mut stream).await;
    answer(&mut stream, "{}").await;
    assert!(read_request(&mut stream).await.ends_with("second"));
    drop(stream);
    let (first, second) = within(calling).await.unwrap();
    assert_eq!(first.unwrap().status, 200);
    assert!(matches!(second, Err(Failure::Broken(_))), "{second:?}");
    let another = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
    assert!(another.is_err(), "no further connection was opened");
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_a_failure_to_connect() {
    let (listener, address) = listen().await;
    drop(listener);
    let outcome = Client::new(ClientLimits::default()).call(&address, post("x")).await;
    assert!(matches!(outcome, Err(Failure::Connect(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_meets_the_timeout() {
    let (_listener, address) = listen().await;
    let call = Call { timeout: Duration::from_millis(30), ..post("x") };
    let outcome = Client::new(ClientLimits::default()).call(&address, call).await;
    assert!(matches!(outcome, Err(Failure::Timeout)), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_above_the_limit_is_not_read() {
    let server = Running::start(ServerLimits::default());
    let address: Address = format!("http://{}", server.address).parse().unwrap();
    let client = Client::new(ClientLimits { answer_max_bytes: 3, ..ClientLimits::default() });
    assert_eq!(client.call(&address, post("abc")).await.unwrap().body, "abc");
    let outcome = client.call(&address, post("abcd")).await;
    assert!(matches!(outcome, Err(Failure::AnswerTooLarge)), "{outcome:?}");
}

#[tokio::test]
async fn connections_to_one_address_are_bounded_and_further_calls_wait() {
    let (listener, address) = listen().await;
    let client =
        Client::new(ClientLimits { connections_per_address_max: 2, ..ClientLimits::default() });
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let (client, address) = (client.clone(), address.clone());
            tokio::spawn(async move { client.call(&address, post("x")).await })
        })
        .collect();
    let (mut first, _) = within(listener.accept()).await.unwrap();
    let (mut second, _) = within(listener.accept()).await.unwrap();
    read_request(&mut first).await;
    read_request(&mut second).await;
    let third = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
    assert!(third.is_err(), "the third call waits");
    answer(&mut first, "{}").await;
    read_request(&mut first).await;
    answer(&mut first, "{}").await;
    answer(&mut second, "{}").await;
    for call in calls {
        assert_eq!(within(call).await.unwrap().unwrap().status, 200);
    }
}

#[tokio::test]
async fn an_old_idle_connection_is_not_used_again() {
    let (listener, address) = listen().await;
    let client =
        Client::new(ClientLimits { idle_timeout: Duration::ZERO, ..ClientLimits::default() });
    for _ in 0..2 {
        let calling = {
            let (client, address) = (client.clone(), address.clone());
            tokio::spawn(async move { client.call(&address, post("x")).await })
        };
        let (mut stream, _) = within(listener.accept()).await.unwrap();
        read_request(&mut stream).await;
        answer(&mut stream, "{}").await;
        assert_eq!(within(calling).await.unwrap().unwrap().status, 200);
    }
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_allowed() {
    let (listener, address) = listen().await;
    let client = Client::new(ClientLimits { idle_per_address_max: 1, ..ClientLimits::default() });
    let calls: Vec<_> = (0..2)
        .map(|_| {
            let (client, address) = (client.clone(), address.clone());
            tokio::spawn(async move { client.call(&address, post("x")).await })
        })
        .collect();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let (mut stream, _) = within(listener.accept()).await.unwrap();
        read_request(&mut stream).await;
        streams.push(stream);
    }
    for stream in &mut streams {
        answer(stream, "{}").await;
    }
    for call in calls {
        assert_eq!(within(call).await.unwrap().unwrap().status, 200);
    }
    // Of the two connections one is closed, and the other carries the next call.
    let (mut first, mut second) = (streams.remove(0), streams.remove(0));
    let (mut of_first, mut of_second) = ([0; 1], [0; 1]);
    let is_first_closed = within(async {
        tokio::select! {
            read = first.read(&mut of_first) => read.unwrap() == 0,
            read = second.read(&mut of_second) => { assert_eq!(read.unwrap(), 0); false }
        }
    })
    .await;
    let mut kept = if is_first_closed { second } else { first };
    let calling = tokio::spawn(async move { client.call(&address, post("again")).await });
    assert!(read_request(&mut kept).await.ends_with("again"));
    answer(&mut kept, "{}").await;
    assert_eq!(within(calling).await.unwrap().unwrap().status, 200);
}

/// A listener whose queue is full lets further connections hang, as a host behind a silent firewall does.
#[tokio::test]
async fn a_host_that_does_not_take_connections_meets_the_connect_timeout() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    let moment = Duration::from_millis(100);
    while let Ok(connected) = tokio::time::timeout(moment, TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
        assert!(queued.len() < 100, "the queue is never full");
    }
    let client = Client::new(ClientLimits { connect_timeout: moment, ..ClientLimits::default() });
    let outcome = client.call(&address_of(&listener), post("x")).await;
    assert!(matches!(outcome, Err(Failure::ConnectTimeout)), "{outcome:?}");
}
