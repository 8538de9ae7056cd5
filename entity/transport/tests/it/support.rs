//! A server with simple endpoints, and raw connections to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity_transport::http::{Answer, Handler, Request, Server, ServerLimits, Verb};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Nothing in these tests takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// `POST /echo` answers its body, `GET /thing` a fixed text, `POST /busy` 503 with `Retry-After`. Whoever gets `/known` has proved who
/// he is.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    pub(crate) answered: AtomicUsize,
}

impl Handler for Echo {
    fn endpoint(&self, path: &str) -> Option<Verb> {
        match path {
            "/echo" | "/busy" => Some(Verb::Post),
            "/thing" | "/known" => Some(Verb::Get),
            _ => None,
        }
    }

    async fn answer(&self, request: Request<'_>) -> Answer {
        self.answered.fetch_add(1, Ordering::SeqCst);
        if request.path == "/known" {
            request.caller.is("known");
        }
        match request.path {
            "/echo" => Answer::new(200, request.body),
            "/busy" => Answer { retry_after_seconds: Some(7), ..Answer::new(503, "{}") },
            path => Answer::new(200, format!(r#"{{"path":"{path}"}}"#)),
        }
    }
}

/// A running server; it stops when told or dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handler: Arc<Echo>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(limits: ServerLimits) -> Self {
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), limits).unwrap();
        Self::serve(server)
    }

    pub(crate) fn serve(server: Server) -> Self {
        let address = server.local_address();
        let handler = Arc::new(Echo::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(Arc::clone(&handler), async move {
            drop(stopped.await);
        }));
        Self { address, handler, stop: Some(stop), serving }
    }

    /// Stops it and waits until it has drained.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        within(self.serving).await.unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// From another address of this machine: 127.0.0.`host`.
    pub(crate) async fn connect_from(&self, host: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Sends raw bytes on a new connection and returns everything until the server closes it.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A server that refuses early may close while we still write.
        drop(stream.write_all(request).await);
        read_to_end(&mut stream).await
    }
}

/// Everything until the other side closes.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    // A reset after the answer ends the reading as well as a proper close.
    drop(within(stream.read_to_end(&mut received)).await);
    String::from_utf8(received).unwrap()
}

/// Reads one answer with a content length and keeps the connection.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = within(stream.read(&mut piece)).await.unwrap();
        assert!(read > 0, "connection closed after {:?}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse::<usize>().unwrap() {
                return text;
            }
        }
    }
}

/// Fails a test that hangs.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("nothing happened for too long")
}
