//! Runs from seeds, and crashes at every batch.

mod defects;
mod dht;
mod every_batch;
mod liars;
mod scenario;
mod seeds;
mod sessions;
mod town;
