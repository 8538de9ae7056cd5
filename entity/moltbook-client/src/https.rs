//! One request and its answer.
//!
//! A key goes into a request here and nowhere else: into one header, of a request to the one [`Origin`], over TLS. No redirect is followed,
//! no proxy is used, no connection is kept, nothing is compressed, and everything has a limit: each phase, the head, the body.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use entity_moltbook::call::{Method, Request};
use entity_moltbook::reply::{Arrival, BODY_MAX, Reply, Trouble};
use entity_moltbook::{ApiKey, Origin};
use ureq::http::{HeaderMap, HeaderValue, Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Timeout};

/// At `trace` the library writes the bytes of whole requests to its log, the key among them, and at `debug` the heads of answers, which may
/// quote it. So such lines are compiled out of every library, whatever a program sets its log to.
const _: () = assert!(log::STATIC_MAX_LEVEL as usize <= log::LevelFilter::Info as usize);

/// Longest head of an answer, in bytes.
const HEAD_MAX: usize = 32 * 1024;
/// How long finding the host and connecting may take, each.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Whose certificates are believed.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Those the system believes, or what `SSL_CERT_FILE` names.
    System,
    /// Only those in this PEM file: for a service of one's own.
    File(PathBuf),
}

/// Why no certificates can be had.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read, or holds none.
    #[error("read certificates from {}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The system has none.
    #[error("the system believes no certificates: install ca-certificates, or set SSL_CERT_FILE")]
    None,
}

/// The way to one service.
#[derive(Debug)]
pub struct Https {
    agent: Agent,
    origin: Origin,
}

impl Https {
    /// The way to `origin`; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`TrustError`] if there are no certificates to believe.
    pub fn new(origin: Origin, trust: &Trust) -> Result<Self, TrustError> {
        let certificates = match trust {
            Trust::System => of_system()?,
            Trust::File(path) => of_file(path)?,
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&certificates))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .max_response_header_size(HEAD_MAX)
            .timeout_resolve(Some(CONNECT_MAX))
            .timeout_connect(Some(CONNECT_MAX))
            .user_agent(concat!("entity/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { agent, origin })
    }

    /// Where the requests go.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Sends `request` with `key` and returns what came of it, at the latest after `within`. The key is in nothing of what returns.
    pub fn send(&self, request: &Request, key: &ApiKey, within: Duration) -> Arrival {
        match self.try_send(request, key, within) {
            Ok(response) => receive(response, key),
            Err(error) => unsent_or_lost(&error),
        }
    }

    fn try_send(
        &self,
        request: &Request,
        key: &ApiKey,
        within: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut bearer = HeaderValue::from_str(&key.bearer()).map_err(ureq::http::Error::from)?;
        bearer.set_sensitive(true);
        let address = self.origin.at(&request.path);
        match (request.method, &request.body) {
            (Method::Get, _) => {
                let get = self.agent.get(&address).config().timeout_global(Some(within)).build();
                get.header(header::AUTHORIZATION, bearer)
                    .header(header::ACCEPT, "application/json")
                    .call()
            }
            (Method::Post, body) => {
                let post = self.agent.post(&address).config().timeout_global(Some(within)).build();
                let post = post
                    .header(header::AUTHORIZATION, bearer)
                    .header(header::ACCEPT, "application/json");
                post.content_type("application/json").send(body.as_deref().unwrap_or("{}"))
            }
        }
    }
}

fn receive(response: Response<Body>, key: &ApiKey) -> Arrival {
    let (head, body) = response.into_parts();
    let text = |name| text_of(&head.headers, name);
    let cached = head.headers.contains_key(header::AGE);
    let reply = Reply {
        status: head.status.as_u16(),
        retry_after: text(header::RETRY_AFTER),
        date: text(header::DATE).filter(|_| !cached),
        location: text(header::LOCATION),
        body: Vec::new(),
    };
    let mut bytes = Vec::new();
    let read = body.into_reader().take(BODY_MAX as u64 + 1).read_to_end(&mut bytes);
    match read {
        Ok(_) if bytes.len() > BODY_MAX => Arrival::TooLarge,
        Ok(_) => Arrival::Reply(Reply { body: bytes, ..reply }.scrubbed(key)),
        Err(error) => lost(&ureq::Error::from(error)),
    }
}

/// The whole value, which [`HEAD_MAX`] bounds: of a key that a cut goes through, a half could not be found.
fn text_of(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// What certainly did not leave, and what may have.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not known to have stayed here may have left"
)]
fn unsent_or_lost(error: &ureq::Error) -> Arrival {
    match error {
        ureq::Error::HostNotFound | ureq::Error::Timeout(Timeout::Resolve) => {
            Arrival::Unsent(Trouble::NoHost)
        }
        ureq::Error::ConnectionFailed | ureq::Error::Timeout(Timeout::Connect) => {
            Arrival::Unsent(Trouble::NoConnection)
        }
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => Arrival::Unsent(Trouble::Tls),
        ureq::Error::Io(error) if is_certificate(error) => Arrival::Unsent(Trouble::Tls),
        ureq::Error::Io(error) if never_connected(error.kind()) => {
            Arrival::Unsent(Trouble::NoConnection)
        }
        other => lost(other),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else breaks, breaks the connection")]
fn lost(error: &ureq::Error) -> Arrival {
    match error {
        ureq::Error::LargeResponseHeader(..) | ureq::Error::BodyExceedsLimit(_) => {
            Arrival::TooLarge
        }
        ureq::Error::Timeout(_) => Arrival::Lost(Trouble::TimedOut),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            Arrival::Lost(Trouble::TimedOut)
        }
        ureq::Error::Protocol(_) | ureq::Error::Http(_) => Arrival::Lost(Trouble::NoHttp),
        _ => Arrival::Lost(Trouble::Broken),
    }
}

/// A certificate is looked at before anything is sent.
fn is_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

fn never_connected(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
    )
}

fn of_system() -> Result<Vec<Certificate<'static>>, TrustError> {
    let found = rustls_native_certs::load_native_certs().certs;
    let certificates: Vec<_> =
        found.iter().map(|found| Certificate::from_der(found.as_ref()).to_owned()).collect();
    if certificates.is_empty() { Err(TrustError::None) } else { Ok(certificates) }
}

fn of_file(path: &Path) -> Result<Vec<Certificate<'static>>, TrustError> {
    let failed = |why: String| TrustError::File { path: path.to_owned(), why };
    let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let certificate = Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
    Ok(vec![certificate])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_key_in_a_long_header_no_half_is_left() {
        let key = ApiKey::parse("moltbook_sk_0123456789").unwrap();
        let location = format!("https://x/{}moltbook_sk_0123456789", "x".repeat(2_030));
        let response = Response::builder().status(302).header(header::LOCATION, location);
        let response = response.body(Body::builder().data("{}")).unwrap();
        let Arrival::Reply(reply) = receive(response, &key) else { panic!("no reply") };
        assert!(reply.location.unwrap().ends_with("x(key)"));
    }
}
