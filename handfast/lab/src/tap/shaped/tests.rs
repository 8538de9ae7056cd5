use handfast_faults::{Cause, LineVerdict};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(20);

/// What `a` finds behind a link: everything it sends comes back.
struct Line {
    shapes: Shapes,
    behind: std::net::SocketAddr,
    echo: JoinHandle<()>,
}

impl Line {
    async fn open(there: &str, back: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let behind = listener.local_addr().unwrap();
        let echo = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    drop(tokio::io::copy(&mut from, &mut to).await);
                });
            }
        });
        let base = [(Link::new("a", "b"), there), (Link::new("b", "a"), back)];
        let base = base.map(|(link, text)| (link, conditions(text)));
        Self { shapes: Shapes::new(7, base.into()), behind, echo }
    }

    async fn connect(&self) -> io::Result<Shaped> {
        let link = Link::new("a", "b");
        let connecting = self.shapes.connect(&link, TcpStream::connect(self.behind));
        timeout(LONG, connecting).await.unwrap()
    }

    fn stretch(&self, from: &str, to: &str) -> LinkAccount {
        let is_meant = |of: &LinkAccount| of.from == from && of.to == to;
        self.shapes.accounts().into_iter().rfind(is_meant).unwrap()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.echo.abort();
    }
}

fn conditions(text: &str) -> Conditions {
    serde_json::from_str(text).unwrap()
}

/// Sends bytes and waits for them; says how long it took.
async fn around(stream: &mut Shaped, bytes: usize) -> Duration {
    let began = Instant::now();
    let sent: Vec<u8> = (0..bytes).map(|place| (place % 251).try_into().unwrap()).collect();
    let mut back = vec![0; bytes];
    let (mut from, mut to) = tokio::io::split(&mut *stream);
    let both = async {
        tokio::join!(async { to.write_all(&sent).await.unwrap() }, async {
            from.read_exact(&mut back).await.unwrap()
        })
    };
    timeout(LONG, both).await.unwrap();
    assert_eq!(back, sent);
    began.elapsed()
}

#[tokio::test]
async fn a_clear_link_passes_everything_unchanged_and_in_order() {
    let line = Line::open("{}", "{}").await;
    let mut stream = line.connect().await.unwrap();
    around(&mut stream, 1_000_000).await;
    let account = line.stretch("a", "b").account;
    assert_eq!(account.dropped_total(), 0);
    // Every byte was in a packet, and each packet had headers; one packet opened the connection.
    let opened = u64::from(OPENING);
    assert_eq!(account.bytes - opened, 1_000_000 + (account.packets - 1) * 52);
}

