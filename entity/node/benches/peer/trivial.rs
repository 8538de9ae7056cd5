//! The same HTTP server with a handler that does nothing, and the same client: what HTTP alone costs.
//!
//! Both run as processes of their own: this program starts itself with another first argument.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use entity_transport::http::{
    Address, Answer, Call, Client, ClientLimits, Handler, Method, Request, Server, ServerLimits,
    Verb,
};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::median;
use crate::processes::Process;

/// First argument of the serving process.
pub(crate) const SERVE: &str = "serve-trivial";
/// First argument of the calling process.
pub(crate) const CALL: &str = "call-trivial";

/// As long as a signed message of the other measurements.
pub(crate) const REQUEST_LEN: usize = 700;

/// What a peer answers.
const ANSWER: &str = r#"{"status":"received","entity_id":"server","verification":"passed"}"#;

struct Trivial;

impl Handler for Trivial {
    fn endpoint(&self, _path: &str) -> Option<Verb> {
        Some(Verb::Post)
    }

    async fn answer(&self, _request: Request<'_>) -> Answer {
        Answer::new(200, ANSWER)
    }
}

/// As many workers as the program has.
fn runtime() -> Runtime {
    let cores = std::thread::available_parallelism().unwrap().get();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(2))
        .enable_all()
        .build()
        .unwrap()
}

/// The serving process: prints its address and serves until its standard input ends.
pub(crate) fn serve() {
    runtime().block_on(async {
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), ServerLimits::default()).unwrap();
        println!("{}", server.local_address());
        let stop = async {
            tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
                .await
                .unwrap()
                .unwrap();
        };
        server.serve(Arc::new(Trivial), stop).await;
    });
}

/// The calling process: makes `calls` calls one after the other and prints the microseconds that half of them took at most.
pub(crate) fn call(address: &str, calls: usize) {
    let address: Address = address.parse().unwrap();
    // As in a node, the calls are made by a task of a worker.
    let runtime = runtime();
    let calling = runtime.spawn(async move {
        let client = Client::new(ClientLimits::default());
        let body = Bytes::from(vec![b'x'; REQUEST_LEN]);
        let mut times = Vec::new();
        for _ in 0..calls + WARM_UP {
            let body = body.clone();
            let call = Call {
                method: Method::POST,
                path: "/message",
                body,
                timeout: Duration::from_secs(10),
            };
            let start = Instant::now();
            assert_eq!(client.call(&address, call).await.unwrap().status, 200);
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
        median(times.split_off(WARM_UP))
    });
    println!("{}", runtime.block_on(calling).unwrap());
}

const WARM_UP: usize = 200;

/// A serving process and its address.
pub(crate) fn start() -> (Process, SocketAddr) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child =
        command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Process(child), line.trim().parse().unwrap())
}

/// Runs a calling process and returns the median of its calls in microseconds.
pub(crate) fn microseconds_of_a_call(address: SocketAddr, calls: usize) -> f64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output =
        command.args([CALL, &format!("http://{address}"), &calls.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
