//! `handfast stub`

use std::path::Path;

use handfast_scenario::ExitCode;
use handfast_stub::Conversation;
use handfast_stub::serve::{self, Role};

use super::run::runtime;
use super::selection::load;
use crate::around::Around;
use crate::error::CommandError;

/// Play a peer from recorded conversations, for the day the other team's peer is late
///
/// Speaks the peer contract, as the peer itself would: scenarios start it under the name PEER-stub
/// (`handfast run ab.handshake --peer b=python-stub`). It answers what its conversations hold, refuses the rest,
/// and offers no method that it cannot play, so that those scenarios are reported as unsupported.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The peer to stand in for, as handfast.toml names it; `stub = [..]` there lists its conversations
    #[arg(value_name = "PEER")]
    peer: String,
    /// What the stub is called
    #[arg(long, env = "HANDFAST_NAME", default_value = "stub")]
    name: String,
    /// Where to listen; port 0: anywhere
    #[arg(long, env = "HANDFAST_LISTEN", default_value = "127.0.0.1:0")]
    listen: String,
    /// Which protocol version to play
    #[arg(long, env = "HANDFAST_PROTOCOL", default_value = "both")]
    protocol: String,
    /// A number from which all its randomness follows; without it another one each time
    #[arg(long, env = "HANDFAST_SEED")]
    seed: Option<u64>,
}

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let peers = &loaded.project.peers;
    let Some(peer) = peers.iter().find(|peer| peer.name.as_str() == args.peer) else {
        let known: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
        let error = format!("handfast.toml has no peer {}", args.peer);
        return Err(CommandError::usage_text(error, format!("it has {}", known.join(", "))));
    };
    if peer.stub.is_empty() {
        let error = format!("no conversation of {} is recorded", args.peer);
        let help = format!("name them in handfast.toml: [peers.{}] stub = [\"FILE\"]", args.peer);
        return Err(CommandError::usage_text(error, help));
    }
    let mut conversations = Vec::new();
    for file in &peer.stub {
        conversations.push(read(&loaded.root, file)?);
    }
    let role = Role {
        name: args.name,
        of: args.peer,
        listen: args.listen,
        protocol: args.protocol,
        seed: seed(args.seed)?,
    };
    match runtime()?.block_on(serve::serve(role, conversations)) {
        Ok(()) => Ok(ExitCode::Passed),
        Err(error) => Err(CommandError::infra(&std::io::Error::other(error), "the stub ended")),
    }
}

fn read(root: &Path, file: &str) -> Result<Conversation, CommandError> {
    let help = "the project's `stub = [..]` names files of recorded conversations".to_owned();
    let text = std::fs::read_to_string(root.join(file))
        .map_err(|error| CommandError::usage_text(format!("{file}: {error}"), help.clone()))?;
    Conversation::read(file, &text)
        .map_err(|error| CommandError::usage_text(error.to_string(), help))
}

fn seed(number: Option<u64>) -> Result<[u8; 32], CommandError> {
    let mut seed = [0; 32];
    match number {
        Some(number) => {
            let bytes = number.to_be_bytes();
            seed.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
        None => getrandom::fill(&mut seed)
            .map_err(|error| CommandError::infra(&error, "the system gives no randomness"))?,
    }
    Ok(seed)
}
