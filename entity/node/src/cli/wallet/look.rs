//! What is in the wallet.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use entity_crypto::signing::PublicKey;
use entity_wallet::handover::HANDOVER_LEN_MAX;
use entity_wallet::key_file::Protected;
use entity_wallet::{Handover, KeyInfo, KeyName, Purpose};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::console::{Failed, Kind, say, say_json};
use super::super::passphrase::PassphraseArgs;
use super::opened::{Opened, Place};
use crate::wallet_files::read_bounded;

/// Show all keys
///
/// Needs no passphrase, so what is shown is what the files say; `show --verify` checks one of them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet list\n  entity wallet list --data-dir ./a --json"
)]
pub(super) struct ListArgs {
    #[command(flatten)]
    place: Place,
}

/// Show one key: its public half, for the configuration of others
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet show\n  entity wallet show entity-a --json\n  entity wallet show --verify --passphrase-file pass\n  entity wallet show --handover > handover.json"
)]
pub(super) struct ShowArgs {
    /// Name of the key [default: the default key]
    name: Option<KeyName>,
    /// Open the file, so that what is shown is authenticated
    #[arg(long)]
    verify: bool,
    /// Print only the signed hand-over from the key before, as JSON
    #[arg(long, conflicts_with = "verify")]
    handover: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    place: Place,
}

