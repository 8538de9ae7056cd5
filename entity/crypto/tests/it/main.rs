//! Published and golden vectors through the public interface.

mod golden;
mod wycheproof;
