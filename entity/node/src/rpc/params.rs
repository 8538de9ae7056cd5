//! The parameters of the methods (`docs/contract/`). They are closed: a field that a method does not have is a mistake.

use entity_peer::command::Seal;
use entity_wire::v1_0::Flavour;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParams {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InitializeParams {
    pub(super) contract: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerAddParams {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) key: Option<String>,
    pub(super) connect: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToParams {
    pub(super) to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionParams {
    pub(super) id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageSendParams {
    pub(super) to: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) body: Box<RawValue>,
    #[serde(default)]
    pub(super) seal: SealWord,
    pub(super) flavour: Option<FlavourWord>,
    #[serde(default)]
    pub(super) durable: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerRemoveParams {
    pub(super) name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum SealWord {
    #[default]
    Auto,
    Never,
    Require,
}

impl SealWord {
    pub(super) fn seal(self) -> Seal {
        match self {
            Self::Auto => Seal::Auto,
            Self::Never => Seal::Never,
            Self::Require => Seal::Require,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FlavourWord {
    Iso,
    Dataclass,
}

impl FlavourWord {
    pub(super) fn flavour(self) -> Flavour {
        match self {
            Self::Iso => Flavour::Iso,
            Self::Dataclass => Flavour::Dataclass,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageInboxParams {
    pub(super) from: Option<String>,
    pub(super) after: Option<u64>,
    pub(super) limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockOffsetParams {
    pub(super) seconds: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendRawParams {
    pub(super) to: Option<String>,
    pub(super) address: Option<String>,
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) body: Option<String>,
}
