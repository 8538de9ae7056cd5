//! Stands in for the `handfast` program in the tests of the lab.
//!
//! - `__reaper DIR`: becomes a reaper, as `handfast` does; `__reaper --hold` a holder of namespaces
//! - `start-and-wait ROOT RUN PEER..`: opens a lab and a unit with two peers that run this command,
//!   prints `ready` and waits to be killed
//! - `talk RUN DIR`: makes places for `a` and `b`, sends a word between them every way there is, and prints by which means, or
//!   why it could not
//! - `network-and-wait ROOT RUN PEER..`: opens a lab, makes places for `a` and `b`, starts this command in each without any
//!   environment, says so line by line, and waits to be killed
#![expect(clippy::print_stdout, reason = "the test that starts this program reads its stdout")]

mod talk;

use std::collections::BTreeMap;
use std::io::pipe;
use std::path::Path;
use std::process::ExitCode;

use handfast_faults::disturbance::Limit;
use handfast_lab::net::{Ask, Net, NetError, NetPlan, Owner};
use handfast_lab::reaper::{Reaper, SpawnOrder};
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
        [command, run, dir] if command == "talk" => talk(run, dir),
        [command, root, run, program, args @ ..] if command == "network-and-wait" => {
            network_and_wait(root, run, program, args)
        }
        _ => ExitCode::from(2),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn start_and_wait(root: &str, run: &str, program: &str, args: &[String]) -> ExitCode {
    let lab = open(root, run);
    let role = |name: &str| RoleConfig {
        name: name.to_owned(),
        program: program.to_owned(),
        args: args.to_vec(),
        limits: vec![Limit::Memory { bytes: 1 << 40 }, Limit::DiskFull],
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

fn open(root: &str, run: &str) -> Lab {
    let config = LabConfig {
        scratch_root: root.into(),
        run: run.to_owned(),
        reaper: LabConfig::own_reaper().expect("the system knows this program"),
        clock: Clock::start(),
    };
    let (lab, swept) = Lab::open(config).expect("the root can be written");
    println!("swept {} {}", swept.folders.len(), swept.processes.len());
    lab
}

fn owner(run: &str, dir: &Path) -> Owner {
    let reaper = LabConfig::own_reaper().expect("the system knows this program");
    Owner { reaper, run: run.to_owned(), dir: dir.to_owned(), ask: Ask::Auto }
}

fn plan() -> NetPlan {
    NetPlan { roles: vec!["a".to_owned(), "b".to_owned()], ..NetPlan::default() }
}

fn talk(run: &str, dir: &str) -> ExitCode {
    match Net::make(&owner(run, Path::new(dir)), &plan()) {
        Ok(net) => {
            let ways = talk::every_way(&net).expect("the places can talk");
            println!("{}: {ways:?}", net.means());
        }
        Err(NetError::NotHere { why }) => println!("not here: {why}"),
        Err(error) => panic!("{error:?}"),
    }
    ExitCode::SUCCESS
}

#[tokio::main(flavor = "current_thread")]
async fn network_and_wait(root: &str, run: &str, program: &str, args: &[String]) -> ExitCode {
    let _lab = open(root, run);
    let dir = Path::new(root).join(run).join("0-waits");
    std::fs::create_dir(&dir).expect("a folder can be made");
    let owner = owner(run, &dir);
    let reaper = Reaper::start(&owner.reaper, run, &dir).expect("a reaper can be started");
    println!("reaper {}", reaper.pid());
    let net = Net::up(&owner, plan()).await.expect("the host gives namespaces");
    println!("holder {}", net.namespaces().holder_pid());
    for (role, place) in net.namespaces().places() {
        let null = || std::fs::File::open("/dev/null").expect("the system has it").into();
        let (_reader, writer) = pipe().expect("a pipe");
        let order = SpawnOrder {
            // What a peer may do to be found no more: it keeps nothing of its environment.
            program: "env".to_owned(),
            args: ["-i", program].into_iter().map(str::to_owned).chain(args.to_vec()).collect(),
            env: BTreeMap::new(),
            cwd: "/".to_owned(),
            groups: Vec::new(),
        };
        let stdio = [null(), null(), writer.into()];
        let inside = reaper.spawn_inside(order, stdio, &place.namespaces()).await;
        println!("{role} {}", inside.expect("a peer can be started inside").pid());
    }
    talk::every_way(&net).expect("the places can talk");
    println!("ready");
    std::future::pending().await
}
