//! Which defect a shim has: only in the program `entity-flawed`.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::Args;
use entity_flaw::{Flaw, plant};

use super::console::{Failed, Kind};

/// The planted flaw.
#[derive(Debug, Args)]
pub(super) struct FlawArgs {
    /// Have this defect; test peers only
    #[arg(long, value_name = "NAME", value_parser = named)]
    flaw: Option<Flaw>,
    /// Print every defect there is, its name and what is wrong, and end
    #[arg(long)]
    list_flaws: bool,
}

impl FlawArgs {
    /// Plants the flaw that is asked for, or prints them all; says whether that was everything there was to do.
    pub(super) fn settle(&self, is_test_peer: bool) -> Result<bool, Failed> {
        if self.list_flaws {
            let written = anstream::stdout().write_all(list().as_bytes());
            let failed = |error: std::io::Error| Failed::new(Kind::System, error, None);
            return written.map(|()| true).map_err(failed);
        }
        let Some(flaw) = self.flaw else { return Ok(false) };
        if !is_test_peer {
            let help = Some("add --test-peer, or leave --flaw out".to_owned());
            return Err(Failed::new(Kind::Usage, NoTestPeer, help));
        }
        // The first and only one: the command line has one `--flaw`.
        plant(flaw).map(|()| false).map_err(|_| Failed::new(Kind::Usage, NoTestPeer, None))
    }
}

/// A peer that others rely on has no flaws of its choice.
#[derive(Debug, thiserror::Error)]
#[error("only a test peer may be flawed")]
struct NoTestPeer;

fn named(name: &str) -> Result<Flaw, String> {
    Flaw::named(name).ok_or_else(|| "there is no such flaw; --list-flaws shows them".to_owned())
}

fn list() -> String {
    let mut list = String::new();
    for flaw in Flaw::ALL {
        // Writing to a text cannot fail.
        writeln!(list, "{}\t{}", flaw.name(), flaw.sentence()).unwrap_or_default();
    }
    list
}
