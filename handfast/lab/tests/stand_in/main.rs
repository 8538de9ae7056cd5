//! Stands in for `handfast`.
fn main() {}