/// Check that a key handed over to another, as both have signed
///
/// Who trusts the old key can trust the new one for the same id.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet verify-handover handover.json --old-key KEY\n  entity wallet show --handover | entity wallet verify-handover - --json"
)]
pub(super) struct VerifyHandoverArgs {
    /// File with the hand-over, `-` for standard input
    file: PathBuf,
    /// The key that is trusted so far: refuse a hand-over from another one
    #[arg(long, value_name = "64 HEX")]
    old_key: Option<String>,
    /// The id whose key changes: refuse a hand-over of another one
    #[arg(long)]
    id: Option<KeyName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn list(args: ListArgs) -> Result<(), Failed> {
    let opened = args.place.read()?;
    let listed = opened.ok(opened.wallet.list())?;
    let default = opened.wallet.default_key().ok();
    if args.place.json {
        let keys: Vec<_> = listed
            .iter()
            .map(|listed| match &listed.claim {
                Ok((info, protected)) => described(&opened, info, *protected, default.as_ref()),
                Err(error) => json!({"file": listed.file.as_str(), "error": chain(error)}),
            })
            .collect();
        say_json(&json!({ "keys": keys }));
        return Ok(());
    }
    if listed.is_empty() {
        say("no keys; make one with `entity wallet create`");
        return Ok(());
    }
    for listed in &listed {
        match &listed.claim {
            Ok((info, protected)) => {
                let mark = if default.as_ref() == Some(&info.name) { "*" } else { " " };
                let (name, key) = (&info.name, info.public_key);
                let purpose = info.purpose.word();
                say(format_args!("{mark} {name}  {key}  {purpose}  {}", word(*protected)));
            }
            Err(error) => say(format_args!("! {}  {}", listed.file, chain(error))),
        }
    }
    if default.is_some() {
        say("* is the default");
    }
    Ok(())
}

pub(super) fn show(args: ShowArgs) -> Result<(), Failed> {
    let opened = args.place.read()?;
    let name = opened.name(args.name)?;
    let (mut info, protected) = opened.ok(opened.wallet.show(&name))?;
    if args.handover {
        let handover = info.handover.ok_or_else(|| {
            let error =
                io::Error::other(format!("show how the key {name} took over: it is the first"));
            Failed::new(Kind::Usage, error, None)
        })?;
        say(String::from_utf8_lossy(&handover.to_json()));
        return Ok(());
    }
    if args.verify {
        info = opened.unlock(&name, &args.passphrase.source())?.info;
    }
    print(&opened, &info, protected, args.place.json);
    Ok(())
}

pub(super) fn verify_handover(args: VerifyHandoverArgs) -> Result<(), Failed> {
    let bytes = read_any(&args.file)?;
    let refused = |text: String| Failed::new(Kind::Refused, io::Error::other(text), None);
    if bytes.len() > HANDOVER_LEN_MAX {
        return Err(refused("read a hand-over: it is too long".to_owned()));
    }
    let handover = Handover::parse(&bytes).map_err(|error| refused(error.to_string()))?;
    if let Some(trusted) = &args.old_key {
        let trusted = PublicKey::from_hex(trusted).map_err(|error| {
            Failed::new(
                Kind::Usage,
                error,
                Some("--old-key is 64 lower-case hex digits".to_owned()),
            )
        })?;
        if trusted != handover.old_key() {
            let text = format!(
                "accept a hand-over from {}: it is not the trusted key",
                handover.old_key()
            );
            return Err(refused(text));
        }
    }
    if let Some(id) = args.id.filter(|id| id != handover.id()) {
        let text = format!("accept a hand-over for {id}: it is for {}", handover.id());
        return Err(refused(text));
    }
    if args.json {
        let mut shown = described_handover(&handover);
        shown["valid"] = true.into();
        say_json(&shown);
    } else {
        say(format_args!("id       {}", handover.id()));
        say(format_args!("old key  {}", handover.old_key()));
        say(format_args!("new key  {}", handover.new_key()));
        say(format_args!("signed   {}, by both keys", handover.created_at()));
        if args.old_key.is_none() {
            say(
                "Both signatures hold. Whether the old key is the one you trust is for you to compare.",
            );
        }
    }
    Ok(())
}

/// Reads a file, or standard input for `-`.
pub(super) fn read_any(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let path = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
    let file = File::open(path).map_err(|source| {
        let text = format!("open {}: {source}", path.display());
        Failed::new(Kind::Usage, io::Error::other(text), None)
    })?;
    read_bounded(file, path).map_err(|error| Failed::new(Kind::Usage, error, None))
}

/// Prints one key, never its secret half.
pub(super) fn print(opened: &Opened, info: &KeyInfo, protected: Protected, json: bool) {
    let default = opened.wallet.default_key().ok();
    if json {
        say_json(&described(opened, info, protected, default.as_ref()));
        return;
    }
    say(format_args!("name        {}", info.name));
    say(format_args!("public key  {}", info.public_key));
    say(format_args!("key file    {}", path_of(opened, info)));
    say(format_args!("protection  {}", sentence(protected)));
    say(format_args!("kept since  {}", info.created_at));
    if info.purpose == Purpose::Retired {
        say("purpose     retired: it has handed over to a successor");
    }
    if let Some(handover) = &info.handover {
        say(format_args!("took over   from {}", handover.old_key()));
    }
}

fn described(
    opened: &Opened,
    info: &KeyInfo,
    protected: Protected,
    default: Option<&KeyName>,
) -> Value {
    json!({
        "name": info.name.as_str(),
        "public_key": info.public_key.to_hex(),
        "purpose": info.purpose.word(),
        "protection": word(protected),
        "created_at": info.created_at.to_string(),
        "key_file": path_of(opened, info),
        "default": default == Some(&info.name),
        "handover": info.handover.as_ref().map(described_handover),
    })
}

fn described_handover(handover: &Handover) -> Value {
    json!({
        "id": handover.id().as_str(),
        "old_key": handover.old_key().to_hex(),
        "new_key": handover.new_key().to_hex(),
        "created_at": handover.created_at().to_string(),
    })
}

fn path_of(opened: &Opened, info: &KeyInfo) -> String {
    let directory = opened.data_dir.join(crate::wallet_files::DIRECTORY);
    directory.join(info.name.file_name().as_str()).display().to_string()
}

fn word(protected: Protected) -> &'static str {
    match protected {
        Protected::Passphrase(_) => "passphrase",
        Protected::None => "none",
    }
}

fn sentence(protected: Protected) -> String {
    match protected {
        Protected::Passphrase(kdf) => format!(
            "by a passphrase (Argon2id, {} MiB, {} passes)",
            kdf.memory_kib() / 1024,
            kdf.passes()
        ),
        Protected::None => "NONE: whoever reads the file has the key".to_owned(),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("failed to {error}: {source}"),
        None => format!("failed to {error}"),
    }
}
