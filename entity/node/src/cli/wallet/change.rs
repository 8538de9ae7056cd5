//! Changes of keys that are there.

use std::io;

use clap::Args;
use entity_crypto::signing::SigningKey;
use entity_wallet::KeyName;
use serde_json::json;

use super::super::console::{Failed, Kind, say, say_json};
use super::super::passphrase::{PassphraseArgs, ProtectionArgs};
use super::super::terminal::{Terminal, while_saying};
use super::look::print;
use super::opened::{Place, entropy, new_passphrase, now, protection};
use crate::seed;

/// Change the passphrase of a key
///
/// At every moment the file can be opened with the old passphrase or with the new one. Copies elsewhere keep the old one, and so
/// may what was on the disk before.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet passphrase\n  entity wallet passphrase entity-a --passphrase-file old --new-passphrase-file new\n  entity wallet passphrase test --unprotected"
)]
pub(super) struct PassphraseChangeArgs {
    /// Name of the key [default: the default key]
    name: Option<KeyName>,
    #[command(flatten)]
    protection: ProtectionArgs,
    #[command(flatten)]
    place: Place,
}

/// Put a new key in the place of an old one, with a hand-over that both sign
///
/// The new key has the name and the passphrase of the old one; the old one is kept as retired. Others learn of the new key by
/// the hand-over: `entity wallet show --handover`. A running node uses the new key from its next start on.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet rotate\n  entity wallet rotate entity-a --passphrase-file pass --json\n  entity wallet show --handover > handover.json"
)]
pub(super) struct RotateArgs {
    /// Name of the key [default: the default key]
    name: Option<KeyName>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    place: Place,
}

/// Show or choose the key that is used when none is named
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  entity wallet default\n  entity wallet default entity-a")]
pub(super) struct DefaultArgs {
    /// Name of the key
    name: Option<KeyName>,
    #[command(flatten)]
    place: Place,
}

/// Remove a key for good
///
/// Without a copy elsewhere nobody can ever speak as this entity again. What was on the disk may still be found there.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet remove entity-a\n  entity wallet remove entity-a --yes"
)]
pub(super) struct RemoveArgs {
    /// Name of the key
    name: KeyName,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) fn passphrase(args: PassphraseChangeArgs) -> Result<(), Failed> {
    let mut opened = args.place.change()?;
    let name = opened.name(args.name)?;
    let old = opened.passphrase_of(&name, &args.protection.old.source())?;
    if old.is_some() {
        // Before a new one is asked for: who does not know the old one need not think of another.
        let unlocked = while_saying("unlocking", || opened.wallet.unlock(&name, old.as_ref()));
        drop(opened.ok(unlocked)?);
    }
    let ProtectionArgs { unprotected, new, .. } = &args.protection;
    let new = new_passphrase(*unprotected, &new.source(), &name)?;
    let mut entropy = entropy()?;
    let changed = while_saying("protecting", || {
        opened.wallet.protect(&name, old.as_ref(), protection(new.as_ref()), &mut entropy)
    });
    let info = opened.ok(changed)?;
    let protected = opened.ok(opened.wallet.show(&name))?.1;
    print(&opened, &info, protected, args.place.json);
    Ok(())
}

pub(super) fn rotate(args: RotateArgs) -> Result<(), Failed> {
    let mut opened = args.place.change()?;
    let name = opened.name(args.name)?;
    let passphrase = opened.passphrase_of(&name, &args.passphrase.source())?;
    let seed = seed::from_system().map_err(|error| Failed::new(Kind::System, error, None))?;
    let new = SigningKey::from_seed(seed);
    let mut entropy = entropy()?;
    let rotated = while_saying("rotating", || {
        opened.wallet.rotate(&name, passphrase.as_ref(), &new, now(), &mut entropy)
    });
    let info = opened.ok(rotated)?;
    let protected = opened.ok(opened.wallet.show(&name))?.1;
    print(&opened, &info, protected, args.place.json);
    if !args.place.json {
        say("Tell others with the hand-over: `entity wallet show --handover`.");
    }
    Ok(())
}

pub(super) fn default(args: DefaultArgs) -> Result<(), Failed> {
    let name = match args.name {
        Some(name) => {
            let mut opened = args.place.change()?;
            let chosen = opened.wallet.set_default(&name);
            opened.ok(chosen)?;
            name
        }
        None => args.place.read()?.name(None)?,
    };
    if args.place.json {
        say_json(&json!({ "default": name.as_str() }));
    } else {
        say(name);
    }
    Ok(())
}

pub(super) fn remove(args: RemoveArgs) -> Result<(), Failed> {
    let mut opened = args.place.change()?;
    let shown = opened.wallet.show(&args.name);
    if !args.yes {
        let key = shown.as_ref().map_or_else(
            |_| "which cannot be read".to_owned(),
            |(info, _)| format!("whose public key is {}", info.public_key),
        );
        confirm(&args.name, &key)?;
    }
    let removed = opened.wallet.remove(&args.name);
    opened.ok(removed)?;
    if args.place.json {
        say_json(&json!({ "removed": args.name.as_str() }));
    } else {
        say(format_args!("removed {}", args.name));
    }
    Ok(())
}

fn confirm(name: &KeyName, key: &str) -> Result<(), Failed> {
    let usage = |text: &str, help: &str| {
        Failed::new(Kind::Usage, io::Error::other(text.to_owned()), Some(help.to_owned()))
    };
    let terminal = Terminal::find().ok_or_else(|| {
        usage("ask whether to remove the key: there is no terminal", "say so with --yes")
    })?;
    let question = format!("Remove the key {name}, {key}, for good? Type its name: ");
    let answer = terminal.ask(&question);
    let answer = answer.map_err(|error| Failed::new(Kind::System, error, None))?;
    if answer.is_some_and(|answer| answer.as_slice() == name.as_str().as_bytes()) {
        Ok(())
    } else {
        Err(usage("remove the key: its name was not typed", "nothing was changed"))
    }
}
