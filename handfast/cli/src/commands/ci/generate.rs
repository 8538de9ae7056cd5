//! `handfast ci generate`

use handfast_report::palette::{Ink, Palette};
use handfast_runner::project::Loaded;
use handfast_scenario::ExitCode;
use handfast_workflow::generate;
use handfast_workflow::merge::Take;
use handfast_workflow::valid::valid;

use super::files::{OnDisk, write};
use super::{setting, wrong};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Write the files that `[ci]` of handfast.toml names
///
/// What was generated last stands beside each file (FILE.base, to be committed, too); so what people have changed since is told from
/// what handfast has changed, and both are merged. Where they meet, nothing is written and both texts are shown.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Show what would change, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Who wins: what stands in the file, where an edit and the new generation meet; or what is generated, in every region
    #[arg(long, value_name = "WHO")]
    take: Option<Taken>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Taken {
    /// Where both meet, what stands in the file
    Ours,
    /// Every region as it is generated: edits inside are dropped, regions that were taken out come back
    Generated,
}

const EXAMPLES: &str = "\
Examples:
  handfast ci generate                    after every change of handfast.toml that `handfast ci check` asks for
  handfast ci generate --dry-run          what would change?
  handfast ci generate --take generated   drop all edits inside generated regions, and put back those that were taken out

Exit codes: 0 written, or nothing to write; 2 an edit is in the way, or a file would not be valid: then no file is written.";

/// Carries out the command.
pub(super) fn run(args: &Args, loaded: &Loaded, around: &Around) -> Result<ExitCode, CommandError> {
    let setting = setting(loaded)?;
    let take = args.take.map(|take| match take {
        Taken::Ours => Take::Ours,
        Taken::Generated => Take::Generated,
    });
    let mut all = Vec::new();
    for generated in generate(&setting).map_err(wrong)? {
        let file = OnDisk::read(&loaded.root, generated)?;
        let merged = file.merged(take).map_err(|apart| {
            let (error, help) = apart.told(file.file());
            CommandError::usage_text(error, help)
        })?;
        check_valid(&file, &merged)?;
        all.push((file, merged));
    }
    let mut text = String::new();
    for (file, merged) in all {
        let (name, base) = (file.file(), file.generated.parts.text());
        let is_new = file.ours.as_deref() != Some(merged.as_str());
        let base_is_new = file.base.as_deref() != Some(base.as_str());
        if args.dry_run && is_new {
            let before = file.ours.clone().unwrap_or_default();
            text.push_str(&diff(name, &before, &merged, around.out.palette));
        } else if args.dry_run {
            text.extend([name, " would not change\n"]);
        } else {
            if is_new {
                write(&loaded.root, name, &merged)?;
            }
            // Last, so that a generation that was ended in between begins anew.
            if base_is_new {
                write(&loaded.root, &file.generated.base_file(), &base)?;
            }
            let what = if is_new { "written" } else { "unchanged" };
            text.extend([what, ": ", name, "\n"]);
        }
    }
    Stream::Out.print(&text);
    Ok(ExitCode::Passed)
}

/// Two edits that merge line by line can still be no workflow.
fn check_valid(file: &OnDisk, merged: &str) -> Result<(), CommandError> {
    let Err(complaints) = valid(file.service(), merged) else { return Ok(()) };
    let complaints: Vec<String> =
        complaints.iter().map(|complaint| format!("  {complaint}")).collect();
    let name = file.file();
    let error = format!("{name} would not be valid any more:\n{}", complaints.join("\n"));
    let help = "mend your own lines in it (`handfast ci check` names the place)";
    Err(CommandError::usage_text(error, help))
}

/// The lines that change, as everybody knows them.
fn diff(name: &str, before: &str, after: &str, palette: Palette) -> String {
    let patch = diffy::DiffOptions::new()
        .set_original_filename(format!("a/{name}"))
        .set_modified_filename(format!("b/{name}"))
        .create_patch(before, after)
        .to_string();
    let mut shown = String::new();
    for line in patch.lines() {
        let ink = match line.as_bytes().first() {
            Some(b'+') => Ink::Good,
            Some(b'-') => Ink::Bad,
            _ => Ink::Faint,
        };
        shown.push_str(&palette.paint(ink, line));
        shown.push('\n');
    }
    shown
}
