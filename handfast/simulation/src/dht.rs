//! Very many bare nodes of the distributed hash table in virtual time.
//!
//! The machines are those of `entity/dht`, as a node would run them; sessions and wire are left out, and signatures are
//! modelled: [`judge`] says how. The network is either grown through one node, or put in place as it would be after a long
//! time, and then part of it dies at once.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | what a run does |
//! | [`judge`] | modelled signatures |
//! | [`crowd`] | the nodes, and who is alive |
//! | [`course`] | a run from its beginning to its report |
//! | `world` | the loop |
//! | [`model`] | what the registry has to say, in a few lines |
//! | [`report`] | what came of it, beside what theory says |

pub mod course;
pub mod crowd;
pub mod judge;
pub mod model;
pub mod plan;
pub mod report;
mod world;

pub use course::Course;
pub use plan::Plan;
pub use report::Report;
