//! Measures what networks for peers cost: namespaces with a switch up and down again, by both rights, and a socket in one.
//!
//! `cargo run --release --example namespaces [ROUNDS [PLACES]]` prints the median and the 95th percentile in milliseconds.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::process::ExitCode;

use handfast_lab::net::{Ask, Net, NetError, NetPlan, Owner, SocketKind};
use handfast_lab::{Clock, LabConfig, reaper};

fn main() -> ExitCode {
    if reaper::is_reaper_invocation(std::env::args_os()) {
        return reaper::main();
    }
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().unwrap_or(0));
    let rounds = arguments.next().unwrap_or(200);
    let places = arguments.next().unwrap_or(2);
    for ask in [Ask::Root, Ask::Rootless] {
        if let Err(error) = measure(&ask, rounds, places) {
            println!("{ask:?}: {error}");
        }
    }
    ExitCode::SUCCESS
}

fn measure(ask: &Ask, rounds: usize, places: usize) -> Result<(), NetError> {
    let clock = Clock::start();
    let reaper = LabConfig::own_reaper().map_err(NetError::Holder)?;
    let owner = Owner { reaper, run: "measured".to_owned(), dir: "/".into(), ask: ask.clone() };
    let roles = (0..places).map(|number| format!("r{number}")).collect();
    let plan = NetPlan { roles, ..NetPlan::default() };
    let mut up = Vec::new();
    let mut down = Vec::new();
    let mut both = Vec::new();
    let mut socket = Vec::new();
    for _ in 0..rounds {
        let started = clock.now_us();
        let net = Net::make(&owner, &plan)?;
        let made = clock.now_us();
        net.socket("r0", SocketKind::Tcp4).map_err(NetError::Holder)?;
        let asked = clock.now_us();
        drop(net);
        let ended = clock.now_us();
        up.push(made - started);
        socket.push(asked - made);
        down.push(ended - asked);
        both.push(ended - started - (asked - made));
    }
    println!("{ask:?}, {places} places, {rounds} rounds");
    for (what, times) in [("up", up), ("down", down), ("up and down", both), ("a socket", socket)] {
        println!("  {what:<12} {}", summary(times));
    }
    Ok(())
}

fn summary(mut times_us: Vec<u64>) -> String {
    times_us.sort_unstable();
    let at = |percent: usize| {
        let time = times_us.get(times_us.len() * percent / 100).copied().unwrap_or_default();
        std::time::Duration::from_micros(time).as_secs_f64() * 1000.0
    };
    format!("p50 {:8.3} ms   p95 {:8.3} ms", at(50), at(95))
}
