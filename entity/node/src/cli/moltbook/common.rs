//! What the commands of `entity moltbook` share: account, address, errors.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use entity_moltbook::exchange::Failure;
use entity_moltbook::reply::judge::Why;
use entity_moltbook::reply::read::Changed;
use entity_moltbook::words::BadWord;
use entity_moltbook::{ApiKey, Origin, origin};
use entity_moltbook_client::{CallError, Cancel, Client, OpenError, Settings, Trust, key_file};

use crate::cli::console::{Failed, Kind};
use crate::cli::options::DataDir;

/// Who asks whom.
#[derive(Debug, Args)]
pub(super) struct Account {
    /// The file with the key, readable for its owner alone
    #[arg(long, value_name = "FILE", env = "ENTITY_MOLTBOOK_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// The address of the service
    #[arg(long, value_name = "URL", env = "ENTITY_MOLTBOOK_API", default_value = origin::SERVICE)]
    api: String,
    /// Believe only the certificate in this PEM file [default: those of the system]
    #[arg(long, value_name = "FILE", env = "ENTITY_MOLTBOOK_TRUST")]
    trust: Option<PathBuf>,
    /// How long to wait for the service and for the budget, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    wait: u64,
    #[command(flatten)]
    pub(super) data_dir: DataDir,
}

impl Account {
    /// Whether a file with a key is named.
    pub(super) fn has_key(&self) -> bool {
        self.key_file.is_some()
    }

    /// Reads the key and prepares the client; nothing is sent.
    pub(super) fn open(self) -> Result<Client, Failed> {
        let address = Origin::parse(&self.api)
            .map_err(|error| failed(Kind::Usage, &format!("read --api: {error}"), None))?;
        let settings = Settings {
            origin: address,
            trust: self.trust.clone().map_or(Trust::System, Trust::File),
            key: self.key()?,
            folder: self.data_dir.resolve().join("moltbook"),
            patience: Duration::from_secs(self.wait),
            attempt: Duration::from_secs(self.wait),
        };
        Client::open(settings, Cancel::default()).map_err(|error| match error {
            OpenError::Trust(error) => failed(Kind::Usage, &error.to_string(), None),
            OpenError::Store(error) => failed(Kind::System, &error.to_string(), None),
        })
    }

    fn key(&self) -> Result<ApiKey, Failed> {
        let Some(path) = &self.key_file else {
            let help = "name the file that holds it with --key-file or ENTITY_MOLTBOOK_KEY_FILE";
            return Err(failed(Kind::Usage, "find the key", Some(help)));
        };
        key_file::read(path).map_err(|error| failed(Kind::Usage, &error.to_string(), None))
    }
}

/// A failure with this text.
pub(super) fn failed(kind: Kind, text: &str, help: Option<&str>) -> Failed {
    Failed::new(kind, std::io::Error::other(text.to_owned()), help.map(str::to_owned))
}

/// A word of the command line that is none.
pub(super) fn bad_word(error: BadWord) -> Failed {
    failed(Kind::Usage, &format!("use what was given: {error}"), None)
}

/// An answer that cannot be read.
pub(super) fn changed(error: Changed) -> Failed {
    failed(Kind::System, &format!("read the answer: {error}"), None)
}

/// A call that came to nothing, and what to do about it.
pub(super) fn of_call(error: CallError) -> Failed {
    let (kind, help) = match &error {
        CallError::Failed(failure) => of_failure(failure),
        CallError::Store(_) => (Kind::System, None),
        CallError::Cancelled => (Kind::Refused, None),
    };
    failed(kind, &format!("ask Moltbook: {error}"), help)
}

fn of_failure(failure: &Failure) -> (Kind, Option<&'static str>) {
    match failure {
        Failure::Denied(_) | Failure::RateLimited { .. } => (
            Kind::Refused,
            Some("`entity moltbook budget` shows when there is room; --wait waits for it"),
        ),
        Failure::Refused(refusal) => match refusal.why {
            Why::Authentication => (
                Kind::Refused,
                Some("look into the file with the key; its owner can make another on the website"),
            ),
            Why::Forbidden => (
                Kind::Refused,
                Some("`entity moltbook status` says whether the account is claimed"),
            ),
            Why::NotFound | Why::Conflict | Why::Gone | Why::Invalid => (Kind::Refused, None),
        },
        Failure::Unsure(_) => {
            (Kind::Refused, Some("`entity moltbook read` shows the newest posts: look there first"))
        }
        Failure::Redirected(_) => {
            (Kind::Refused, Some("the address is https://www.moltbook.com/api/v1, with www"))
        }
        Failure::Unreachable { .. } | Failure::Unavailable { .. } => (Kind::System, None),
        Failure::TooLarge | Failure::Incompatible(_) => {
            (Kind::System, Some("the service may have changed: see docs/guide/moltbook.md"))
        }
    }
}
