//! New keys in the wallet.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use entity_crypto::identity::PeerId;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_wallet::foreign::{self, Foreign, ForeignError};
use entity_wallet::key_file::Protected;
use entity_wallet::name::InvalidKeyName;
use entity_wallet::{KeyName, Passphrase};

use super::super::console::{Failed, Kind, say};
use super::super::passphrase::{PassphraseArgs, ProtectionArgs, Source};
use super::super::terminal::while_saying;
use super::look::{print, read_any};
use super::opened::{Opened, Place, entropy, new_passphrase, now, protection};
use crate::seed;

/// Make a new key; an existing one is never overwritten
///
/// The first key becomes the default.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet create\n  entity wallet create entity-a --passphrase-file pass --json\n  ENTITY_PASSPHRASE='..' entity wallet create --data-dir ./a\n  entity wallet create test --unprotected"
)]
pub(super) struct CreateArgs {
    /// Name of the key, best the id of the entity [default: `entity-` and the start of the key]
    name: Option<KeyName>,
    /// Keep the key in the clear: whoever reads the file can speak as this entity
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    unprotected: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    place: Place,
}

/// Take a key over from another program: 64 hex digits, PKCS#8 PEM, or a key file
///
/// The format is told by the content. The file stays where it is.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet import key.pem --name entity-a\n  entity wallet import - --name entity-a < seed.hex\n  entity wallet import copy/entity-a.key --passphrase-file pass"
)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    kept: Kept,
}

/// Take over a key file of an earlier peer: of its key store, of its wallet, or `identity.seed`
///
/// Both formats of the earlier peer are read: neither protects the id in it, so compare the public key with one you know. The
/// old file stays where it is: remove it, and copies of it, when the new one is backed up. Unless a new passphrase is given,
/// the old one protects the new file, too.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity wallet convert old/entity_a.key\n  entity wallet convert wallet.json --name entity-a --passphrase-file pass\n  entity wallet convert ~/.local/share/entity/identity.seed"
)]
pub(super) struct ConvertArgs {
    #[command(flatten)]
    kept: Kept,
}

#[derive(Debug, Args)]
struct Kept {
    /// The file, `-` for standard input
    file: PathBuf,
    /// Name of the key [default: the id in the file, else `entity-` and the start of the key]
    #[arg(long)]
    name: Option<KeyName>,
    /// Refuse any other key than this one
    #[arg(long, value_name = "64 HEX")]
    expect: Option<String>,
    #[command(flatten)]
    protection: ProtectionArgs,
    #[command(flatten)]
    place: Place,
}

pub(super) fn create(args: CreateArgs) -> Result<(), Failed> {
    let seed = seed::from_system().map_err(|error| Failed::new(Kind::System, error, None))?;
    let key = SigningKey::from_seed(seed);
    let name = args.name.map_or_else(|| name_of(&key), Ok)?;
    let passphrase = new_passphrase(args.unprotected, &args.passphrase.source(), &name)?;
    keep(&args.place, name, &key, passphrase.as_ref())
}

/// Makes the first key of a data directory and gives it back, protected where there is a passphrase.
pub(in crate::cli) fn make_identity(
    data_dir: &Path,
    name: &PeerId,
    passphrase: Option<&Passphrase>,
) -> Result<SigningKey, Failed> {
    let seed = seed::from_system().map_err(|error| Failed::new(Kind::System, error, None))?;
    let key = SigningKey::from_seed(seed);
    let name: KeyName = name
        .as_str()
        .parse()
        .map_err(|error: InvalidKeyName| Failed::new(Kind::Usage, error, None))?;
    let mut opened = Opened::change(data_dir)?;
    let mut entropy = entropy()?;
    let kept = opened.wallet.add(name, &key, protection(passphrase), now(), &mut entropy);
    opened.ok(kept)?;
    Ok(key)
}

pub(super) fn import(args: ImportArgs) -> Result<(), Failed> {
    take_over(args.kept)
}

pub(super) fn convert(args: ConvertArgs) -> Result<(), Failed> {
    take_over(args.kept)
}

