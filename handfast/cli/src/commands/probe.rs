//! `handfast probe`

use std::fmt::Write as _;

use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::tame;
use handfast_runner::probe::{self, Found};
use handfast_runner::sink::{self, EventSink, Mouth};
use handfast_runner::{build, run::Build};
use handfast_scenario::ExitCode;
use handfast_scenario::name::PeerName;
use handfast_scenario::project::PeerProgram;

use super::run::runtime;
use super::selection::load;
use super::session::Session;
use crate::around::Around;
use crate::console::{ProgressSink, Stream};
use crate::error::CommandError;

/// Check whether a peer keeps the peer contract
///
/// Builds and starts it, asks it to initialise, calls a method that nobody can know, looks at the getters that
/// every peer has, and shuts it down. Exit code 0: it keeps every rule.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The peer, as handfast.toml names it
    #[arg(value_name = "PEER")]
    peer: String,
    /// Take the peer as it is, without building it first
    #[arg(long)]
    no_build: bool,
}

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let peers = &loaded.project.peers;
    let Some(peer) = peers.iter().find(|peer| peer.name.as_str() == args.peer).cloned() else {
        let known: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
        let error = format!("handfast.toml has no peer {}", args.peer);
        return Err(CommandError::usage_text(error, format!("it has {}", known.join(", "))));
    };
    let session = Session::open(&loaded, around, None)?;
    let sinks: Vec<Box<dyn EventSink>> = vec![Box::new(ProgressSink::new(around.error))];
    let (mouth, ear) = sink::open(session.clock, sinks)
        .map_err(|error| CommandError::infra(&error, "no thread for the outputs"))?;
    let built = if args.no_build { Build::Skip } else { Build::First };
    let result = runtime()?.block_on(probe_peer(&loaded.project, &session, &mouth, &peer, built));
    drop(mouth);
    ear.finish()
        .map_err(|error| CommandError::infra(&error, "the outputs could not be written"))?;
    match result {
        Err(_) if built == Build::First && peer.build.is_some() => Ok(ExitCode::Infrastructure),
        Err(reason) => {
            Stream::Error.print(&format!("{}\n", tame(&reason)));
            Ok(ExitCode::Infrastructure)
        }
        Ok(found) => {
            Stream::Out.print(&text(&peer.name, &found, around.out.palette));
            let kept = found.objection().is_none();
            Ok(if kept { ExitCode::Passed } else { ExitCode::ProductFailure })
        }
    }
}

async fn probe_peer(
    project: &handfast_scenario::Project,
    session: &Session,
    mouth: &Mouth,
    peer: &PeerProgram,
    built: Build,
) -> Result<Found, String> {
    let (places, workshop) = (&session.places, &session.workshop);
    if built == Build::First {
        let failures = build::peers(project, places, workshop, mouth, [peer.name.clone()]).await;
        if let Some(reason) = failures.into_values().next() {
            return Err(reason);
        }
    }
    probe::run(workshop, places, peer, session.clock, session.seed).await
}

fn text(peer: &PeerName, found: &Found, palette: Palette) -> String {
    let mut text = String::new();
    for check in &found.report.checks {
        // Writing to a text cannot fail.
        match &check.broken {
            None => writeln!(text, "{} {}", palette.paint(Ink::Good, "kept  "), check.rule),
            Some(broken) => {
                let word = palette.paint(Ink::Bad, "broken");
                writeln!(text, "{word} {}\n         {}", check.rule, tame(broken))
            }
        }
        .unwrap_or_default();
    }
    if found.objection().is_some() && !found.log.is_empty() {
        writeln!(text, "end of the log of {peer}:").unwrap_or_default();
        for line in &found.log {
            writeln!(text, "    {}", tame(line)).unwrap_or_default();
        }
    }
    let verdict = match found.objection() {
        None => format!("{peer} keeps the peer contract"),
        Some(_) => format!("{peer} does not keep the peer contract: no verdict on it would count"),
    };
    writeln!(text, "{verdict}").unwrap_or_default();
    text
}
