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

    fn answer(&self, _request: Request<'_>) -> Answer {
        Answer::new(200, ANSWER)
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
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

/// The calling process: makes `calls` calls one after the other and prints the microseconds of one on average.
pub(crate) fn call(address: &str, calls: u32) {
    let address: Address = address.parse().unwrap();
    let mean = runtime().block_on(async move {
        // As in a node, the calls are made by a task of a worker.
        tokio::spawn(async move {
            let client = Client::new(ClientLimits::default());
            let body = Bytes::from(vec![b'x'; REQUEST_LEN]);
            let mut start = Instant::now();
            for number in 0..calls + WARM_UP {
                if number == WARM_UP {
                    start = Instant::now();
                }
                let call = Call {
                    method: Method::POST,
                    path: "/message",
                    body: body.clone(),
                    timeout: Duration::from_secs(10),
                };
                assert_eq!(client.call(&address, call).await.unwrap().status, 200);
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
        })
        .await
        .unwrap()
    });
    println!("{mean}");
}

const WARM_UP: u32 = 200;

/// A serving process and its address.
pub(crate) fn start() -> (Process, SocketAddr) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child =
        command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Process(child), line.trim().parse().unwrap())
}

/// Runs a calling process and returns the microseconds of one call on average.
pub(crate) fn microseconds_of_a_call(address: SocketAddr, calls: usize) -> f64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output =
        command.args([CALL, &format!("http://{address}"), &calls.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
