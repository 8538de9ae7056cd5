use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

/// Serves one connection with `answer`, and closes it.
fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut heard = [0; 8 * 1024];
        let read = stream.read(&mut heard);
        assert!(read.is_ok());
        drop(stream.write_all(answer.as_bytes()));
    });
    address
}

fn call(address: SocketAddr) -> Call {
    let client = Client::new(Duration::from_secs(5));
    let address = format!("http://{address}/path");
    let request = Request { method: "POST", address: &address, headers: &[], body: b"{}".to_vec() };
    client.call(request, Budget::start(Duration::from_secs(5)))
}

fn answer(text: &'static str) -> Answer {
    let Call::Answered(answer) = call(server(text)) else { panic!("no answer") };
    answer
}

#[test]
fn a_redirect_is_answered_and_not_followed() {
    let answer =
        answer("HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/x\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(answer.status, 307);
}

#[test]
fn an_answer_that_breaks_off_has_no_body() {
    let answer = answer("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf");
    assert_eq!((answer.status, answer.body), (200, None));
}

#[test]
fn who_says_when_to_come_back_is_understood() {
    let after = |headers: &str| {
        let text = format!("HTTP/1.1 429 Slow\r\n{headers}\r\ncontent-length: 0\r\n\r\n");
        answer(Box::leak(text.into_boxed_str())).retry_after
    };
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(after("Retry-After: 30"), seconds(30));
    assert_eq!(after("Retry-After: 0"), seconds(0));
    assert_eq!(after("Retry-After: 1.5"), Some(Duration::from_millis(1_500)));
    assert_eq!(after("Retry-After: 86400"), seconds(3_600));
    assert_eq!(after("Retry-After: inf"), None);
    assert_eq!(after("Retry-After: -5"), None);
    assert_eq!(after("Retry-After: soon"), None);
    let dates = "Date: Sun, 22 Nov 2026 19:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 19:02:00 GMT";
    assert_eq!(after(dates), seconds(120));
    let past = "Date: Sun, 22 Nov 2026 19:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 18:00:00 GMT";
    assert_eq!(after(past), seconds(0));
}

#[test]
fn nobody_listening_was_sent_nothing_and_a_reset_after_the_request_may_have_been_heard() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(call(free), Call::NotSent { .. }));
    assert!(matches!(call(server("")), Call::Lost { .. }));
    assert!(matches!(call(server("SSH-2.0-OpenSSH\r\n")), Call::Lost { .. }));
}

#[test]
fn a_server_that_speaks_no_tls_was_sent_nothing() {
    let client = Client::new(Duration::from_secs(5));
    let address = format!("https://{}/", server("HTTP/1.1 400 no\r\n\r\n"));
    let request = Request { method: "POST", address: &address, headers: &[], body: Vec::new() };
    let call = client.call(request, Budget::start(Duration::from_secs(5)));
    assert!(matches!(call, Call::NotSent { .. } | Call::Impossible { .. }), "{call:?}");
}

#[test]
fn without_time_nothing_is_sent() {
    let client = Client::new(Duration::from_secs(5));
    let address = format!("http://{}/", server(""));
    let request = Request { method: "POST", address: &address, headers: &[], body: Vec::new() };
    assert!(matches!(client.call(request, Budget::start(Duration::ZERO)), Call::NotSent { .. }));
}

#[test]
fn only_https_or_the_machine_itself() {
    for fine in
        ["https://x.example/a?b=c", "http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost/"]
    {
        assert_eq!(check_address(fine), Ok(()), "{fine}");
    }
    for bad in [
        "http://x.example/",
        "http://127.0.0.1.example/",
        "ftp://x/",
        "x",
        "",
        "https://u:p@x/",
        "https:///x",
    ] {
        assert!(check_address(bad).is_err(), "{bad}");
    }
}

