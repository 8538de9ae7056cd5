use entity_transport::turns::Turns;
use entity_transport::ws::{Answers, Incoming, Outcome, Receiver, SocketLimits, connect};
use entity_wire::relay::ForwardId;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::*;

struct Deaf;

impl Receiver for Deaf {
    fn opened(&self, _: &Connection) {}

    fn receive(&self, _: &Connection, _: Vec<Incoming>) -> Answers {
        Answers::default()
    }

    fn control(&self, _: &Connection, _: Bytes) {}

    fn outcomes(&self, _: &Connection, _: Vec<(u64, Outcome)>) {}

    fn closed(&self, _: &Connection) {}
}

#[allow(
    clippy::result_large_err,
    clippy::unnecessary_wraps,
    reason = "the shape that the library wants"
)]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let name = "sec-websocket-protocol";
    response.headers_mut().insert(name, request.headers()[name].clone());
    Ok(response)
}

// One thread: nothing is written while the test does not wait.
#[tokio::test]
async fn a_connection_ends_where_a_control_object_has_no_room() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap()).parse().unwrap();
    let accepting = async { accept_hdr_async(listener.accept().await.unwrap().0, agree).await };
    let limits = SocketLimits { controls_max: 64, ..SocketLimits::default() };
    let turns = Turns::new(1);
    let connecting = connect(&address, limits, Arc::new(Deaf), &turns);
    let (accepted, connection) = tokio::join!(accepting, connecting);
    let (_accepted, connection) = (accepted.unwrap(), connection.unwrap());
    let ack = |number: u8| Control::Ack { id: ForwardId::from_bytes([number; 16]) };
    for number in 0..limits.controls_max {
        say(&connection, &ack(u8::try_from(number).unwrap()));
        assert!(connection.is_open());
    }
    say(&connection, &ack(255));
    assert!(!connection.is_open());
}
