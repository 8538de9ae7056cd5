//! What a project does elsewhere: the workflow of GitHub and the pipeline of GitLab, written from `handfast.toml` and merged with
//! what people wrote into them. `docs/design/workflow.md` says why it is done so.
//!
//! This crate is pure: settings and texts go in, texts come out.
//!
//! Reading order:
//!
//! 1. [`setting`]: a project as the jobs see it; [`cron`]: when it begins.
//! 2. [`job`] and [`kind`]: the jobs, one file a kind. [`github`], [`gitlab`]: what they are made of; [`pins`]: the actions they use.
//! 3. [`yaml`]: text that looks the same every time.
//! 4. [`region`] and [`merge`]: generated lines between marks, and what people made of them.
//! 5. [`valid`]: what both services' schemas and we ourselves have to say of a file.
//! 6. [`calls`]: what a file runs of a project.

pub mod calls;
pub mod cron;
pub mod github;
pub mod gitlab;
pub mod job;
pub mod kind;
pub mod merge;
pub mod pins;
pub mod region;
pub mod setting;
pub mod valid;
pub mod yaml;

mod generate;

pub use generate::{Generated, Service, generate};
