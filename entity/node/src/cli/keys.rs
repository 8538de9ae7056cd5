//! `entity keys`: the identity of an entity.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use entity_crypto::signing::{PublicKey, SigningKey};

use super::console::{Failed, Kind, say, say_json};
use super::options::DataDir;
use crate::{key_file, seed};

/// Make and show the identity of this entity
///
/// The identity is one file with the seed in the clear, which only its owner can read (0600, in a directory of 0700). That is
/// plain storage, to be replaced by the encrypted keystore. No command ever prints the seed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity keys generate\n  entity keys show --json\n  entity keys generate --key-file ./b.seed"
)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a new identity; an existing one is never overwritten
    #[command(
        after_help = "Examples:\n  entity keys generate\n  entity keys generate --data-dir ./a --json"
    )]
    Generate(FileArgs),
    /// Show the public key, for the configuration of others
    #[command(
        after_help = "Examples:\n  entity keys show\n  entity keys show --data-dir ./a --json"
    )]
    Show(FileArgs),
}

#[derive(Debug, Args)]
struct FileArgs {
    #[command(flatten)]
    data_dir: DataDir,
    /// File with the identity [default: identity.seed in the data directory]
    #[arg(long, value_name = "FILE", env = "ENTITY_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: KeysArgs) -> Result<(), Failed> {
    match args.action {
        Action::Generate(args) => {
            let (path, json) = args.resolve();
            let seed =
                seed::from_system().map_err(|error| Failed::new(Kind::System, error, None))?;
            let key = SigningKey::from_seed(seed);
            key_file::create(&path, &key)?;
            print(key.public_key(), &path, json);
        }
        Action::Show(args) => {
            let (path, json) = args.resolve();
            print(key_file::load(&path)?.public_key(), &path, json);
        }
    }
    Ok(())
}

impl FileArgs {
    fn resolve(self) -> (PathBuf, bool) {
        let data_dir = self.data_dir.resolve();
        (self.key_file.unwrap_or_else(|| data_dir.join(key_file::FILE_NAME)), self.json)
    }
}

fn print(key: PublicKey, path: &Path, json: bool) {
    if json {
        say_json(&serde_json::json!({
            "public_key": key.to_hex(),
            "key_file": path.display().to_string(),
            "storage": "plain",
        }));
    } else {
        say(format_args!("public key  {key}"));
        say(format_args!(
            "key file    {} (plain storage, readable by its owner alone)",
            path.display()
        ));
    }
}
