//! Runs from seeds, and crashes at every batch.

mod every_batch;
mod seeds;
mod sessions;
