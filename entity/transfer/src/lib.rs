//! Chunked transfer, as pure state.
