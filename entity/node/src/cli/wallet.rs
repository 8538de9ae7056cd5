//! `entity wallet`: the keys of this entity.
//!
//! - [`keep`]: create, import, convert.
//! - [`look`]: list, show, verify-handover.
//! - [`change`]: passphrase, rotate, default, remove.
//! - [`export`]: a key out of the wallet.
//! - [`opened`]: what all of them share.

mod change;
mod export;
mod keep;
mod look;
pub(super) mod opened;

use clap::{Args, Subcommand};

pub(super) use keep::make_identity;

use super::console::Failed;

/// Keep the keys of this entity: make, show, protect, rotate, import, export
///
/// Each key is one file in `keys` of the data directory (0600 in a directory of 0700), encrypted with Argon2id and AES-256-GCM
/// under a passphrase. The passphrase comes from a prompt, a file, a file descriptor or `ENTITY_PASSPHRASE`, never from an
/// argument. No command prints a secret unless told to by name.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct WalletArgs {
    #[command(subcommand)]
    action: Action,
}

const AFTER_HELP: &str = "\
Examples:
  entity wallet create                      make a key; its name follows from it
  entity wallet create entity-a             make a key with this name
  entity wallet list                        show all keys
  entity wallet convert old/entity_a.key    take over a key file of an earlier peer
  entity wallet rotate                      put a new key in the place of the default one
  entity wallet export --output key.pem     write the default key as PEM, for other programs";

#[derive(Debug, Subcommand)]
enum Action {
    Create(keep::CreateArgs),
    List(look::ListArgs),
    Show(look::ShowArgs),
    Passphrase(change::PassphraseChangeArgs),
    Import(keep::ImportArgs),
    Export(export::ExportArgs),
    Convert(keep::ConvertArgs),
    Rotate(change::RotateArgs),
    VerifyHandover(look::VerifyHandoverArgs),
    Default(change::DefaultArgs),
    Remove(change::RemoveArgs),
}

pub(super) fn run(args: WalletArgs) -> Result<(), Failed> {
    match args.action {
        Action::Create(args) => keep::create(args),
        Action::List(args) => look::list(args),
        Action::Show(args) => look::show(args),
        Action::Passphrase(args) => change::passphrase(args),
        Action::Import(args) => keep::import(args),
        Action::Export(args) => export::export(args),
        Action::Convert(args) => keep::convert(args),
        Action::Rotate(args) => change::rotate(args),
        Action::VerifyHandover(args) => look::verify_handover(args),
        Action::Default(args) => change::default(args),
        Action::Remove(args) => change::remove(args),
    }
}
