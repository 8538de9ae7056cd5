//! `entity shim`: the peer under the control of a test platform.

use std::path::{Path, PathBuf};

use clap::Args;
use entity_crypto::identity::PeerId;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_transport::http::Address;
use entity_wallet::WalletError;
use tracing::warn;

use super::console::{Failed, Kind};
use super::options::{Behaviour, Log, run_to_end};
use super::passphrase::{PassphraseArgs, Source};
use super::run::config_file;
use super::wallet::make_identity;
use super::wallet::opened::Opened;
use crate::config::choice::{ListenAddress, Protocol, http_address};
use crate::config::{Overrides, Settings, default_data_dir};
use crate::rpc::methods::Audience;
use crate::seed::TestSeed;
use crate::shim::{self, Setup, ShimError};

/// Speak the peer contract on standard input and output
///
/// JSON-RPC 2.0, one message a line; the log goes to standard error. Ends after `shutdown` or at the end of standard input.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ShimArgs {
    /// Offer the methods of test peers (clock and raw requests) and honour the seed
    #[arg(long)]
    test_peer: bool,
    /// Own id
    #[cfg_attr(not(feature = "flaws"), arg(long, env = "HANDFAST_NAME"))]
    #[cfg_attr(
        feature = "flaws",
        arg(
            long,
            env = "HANDFAST_NAME",
            required = false,
            default_value_if("list_flaws", "true", "nobody")
        )
    )]
    name: PeerId,
    /// Where to listen; port 0 chooses one
    #[arg(long, value_name = "HOST:PORT", env = "HANDFAST_LISTEN", default_value = "127.0.0.1:0")]
    listen: ListenAddress,
    /// The address others are told [default: the one listened on]
    #[arg(long, value_name = "URL", env = "HANDFAST_ADVERTISE", value_parser = http_address)]
    advertise: Option<Address>,
    /// Directory of the peer's files [default: none, and a new identity in every start]
    #[arg(long, value_name = "DIR", env = "HANDFAST_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Protocol versions to speak [default: both]
    #[arg(long, value_enum, env = "HANDFAST_PROTOCOL")]
    protocol: Option<Protocol>,
    /// Test peers only: any text; key and randomness follow from it
    #[arg(long, value_name = "TEXT", env = "HANDFAST_SEED")]
    seed: Option<String>,
    #[command(flatten)]
    behaviour: Behaviour,
    /// Configuration file, for what has no flag here [default: entity.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "ENTITY_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    log: Log,
    #[cfg(feature = "flaws")]
    #[command(flatten)]
    flaw: super::flaw::FlawArgs,
}

const AFTER_HELP: &str = "\
Examples:
  HANDFAST_NAME=a entity shim
  entity shim --test-peer --name a --seed 7 --protocol 1.0
  echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"contract\":\"1\"}}' | entity shim --name a --log warn";

pub(super) fn run(args: ShimArgs) -> Result<(), Failed> {
    args.passphrase.leave_environment();
    #[cfg(feature = "flaws")]
    if args.flaw.settle(args.test_peer)? {
        return Ok(());
    }
    args.log.start()?;
    let file = config_file(args.config.as_deref())?;
    let overrides = Overrides {
        id: Some(args.name.clone()),
        listen: Some(args.listen),
        advertise: args.advertise.map(|address| address.to_string()),
        protocol: args.protocol,
        data_dir: args.data_dir.clone(),
        ..Overrides::default()
    };
    let overrides = args.behaviour.over(overrides);
    let settings = Settings::resolve(overrides, file, default_data_dir());
    let audience = if args.test_peer { Audience::Test } else { Audience::Public };
    let seed = match audience {
        Audience::Test => args.seed.map(|text| TestSeed::new(args.name.as_str(), text)),
        Audience::Public => {
            if args.seed.is_some() {
                warn!("the seed is ignored: this is no test peer");
            }
            None
        }
    };
    let identity = match (&seed, &args.data_dir) {
        (None, Some(data_dir)) => {
            Some(identity_in(data_dir, &args.name, audience, &args.passphrase)?)
        }
        (Some(_), _) | (None, None) => None,
    };
    let (identity, predecessors) = identity.unzip();
    let setup = Setup {
        config: settings.peer_config(args.name),
        protocol: settings.protocol,
        bridge: settings.bridge,
        listen: settings.listen,
        audience,
        data_dir: args.data_dir,
        identity,
        predecessors: predecessors.unwrap_or_default(),
        seed,
    };
    run_to_end(shim::run(setup))?.map_err(failed)
}

/// The identity kept in `data_dir`. On its first start a test peer makes one that is not protected, in a folder that goes with
/// the test; any other peer protects it, or says what is missing.
fn identity_in(
    data_dir: &Path,
    name: &PeerId,
    audience: Audience,
    passphrase: &PassphraseArgs,
) -> Result<(SigningKey, Vec<PublicKey>), Failed> {
    let source = passphrase.source();
    let opened = Opened::read(data_dir)?;
    match opened.wallet.default_key() {
        Err(WalletError::NoKey) => {}
        named => {
            let name = opened.ok(named)?;
            // Standard input belongs to the contract, so nobody can be asked there.
            let unlocked = opened.unlock(&name, &source)?;
            let predecessors = opened.ok(opened.wallet.predecessors(&unlocked.info))?;
            return Ok((unlocked.key, predecessors));
        }
    }
    let passphrase = match (audience, source) {
        (Audience::Test, Source::Person) => None,
        (Audience::Test | Audience::Public, source) => {
            Some(source.new_one(&format!("New passphrase for the key {name}: "))?)
        }
    };
    Ok((make_identity(data_dir, name, passphrase.as_ref())?, Vec::new()))
}

fn failed(error: ShimError) -> Failed {
    let help = match &error {
        ShimError::Listen { .. } => Some("give another address with HANDFAST_LISTEN".to_owned()),
        ShimError::Storage(error) => error.help(),
        ShimError::Starts { .. }
        | ShimError::Entropy(_)
        | ShimError::Start(_)
        | ShimError::Files(_)
        | ShimError::Relay(_)
        | ShimError::Signals(_)
        | ShimError::Journal(_)
        | ShimError::Streams(_) => None,
    };
    Failed::new(Kind::System, error, help)
}
