//! The program `entity` with a defect of your choice, for `handfast selftest`.

use std::process::ExitCode;

fn main() -> ExitCode {
    entity_node::cli::main()
}
