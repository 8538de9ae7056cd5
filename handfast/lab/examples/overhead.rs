//! Measures what the lab itself costs: a unit that only starts two peers and stops them.
//!
//! `cargo run --release --example overhead [ROUNDS [PROGRAM ARGUMENT..]]` prints the median and the
//! 95th percentile. Without a program this one plays both peers: it answers `initialize` and
//! `shutdown` and does nothing else, so that what is left is the lab. Then it prints what a message
//! of 600 bytes takes to a server and back, without and with the tap between.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::io::{BufRead, Write};
use std::process::ExitCode;

use handfast_lab::{Clock, Lab, LabConfig, RoleConfig, UnitConfig, reaper};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    if reaper::is_reaper_invocation(std::env::args_os()) {
        return reaper::main();
    }
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "peer") {
        return if peer().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let rounds = arguments.first().and_then(|first| first.parse().ok()).unwrap_or(50);
    let own = std::env::current_exe().expect("the system knows this program");
    let program = if arguments.len() > 1 {
        arguments.split_off(1)
    } else {
        vec![own.to_string_lossy().into_owned(), "peer".to_owned()]
    };
    measure(rounds, &program);
    measure_tap(rounds * 20, &own.to_string_lossy());
    ExitCode::SUCCESS
}

#[tokio::main]
async fn measure(rounds: usize, program: &[String]) {
    let root = tempfile::tempdir().expect("a temporary folder can be made");
    let clock = Clock::start();
    let reaper = LabConfig::own_reaper().expect("the system knows this program");
    let run = format!("overhead-{}", std::process::id());
    let config = LabConfig { scratch_root: root.path().to_owned(), run, reaper, clock };
    let (lab, _) = Lab::open(config).expect("a lab can be opened");
    let role = |name: &str| RoleConfig {
        name: name.to_owned(),
        program: program[0].clone(),
        args: program[1..].to_vec(),
        ..RoleConfig::default()
    };
    let mut steps: [Vec<u64>; 4] = Default::default();
    for _ in 0..rounds {
        let roles = vec![role("a"), role("b")];
        let config = UnitConfig { name: "overhead".to_owned(), roles, ..UnitConfig::default() };
        let began = clock.now_us();
        let unit = lab.unit(config).await.expect("a unit can be opened");
        let opened = clock.now_us();
        let (a, b) = tokio::join!(unit.start("a"), unit.start("b"));
        a.and(b).expect("the peers start");
        let started = clock.now_us();
        let report = unit.close().await;
        let closed = clock.now_us();
        assert!(report.clean && report.settled, "{report:?}");
        let times = [opened - began, started - opened, closed - started, closed - began];
        steps.iter_mut().zip(times).for_each(|(step, time)| step.push(time));
    }
    for (name, mut times) in ["open", "start", "close", "all"].into_iter().zip(steps) {
        times.sort_unstable();
        let [p50, p95] = [times[rounds / 2], times[rounds * 95 / 100]];
        println!("{name:>6}: p50 {p50:>6} us, p95 {p95:>6} us");
    }
}

/// A keep-alive connection whose requests and answers all have the same 600-byte body.
async fn round_trips(address: &str, rounds: usize, clock: Clock) -> Vec<u64> {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a fresh socket takes options");
    let request = format!("POST /message HTTP/1.1\r\nContent-Length: 600\r\n\r\n{BODY:600}");
    let mut buffer = vec![0; 4096];
    let mut times = Vec::new();
    for _ in 0..rounds {
        let began = clock.now_us();
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        read_whole(&mut stream, &mut buffer).await.expect("the server answers");
        times.push(clock.now_us() - began);
    }
    times.sort_unstable();
    times
}

const BODY: &str = r#"{"msg_type":"ping","payload":{}}"#;

/// Reads up to the end of a 600-byte body.
async fn read_whole(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<()> {
    let mut len = 0;
    loop {
        match stream.read(&mut buffer[len..]).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            more => len += more,
        }
        let head = buffer[..len].windows(4).position(|window| window == b"\r\n\r\n");
        if head.is_some_and(|head| len >= head + 604) {
            return Ok(());
        }
    }
}

async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n{BODY:600}");
            let mut buffer = vec![0; 4096];
            loop {
                read_whole(&mut stream, &mut buffer).await?;
                stream.write_all(answer.as_bytes()).await?;
            }
            #[expect(unreachable_code, reason = "names the error type of the task")]
            Ok::<(), std::io::Error>(())
        });
    }
}

#[tokio::main(flavor = "current_thread")]
async fn measure_tap(rounds: usize, own: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let server = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(serve(listener));
    let root = tempfile::tempdir().expect("a temporary folder can be made");
    let clock = Clock::start();
    let reaper = LabConfig::own_reaper().expect("the system knows this program");
    let run = format!("overhead-tap-{}", std::process::id());
    let config = LabConfig { scratch_root: root.path().to_owned(), run, reaper, clock };
    let (lab, _) = Lab::open(config).expect("a lab can be opened");
    let role = |name: &str| RoleConfig {
        name: name.to_owned(),
        program: own.to_owned(),
        args: vec!["peer".to_owned(), format!("http://{server}")],
        ..RoleConfig::default()
    };
    let roles = vec![role("a"), role("b")];
    let config = UnitConfig { name: "tap".to_owned(), roles, ..UnitConfig::default() };
    let unit = lab.unit(config).await.expect("a unit can be opened");
    unit.start("b").await.expect("the peer starts");
    let address = unit.tap().advertised("b").expect("there is such a role");
    let direct = round_trips(&server, rounds, clock).await;
    let through = round_trips(address.trim_start_matches("http://"), rounds, clock).await;
    for (name, times) in [("direct", direct), ("tapped", through)] {
        println!("{name}: p50 {:>6} us, p95 {:>6} us", times[rounds / 2], times[rounds * 95 / 100]);
    }
    assert!(unit.close().await.clean);
}

/// The smallest peer there can be. Its second argument is the address it claims to listen at.
fn peer() -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let address = std::env::args().nth(2).unwrap_or_else(|| "http://127.0.0.1:1".to_owned());
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let is_end = request["method"] == "shutdown";
        let result = if is_end {
            json!({})
        } else {
            json!({
                "contract": "1", "name": "x", "version": "0", "protocol_versions": [],
                "methods": [], "addresses": {"http": address}, "keys": {},
            })
        };
        writeln!(stdout, "{}", json!({"jsonrpc": "2.0", "id": request["id"], "result": result}))?;
        stdout.flush()?;
        if is_end {
            return Ok(());
        }
    }
    Ok(())
}
