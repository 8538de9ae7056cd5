//! No text that a channel gives holds anything of its secret, whatever the other side answers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use std::collections::BTreeMap;

use super::*;
use crate::channel::settings::HeaderFrom;

const SECRET: &str = "xoxb-TOPSECRET-8d1f";

/// Answers each connection with what it was sent, as a careless server does.
fn parrot(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut heard = vec![0; 64 * 1024];
            let len = stream.read(&mut heard).unwrap_or(0);
            let said: String = String::from_utf8_lossy(&heard[..len.min(2_000)])
                .replace(['"', '\r', '\n', '\\'], " ");
            let body = format!(r#"{{"ok":false,"error":"{said}","needed":"{said}"}}"#);
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nlocation: /x\r\n\r\n",
                body.len()
            );
            // The client may have gone; then nobody is told.
            drop(stream.write_all(format!("{head}{body}").as_bytes()));
        }
    });
    address
}

fn check(channel: &dyn Channel) {
    for kind in [Kind::Post, Kind::Test] {
        let outcome = channel.deliver(&letter("k", kind));
        assert!(!format!("{outcome:?}").contains("TOPSECRET"), "{outcome:?}");
    }
    assert!(!format!("{:?}", channel.check()).contains("TOPSECRET"));
}

#[test]
fn what_a_server_repeats_is_not_repeated() {
    for status in ["200 OK", "302 Found", "400 Bad Request", "403 Forbidden", "500 Oh", "999 x"] {
        let api = Some(format!("http://{}/api", parrot(status)));
        let service = Service::SlackBot { channel: HERE.to_owned(), api };
        check(&*open(service, SECRET).unwrap());
        let address = format!("http://{}/services/T0/B0/TOPSECRET", parrot(status));
        check(&*open(Service::SlackWebhook, &address).unwrap());
        // The address is in the same variable as the header's value, so that both are the same secret.
        let address = format!("http://{}/hook/TOPSECRET", parrot(status));
        let value = HeaderFrom::Secret(SecretFrom::Environment("SECRET".to_owned()));
        let service = Service::Webhook {
            template: "json".to_owned(),
            method: "POST".to_owned(),
            headers: BTreeMap::from([("X-Token".to_owned(), value)]),
        };
        check(&*open(service, &address).unwrap());
    }
}

/// Answers each connection with a text that a cut of any length would go through.
fn answers(status: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut heard = vec![0; 64 * 1024];
            let read = stream.read(&mut heard);
            assert!(read.is_ok());
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
            drop(stream.write_all(format!("{head}{body}").as_bytes()));
        }
    });
    address
}

#[test]
fn no_part_of_a_secret_is_left_where_an_answer_is_cut() {
    for before in [85, 90, 95, 185, 190, 195] {
        let before = "x".repeat(before);
        let said =
            format!(r#"{{"ok":false,"error":"{before}{SECRET}","needed":"{before}{SECRET}"}}"#);
        let api = Some(format!("http://{}/api", answers("200 OK", said)));
        cut(&*open(Service::SlackBot { channel: HERE.to_owned(), api }, SECRET).unwrap());
        let said = format!("{before}{SECRET} at /hook/{SECRET}");
        let address = format!("http://{}/hook/{SECRET}", answers("400 No", said.clone()));
        cut(&*open(Service::SlackWebhook, &address).unwrap());
        let service = Service::Webhook {
            template: "json".to_owned(),
            method: "POST".to_owned(),
            headers: BTreeMap::new(),
        };
        cut(&*open(service, &address).unwrap());
    }
}

fn cut(channel: &dyn Channel) {
    let outcome = format!("{:?}{:?}", channel.deliver(&letter("k", Kind::Post)), channel.check());
    assert!(!outcome.contains("xoxb-T") && !outcome.contains("xxo"), "{outcome}");
}

#[test]
fn nobody_listening_is_no_reason_to_name_the_secret() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = format!("http://{free}/services/T0/B0/TOPSECRET");
    check(&*open(Service::SlackWebhook, &address).unwrap());
    check(
        &*open(Service::SlackWebhook, "https://TOPSECRET.invalid/services/T0/B0/TOPSECRET")
            .unwrap(),
    );
}
