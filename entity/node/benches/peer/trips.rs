//! Round trips, one at a time, with both ends on one core.

use entity_crypto::signing::SigningKey;
use entity_node::serve::Serving;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command};
use entity_peer::config::{AutoConnect, Protocols};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::processes::{Known, Run, on_one_core};
use crate::{crypto, median, trivial};

/// Medians in microseconds: on a shared machine a mean tells more of the neighbours than of us.
#[derive(Debug)]
pub(crate) struct Trip {
    /// An exchange of the same client and server without a peer.
    pub(crate) http: f64,
    /// Signing once and verifying once.
    pub(crate) signing_and_verifying: f64,
    /// A signed message of 1.0, from making it until its answer is handled.
    pub(crate) message: f64,
}

/// Rounds of each; they alternate, so that a disturbance meets both.
const ROUNDS: usize = 5;

pub(crate) fn measured(trips: usize) -> Trip {
    let (mut http, mut signed, mut message) = (Vec::new(), Vec::new(), Vec::new());
    let (_server, address) = on_one_core(trivial::start);
    let ends = on_one_core(Ends::start);
    for _ in 0..ROUNDS {
        http.push(on_one_core(|| trivial::microseconds_of_a_call(address, trips / ROUNDS)));
        let (sign, verify) = on_one_core(crypto::median_us);
        signed.push(sign + verify);
        message.push(on_one_core(|| ends.median_ping(trips / ROUNDS)));
    }
    Trip { http: median(http), signing_and_verifying: median(signed), message: median(message) }
}

/// A whole node of this process, on this thread alone, that has a session with a running program. It is driven by commands,
/// not over its shim: between two round trips nothing else wakes up, as between two exchanges of plain HTTP.
struct Ends {
    runtime: Runtime,
    caller: Serving,
    _run: Run,
}

impl Ends {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (caller, run) = runtime.block_on(async {
            let mut config = Config::new("caller".parse().unwrap());
            config.protocols = Protocols::OnlyV1_0;
            config.auto_connect = AutoConnect::OnCommand;
            let key = SigningKey::from_seed([77; 32]);
            let known_key = key.public_key();
            let listen = "127.0.0.1:0".parse().unwrap();
            let caller = Serving::start(config, key, [78; 32], listen).unwrap();
            let address = caller.http_address().to_owned();
            let run = Run::start(
                "server",
                &[Known { name: "caller".to_owned(), address, key: known_key }],
            );
            let add = AddPeer {
                name: "server".parse().unwrap(),
                address: format!("http://{}", run.address),
                key: Some(run.key),
                connect: None,
            };
            caller.node().command(Command::AddPeer(add)).await.unwrap();
            let open = Command::OpenSession { to: "server".parse().unwrap() };
            caller.node().command(open).await.unwrap();
            (caller, run)
        });
        let ends = Self { runtime, caller, _run: run };
        ends.median_ping(200);
        ends
    }

    fn median_ping(&self, count: usize) -> f64 {
        self.runtime.block_on(async {
            let mut times = Vec::with_capacity(count);
            for _ in 0..count {
                let start = Instant::now();
                let ping = Command::Ping { to: "server".parse().unwrap() };
                self.caller.node().command(ping).await.unwrap();
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
            median(times)
        })
    }
}
