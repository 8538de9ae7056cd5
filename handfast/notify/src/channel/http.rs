//! One HTTPS call at a time: to whom, for how long, and whether it may have arrived.
//!
//! What matters to the outbox is a single bit that no HTTP library reports: whether any byte of the request left. A call that failed
//! before is certainly not accepted; of one that failed later nobody knows. [`watch`] sees it.

mod watch;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, DefaultConnector};
use ureq::{Agent, Proxy};

use self::watch::{Left, Watch};

/// At `trace` the library writes the bytes of whole requests to its log, the secret among them, and at `debug` the heads of answers, which
/// may quote it. So such lines are compiled out of every library, whatever a program sets its log to.
const _: () = assert!(log::STATIC_MAX_LEVEL as usize <= log::LevelFilter::Info as usize);

/// What came of a call.
#[derive(Debug)]
pub(super) enum Call {
    /// There is an answer.
    Answered(Answer),
    /// No byte of the request left: nobody can have taken it.
    NotSent {
        /// What happened.
        why: String,
    },
    /// The request left, or began to, and no answer came.
    Lost {
        /// What happened.
        why: String,
    },
    /// The machine cannot make such calls until somebody acts.
    Impossible {
        /// What happened.
        why: String,
        /// What to do.
        fix: String,
    },
}

/// An answer, as far as it came.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: u16,
    /// How long the server asks to be left alone, at most [`RETRY_AFTER_MAX`].
    pub(super) retry_after: Option<Duration>,
    /// Its body; `None` if it broke off or is longer than [`BODY_MAX`].
    pub(super) body: Option<Vec<u8>>,
}

/// What is sent.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) address: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: Vec<u8>,
}

/// Makes calls.
#[derive(Debug)]
pub(super) struct Client {
    direct: Agent,
    through_proxy: Agent,
    roots: usize,
    left: Left,
    patience: Duration,
}

/// The time that is left for handing over one letter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    until: Instant,
}

impl Budget {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the channels' one clock: how long a call may take"
    )]
    pub(super) fn start(whole: Duration) -> Self {
        Self { until: Instant::now() + whole }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the channels' one clock: how long a call may take"
    )]
    fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl Client {
    /// Waits at most `patience` for an answer. Reads the system's certificates, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, and the proxy from `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    pub(super) fn new(patience: Duration) -> Self {
        let roots = Arc::clone(ROOTS.get_or_init(system_roots));
        Self::trusting(roots, Proxy::try_from_env(), patience)
    }

    fn trusting(
        certificates: Arc<Vec<Certificate<'static>>>,
        proxy: Option<Proxy>,
        patience: Duration,
    ) -> Self {
        let left = Left::default();
        let roots = certificates.len();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(certificates))
            .unversioned_rustls_crypto_provider(Arc::new(
                rustls::crypto::aws_lc_rs::default_provider(),
            ))
            .build();
        Self {
            direct: agent(tls.clone(), None, &left),
            through_proxy: agent(tls, proxy, &left),
            roots,
            left,
            patience: patience.clamp(Duration::from_millis(1), CALL_MAX),
        }
    }

    /// Sends a request and waits for its answer, no longer than the client's patience and the budget.
    pub(super) fn call(&self, request: Request<'_>, budget: Budget) -> Call {
        let time = budget.left().min(self.patience);
        if time.is_zero() {
            return Call::NotSent {
                why: "the time for this letter was used up before the call".to_owned(),
            };
        }
        let mut builder =
            ureq::http::Request::builder().method(request.method).uri(request.address);
        for (name, value) in request.headers {
            builder = builder.header(*name, *value);
        }
        let Ok(built) = builder.body(request.body) else {
            return Call::Impossible {
                why: "the request cannot be written down".to_owned(),
                fix: "the address and the headers of the channel may hold visible ASCII only"
                    .to_owned(),
            };
        };
        let loopback = is_loopback(built.uri());
        let secure = built.uri().scheme_str() == Some("https");
        if secure && self.roots == 0 {
            return Call::Impossible {
                why: "this machine has no certificates to trust".to_owned(),
                fix: "install the package ca-certificates, or name a file in SSL_CERT_FILE"
                    .to_owned(),
            };
        }
        let agent = if loopback { &self.direct } else { &self.through_proxy };
        let built = agent.configure_request(built).timeout_global(Some(time)).build();
        self.left.forget();
        match agent.run(built) {
            Ok(mut answer) => {
                let retry_after = retry_after(answer.headers());
                let status = answer.status().as_u16();
                let body = answer.body_mut().with_config().limit(BODY_MAX).read_to_vec().ok();
                Call::Answered(Answer { status, retry_after, body })
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &ureq::Error) -> Call {
        let why = explain(error);
        if self.left.is_set() {
            return Call::Lost { why };
        }
        if why.contains("certificate") {
            return Call::Impossible {
                why,
                fix: "if a proxy of your company signs the connections, name its certificate in SSL_CERT_FILE"
                    .to_owned(),
            };
        }
        Call::NotSent { why }
    }
}

/// Takes an address that a secret may be sent to: `https`, or anything on the machine itself.
///
/// # Errors
///
/// A sentence that says what is wrong, without the address.
pub(super) fn check_address(address: &str) -> Result<(), &'static str> {
    let Ok(uri) = address.parse::<Uri>() else {
        return Err("it is no address");
    };
    if uri.host().is_none_or(str::is_empty) {
        return Err("it names no host");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("it holds a user name: put credentials into a header");
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback(&uri) => Ok(()),
        Some("http") => {
            Err("it is http: only https keeps the secret on its way (http is for 127.0.0.1)")
        }
        Some(_) | None => Err("it does not begin with https://"),
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn system_roots() -> Arc<Vec<Certificate<'static>>> {
    let found = rustls_native_certs::load_native_certs().certs;
    let owned = |certificate: &rustls::pki_types::CertificateDer<'_>| {
        Certificate::from_der(certificate.as_ref()).to_owned()
    };
    Arc::new(found.iter().map(owned).collect())
}

