//! The key goes to one host and into nothing else.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use entity_moltbook::{Call, Origin};
use entity_moltbook_client::{Cancel, Client};
use entity_moltbook_fake::Fault;

use crate::support::{KEY, Place, draft, files};

/// Everything that any library logs, at the finest level.
static LOGGED: Mutex<String> = Mutex::new(String::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(logged, "{} {}", record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

struct Tracer;

impl std::io::Write for Tracer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_key_is_in_no_log_no_error_no_file_and_no_debug_output() {
    log::set_logger(&Logger).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(|| Tracer);
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    let place = Place::new();
    let client = place.client();
    let mut said = format!("{client:?} {:?}", place.settings(KEY, 1));
    place.server.fake().faults.script([
        Fault::QuoteKey,
        Fault::TooMany { seconds: 1 },
        Fault::Status(500),
        Fault::Reset,
        Fault::Truncate,
        Fault::NoJson,
    ]);
    for call in [Call::Status, Call::Me, Call::Home, draft("T", "text"), Call::Status] {
        let outcome = client.call(call);
        write!(said, "{outcome:?}").unwrap();
        if let Err(error) = outcome {
            write!(said, " {error} {error:#?}").unwrap();
        }
    }
    assert!(said.contains("(key)"), "the service has quoted it, and it was taken out: {said}");
    let logged = LOGGED.lock().unwrap().clone();
    assert!(logged.contains("/agents/status"), "our own log is looked at, too: {logged}");
    assert_eq!(log::STATIC_MAX_LEVEL, log::LevelFilter::Info, "lower levels hold whole requests");
    let books = files(&place.books());
    assert!(!books.is_empty());
    let kept = books
        .into_iter()
        .map(|(name, bytes)| format!("{name} {}", String::from_utf8_lossy(&bytes)));
    let kept: String = kept.collect();
    for (what, text) in [("said", said), ("logged", logged), ("kept", kept)] {
        // Also without its prefix, and as base64, hexadecimal and a list of numbers.
        for form in [
            &KEY[12..],
            "TU9MVEJPT0s",
            "U0VDUkVUX29m",
            "5345435245545f6f66",
            "83, 69, 67, 82, 69, 84",
        ] {
            assert!(!text.contains(form), "{what} holds {form}: {text}");
        }
    }
}

#[test]
fn no_redirect_is_followed_with_or_without_the_key() {
    let (place, elsewhere) = (Place::new(), Place::new());
    for target in [
        elsewhere.server.address(),
        elsewhere.server.address().replace("https", "http"),
        place.server.address(),
        "//elsewhere.example/api/v1".to_owned(),
        "/api/v1/agents/status".to_owned(),
    ] {
        let before = place.server.fake().seen().len();
        place.server.fake().faults.script([
            Fault::Redirect { to: target.clone() },
            Fault::Redirect { to: target.clone() },
        ]);
        for call in [Call::Status, draft("T", "text")] {
            let error = place.client().call(call).unwrap_err().to_string();
            assert!(error.contains("no redirect is followed"), "{target}: {error}");
        }
        assert_eq!(place.server.fake().seen().len(), before + 2, "{target}");
    }
    assert!(elsewhere.server.fake().seen().is_empty(), "nobody went there");
}

#[test]
fn every_request_brings_the_key_in_its_header_alone() {
    let place = Place::new();
    let client = place.client();
    for call in [Call::Status, draft("T", "text")] {
        client.call(call).unwrap();
    }
    let fake = place.server.fake();
    assert!(fake.seen().iter().all(|seen| seen.with_key && !seen.line.contains(KEY)));
    let post = &fake.service.posts()[0];
    assert!(!format!("{post:?}").contains(KEY));
}

#[test]
fn another_name_for_the_same_machine_is_another_host() {
    let place = Place::new();
    let mut settings = place.settings(KEY, 2);
    let address = place.server.address().replace("localhost", "127.0.0.1");
    settings.origin = Origin::parse(&address).unwrap();
    let client = Client::open(settings, Cancel::default()).unwrap();
    assert!(client.call(Call::Status).is_err(), "its certificate is for another name");
    assert!(place.server.fake().seen().is_empty());
}
