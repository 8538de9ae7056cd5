//! The command `fuzz`: targets over a number of inputs, or over one that is given.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use fuzz::{Plan, Target, targets};

/// Gives decoders inputs that nobody meant.
///
/// Every input follows from the seed, the name of the target and its number. Exit code 1: an input broke something.
#[derive(Debug, Parser)]
#[command(name = "fuzz", after_help = EXAMPLES)]
struct Arguments {
    /// Which targets; left out: all
    targets: Vec<String>,
    /// The seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many inputs for each target
    #[arg(long, default_value_t = 100_000)]
    inputs: u64,
    /// Number of the first input
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Give the bytes of this file to the target instead
    #[arg(long, conflicts_with_all = ["seed", "inputs", "from"])]
    file: Option<PathBuf>,
    /// Write the golden inputs of the targets into this folder instead, a file each
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["seed", "inputs", "from", "file"])]
    golden: Option<PathBuf>,
    /// Write the input that broke something, made smaller, into this file
    #[arg(long)]
    keep: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  cargo run --release -p fuzz -- --inputs 1000000
  cargo run --release -p fuzz -- envelope_1_1 --seed $RANDOM --inputs 10000000
  cargo run --release -p fuzz -- envelope_1_1 --from 4711 --inputs 1
  cargo run --release -p fuzz -- envelope_1_1 --file broken.json";

#[expect(clippy::print_stderr, reason = "the errors of a program go to its standard error")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble::Found(finding)) => {
            eprintln!("{finding}");
            ExitCode::from(1)
        }
        Err(Trouble::Usage(what)) => {
            eprintln!("fuzz: {what}");
            ExitCode::from(2)
        }
    }
}

enum Trouble {
    Found(Box<fuzz::Finding>),
    Usage(String),
}

fn run(arguments: &Arguments) -> Result<(), Trouble> {
    let chosen = chosen(&arguments.targets)?;
    if let Some(folder) = &arguments.golden {
        return golden(&chosen, folder);
    }
    if let Some(file) = &arguments.file {
        let input = std::fs::read(file)
            .map_err(|error| Trouble::Usage(format!("read {}: {error}", file.display())))?;
        return given(&chosen, &input);
    }
    let plan = Plan { seed: arguments.seed, from: arguments.from, inputs: arguments.inputs };
    for target in &chosen {
        over(target, plan, arguments.keep.as_deref())?;
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<Target>, Trouble> {
    if names.is_empty() {
        return Ok(targets::ALL.to_vec());
    }
    let target = |name: &String| {
        let known = || targets::ALL.map(|target| target.name).join(", ");
        targets::named(name).ok_or_else(|| {
            Trouble::Usage(format!("there is no target {name:?}; there are {}", known()))
        })
    };
    names.iter().map(target).collect()
}

fn golden(chosen: &[Target], folder: &std::path::Path) -> Result<(), Trouble> {
    let failed =
        |error: std::io::Error| Trouble::Usage(format!("write {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    for target in chosen {
        for (index, entry) in (target.corpus)().entries().iter().enumerate() {
            let path = folder.join(format!("{}-golden-{index}", target.name));
            std::fs::write(path, entry).map_err(failed)?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what a run came to is its result")]
fn given(chosen: &[Target], input: &[u8]) -> Result<(), Trouble> {
    for target in chosen {
        let (outcome, cost) =
            fuzz::check(target, input).map_err(|finding| Trouble::Found(Box::new(finding)))?;
        println!("{}: {outcome:?}, {} bytes held", target.name, cost.held);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what a run came to is its result")]
fn over(target: &Target, plan: Plan, keep: Option<&std::path::Path>) -> Result<(), Trouble> {
    match fuzz::run(target, plan) {
        Ok(tally) => {
            println!(
                "{:<20} {:>9} taken {:>9} refused, at most {:>6} bytes long and {:>5} KiB held",
                target.name,
                tally.taken,
                tally.refused,
                tally.longest,
                tally.held / 1_024
            );
            Ok(())
        }
        Err(finding) => {
            if let Some(keep) = keep {
                std::fs::write(keep, &finding.input).map_err(|error| {
                    Trouble::Usage(format!("write {}: {error}", keep.display()))
                })?;
            }
            Err(Trouble::Found(finding))
        }
    }
}
