//! `entity token open`: takes part in a ledger.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::super::console::{Failed, Kind, say};
use super::{Asked, read_file};

/// Take part in the ledger of a genesis file
///
/// The file names the committee and the tokens, and is the same at every node: its hash is the name of the ledger. A node takes part in
/// one ledger; opening the same one again changes nothing. Before the first payment of an account every member is asked what
/// it knows of it, so that no payment made before a loss of data is contradicted.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token open genesis.json\n  echo '{\"committee\":[\"KEY\"],\"tokens\":[{\"token\":\"AGT\",\"issuer\":\"KEY\",\"cap\":\"1000000\"}]}' | entity token open - --json"
)]
pub(super) struct OpenArgs {
    /// The genesis file, or - for standard input
    file: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Deserialize)]
struct Opened {
    ledger: String,
}

pub(super) fn run(args: OpenArgs) -> Result<(), Failed> {
    let genesis: Box<RawValue> =
        serde_json::from_str(&read_file(&args.file)?).map_err(|error| {
            let help = "write it as the example of `entity token --help` shows".to_owned();
            let text = format!("read the genesis {}: {error}", args.file.display());
            Failed::new(Kind::Usage, io::Error::other(text), Some(help))
        })?;
    let node = args.asked.node();
    let params = json!({"genesis": genesis});
    if let Some(Opened { ledger }) = node.shown("token.open", &params)? {
        say(format_args!("ledger  {ledger}"));
    }
    Ok(())
}
