//! The program `entity`.

fn main() {}
