//! `handfast heal rules`

use std::collections::BTreeMap;
use std::fmt::Write as _;

use handfast_heal::known::{Act, Rule, Today, Until};
use handfast_lab::clock::unix_us;
use handfast_runner::project::{self, KNOWN};
use handfast_scenario::ExitCode;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::around::Around;
use crate::commands::selection::load;
use crate::console::Stream;
use crate::error::CommandError;

/// Show the known issues and quarantined tests of known.toml, and which have ended
///
/// A rule that ends with the version of a peer is ended by a run, which asks the peer; here nobody plays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  handfast heal rules\n  handfast heal rules --json")]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Carries out the command.
pub(super) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let known = project::known(&loaded.root).map_err(CommandError::usage)?;
    let passes = project::passes(&loaded.root);
    let now = jiff::Timestamp::from_microsecond(unix_us()).unwrap_or_default();
    let day = now.to_zoned(TimeZone::UTC).date();
    let versions = BTreeMap::new();
    let (_, ended) = known.in_force(Today { day, versions: &versions, passes: &passes });
    let has_ended = |rule: &Rule| ended.iter().any(|note| note.rule == rule.name);
    let scenarios: Vec<String> =
        loaded.scenarios.iter().map(|scenario| scenario.id.to_string()).collect();
    let tests: Vec<_> = scenarios.iter().map(|id| (id.as_str(), None)).collect();
    let mut notes: Vec<String> = ended.iter().map(ToString::to_string).collect();
    let for_nothing = known.for_nothing(scenarios.iter().map(String::as_str));
    notes.extend(for_nothing.iter().map(ToString::to_string));
    notes.extend(known.quarantine_notes(&tests, day));
    let text = if args.json {
        let rule = |rule: &Rule| {
            json!({
                "name": rule.name, "act": act(rule), "scenario": rule.scenario.as_str(), "owner": rule.owner, "reason": rule.reason,
                "issue": rule.issue, "until": until(rule), "passes": passes.get(&rule.name).copied().unwrap_or_default(),
                "has_ended": has_ended(rule),
            })
        };
        let rules: Vec<Value> = known.rules().iter().map(rule).collect();
        let quarantined: Vec<Value> = known
            .quarantined()
            .iter()
            .map(|entry| {
                json!({
                    "test": entry.test.as_str(), "owner": entry.owner, "reason": entry.reason, "issue": entry.issue,
                    "expires": entry.expires.to_string(),
                })
            })
            .collect();
        format!("{:#}\n", json!({ "rules": rules, "quarantined": quarantined, "notes": notes }))
    } else {
        let mut text = String::new();
        // Writing to a text cannot fail.
        for rule in known.rules() {
            let state = if has_ended(rule) { "ended" } else { act(rule) };
            let Rule { name, owner, reason, issue, scenario, .. } = rule;
            let (scenario, until) = (scenario.as_str(), until(rule));
            writeln!(
                text,
                "{state:<6} {name}  {scenario}, until {until}\n       {reason} ({owner}, {issue})"
            )
            .unwrap_or_default();
        }
        for entry in known.quarantined() {
            let (test, expires) = (entry.test.as_str(), entry.expires);
            let (owner, reason, issue) = (&entry.owner, &entry.reason, &entry.issue);
            writeln!(
                text,
                "quarantined {test}, until {expires}\n       {reason} ({owner}, {issue})"
            )
            .unwrap_or_default();
        }
        if text.is_empty() {
            text = format!("no rule and no quarantine: {KNOWN} is not there, or empty\n");
        }
        for note in &notes {
            writeln!(text, "{note}").unwrap_or_default();
        }
        text
    };
    Stream::Out.print(&text);
    Ok(ExitCode::Passed)
}

fn act(rule: &Rule) -> &'static str {
    match rule.act {
        Act::Skip => "skip",
        Act::Mark { .. } => "mark",
    }
}

fn until(rule: &Rule) -> String {
    match &rule.until {
        Until::Day(day) => day.to_string(),
        Until::Version { peer, version } => format!("{peer} {version}"),
        Until::Passes(passes) => format!("{passes} passes in a row"),
    }
}
