//! Stands in for the `handfast` program in the tests of the lab.
//!
//! - `__reaper DIR`: becomes a reaper, as `handfast` does
//! - `start-and-wait ROOT RUN PEER..`: opens a lab and a unit with two peers that run this command,
//!   prints `ready` and waits to be killed
#![expect(clippy::print_stdout, reason = "the test that starts this program reads its stdout")]

use std::process::ExitCode;

use handfast_lab::{Clock, Lab, LabConfig, RoleConfig, UnitConfig, reaper};

fn main() -> ExitCode {
    if reaper::is_reaper_invocation(std::env::args_os()) {
        return reaper::main();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [command, root, run, program, args @ ..] if command == "start-and-wait" => {
            start_and_wait(root, run, program, args)
        }
        _ => ExitCode::from(2),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn start_and_wait(root: &str, run: &str, program: &str, args: &[String]) -> ExitCode {
    let config = LabConfig {
        scratch_root: root.into(),
        run: run.to_owned(),
        reaper: LabConfig::own_reaper().expect("the system knows this program"),
        clock: Clock::start(),
    };
    let (lab, swept) = Lab::open(config).expect("the root can be written");
    println!("swept {} {}", swept.folders.len(), swept.processes.len());
    let role = |name: &str| RoleConfig {
        name: name.to_owned(),
        program: program.to_owned(),
        args: args.to_vec(),
        ..RoleConfig::default()
    };
    let roles = vec![role("a"), role("b")];
    let config = UnitConfig { name: "waits".to_owned(), roles, ..UnitConfig::default() };
    let unit = lab.unit(config).await.expect("a unit can be opened");
    println!("reaper {}", unit.reaper_pid());
    let (a, b) = tokio::join!(unit.start("a"), unit.start("b"));
    println!("ready {} {}", a.is_ok(), b.is_ok());
    std::future::pending().await
}
