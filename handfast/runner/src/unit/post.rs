//! One request over HTTP/1.1, for what the recording proxy has no word for.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::stage::INTRODUCE_DEADLINE;

/// Longest answer that is read: that of the peers themselves.
const ANSWER_LEN_MAX: usize = 1024 * 1024;

/// Why a request had no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("{path:?} is not a path")]
    Path { path: String },
    #[error("failed to exchange a request and its answer")]
    Exchange(#[source] hyper::Error),
    #[error("failed to read the answer: {0}")]
    Answer(String),
    #[error("there was no answer in time")]
    TimedOut,
}

/// Posts `body` over a new connection and gives status and body of the answer.
pub(super) async fn post(
    stream: TcpStream,
    path: &str,
    body: Vec<u8>,
) -> Result<(u16, Vec<u8>), PostError> {
    let exchange = exchange(stream, path, body);
    tokio::time::timeout(INTRODUCE_DEADLINE, exchange).await.map_err(|_| PostError::TimedOut)?
}

async fn exchange(
    stream: TcpStream,
    path: &str,
    body: Vec<u8>,
) -> Result<(u16, Vec<u8>), PostError> {
    let wrong = || PostError::Path { path: path.to_owned() };
    let authority = stream.peer_addr().map_or_else(|_| "peer".to_owned(), |peer| peer.to_string());
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(PostError::Exchange)?;
    let driver = tokio::spawn(connection);
    let request = Request::post(path)
        .header("host", authority.as_str())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| wrong())?;
    let answer = sender.send_request(request).await.map_err(PostError::Exchange)?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_LEN_MAX).collect().await;
    let body = body.map_err(|error| PostError::Answer(error.to_string()))?.to_bytes().to_vec();
    driver.abort();
    Ok((status, body))
}
