//! The program `handfast`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if handfast_lab::reaper::is_reaper_invocation(std::env::args_os()) {
        return handfast_lab::reaper::main();
    }
    if handfast_notify::courier::is_courier_invocation(std::env::args_os()) {
        return handfast_notify::courier::main();
    }
    if handfast_cli::is_drill_peer_invocation(std::env::args_os()) {
        return handfast_cli::drill_peer();
    }
    handfast_cli::main()
}
