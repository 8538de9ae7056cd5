//! What sealing and opening cost, through the API that sessions use.

use std::hint::black_box;
use std::time::Duration;

use entity_crypto::sealing::SealingKey;
use tokio::time::Instant;

const ROUND: Duration = Duration::from_millis(200);

/// Messages of 350 bytes, sealed and opened, a second, on all cores.
pub(crate) fn rate_of_all() -> f64 {
    of_all(350)
}

/// Megabytes a second in pieces of 64 KiB, sealed and opened, on all cores.
pub(crate) fn bulk_of_all() -> f64 {
    of_all(64 * 1024) * 64.0 * 1024.0 / 1e6
}

fn of_all(len: usize) -> f64 {
    let cores = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| rate(len))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn rate(len: usize) -> f64 {
    let key = SealingKey::new([3; 32]);
    let (plaintext, associated) = (vec![b'x'; len], [b'h'; 25]);
    let start = Instant::now();
    let mut done = 0_u32;
    while start.elapsed() < ROUND {
        for _ in 0..32 {
            let sealed = key.seal(&[0; 12], &associated, black_box(&plaintext));
            drop(black_box(key.open(&[0; 12], &associated, &sealed).unwrap()));
        }
        done += 32;
    }
    f64::from(done) / start.elapsed().as_secs_f64()
}