/// Serves one TLS connection; the certificate is for `localhost`, 127.0.0.1 and `hooks.example.test`, from the authority in `certificates/ca.pem`.
fn tls_server(host: &str) -> SocketAddr {
    let chain =
        vec![CertificateDer::from_pem_slice(include_bytes!("certificates/server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("certificates/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let Ok((socket, _)) = listener.accept() else { return };
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, socket);
        let mut heard = [0; 8 * 1024];
        // A client that does not trust the certificate goes away here.
        if stream.read(&mut heard).is_ok() {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
            drop(stream.flush());
        }
    });
    address
}

fn call_trusting(authority: &[u8], host: &str) -> Call {
    let authority = Certificate::from_pem(authority).unwrap();
    let client = Client::trusting(Arc::new(vec![authority]), None, Duration::from_secs(5));
    let address = format!("https://{}/path", tls_server(host));
    let request = Request { method: "POST", address: &address, headers: &[], body: b"{}".to_vec() };
    client.call(request, Budget::start(Duration::from_secs(5)))
}

#[test]
fn a_certificate_of_a_trusted_authority_is_taken() {
    let call = call_trusting(include_bytes!("certificates/ca.pem"), "127.0.0.1");
    let Call::Answered(answer) = call else { panic!("{call:?}") };
    assert_eq!((answer.status, answer.body.as_deref()), (200, Some(&b"ok"[..])));
}

#[test]
fn a_certificate_of_a_stranger_or_for_another_host_is_refused_before_anything_is_sent() {
    for (authority, host) in [
        (&include_bytes!("certificates/other.pem")[..], "127.0.0.1"),
        (&include_bytes!("certificates/ca.pem")[..], "127.0.0.2"),
    ] {
        let call = call_trusting(authority, host);
        let Call::Impossible { why, fix } = call else { panic!("{host}: {call:?}") };
        assert!(why.contains("certificate") && fix.contains("SSL_CERT_FILE"), "{why}; {fix}");
    }
}

#[test]
fn a_machine_without_certificates_says_what_to_install() {
    let client = Client::trusting(Arc::new(Vec::new()), None, Duration::from_secs(5));
    let request =
        Request { method: "POST", address: "https://x.invalid/", headers: &[], body: Vec::new() };
    let call = client.call(request, Budget::start(Duration::from_secs(5)));
    assert!(matches!(call, Call::Impossible { fix, .. } if fix.contains("ca-certificates")));
}

/// A proxy that leads its one connection to `target`, whatever it is asked for.
fn proxy(target: SocketAddr) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let Ok((mut near, _)) = listener.accept() else { return };
        let mut asked = Vec::new();
        let mut byte = [0];
        while !asked.ends_with(b"\r\n\r\n") {
            if near.read_exact(&mut byte).is_err() {
                return;
            }
            asked.push(byte[0]);
        }
        assert!(asked.starts_with(b"CONNECT hooks.example.test:443 "));
        near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut far = std::net::TcpStream::connect(target).unwrap();
        let (mut near_in, mut far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        std::thread::spawn(move || {
            drop(std::io::copy(&mut near_in, &mut far_out));
            drop(far_out.shutdown(std::net::Shutdown::Both));
        });
        drop(std::io::copy(&mut far, &mut near));
    });
    Proxy::new(&format!("http://{address}")).unwrap()
}

fn call_through_proxy(authority: &[u8]) -> Call {
    let authority = Certificate::from_pem(authority).unwrap();
    let proxy = proxy(tls_server("127.0.0.1"));
    let client = Client::trusting(Arc::new(vec![authority]), Some(proxy), Duration::from_secs(5));
    let request = Request {
        method: "POST",
        address: "https://hooks.example.test/path",
        headers: &[],
        body: b"{}".to_vec(),
    };
    client.call(request, Budget::start(Duration::from_secs(5)))
}

#[test]
fn a_proxy_is_used() {
    let call = call_through_proxy(include_bytes!("certificates/ca.pem"));
    assert!(matches!(call, Call::Answered(Answer { status: 200, .. })), "{call:?}");
}

#[test]
fn what_a_proxy_was_asked_is_no_part_of_the_request() {
    let call = call_through_proxy(include_bytes!("certificates/other.pem"));
    assert!(matches!(call, Call::Impossible { .. }), "{call:?}");
}
