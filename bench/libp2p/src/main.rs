//! rust-libp2p between two processes of this machine: TCP, Noise, Yamux.
//!
//! Alone it measures everything once and says so: `cargo run --release --manifest-path bench/libp2p/Cargo.toml`. Started with `drive` it
//! takes one question a line from standard input and answers each with one line, so that `cargo bench -p entity-node --bench layers`
//! can ask it in the same rounds in which it measures its own:
//!
//! ```text
//! requests COUNT IN_FLIGHT  request-response of 256 bytes, answered by one byte    -> answered a second
//! stream COUNT IN_FLIGHT    256 bytes on one raw stream, answered by one byte      -> answered a second
//! request-trip COUNT        one at a time                                          -> microseconds, median
//! stream-trip COUNT         one at a time                                          -> microseconds, median
//! handshake COUNT           a fresh peer, from dialling to a ready connection      -> milliseconds, median
//! bulk MIB                  one raw stream, until the other end has read all of it -> MB/s
//! idle COUNT                peers that connect and say nothing     -> MiB of the answering process before, with them
//! ```
//!
//! ```text
//! swarm    one peer: behaviour and codec
//! serve    the answering process: this program started again
//! call     who asks and measures
//! ```

mod call;
mod serve;
mod swarm;

use std::error::Error;
use std::io::BufRead as _;

use call::Caller;
use tokio::runtime::{Builder, Runtime};

type Failure = Box<dyn Error + Send + Sync>;

/// First argument of the answering process.
const SERVE: &str = "serve";
/// First argument of one that is asked line by line.
const DRIVE: &str = "drive";

/// What is measured where nobody asks.
const ALL: [&str; 7] = [
    "requests 40000 64",
    "stream 400000 64",
    "request-trip 4000",
    "stream-trip 4000",
    "handshake 100",
    "bulk 512",
    "idle 1000",
];

fn main() -> Result<(), Failure> {
    let runtime = runtime()?;
    match std::env::args().nth(1).as_deref() {
        Some(SERVE) => runtime.block_on(serve::serve()),
        Some(DRIVE) => runtime.block_on(async {
            let mut caller = Caller::start().await?;
            for question in std::io::stdin().lock().lines() {
                println!("{}", answer(&mut caller, &question?).await?);
            }
            Ok(())
        }),
        None => runtime.block_on(async {
            let mut caller = Caller::start().await?;
            for question in ALL {
                println!("{question:20} {}", answer(&mut caller, question).await?);
            }
            Ok(())
        }),
        Some(other) => Err(format!("{other:?} is none of {DRIVE}, {SERVE}").into()),
    }
}

/// As many workers as there are cores; on one core no thread beside the one there is.
fn runtime() -> Result<Runtime, Failure> {
    let cores = std::thread::available_parallelism()?.get();
    let mut builder =
        if cores == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    Ok(builder.enable_all().build()?)
}

/// Measures what one line asks for.
async fn answer(caller: &mut Caller, question: &str) -> Result<String, Failure> {
    let mut words = question.split_whitespace();
    let word = words.next().unwrap_or_default();
    let numbers = words.map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let figure = match (word, numbers.as_slice()) {
        ("requests", [count, in_flight]) => caller.requests(*count, *in_flight).await?,
        ("stream", [count, in_flight]) => caller.stream(*count, *in_flight).await?,
        ("request-trip", [count]) => caller.request_trip(*count).await?,
        ("stream-trip", [count]) => caller.stream_trip(*count).await?,
        ("handshake", [count]) => caller.handshake(*count).await?,
        ("bulk", [mib]) => caller.bulk(*mib).await?,
        ("idle", [count]) => {
            let (before, with) = caller.idle(*count).await?;
            return Ok(format!("{before:.2} {with:.2}"));
        }
        _ => return Err(format!("{question:?} is no question").into()),
    };
    Ok(format!("{figure:.3}"))
}
