//! `handfast lab calibrate`

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use handfast_lab::net::calibrate::cells::{self, Cell};
use handfast_lab::net::calibrate::{Extent, Line, Verdict, measure};
use handfast_lab::net::{Ask, Owner};
use handfast_lab::{LabConfig, Scratch};
use handfast_scenario::ExitCode;

use super::shown::{self, Table};
use crate::around::{Around, Moving};
use crate::console::Stream;
use crate::error::CommandError;

/// Measure how exact the faults of the network are on this host
///
/// Makes two network namespaces joined by the switch, asks for delays, jitter, losses, bursts and rates, sends traffic, and compares
/// what arrives with what was asked for and with the path without faults. Beside each line stands how late this host wakes a
/// thread that sleeps, and what other programs used of its processors meanwhile: what missed its aim on a host that others use is
/// marked "host too busy", and "too few" what holds as far as so few packets tell. Nothing has to be set up, and nothing is left. Exit code 1: something missed its aim on a quiet host;
/// 3: there are no namespaces here, or this host was too busy to tell.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// 2,000 packets or 2 s a cell in place of 100,000 packets or 30 s
    #[arg(long)]
    quick: bool,
    /// Measure these alone: delay, jitter, loss, bursts, rate, repetition, throughput
    #[arg(long, value_name = "GROUP", value_delimiter = ',', value_parser = GROUPS)]
    only: Vec<String>,
    /// Which packets are lost, and which waits how long, follows from this number
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    seed: u64,
    /// Inside a user namespace, as for somebody who is not root
    #[arg(long)]
    rootless: bool,
    /// Print the table as JSON on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
}

const GROUPS: [&str; 7] = ["delay", "jitter", "loss", "bursts", "rate", "repetition", "throughput"];

const EXAMPLES: &str = "\
Examples:
  handfast lab calibrate                     the whole table, about 10 minutes
  handfast lab calibrate --quick             the same with a fiftieth of the packets, about a minute and a half
  handfast lab calibrate --only delay,rate   two of its parts
  handfast lab calibrate --seed 8 --json     other dice, for a program";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let is_over = listen().map_err(|error| CommandError::infra(&error, "no ear for Ctrl-C"))?;
    let run = format!("calibrate-{}", std::process::id());
    // A folder a user: that of another one could not be written.
    let user = rustix::process::getuid().as_raw();
    let root = std::env::temp_dir().join(format!("handfast-calibrate-{user}"));
    let (scratch, _swept) = Scratch::open(&root, &run)
        .map_err(|error| CommandError::infra(&error, "no folder for the calibration"))?;
    let reaper = LabConfig::own_reaper()
        .map_err(|error| CommandError::infra(&error, "this program is not to be found"))?;
    let ask = if args.rootless { Ask::Rootless } else { Ask::Auto };
    let owner = Owner { reaper, run, dir: scratch.dir().to_owned(), ask };
    let extent = if args.quick { Extent::Quick } else { Extent::Full };
    let cells = chosen(&args.only);
    let stream = if args.json { Stream::Error } else { Stream::Out };
    let screen = if args.json { around.error } else { around.out };
    let table = Table::new(screen.palette);
    stream.print(&table.head());
    let mut lines: Vec<Line> = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        let passing = around.error.moving == Moving::Redrawn;
        if passing {
            Stream::Error.print(&Table::passing(cell, index, cells.len()));
        }
        let line = measure(&owner, cell, args.seed, extent);
        if passing {
            Stream::Error.print(shown::WIPE);
        }
        let line = line.map_err(|error| CommandError::infra(&error, "nothing can be measured"))?;
        stream.print(&table.line(&line));
        lines.push(line);
    }
    stream.print(&table.foot(&lines, cells.len(), args.seed));
    if args.json {
        Stream::Out.print(&shown::json(&lines, args.seed, args.quick));
    }
    Ok(code(&lines, cells.len()))
}

/// The cells of these groups, or all.
fn chosen(only: &[String]) -> Vec<Cell> {
    let only: BTreeSet<&str> = only.iter().map(String::as_str).collect();
    let mut cells = cells::all();
    cells.retain(|cell| only.is_empty() || only.contains(cell.group.name()));
    cells
}

fn code(lines: &[Line], asked: usize) -> ExitCode {
    let any = |verdict| lines.iter().any(|line| line.verdict == verdict);
    if any(Verdict::Missed) {
        ExitCode::ProductFailure
    } else if lines.is_empty() {
        ExitCode::NothingRan
    } else if any(Verdict::HostBusy) || lines.len() < asked {
        ExitCode::Infrastructure
    } else {
        ExitCode::Passed
    }
}

/// The first Ctrl-C ends the calibration after the cell that is measured; the second at once. Whichever: the namespaces vanish with us.
fn listen() -> std::io::Result<Arc<AtomicBool>> {
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let code = i32::from(ExitCode::Infrastructure.number());
        signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&is_over))?;
        signal_hook::flag::register(signal, Arc::clone(&is_over))?;
    }
    Ok(is_over)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_can_be_chosen_and_all_are_chosen_without() {
        let known: BTreeSet<&str> = cells::all().iter().map(|cell| cell.group.name()).collect();
        assert_eq!(known, BTreeSet::from(GROUPS));
        assert_eq!(chosen(&[]).len(), cells::all().len());
        let rates = chosen(&["rate".to_owned()]);
        assert!(!rates.is_empty() && rates.iter().all(|cell| cell.group.name() == "rate"));
    }

    #[test]
    fn what_could_not_be_told_is_no_success() {
        let line = |verdict| shown::tests::line(verdict);
        let held = || line(Verdict::Held);
        assert_eq!(code(&[held(), held()], 2), ExitCode::Passed);
        assert_eq!(code(&[held()], 2), ExitCode::Infrastructure);
        assert_eq!(code(&[held(), line(Verdict::HostBusy)], 2), ExitCode::Infrastructure);
        let both = [line(Verdict::Missed), line(Verdict::HostBusy)];
        assert_eq!(code(&both, 2), ExitCode::ProductFailure);
        assert_eq!(code(&[], 2), ExitCode::NothingRan);
    }
}
