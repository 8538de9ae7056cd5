//! A node of this process and one that is a process of its own, with a session over a WebSocket.

use entity_crypto::signing::SigningKey;
use entity_node::node::Node;
use entity_node::serve::Serving;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command, CommandError, CommandResult, Send};
use entity_peer::config::{AutoConnect, Frames, Liveness, Protocols};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::median;
use crate::processes::{Known, Run};

/// What messages go over, and with it how they travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// One connection, on which two nodes that can take compact frames do.
    Socket,
    /// One connection of two nodes that take none: signed and sealed envelopes.
    Envelopes,
    /// `POST /message`: signed and sealed envelopes.
    Http,
}

/// Both ends.
pub(crate) struct Ends {
    runtime: Runtime,
    caller: Serving,
    _run: Run,
}

/// What a receiver allows here; the usual limit of 20,000 messages a second is below what is measured.
const RATES: &str = "[rate_limits.other]\nburst = 1000000000\nper_second = 1000000000\n";

impl Ends {
    /// Both nodes, with a session, and a connection that carries it.
    pub(crate) fn start(over: Over) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (caller, run) = runtime.block_on(ends(over));
        let ends = Self { runtime, caller, _run: run };
        ends.rate(2_000, 64);
        ends
    }

    /// Messages accepted a second with so many in flight.
    pub(crate) fn rate(&self, messages: usize, in_flight: usize) -> f64 {
        self.runtime.block_on(async {
            let start = Instant::now();
            let each = messages / in_flight;
            let senders: Vec<_> = (0..in_flight)
                .map(|_| {
                    let node = self.caller.node().clone();
                    tokio::spawn(async move {
                        for _ in 0..each {
                            sent(&node).await;
                        }
                    })
                })
                .collect();
            for sender in senders {
                sender.await.unwrap();
            }
            (each * in_flight) as f64 / start.elapsed().as_secs_f64()
        })
    }

    /// Microseconds that half of some messages took at most until they were known to be accepted.
    pub(crate) fn median_trip(&self, count: usize) -> f64 {
        self.runtime.block_on(async {
            let mut times = Vec::with_capacity(count);
            for _ in 0..count {
                let start = Instant::now();
                accepted(self.caller.node().command(message()).await);
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
            median(times)
        })
    }
}

fn message() -> Command {
    let body = Object::new().with("text", "x".repeat(256));
    Command::Send(Send::new("server".parse().unwrap(), MessageKind::Message, body))
}

/// Sends one message. Where the other side is behind with what it has handled, which happens on a machine that does other
/// things, it waits for that, and the time counts.
async fn sent(node: &Node) {
    loop {
        match node.command(message()).await {
            Err(CommandError::Overloaded { .. }) => tokio::task::yield_now().await,
            result => return accepted(result),
        }
    }
}

fn accepted(result: Result<CommandResult, impl std::fmt::Debug>) {
    assert!(matches!(&result, Ok(CommandResult::Sent(_))), "{result:?}");
}

async fn ends(over: Over) -> (Serving, Run) {
    let mut config = Config::new("caller".parse().unwrap());
    config.protocols = Protocols::OnlyV1_1;
    config.auto_connect = AutoConnect::OnCommand;
    config.liveness = Liveness::Silent;
    config.websocket = over != Over::Http;
    config.frames = if over == Over::Envelopes { Frames::Never } else { Frames::Socket };
    let key = SigningKey::from_seed([77; 32]);
    let known = key.public_key();
    let listen = "127.0.0.1:0".parse().unwrap();
    let caller = Serving::start(config, key, [78; 32], listen).unwrap();
    let address = caller.http_address().to_owned();
    let frames = if over == Over::Envelopes { "never" } else { "auto" };
    let websocket = over != Over::Http;
    let settings = format!("protocol = '1.1'\nwebsocket = {websocket}\nframes = '{frames}'\n");
    let known = Known { name: "caller".to_owned(), address, key: known };
    let run = Run::start_with("server", &[known], &settings, RATES);
    let add = AddPeer {
        name: "server".parse().unwrap(),
        address: format!("http://{}", run.address),
        key: Some(run.key),
        connect: None,
    };
    caller.node().command(Command::AddPeer(add)).await.unwrap();
    let open = Command::OpenSession { to: "server".parse().unwrap() };
    caller.node().command(open).await.unwrap();
    // The first message is the first to want a connection; those after it go over it.
    while websocket && caller.node().sockets().0 == 0 {
        accepted(caller.node().command(message()).await);
        tokio::task::yield_now().await;
    }
    (caller, run)
}
