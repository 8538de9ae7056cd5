//! What signing and verifying cost, through the API that the peer uses.

use std::hint::black_box;
use std::time::Duration;

use entity_crypto::signing::SigningKey;
use tokio::time::Instant;

/// As long as the signed part of the messages of the other measurements.
const MESSAGE_LEN: usize = 450;

const ROUND: Duration = Duration::from_millis(200);

/// Operations a second of one core.
#[derive(Debug)]
pub(crate) struct Rates {
    pub(crate) sign: f64,
    pub(crate) verify: f64,
}

/// Measures both once.
pub(crate) fn rates() -> Rates {
    let key = SigningKey::from_seed([1; 32]);
    let public = key.public_key();
    let message = [b'x'; MESSAGE_LEN];
    let signature = key.sign(&message);
    Rates {
        sign: rate(|| drop(black_box(key.sign(black_box(&message)).to_bytes().to_vec()))),
        verify: rate(|| public.verify(black_box(&message), &signature).unwrap()),
    }
}

fn rate(mut operation: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut done = 0_u32;
    while start.elapsed() < ROUND {
        for _ in 0..32 {
            operation();
        }
        done += 32;
    }
    f64::from(done) / start.elapsed().as_secs_f64()
}
