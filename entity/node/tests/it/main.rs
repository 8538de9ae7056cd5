//! The node over real loopback connections, and the program as a process.
#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod bench_lines;
mod cli;
mod contract;
mod crash;
mod dht_cli;
mod dht_network;
mod documents;
mod endpoints;
mod flaws;
mod frames;
mod moltbook_cli;
mod moltbook_run;
mod network;
mod nodes;
mod partition;
mod relay;
mod relay_drops;
mod route_cli;
mod session_kills;
mod siege;
mod sockets;
mod storage;
mod support;
mod token_cli;
mod token_crash;
mod transfer_cli;
mod wallet;
mod wallet_child;
mod wallet_kills;
mod wallet_memory;
