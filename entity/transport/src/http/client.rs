//! An HTTP/1.1 client: one attempt per call over pooled keep-alive connections.
//!
//! Retries are a rule of the protocol and belong to the peer. The only repetition here is the one that no server can see: a
//! kept connection that turns out closed before any byte of the request was written is replaced once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tracing::debug;

use super::address::Address;
use super::answer::Answer;
use super::body::{self, BodyError};
use super::limits::ClientLimits;
use super::pool::{Pool, Sender};

/// One request to make.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The method; a body goes with any of them.
    pub method: Method,
    /// The path on the server, with its leading slash.
    pub path: &'a str,
    /// The body; empty for `GET`.
    pub body: Bytes,
    /// From the call until the last byte of the answer.
    pub timeout: Duration,
}

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The name of the host could not be resolved, or no connection could be opened. Nothing was sent.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// No connection within [`ClientLimits::connect_timeout`]. Nothing was sent.
    #[error("no connection in time")]
    ConnectTimeout,
    /// No complete answer in time. The request may have been handled.
    #[error("no answer in time")]
    Timeout,
    /// The connection ended or the answer was no HTTP. The request may have been handled.
    #[error("connection broke before the answer")]
    Broken(#[source] hyper::Error),
    /// The answer is longer than [`ClientLimits::answer_max_bytes`].
    #[error("answer is longer than the limit")]
    AnswerTooLarge,
    /// The request cannot be put into HTTP: a mistake of the caller.
    #[error("request is not valid HTTP")]
    Request(#[source] hyper::http::Error),
}

/// A client with its pool; clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    limits: ClientLimits,
    pool: Arc<Pool>,
}

impl Client {
    /// Makes a client without connections.
    pub fn new(limits: ClientLimits) -> Self {
        Self { limits, pool: Arc::new(Pool::new(limits)) }
    }

    /// Makes one attempt.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no answer; any status is an answer.
    pub async fn call(&self, address: &Address, call: Call<'_>) -> Result<Answer, Failure> {
        let timeout = call.timeout;
        tokio::time::timeout(timeout, self.attempt(address, call))
            .await
            .unwrap_or(Err(Failure::Timeout))
    }

    async fn attempt(&self, address: &Address, call: Call<'_>) -> Result<Answer, Failure> {
        let authority = address.authority();
        let permits = self.pool.permits(&authority);
        // The semaphore is never closed; were it, the call would only run without its bound.
        let _permit = permits.acquire().await;
        let mut request = request(address, &authority, call)?;
        if let Some(mut kept) = self.pool.take(&authority)
            && kept.ready().await.is_ok()
        {
            match kept.try_send_request(request).await {
                Ok(response) => return self.finish(&authority, kept, response).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(Failure::Broken(error.into_error())),
                },
            }
        }
        let mut fresh = self.connect(address).await?;
        let response = fresh.send_request(request).await.map_err(Failure::Broken)?;
        self.finish(&authority, fresh, response).await
    }

    async fn connect(&self, address: &Address) -> Result<Sender, Failure> {
        let opening = TcpStream::connect((address.host(), address.port()));
        let stream = tokio::time::timeout(self.limits.connect_timeout, opening)
            .await
            .map_err(|_| Failure::ConnectTimeout)?
            .map_err(Failure::Connect)?;
        stream.set_nodelay(true).map_err(Failure::Connect)?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(64 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Failure::Broken)?;
        // It ends when the sender is dropped or the server closes.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "connection ended");
            }
        });
        Ok(sender)
    }

    async fn finish(
        &self,
        authority: &str,
        sender: Sender,
        response: hyper::Response<Incoming>,
    ) -> Result<Answer, Failure> {
        let (head, mut body) = response.into_parts();
        let body =
            body::collect(&mut body, self.limits.answer_max_bytes).await.map_err(|error| {
                match error {
                    BodyError::TooLarge => Failure::AnswerTooLarge,
                    BodyError::Broken(error) => Failure::Broken(error),
                }
            })?;
        self.pool.put(authority, sender);
        let retry_after = head.headers.get(hyper::header::RETRY_AFTER);
        let retry_after_seconds = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Answer { status: head.status.as_u16(), body, retry_after_seconds })
    }
}

fn request(
    address: &Address,
    authority: &str,
    call: Call<'_>,
) -> Result<hyper::Request<Full<Bytes>>, Failure> {
    let has_body = call.method == Method::POST || !call.body.is_empty();
    let mut builder = hyper::Request::builder()
        .method(call.method)
        .uri(address.path(call.path))
        .header(HOST, authority);
    if has_body {
        builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    builder.body(Full::new(call.body)).map_err(Failure::Request)
}
