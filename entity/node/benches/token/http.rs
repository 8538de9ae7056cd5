//! Exchanges of the same HTTP client and server with a handler that does nothing.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use entity_transport::http::{Address, Call, Client, ClientLimits, Method};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::processes::Process;
use crate::trivial;

const CONNECTIONS: usize = 16;
const EXCHANGES: usize = 4_800;

/// As long as a sealed vote request in its envelope.
const REQUEST_LEN: usize = 1_500;

/// A server in a process of its own, and clients in this one.
pub(crate) struct Http {
    runtime: Runtime,
    server: (Process, SocketAddr),
}

impl Http {
    pub(crate) fn start() -> Self {
        let http = Self { runtime: Runtime::new().unwrap(), server: trivial::start() };
        http.exchanges();
        http
    }

    /// Exchanges a second.
    pub(crate) fn exchanges(&self) -> f64 {
        let address: Address = format!("http://{}", self.server.1).parse().unwrap();
        self.runtime.block_on(async {
            let client = Client::new(ClientLimits::default());
            let start = Instant::now();
            let callers: Vec<_> = (0..CONNECTIONS)
                .map(|_| tokio::spawn(call(client.clone(), address.clone())))
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
            EXCHANGES as f64 / start.elapsed().as_secs_f64()
        })
    }
}

async fn call(client: Client, address: Address) {
    let body = Bytes::from(vec![b'x'; REQUEST_LEN]);
    for _ in 0..EXCHANGES / CONNECTIONS {
        let call = Call {
            method: Method::POST,
            path: "/message",
            body: body.clone(),
            timeout: Duration::from_secs(10),
        };
        assert_eq!(client.call(&address, call).await.unwrap().status, 200);
    }
}
