//! Slack, in its two ways.
//!
//! 1. [`bot`]: a bot's token: messages, threads, edits, and look-ups after a lost answer.
//! 2. [`lookup`]: whether a letter is there already.
//! 3. [`refusal`]: what Slack's errors mean, and what to do about them.
//! 4. [`incoming`]: an incoming webhook, which can only add messages.

pub(super) mod bot;
pub(super) mod incoming;
mod lookup;
mod refusal;
