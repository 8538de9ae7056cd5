//! All targets: one file a decoder.
//!
//! - What peers say to each other: [`json`], [`envelope_1_0`], [`envelope_1_0_compat`], [`envelope_1_1`], [`payload_1_0`],
//!   [`payload_1_1`], [`plaintext`], [`chunk`], [`chunk_1_0`], [`token`], [`dht_message`], [`dht_record`], [`reply`], [`jwt`],
//!   [`jwt_claims`], [`socket`], [`relay`], [`relay_control`], [`frame`], [`frame_batch`],
//!   [`frame_message`], [`frame_chunk`].
//! - What a peer keeps and is told: [`key_file`], [`foreign_key`], [`handover`], [`statement`], [`node_config`], [`node_line`],
//!   [`names`].
//! - What the platform reads: [`project`], [`scenario`], [`contract_line`], [`conversation`], [`record`], [`expected`],
//!   [`shard_plan`], [`schedule`], [`workflow`].

pub mod chunk;
pub mod chunk_1_0;
pub mod contract_line;
pub mod conversation;
pub mod dht_message;
pub mod dht_record;
pub mod envelope_1_0;
pub mod envelope_1_0_compat;
pub mod envelope_1_1;
pub mod expected;
pub mod foreign_key;
pub mod frame;
pub mod frame_batch;
pub mod frame_chunk;
pub mod frame_message;
pub mod handover;
pub mod json;
pub mod jwt;
pub mod jwt_claims;
pub mod key_file;
pub mod names;
pub mod node_config;
pub mod node_line;
pub mod payload_1_0;
pub mod payload_1_1;
pub mod plaintext;
pub mod project;
pub mod record;
pub mod relay;
pub mod relay_control;
pub mod reply;
pub mod scenario;
pub mod schedule;
pub mod shard_plan;
pub mod socket;
pub mod statement;
pub mod token;
pub mod workflow;

mod bodies;

use crate::target::Target;

/// All of them, in the order of their names.
pub const ALL: [Target; 38] = [
    chunk::TARGET,
    chunk_1_0::TARGET,
    contract_line::TARGET,
    conversation::TARGET,
    dht_message::TARGET,
    dht_record::TARGET,
    envelope_1_0::TARGET,
    envelope_1_0_compat::TARGET,
    envelope_1_1::TARGET,
    expected::TARGET,
    foreign_key::TARGET,
    frame::TARGET,
    frame_batch::TARGET,
    frame_chunk::TARGET,
    frame_message::TARGET,
    handover::TARGET,
    json::TARGET,
    jwt::TARGET,
    jwt_claims::TARGET,
    key_file::TARGET,
    names::TARGET,
    node_config::TARGET,
    node_line::TARGET,
    payload_1_0::TARGET,
    payload_1_1::TARGET,
    plaintext::TARGET,
    project::TARGET,
    record::TARGET,
    relay::TARGET,
    relay_control::TARGET,
    reply::TARGET,
    scenario::TARGET,
    schedule::TARGET,
    shard_plan::TARGET,
    socket::TARGET,
    statement::TARGET,
    token::TARGET,
    workflow::TARGET,
];

/// The target of that name.
pub fn named(name: &str) -> Option<Target> {
    ALL.into_iter().find(|target| target.name == name)
}
