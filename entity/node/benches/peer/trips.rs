//! Round trips, one at a time, with both ends on one core.

use serde_json::json;

use crate::processes::{Known, Run, Shim, on_one_core};
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
    let (_run, mut shim) = on_one_core(two_peers);
    for _ in 0..ROUNDS {
        http.push(on_one_core(|| trivial::microseconds_of_a_call(address, trips / ROUNDS)));
        let (sign, verify) = on_one_core(crypto::median_us);
        signed.push(sign + verify);
        message.push(median_ping(&mut shim, trips / ROUNDS));
    }
    Trip { http: median(http), signing_and_verifying: median(signed), message: median(message) }
}

/// A shim that has a session with a running program, both in processes of their own.
fn two_peers() -> (Run, Shim) {
    let mut shim = Shim::start("caller");
    let caller = shim.initialize();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let known = Known {
        name: "caller".to_owned(),
        address: text(&caller["addresses"]["http"]),
        key: entity_crypto::signing::PublicKey::from_hex(&text(&caller["keys"]["ed25519"]))
            .unwrap(),
    };
    let run = Run::start("server", &[known]);
    let address = format!("http://{}", run.address);
    shim.call("peer.add", &json!({"name": "server", "address": address, "key": run.key.to_hex()}));
    shim.call("session.open", &json!({"to": "server"}));
    median_ping(&mut shim, 200);
    (run, shim)
}

fn median_ping(shim: &mut Shim, count: usize) -> f64 {
    let ping =
        |_| shim.call("peer.ping", &json!({"to": "server"}))["round_trip_us"].as_f64().unwrap();
    median((0..count).map(ping).collect())
}
