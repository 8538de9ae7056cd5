//! `handfast notify status`

use std::fmt::Write as _;

use handfast_notify::clock::unix_us;
use handfast_notify::letter::Class;
use handfast_notify::outbox::status::{Latency, Status, Untold};
use handfast_report::quantity::{tame, time};
use handfast_scenario::ExitCode;
use jiff::Timestamp;

use super::{Told, unusable};
use crate::console::Stream;
use crate::error::CommandError;

/// Show what is open, what is not told yet and why, and how long telling takes
///
/// Ends with 3 if something is late or was refused.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, project: &Told) -> Result<ExitCode, CommandError> {
    let deadline = project.config.settings.deadline;
    let status = project.outbox()?.status(deadline, unix_us()).map_err(|error| unusable(&error))?;
    let text = if args.json {
        let json = serde_json::to_string_pretty(&status);
        json.map_err(|error| CommandError::infra(&error, "the status cannot be printed"))? + "\n"
    } else {
        table(&status)
    };
    Stream::Out.print(&text);
    Ok(if status.is_well() { ExitCode::Passed } else { ExitCode::Infrastructure })
}

fn table(status: &Status) -> String {
    let mut text = String::new();
    for incident in &status.open {
        let class = match incident.class {
            Class::Product => "product",
            Class::Infra => "infra",
        };
        let (subject, run) = (tame(&incident.subject), tame(&incident.run));
        let since = moment(incident.opened_unix_us);
        let line = format!(
            "open: {subject} ({class}) since {since}, {} red runs, the last {run}",
            incident.runs
        );
        writeln!(text, "{line}").unwrap_or_default();
    }
    if status.open.is_empty() {
        text.push_str("no incident is open\n");
    }
    for letter in &status.untold {
        text.push_str(&untold(letter));
    }
    let latency = |latency: &Latency| {
        format!("half within {}, all within {}", time(latency.p50_us), time(latency.max_us))
    };
    let parts = [
        format!("{} told", status.told),
        format!(
            "{} not told ({} held, {} refused)",
            status.untold_count, status.held, status.refused
        ),
        format!("{} late", status.late),
        format!("{} perhaps twice", status.maybe_twice),
    ];
    let (all, edits) = (&status.latency, &status.edit_latency);
    let (all, edits) = (
        latency(all),
        if edits.letters > 0 { format!("; edits: {}", latency(edits)) } else { String::new() },
    );
    writeln!(text, "{}", parts.join(", ")).unwrap_or_default();
    if status.latency.letters + status.edit_latency.letters > 0 {
        writeln!(text, "{all}{edits}").unwrap_or_default();
    }
    text
}

fn untold(letter: &Untold) -> String {
    let state = match letter.held_until_unix_us {
        _ if letter.outcome == "never" => "refused".to_owned(),
        Some(end) if letter.attempts == 0 => format!("held until {}", moment(end)),
        Some(_) | None => format!("waits, next at {}", moment(letter.next_unix_us)),
    };
    let mut text = format!(
        "not told: {} to {}: {state}, {} attempts\n",
        letter.key, letter.channel, letter.attempts
    );
    for (what, said) in [("why", &letter.why), ("fix", &letter.fix)] {
        if let Some(said) = said {
            writeln!(text, "  {what}: {}", tame(said)).unwrap_or_default();
        }
    }
    text
}

fn moment(unix_us: i64) -> String {
    Timestamp::from_microsecond(unix_us)
        .unwrap_or_default()
        .strftime("%Y-%m-%d %H:%M:%S UTC")
        .to_string()
}
