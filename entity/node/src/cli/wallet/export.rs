//! A key out of the wallet.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use entity_crypto::signing::SigningKey;
use entity_wallet::foreign::{self, pkcs8};
use entity_wallet::{KeyFilesError, KeyName};
use serde_json::json;
use zeroize::Zeroizing;

use super::super::console::{Failed, Kind, say, say_json};
use super::super::passphrase::PassphraseArgs;
use super::opened::Place;
use crate::wallet_files::write_private;

/// Write a key in the clear, for another program
///
/// Asks for the passphrase of the key. What is written is NOT protected: whoever reads it can speak as this entity. It goes into
/// a new file that only you can read, and never to a terminal unless you say --show-secret.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet export --output key.pem\n  entity wallet export entity-a --format seed-hex --output seed.hex\n  entity wallet export --stdout | other-program"
)]
pub(super) struct ExportArgs {
    /// Name of the key [default: the default key]
    name: Option<KeyName>,
    /// What is written
    #[arg(long, value_enum, default_value = "pkcs8")]
    format: ExportFormat,
    /// File to make, with the rights 0600; an existing one is never overwritten
    #[arg(long, value_name = "FILE", required_unless_present = "stdout")]
    output: Option<PathBuf>,
    /// Write to standard output instead, for a pipe
    #[arg(long, conflicts_with = "output")]
    stdout: bool,
    /// Write to standard output even where it is a terminal that shows it
    #[arg(long, requires = "stdout")]
    show_secret: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    place: Place,
}

/// What a key can be written as.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportFormat {
    /// PKCS#8 PEM with the seed alone, as OpenSSL and Python read it
    Pkcs8,
    /// PKCS#8 PEM, version 2, with the public key
    Pkcs8V2,
    /// 64 hex digits
    SeedHex,
}

pub(super) fn export(args: ExportArgs) -> Result<(), Failed> {
    if args.stdout && io::stdout().is_terminal() && !args.show_secret {
        let error = io::Error::other("write the key: standard output is a terminal");
        let help = "write it into a file with --output, or say --show-secret".to_owned();
        return Err(Failed::new(Kind::Usage, error, Some(help)));
    }
    let opened = args.place.read()?;
    let name = opened.name(args.name)?;
    let unlocked = opened.unlock(&name, &args.passphrase.source())?;
    let bytes = written(&unlocked.key, args.format);
    let Some(path) = args.output else {
        let mut stdout = io::stdout().lock();
        let wrote = stdout.write_all(&bytes).and_then(|()| stdout.flush());
        return wrote.map_err(|error| Failed::new(Kind::System, error, None));
    };
    write_private(&path, &bytes).map_err(|error| {
        let exists = matches!(error, KeyFilesError::Exists { .. });
        let help = exists.then(|| "give a file that does not exist yet, with --output".to_owned());
        Failed::new(Kind::System, error, help)
    })?;
    let public_key = unlocked.info.public_key.to_hex();
    if args.place.json {
        let file = path.display().to_string();
        say_json(&json!({"name": name.as_str(), "public_key": public_key, "file": file}));
    } else {
        say(format_args!(
            "wrote {} in the clear; keep it no longer than you need it",
            path.display()
        ));
    }
    Ok(())
}

fn written(key: &SigningKey, format: ExportFormat) -> Zeroizing<Vec<u8>> {
    let pem = |version| Zeroizing::new(pkcs8::write(key, version).as_bytes().to_vec());
    match format {
        ExportFormat::Pkcs8 => pem(pkcs8::Version::V1),
        ExportFormat::Pkcs8V2 => pem(pkcs8::Version::V2),
        ExportFormat::SeedHex => foreign::write_seed(key),
    }
}
