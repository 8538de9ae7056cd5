//! What the store costs on this machine, in one run: `cargo bench -p entity-node --bench store [-- --json] [-- --quick]`.
//!
//! Every rate stands beside a floor of the same round: the same bytes appended to a file whose room was written before, and
//! one `fdatasync` a commit. No store that survives a loss of power is faster; what is above it is the price of finding
//! records again. Rates are medians of several rounds, shares are taken inside a round.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts and times far below 2^52 are averaged")]

#[expect(dead_code, reason = "the aims are those of another benchmark")]
#[path = "../peer/figures.rs"]
mod figures;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use entity_crypto::signing::SigningKey;
use entity_journal::{Batch, Journal as _, Space, Write};
use entity_node::clock::Clock;
use entity_node::node::Node;
use entity_node::storage::{SqliteJournal, Storage};
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command};
use tokio::time::Instant;

use figures::{Aim, Figures};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Rounds of each rate; the median counts.
    rounds: usize,
    /// Commits of one batch in a round; of larger groups proportionally fewer.
    commits: usize,
}

const FULL: Effort = Effort { rounds: 5, commits: 1_000 };
const QUICK: Effort = Effort { rounds: 3, commits: 200 };

const SESSIONS: Space = Space::state("session");
const OUTBOX: Space = Space::state("outbox");
const CERTIFICATES: Space = Space::archive("token.certificate");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let figures = measure(if has("--quick") { QUICK } else { FULL });
    if has("--json") {
        println!("{}", figures.to_json());
    } else {
        figures.print();
    }
}

fn measure(effort: Effort) -> Figures {
    // Where the build is, because the usual place for temporary files may be memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut figures = Figures::default();
    let names = [
        (1, ["floor, 1 batch a commit", "store, 1 batch a commit", "  share of the floor, 1"]),
        (100, ["floor, 100 a commit", "store, 100 a commit", "  share of the floor, 100"]),
        (1000, ["floor, 1000 a commit", "store, 1000 a commit", "  share of the floor, 1000"]),
    ];
    for (group, [floor_name, store_name, share_name]) in names {
        let rounds: Vec<_> = (0..effort.rounds)
            .map(|_| {
                let commits = (effort.commits / group.min(20)).max(5);
                (floor(directory.path(), commits, group), store(directory.path(), commits, group))
            })
            .collect();
        let floors = rounds.iter().map(|(floor, _)| *floor).collect();
        let stores = rounds.iter().map(|(_, store)| *store).collect();
        let shares = rounds.iter().map(|(floor, store)| 100.0 * store / floor).collect();
        figures.add(floor_name, median(floors), "/s", Aim::None);
        figures.add(store_name, median(stores), "/s", Aim::None);
        figures.add(share_name, median(shares), "%", Aim::None);
    }
    for (at_once, name) in
        [(1, "durable commands, 1 at a time"), (100, "durable commands, 100 at a time")]
    {
        let rates = (0..effort.rounds).map(|_| commands(directory.path(), effort.commits, at_once));
        figures.add(name, median(rates.collect()), "/s", Aim::None);
    }
    figures
}

/// What a durable message brings about: its session's record anew, a record of its own, and something for the archive.
fn batch(n: usize) -> Batch {
    Batch::from(vec![
        Write::put(SESSIONS, format!("{:032}", n % 8), vec![b's'; 160]),
        Write::put(OUTBOX, format!("{n:016x}"), vec![b'o'; 400]),
        Write::put(CERTIFICATES, format!("{n:064x}"), vec![b'c'; 600]),
        // Of the message that was acknowledged meanwhile.
        Write::delete(OUTBOX, format!("{:016x}", n.saturating_sub(32))),
    ])
}

fn groups(commits: usize, group: usize) -> Vec<Vec<Batch>> {
    (0..commits).map(|commit| (0..group).map(|n| batch(commit * group + n)).collect()).collect()
}

/// Batches a second of a log that only appends.
fn floor(directory: &Path, commits: usize, group: usize) -> f64 {
    let groups = groups(commits, group);
    let len = |batches: &Vec<Batch>| batches.iter().map(Batch::len_bytes).sum::<usize>();
    let path = directory.join("floor");
    let log = File::create(&path).unwrap();
    log.write_all_at(&vec![0; groups.iter().map(len).sum()], 0).unwrap();
    log.sync_all().unwrap();
    let mut offset = 0;
    let start = Instant::now();
    for batches in &groups {
        let block = vec![b'x'; len(batches)];
        log.write_all_at(&block, offset).unwrap();
        log.sync_data().unwrap();
        offset += block.len() as u64;
    }
    let rate = (commits * group) as f64 / start.elapsed().as_secs_f64();
    std::fs::remove_file(path).unwrap();
    rate
}

/// Batches a second of the store.
fn store(directory: &Path, commits: usize, group: usize) -> f64 {
    let groups = groups(commits, group);
    let directory = tempfile::tempdir_in(directory).unwrap();
    let owner = SigningKey::from_seed([1; 32]).public_key();
    let mut journal = SqliteJournal::open(directory.path(), owner).unwrap();
    let start = Instant::now();
    for batches in &groups {
        journal.commit(batches).unwrap();
    }
    (commits * group) as f64 / start.elapsed().as_secs_f64()
}

/// Commands a second that change something durable, of a whole node: gate, journal's thread and groups as they come.
fn commands(directory: &Path, count: usize, at_once: usize) -> f64 {
    let directory = tempfile::tempdir_in(directory).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let key = SigningKey::from_seed([1; 32]);
        let kept = Storage::open(directory.path(), key.public_key()).unwrap();
        let config = Config::new("a".parse().unwrap());
        let node = Node::restore(config, key, [2; 32], Clock::start(), kept).unwrap();
        let start = Instant::now();
        let workers: Vec<_> = (0..at_once)
            .map(|worker| tokio::spawn(change_peers(node.clone(), worker, count.div_ceil(at_once))))
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        let rate = (count.div_ceil(at_once) * at_once) as f64 / start.elapsed().as_secs_f64();
        node.close(std::time::Duration::ZERO).await.unwrap();
        rate
    })
}

/// Gives one peer another address again and again; each is durable before the next.
async fn change_peers(node: Node, worker: usize, count: usize) {
    for n in 0..count {
        let peer = AddPeer {
            name: format!("peer-{worker}").parse().unwrap(),
            address: format!("http://127.0.0.1:{}", 1024 + n % 10_000),
            key: None,
            connect: Some(false),
        };
        node.command(Command::AddPeer(peer)).await.unwrap();
    }
}

/// The middle of some measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