#[tokio::test]
async fn a_connection_takes_a_round_trip_and_so_does_what_comes_back() {
    let line = Line::open(r#"{"delay": "30ms"}"#, r#"{"delay": "20ms"}"#).await;
    let began = Instant::now();
    let mut stream = line.connect().await.unwrap();
    assert!(began.elapsed() >= 50 * MS, "{:?}", began.elapsed());
    let took = around(&mut stream, 10).await;
    assert!(took >= 50 * MS, "{took:?}");
    let stretch = line.stretch("a", "b");
    let lines = stretch.account.judge(&stretch.asked);
    assert_eq!(lines[0].what, "delay");
    assert_eq!(lines[0].verdict, LineVerdict::Held, "{lines:?}");
}

#[tokio::test]
async fn a_bottleneck_lets_so_much_through_and_loses_nothing() {
    let line = Line::open(r#"{"rate": "8Mbit/s"}"#, "{}").await;
    let mut stream = line.connect().await.unwrap();
    let took = around(&mut stream, 200_000).await;
    // 139 packets with their headers: 207,228 bytes, a byte a microsecond.
    assert!(took >= 207 * MS, "{took:?}");
    let stretch = line.stretch("a", "b");
    assert_eq!(stretch.account.dropped(Cause::Queue), 0);
    let lines = stretch.account.judge(&stretch.asked);
    assert_eq!(lines[0].verdict, LineVerdict::Held, "{lines:?}");
}

#[tokio::test]
async fn what_is_lost_is_late_and_nothing_is_missing() {
    let line = Line::open(r#"{"loss": 0.2}"#, r#"{"loss": 0.2}"#).await;
    let mut stream = line.connect().await.unwrap();
    around(&mut stream, 60_000).await;
    assert!(line.stretch("a", "b").account.dropped(Cause::Loss) > 0);
}

#[tokio::test]
async fn a_silent_cut_holds_everything_back_until_it_is_lifted() {
    let line = Line::open("{}", "{}").await;
    let mut stream = line.connect().await.unwrap();
    around(&mut stream, 10).await;
    line.shapes.set("a", "b", conditions(r#"{"cut": "silent"}"#));
    stream.write_all(b"held").await.unwrap();
    let mut back = [0; 4];
    assert!(timeout(50 * MS, stream.read_exact(&mut back)).await.is_err());
    line.shapes.set("a", "b", Conditions::default());
    timeout(LONG, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(&back, b"held");
    // Each of the conditions has its account.
    let accounts: Vec<_> = line.shapes.accounts().into_iter().map(|of| of.asked.cut).collect();
    assert_eq!(accounts, [None, Some(Cut::Silent), None]);
}

#[tokio::test]
async fn a_cut_with_resets_tells_whoever_sends_and_lets_nobody_connect() {
    let line = Line::open("{}", "{}").await;
    let mut stream = line.connect().await.unwrap();
    around(&mut stream, 10).await;
    line.shapes.set("a", "b", conditions(r#"{"cut": "reset"}"#));
    stream.write_all(b"gone").await.unwrap();
    let read = timeout(LONG, stream.read(&mut [0; 4])).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(line.connect().await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    line.shapes.set("a", "b", Conditions::default());
    around(&mut line.connect().await.unwrap(), 10).await;
}

#[tokio::test]
async fn the_end_of_a_stream_arrives_behind_everything_else() {
    let line = Line::open(r#"{"delay": "20ms"}"#, "{}").await;
    let mut stream = line.connect().await.unwrap();
    stream.write_all(b"last words").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut back = Vec::new();
    timeout(LONG, stream.read_to_end(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, b"last words");
}

/// Which of six connections come about.
async fn alive(line: &Line) -> Vec<bool> {
    let tries: Vec<_> = (0..6)
        .map(|_| async {
            let link = Link::new("a", "b");
            let connecting = line.shapes.connect(&link, TcpStream::connect(line.behind));
            timeout(800 * MS, connecting).await.is_ok()
        })
        .collect();
    futures_util::future::join_all(tries).await
}

#[tokio::test]
async fn the_same_connections_are_on_a_dead_way_again() {
    // Half of all ways are dead; which is decided by the number of the connection and the seed.
    let text = r#"{"dead_flows": 0.5}"#;
    let (one, other) = (Line::open(text, "{}").await, Line::open(text, "{}").await);
    let (one, other) = tokio::join!(alive(&one), alive(&other));
    assert_eq!(one, other);
    assert!(one.contains(&true) && one.contains(&false), "{one:?}");
}

#[test]
fn a_direction_keeps_so_many_accounts_and_counts_the_rest_with_the_last() {
    let mut stretches = Vec::new();
    for delay in 1..=STRETCHES_MAX + 5 {
        let asked = conditions(&format!(r#"{{"delay": "{delay}ms"}}"#));
        let mut shaper = Shaper::new(asked.clone(), 7, "a -> b");
        shaper.handle_packet(Packet { length: 100, flow: 0 }, 0);
        add(&mut stretches, asked, shaper.take_account());
    }
    assert_eq!(stretches.len(), STRETCHES_MAX);
    let (first, last) = (&stretches[0], &stretches[STRETCHES_MAX - 1]);
    assert_eq!((first.account.packets, first.is_mixed), (1, false));
    assert_eq!((last.account.packets, last.is_mixed), (6, true));
}
