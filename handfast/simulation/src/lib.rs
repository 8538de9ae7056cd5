//! Whole peers in virtual time: everything that happens in a run follows from one seed.
//!
//! A [`World`] holds two to four peers, or hundreds, as their programs run them: each with a journal, a disk that takes its time, a
//! clock that is wrong, and links that lose, double and delay requests as well as answers. Peers crash between two inputs,
//! before a batch is durable, and after it before anything that rests on it leaves; they start again with what was kept.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | what one seed decides: weather, clocks, crashes, what the peers are asked to do |
//! | [`world`] | the loop: the next thing that is due, one after the other |
//! | [`machine`] | one peer, its journal and the gate between both |
//! | [`network`] | requests and answers under way |
//! | [`history`] | what happened, and its fingerprint |
//! | [`laws`] | what has to hold in every run |
//! | [`dht`] | another world: very many bare nodes of the distributed hash table |
//! | [`town`] | hundreds of whole peers that pay each other |
//! | [`scenario`] | a scenario file, with its disturbances, on whole peers |
//! | [`run`] | a seed from its plan to its verdict; many seeds on all cores |
//!
//! `docs/design/simulation.md` says why it is like this.

pub mod dht;
pub mod history;
pub mod laws;
pub mod machine;
pub mod network;
pub mod plan;
pub mod run;
pub mod scenario;
pub mod town;
pub mod world;

pub use plan::Plan;
pub use run::{Broken, Verdict, run_seed};
pub use world::World;
