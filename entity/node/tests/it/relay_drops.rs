//! A relay that loses messages is named, and messages go another way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::relay::{add, peer, received};
use crate::support::{Shim, http};

/// Messages that are lost: as many as cast a suspicion, and some more.
const LOST: u64 = 10;

/// A place before a relay that passes on what is posted, until it is told to say that it was taken, and to lose it.
struct Liar {
    base: String,
    lies: Arc<AtomicBool>,
    lost: Arc<AtomicUsize>,
}

impl Liar {
    fn before(relay: &str) -> Self {
        let behind: SocketAddr = relay.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (lies, lost) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let liar = Self { base, lies: Arc::clone(&lies), lost: Arc::clone(&lost) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (lies, lost) = (Arc::clone(&lies), Arc::clone(&lost));
                thread::spawn(move || serve(stream, behind, (&lies, &lost)));
            }
        });
        liar
    }
}

fn serve(stream: TcpStream, behind: SocketAddr, (lies, lost): (&AtomicBool, &AtomicUsize)) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next()).unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let (status, answer) = if lies.load(Ordering::SeqCst) {
            lost.fetch_add(1, Ordering::SeqCst);
            (200, json!({"status": "accepted"}).to_string())
        } else {
            http(behind, method, path, &body)
        };
        let length = answer.len();
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{answer}");
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn send(a: &mut Shim, number: u64) {
    let params = json!({"to": "c", "body": {"n": number}, "durable": true});
    a.call("message.send", params);
}

#[test]
fn a_relay_that_says_taken_of_what_never_arrives_is_named_and_messages_go_by_another_one() {
    let role = [("ENTITY_RELAY_ROLE", "true".to_owned())];
    let (mut first, first_at, first_key) = peer("relay", &role);
    let (mut second, second_at, second_key) = peer("other", &role);
    let liar = Liar::before(&first_at);
    let member = |at: &str, key: &str| format!("{}#{key}", at.replace("http://", "ws://"));
    let (by_first, by_second) = (member(&first_at, &first_key), member(&second_at, &second_key));
    let settings = [
        ("ENTITY_RELAY", by_second.clone()),
        ("ENTITY_RELAY_PATIENCE", "1s".to_owned()),
        // Else C, which has WebSockets alone, would find that A takes them.
        ("ENTITY_WS", "false".to_owned()),
    ];
    let (mut a, a_at, a_key) = peer("a", &settings);
    let settings =
        [("ENTITY_WS", "only".to_owned()), ("ENTITY_RELAY", format!("{by_first},{by_second}"))];
    let (mut c, _, c_key) = peer("c", &settings);
    add(&mut first, "a", &a_at, &a_key);
    add(&mut second, "a", &a_at, &a_key);
    add(&mut a, "c", &format!("{}/relay/{c_key}", liar.base), &c_key);
    add(&mut c, "a", &a_at, &a_key);

    send(&mut a, 0);
    a.event("message.acknowledged");
    liar.lies.store(true, Ordering::SeqCst);
    for number in 1..=LOST {
        send(&mut a, number);
    }
    let event = a.event("relay.suspected");
    let held = json!({"n": event["n"], "relay": liar.base, "key": null, "why": "drops"});
    assert_eq!(event, held);
    assert!(liar.lost.load(Ordering::SeqCst) >= 8, "it had them");
    // What was lost goes another way, and so does what comes after it.
    send(&mut a, LOST + 1);
    assert_eq!(received(&mut c, LOST + 2), (0..LOST + 2).collect::<Vec<_>>());
    let routes = a.call("route.list", json!({}));
    let way = &routes["peers"][0];
    let by = second_at.replace("http://", "ws://");
    assert_eq!((&way["layer"], &way["relay"]), (&json!("relay"), &json!(by)));
    let of = |address: &str| {
        let relays = routes["relays"].as_array().unwrap();
        relays.iter().find(|relay| relay["address"] == address).unwrap().clone()
    };
    let suspected = of(&liar.base);
    assert_eq!((&suspected["suspected"], &suspected["key"]), (&json!(["drops"]), &Value::Null));
    assert_eq!(of(&by)["suspected"], json!([]));
}
