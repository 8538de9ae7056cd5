//! `handfast schedule systemd`

use std::path::{Path, PathBuf};

use handfast_scenario::ExitCode;
use handfast_schedule::unit::{Owner, Service};

use super::{load_with_jobs, store};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Write the schedule as a service of systemd
///
/// The unit starts this program in this project, with the PATH of this moment.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A service of your own, for `systemctl --user`; without it one of the machine, which runs as you
    #[arg(long)]
    user: bool,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  handfast schedule systemd --user --out ~/.config/systemd/user/handfast.service
  systemctl --user daemon-reload && systemctl --user enable --now handfast
  loginctl enable-linger                           goes on when you are not logged in
  journalctl --user -u handfast -f                 what it says
  handfast schedule systemd | sudo tee /etc/systemd/system/handfast.service";

/// Carries out the command.
pub(super) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load_with_jobs(around)?;
    let program = std::env::current_exe()
        .map_err(|error| CommandError::infra(&error, "handfast cannot find its own program"))?;
    let owner = if args.user { Owner::User } else { Owner::Machine { user: own_name() } };
    let path = around.path.as_ref().map(|path| text(Path::new(path), "PATH")).transpose()?;
    let service = Service {
        project: loaded.project.name.clone(),
        folder: text(&loaded.root, "the project's folder")?,
        program: text(&program, "the program")?,
        path,
        owner,
    };
    let unit = service.unit().map_err(|error| {
        CommandError::usage_text(error, "move the project, or write the unit by hand")
    })?;
    match &args.out {
        None => Stream::Out.print(&unit),
        Some(file) => {
            store::replace(&around.folder.join(file), unit.as_bytes()).map_err(|error| {
                CommandError::usage_text(
                    format!("failed to write {}: {error}", file.display()),
                    "make its folder first",
                )
            })?;
            Stream::Error.print(&format!(
                "wrote {}; `handfast schedule systemd --help` shows how to start it\n",
                file.display()
            ));
        }
    }
    Ok(ExitCode::Passed)
}

fn text(path: &Path, what: &str) -> Result<String, CommandError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let help = "a unit of systemd is UTF-8: rename what is not";
        CommandError::usage_text(format!("{what} is not UTF-8: {}", path.display()), help)
    })
}

/// Whom the service runs as: a number is a name for systemd, too.
fn own_name() -> String {
    rustix::process::getuid().as_raw().to_string()
}