fn agent(tls: TlsConfig, proxy: Option<Proxy>, left: &Left) -> Agent {
    let watch = Watch::new(left.clone(), proxy.is_some());
    let config = Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy)
        .http_status_as_error(false)
        // A redirect would take the token elsewhere; it is answered as it is.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_resolve(Some(CONNECT_MAX))
        .timeout_connect(Some(CONNECT_MAX))
        // A connection that is used again may be closed by then, and the failure would look like a lost answer.
        .max_idle_connections(0)
        .user_agent(concat!("handfast/", env!("CARGO_PKG_VERSION")))
        .build();
    let connector = DefaultConnector::new().chain(watch);
    Agent::with_parts(config, connector, DefaultResolver::default())
}

/// Says what happened in words; nothing of an address or a header stands in it.
#[expect(clippy::wildcard_enum_match_arm, reason = "not our enum, and it may grow")]
fn explain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(timeout) => format!("no answer in time ({timeout})"),
        ureq::Error::Io(error) => format!("the connection failed: {error}"),
        ureq::Error::HostNotFound => "the host's name cannot be resolved".to_owned(),
        ureq::Error::ConnectProxyFailed(_) => "the proxy refused the connection".to_owned(),
        ureq::Error::Rustls(error) => format!("TLS failed: {error}"),
        ureq::Error::Tls(why) => format!("TLS failed: {why}"),
        ureq::Error::Protocol(error) => format!("the answer is no HTTP: {error}"),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "the address is no address".to_owned(),
        // What they say of other failures may quote the address.
        _ => "the call failed".to_owned(),
    }
}

fn retry_after(headers: &ureq::http::HeaderMap) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    let asked = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            Duration::from_secs_f64(seconds.min(RETRY_AFTER_MAX.as_secs_f64()))
        }
        Ok(_) => return None,
        // The other form is a date; both dates are the server's, so that its clock need not be right.
        Err(_) => {
            let until = jiff::fmt::rfc2822::parse(text).ok()?;
            let now = jiff::fmt::rfc2822::parse(headers.get("date")?.to_str().ok()?).ok()?;
            Duration::try_from(until.timestamp().duration_since(now.timestamp()))
                .unwrap_or_default()
        }
    };
    Some(asked.min(RETRY_AFTER_MAX))
}

/// What the system trusts: the same for all channels of a process.
static ROOTS: OnceLock<Arc<Vec<Certificate<'static>>>> = OnceLock::new();

/// Longest time of one call, its connection included: Slack answers within a second, and who waits longer keeps other letters waiting.
pub(super) const CALL_MAX: Duration = Duration::from_secs(10);

/// Longest time until there is a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Longest answer, bytes: a page of Slack's history with a hundred long messages has about two million.
const BODY_MAX: u64 = 4 * 1024 * 1024;

/// Longest time that a server may ask to be left alone; whoever says more is asked again after it.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests;
