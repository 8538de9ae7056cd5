//! The program `entity`.

use std::process::ExitCode;

fn main() -> ExitCode {
    entity_node::cli::main()
}
