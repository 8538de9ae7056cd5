//! `handfast ci check`

use std::collections::BTreeSet;
use std::fmt::Write as _;

use handfast_runner::project::Loaded;
use handfast_scenario::ExitCode;
use handfast_workflow::calls::{Occasion, calls};
use handfast_workflow::region::Parts;
use handfast_workflow::setting::Setting;
use handfast_workflow::valid::{oddities, valid};
use handfast_workflow::{Service, generate};
use serde_json::{Value, json};

use super::files::{Apart, OnDisk};
use super::reach::{everything, reached};
use super::{setting, wrong};
use crate::console::Stream;
use crate::error::CommandError;

/// Are the files of `[ci]` what handfast.toml says, and does every scenario run in them?
///
/// Ends with 0 if they are; with 2 if not: they were not generated again, a generated region was edited, a file would be refused, or there is a
/// scenario, a cell of the matrix or a suite that no job runs. Actions that are not pinned to a commit, or that handfast does not use
/// itself, are warnings.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Take edits inside generated regions that the next generation would keep
    #[arg(long)]
    allow_edits: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast ci check                 after every change of handfast.toml, of a scenario, or of handfast itself
  handfast ci check --allow-edits   where a team edits generated regions and knows it
  handfast ci check --json          for other programs

Exit codes: 0 all is well; 2 something has to be done, and is named with what to run.";

/// Most things that no job runs which are named; the others are counted.
const UNREACHED_MAX: usize = 20;

/// Something that has to be done.
#[derive(Debug, Clone)]
struct Finding {
    /// A word for programs.
    kind: &'static str,
    file: String,
    line: Option<usize>,
    message: String,
    fix: String,
}

/// What was found.
#[derive(Debug, Default)]
struct Findings {
    all: Vec<Finding>,
    warnings: Vec<String>,
}

/// Carries out the command.
pub(super) fn run(args: &Args, loaded: &Loaded) -> Result<ExitCode, CommandError> {
    let setting = setting(loaded)?;
    let mut findings = Findings::default();
    let mut files = Vec::new();
    for generated in generate(&setting).map_err(wrong)? {
        let file = OnDisk::read(&loaded.root, generated)?;
        check(&file, args.allow_edits, &mut findings);
        if let Some(document) = check_valid(&file, &mut findings) {
            check_reach(loaded, &setting, (&file, &document), &mut findings)?;
        }
        files.push(file.file().to_owned());
    }
    Stream::Out.print(&if args.json {
        as_json(&files, &findings)
    } else {
        shown(&files, &findings)
    });
    Ok(if findings.all.is_empty() { ExitCode::Passed } else { ExitCode::Usage })
}

/// Is the file what would be generated?
fn check(file: &OnDisk, allow_edits: bool, findings: &mut Findings) {
    let generate = "run `handfast ci generate`, and commit the file and its .base";
    let Some(ours) = &file.ours else {
        return findings.add(file, "missing", None, "it is not there", generate);
    };
    let generated = &file.generated.parts;
    let merged = match file.merged(None) {
        Ok(merged) => merged,
        Err(apart) => {
            let kind = match &apart {
                Apart::Marks(_) => "marks",
                Apart::Foreign => "foreign",
                Apart::Conflicts(_) => "conflict",
            };
            let (message, fix) = apart.told(file.file());
            return findings.add(file, kind, None, &message, &fix);
        }
    };
    if file.base.as_deref() != Some(generated.text().as_str()) || merged != *ours {
        let message = "it was generated from another handfast.toml, or by another handfast";
        findings.add(file, "stale", None, message, generate);
    }
    if allow_edits {
        return;
    }
    let Ok(parts) = Parts::parse(&merged) else { return };
    let fix = "say it in handfast.toml, or put it outside of the region; `handfast ci check --allow-edits` takes it";
    for region in generated.regions() {
        let (kind, message) = match parts.region(&region.name) {
            Some(same) if same == region => continue,
            Some(_) => ("edited", format!("the region {:?} was edited", region.name)),
            None => ("removed", format!("the region {:?} was taken out", region.name)),
        };
        findings.add(file, kind, parts.line_of(&region.name), &message, fix);
    }
}

/// Would the service take the file?
fn check_valid(file: &OnDisk, findings: &mut Findings) -> Option<Value> {
    match valid(file.service(), file.ours.as_ref()?) {
        Ok(document) => {
            let odd = match file.service() {
                Service::GitHub => oddities(&document),
                Service::GitLab => BTreeSet::new(),
            };
            findings.warnings.extend(odd.into_iter().map(|odd| format!("{}: {odd}", file.file())));
            Some(document)
        }
        Err(complaints) => {
            for complaint in complaints {
                let fix = "mend your own lines, or put back what was generated";
                findings.add(file, "invalid", None, &complaint.to_string(), fix);
            }
            None
        }
    }
}

/// Does a job run each scenario, cell and suite, on a day as in a full regression?
fn check_reach(
    loaded: &Loaded,
    setting: &Setting<'_>,
    (file, document): (&OnDisk, &Value),
    findings: &mut Findings,
) -> Result<(), CommandError> {
    for (on, when) in [(Occasion::Daily, "day"), (Occasion::Full, "full regression")] {
        let calls = calls(setting, file.service(), document, on);
        let reached = reached(loaded, &calls);
        let everything = everything(loaded, on == Occasion::Full)?;
        let missing: Vec<String> =
            everything.difference(&reached).map(ToString::to_string).collect();
        if missing.is_empty() {
            continue;
        }
        let named = missing.iter().take(UNREACHED_MAX).cloned().collect::<Vec<_>>().join(", ");
        let message =
            format!("on a {when} no job runs {} of {}: {named}", missing.len(), everything.len());
        let fix = "put the jobs back with `handfast ci generate --take generated`";
        findings.add(file, "unreached", None, &message, fix);
    }
    Ok(())
}

impl Findings {
    fn add(
        &mut self,
        file: &OnDisk,
        kind: &'static str,
        line: Option<usize>,
        message: &str,
        fix: &str,
    ) {
        self.all.push(Finding {
            kind,
            file: file.file().to_owned(),
            line,
            message: message.to_owned(),
            fix: fix.to_owned(),
        });
    }
}

fn shown(files: &[String], findings: &Findings) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    for warning in &findings.warnings {
        writeln!(text, "warning: {warning}").unwrap_or_default();
    }
    for finding in &findings.all {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        let Finding { file, message, fix, .. } = finding;
        writeln!(text, "{file}{line}: {message}\n  {fix}").unwrap_or_default();
    }
    if findings.all.is_empty() {
        writeln!(text, "{} as handfast.toml says; every scenario runs", files.join(" and "))
            .unwrap_or_default();
    }
    text
}

fn as_json(files: &[String], findings: &Findings) -> String {
    let finding = |finding: &Finding| {
        json!({
            "kind": finding.kind,
            "file": finding.file,
            "line": finding.line,
            "message": finding.message,
            "fix": finding.fix,
        })
    };
    let found: Vec<Value> = findings.all.iter().map(finding).collect();
    let document = json!({
        "files": files,
        "findings": found,
        "warnings": findings.warnings,
    });
    format!("{document:#}\n")
}