fn take_over(args: Kept) -> Result<(), Failed> {
    let bytes = read_any(&args.file)?;
    let shown = args.file.display().to_string();
    let (read, old) = read_foreign(&bytes, &args.protection.old.source(), &shown)?;
    drop(bytes);
    if let Some(expected) = &args.expect {
        check_expected(expected, &read)?;
    }
    // On standard error: standard output may be JSON for a program.
    for note in &read.notes {
        anstream::eprintln!("note: {note}");
    }
    let name = match (args.name, &read.id) {
        (Some(name), _) => name,
        (None, Some(id)) => id.parse().map_err(|error: InvalidKeyName| {
            Failed::new(Kind::Usage, error, Some("name the key with --name".to_owned()))
        })?,
        (None, None) => name_of(&read.key)?,
    };
    let source = args.protection.new.source();
    let passphrase = match (args.protection.unprotected, source, old) {
        (true, _, _) => None,
        // Nothing was said about a new one, and there is an old one.
        (false, Source::Person, Some(old)) => Some(usable(old)?),
        (false, Source::Person, None) => {
            new_passphrase(false, &args.protection.old.source(), &name)?
        }
        (false, source, _) => new_passphrase(false, &source, &name)?,
    };
    keep(&args.place, name, &read.key, passphrase.as_ref())?;
    if !args.place.json {
        say(format_args!(
            "The key was read from {shown} ({}), which stays as it is.",
            read.format.word()
        ));
    }
    Ok(())
}

/// Reads a key of any format; asks for the passphrase only if it needs one, and gives it back then.
fn read_foreign(
    bytes: &[u8],
    source: &Source,
    shown: &str,
) -> Result<(Foreign, Option<Passphrase>), Failed> {
    let failed = |error: ForeignError| {
        let kind = match error {
            ForeignError::NotOpened | ForeignError::PassphraseNeeded => Kind::Refused,
            ForeignError::KeyFile(_)
            | ForeignError::NoFormat
            | ForeignError::Version(_)
            | ForeignError::Malformed(_)
            | ForeignError::KeyMismatch
            | ForeignError::PemEncrypted => Kind::Usage,
        };
        let error = io::Error::other(format!("take the key from {shown}: {error}"));
        Failed::new(kind, error, None)
    };
    match foreign::read(bytes, None) {
        Ok(read) => Ok((read, None)),
        Err(error) if error.code() == ForeignError::PassphraseNeeded.code() => {
            let passphrase = source.existing(&format!("Passphrase of {shown}: "))?;
            let read = while_saying("unlocking", || foreign::read(bytes, Some(&passphrase)));
            Ok((read.map_err(failed)?, Some(passphrase)))
        }
        Err(error) => Err(failed(error)),
    }
}

fn check_expected(expected: &str, read: &Foreign) -> Result<(), Failed> {
    let expected = PublicKey::from_hex(expected).map_err(|error| {
        let help = "--expect is 64 lower-case hex digits".to_owned();
        Failed::new(Kind::Usage, error, Some(help))
    })?;
    if expected == read.key.public_key() {
        return Ok(());
    }
    let text = format!("accept the key {}: another one was expected", read.key.public_key());
    Err(Failed::new(Kind::Refused, io::Error::other(text), None))
}

/// The old passphrase, if it may protect a key from now on.
fn usable(old: Passphrase) -> Result<Passphrase, Failed> {
    match old.check_new() {
        Ok(()) => Ok(old),
        Err(error) => {
            let help =
                "give a new one with --new-passphrase-file or ENTITY_NEW_PASSPHRASE".to_owned();
            Err(Failed::new(Kind::Usage, error, Some(help)))
        }
    }
}

fn keep(
    place: &Place,
    name: KeyName,
    key: &SigningKey,
    passphrase: Option<&Passphrase>,
) -> Result<(), Failed> {
    let mut opened: Opened = place.change()?;
    let mut entropy = entropy()?;
    let kept = while_saying("protecting", || {
        opened.wallet.add(name, key, protection(passphrase), now(), &mut entropy)
    });
    let info = opened.ok(kept)?;
    let protected = opened.ok(opened.wallet.show(&info.name))?.1;
    print(&opened, &info, protected, place.json);
    if protected == Protected::None && !place.json {
        say("This key is not protected. `entity wallet passphrase` gives it a passphrase.");
    }
    Ok(())
}

/// A name that is this key's alone.
fn name_of(key: &SigningKey) -> Result<KeyName, Failed> {
    let digits: String = key.public_key().to_hex().chars().take(16).collect();
    format!("entity-{digits}").parse().map_err(|error| Failed::new(Kind::Usage, error, None))
}
