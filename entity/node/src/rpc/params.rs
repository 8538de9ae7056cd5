//! The parameters of methods that belong to the node alone (`docs/contract/`). They are closed: a field that a method does not have is a mistake.

use serde::Deserialize;

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
pub(super) struct PeerRemoveParams {
    pub(super) name: String,
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
