//! What planted flaws do around the peer: nothing, in a default build.

use std::fs::File;

use entity_flaw::{Flaw, planted};
use entity_peer::output::Received;
use entity_wire::canonical;
use tracing::info;

/// Does what a flawed node does with a message that it has received.
pub(crate) fn on_received(received: &Received) {
    if planted(Flaw::LogsTheSecret) {
        let body = canonical::object_to_vec(&received.body);
        info!(body = %String::from_utf8_lossy(&body), "message received");
    }
    if planted(Flaw::LeaksDescriptor)
        && let Ok(file) = File::open("/dev/null")
    {
        std::mem::forget(file);
    }
    if planted(Flaw::LeaksMemory) {
        std::mem::forget(vec![1_u8; LEAK_LEN]);
    }
}

/// What the sentence of the flaw says.
const LEAK_LEN: usize = 8 << 10;
