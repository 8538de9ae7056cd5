//! What signing and verifying cost, through the API that the peer uses.

use std::hint::black_box;
use std::time::Duration;

use entity_crypto::signing::SigningKey;
use tokio::time::Instant;

use crate::median;

/// As long as the signed part of the messages of the other measurements.
pub(crate) const MESSAGE_LEN: usize = 450;

const ROUND: Duration = Duration::from_millis(200);

/// Operations a second.
#[derive(Debug)]
pub(crate) struct Rates {
    /// Of one core, the others idle.
    pub(crate) sign: f64,
    /// Of one core, the others idle.
    pub(crate) verify: f64,
    /// Of all cores together. Two cores that share their units do less than twice as much as one.
    pub(crate) sign_all: f64,
    /// Of all cores together.
    pub(crate) verify_all: f64,
}

/// Measures each once.
pub(crate) fn rates() -> Rates {
    let key = SigningKey::from_seed([1; 32]);
    let public = key.public_key();
    let message = [b'x'; MESSAGE_LEN];
    let signature = key.sign(&message);
    let sign = || drop(black_box(key.sign(black_box(&message)).to_bytes().to_vec()));
    let verify = || public.verify(black_box(&message), &signature).unwrap();
    Rates {
        sign: rate(&sign),
        verify: rate(&verify),
        sign_all: rate_of_all(&sign),
        verify_all: rate_of_all(&verify),
    }
}

/// Median microseconds of signing and of verifying once.
pub(crate) fn median_us() -> (f64, f64) {
    let key = SigningKey::from_seed([1; 32]);
    let public = key.public_key();
    let message = [b'x'; MESSAGE_LEN];
    let signature = key.sign(&message);
    let sign = || drop(black_box(key.sign(black_box(&message)).to_bytes().to_vec()));
    let verify = || public.verify(black_box(&message), &signature).unwrap();
    (median_time(&sign), median_time(&verify))
}

fn median_time(operation: &impl Fn()) -> f64 {
    let one = |_| {
        let start = Instant::now();
        operation();
        start.elapsed().as_secs_f64() * 1e6
    };
    median((0..1000).map(one).collect())
}

/// Operations a second of all cores together.
pub(crate) fn rate_of_all(operation: &(impl Fn() + Sync)) -> f64 {
    let cores = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| rate(operation))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn rate(operation: &impl Fn()) -> f64 {
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
