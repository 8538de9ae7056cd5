//! `handfast doctor`

use std::fmt::Write as _;
use std::path::PathBuf;

use handfast_lab::host::{Ability, State};
use handfast_lab::{Host, LabConfig};
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::tame;
use handfast_scenario::ExitCode;

use super::selection::load;
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Say what this host can and cannot do, what each lack costs, and what to do about it
///
/// Tries everything that scenarios may need of a host: folders and descriptors, namespaces and TUN, control groups of version 1 and 2, how
/// late timers are. Takes half a second and leaves nothing behind. Exit code 0: whatever is indispensable is there, and whatever was
/// asked for with `--need`. Exit code 3: something of that lacks.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Count these as indispensable, too; `all` is everything
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    need: Vec<String>,
    /// Look at this folder in place of that of the project's runs
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print the findings as JSON on standard output
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast doctor                              what is there, and what is not?
  handfast doctor --need namespaces,tun        are faults of packets real here? (code 3: no)
  handfast doctor --need all --json            for a machine
  sudo handfast doctor                         what would be different as root?

Names for --need:
  scratch, reaper, loopback, descriptors       indispensable in any case
  namespaces, tun                              faults of packets
  full-disk, slow-disk                         limits of the disk
  limit-cpu, limit-memory, limit-processes, limit-descriptors
  time-namespaces, real-time, timer            how exact time is";

/// What counts everything as indispensable.
const ALL: &str = "all";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let needed = needed(args.need)?;
    let folder = args.folder.map(|folder| around.folder.join(folder));
    let reaper = LabConfig::own_reaper()
        .map_err(|error| CommandError::infra(&error, "handfast cannot find its own program"))?;
    let host = Host::examine(&folder.unwrap_or_else(|| folder_of_runs(around)), &reaper);
    let lacking: Vec<&Ability> = host.lacks(&needed).collect();
    if args.json {
        let lacks: Vec<&str> = lacking.iter().map(|ability| ability.name).collect();
        let value = serde_json::json!({ "host": host, "lacks": lacks });
        Stream::Out.print(&format!("{value:#}\n"));
    } else {
        Stream::Out.print(&text(&host, &lacking, around.out.palette));
    }
    Ok(if lacking.is_empty() { ExitCode::Passed } else { ExitCode::Infrastructure })
}

/// The names that are known; every name for `all`.
fn needed(asked: Vec<String>) -> Result<Vec<String>, CommandError> {
    if let Some(unknown) =
        asked.iter().find(|name| *name != ALL && !Host::NAMES.contains(&name.as_str()))
    {
        let help = format!("--need takes {}, and {ALL}", Host::NAMES.join(", "));
        return Err(CommandError::usage_text(format!("there is no {unknown:?} to need"), help));
    }
    if asked.iter().any(|name| name == ALL) {
        return Ok(Host::NAMES.iter().map(|&name| name.to_owned()).collect());
    }
    Ok(asked)
}

/// Where the runs of the project have their folders, or what is nearest to it; outside of a project the folder we are in.
fn folder_of_runs(around: &Around) -> PathBuf {
    let Ok(loaded) = load(around) else { return around.folder.clone() };
    let scratch = loaded.root.join(".handfast").join("scratch");
    if scratch.is_dir() { scratch } else { loaded.root }
}

fn text(host: &Host, lacking: &[&Ability], palette: Palette) -> String {
    let mut text = String::new();
    let who = if host.root { "root" } else { "not root" };
    // Writing to a text cannot fail, here and below.
    writeln!(
        text,
        "Linux {}, {} cores, {} MiB of memory, {who}\n",
        tame(&host.kernel),
        host.cores,
        host.memory_bytes >> 20
    )
    .unwrap_or_default();
    for ability in &host.abilities {
        let ink = match ability.state {
            State::Can => Ink::Good,
            State::Cannot if lacking.contains(&ability) => Ink::Bad,
            State::Partly | State::Cannot => Ink::Doubtful,
        };
        let state = palette.paint(ink, format_args!("{:<6}", ability.state));
        writeln!(text, "{state}  {:<17}  {}", ability.name, tame(&ability.found))
            .unwrap_or_default();
        for (word, what) in [("costs", ability.costs), ("do", ability.remedy)] {
            if !what.is_empty() {
                let word = palette.paint(Ink::Faint, format_args!("{word:>5}"));
                writeln!(text, "        {word}: {what}").unwrap_or_default();
            }
        }
    }
    let closing = match lacking {
        [] => "\nnothing lacks that is needed".to_owned(),
        some => {
            let names: Vec<&str> = some.iter().map(|ability| ability.name).collect();
            format!("\n{} lacking: {}", names.len(), names.join(", "))
        }
    };
    writeln!(text, "{closing}").unwrap_or_default();
    text
}
