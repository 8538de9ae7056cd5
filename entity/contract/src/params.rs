//! The parameters of the methods (`docs/contract/`). They are closed: a field that a method does not have is a mistake.

use entity_peer::command::Seal;
use entity_wire::v1_0::Flavour;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToParams {
    pub(crate) to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionParams {
    pub(crate) id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageSendParams {
    pub(crate) to: String,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) body: Box<RawValue>,
    #[serde(default)]
    pub(crate) seal: SealWord,
    pub(crate) flavour: Option<FlavourWord>,
    #[serde(default)]
    pub(crate) durable: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SealWord {
    #[default]
    Auto,
    Never,
    Require,
}

impl SealWord {
    pub(crate) fn seal(self) -> Seal {
        match self {
            Self::Auto => Seal::Auto,
            Self::Never => Seal::Never,
            Self::Require => Seal::Require,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FlavourWord {
    Iso,
    Dataclass,
}

impl FlavourWord {
    pub(crate) fn flavour(self) -> Flavour {
        match self {
            Self::Iso => Flavour::Iso,
            Self::Dataclass => Flavour::Dataclass,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageInboxParams {
    pub(crate) from: Option<String>,
    pub(crate) after: Option<u64>,
    pub(crate) limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockOffsetParams {
    pub(crate) seconds: f64,
}
