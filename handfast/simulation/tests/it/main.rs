//! Runs from seeds, and crashes at every batch.

mod seeds;
