//! `dht.*`: the distributed hash table and the registry over it, as the contract shows them.

use std::time::Duration;

use entity_contract::shapes::raw_object;
use entity_crypto::signing::PublicKey;
use entity_peer::command::{Command, CommandResult};
use entity_peer::dht::{
    CheckedRecord, ContactView, DhtCommand, DhtError, DhtResult, DhtView, FoundWay, Put, Source,
    Wanted,
};
use entity_peer::{CommandError, Peer};
use entity_wire::payload::dht::{RecordKey, RecordKind, RecordName, RecordVersion};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::RpcError;
use super::methods::{
    Outcome, Service, body_object, empty, parameter, read, result, unexpected, unknown,
};
use super::params::NoParams;

/// How long a record lives where nothing else is said: as long as one of the registry.
const TTL_S: u64 = 7_200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutParams {
    kind: String,
    name: String,
    value: Box<RawValue>,
    ttl_s: Option<u64>,
    version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GetParams {
    kind: String,
    name: String,
    owner: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FindParams {
    id: Option<String>,
    capability: Option<String>,
    key: Option<String>,
}

impl Service {
    /// Does one request of this family.
    pub(super) async fn dht(&self, method: &str, params: Option<&RawValue>) -> Outcome {
        match method {
            "dht.put" => self.dht_put(read(params)?).await,
            "dht.get" => self.dht_get(read(params)?).await,
            "dht.find" => self.dht_find(read(params)?).await,
            "dht.table" => {
                read::<NoParams>(params)?;
                self.dht_table().await
            }
            "dht.leave" => {
                read::<NoParams>(params)?;
                self.ask_table(DhtCommand::Leave).await?;
                empty()
            }
            _ => Err(unknown(method)),
        }
    }

    async fn dht_put(&self, params: PutParams) -> Outcome {
        let (kind, name) = named(&params.kind, &params.name)?;
        let version = params.version.map(|version| {
            let version = RecordVersion::new(version);
            version.ok_or_else(|| RpcError::params("version: not 1 to 2^53 - 1"))
        });
        let put = Put {
            kind,
            name,
            value: body_object(&params.value)?,
            lifetime: Duration::from_secs(params.ttl_s.unwrap_or(TTL_S)),
            version: version.transpose()?,
        };
        let done = self.ask_table(DhtCommand::Put(Box::new(put))).await?;
        let DhtResult::Stored(stored) = done else { return Err(surprise(done)) };
        result(&StoredShape {
            key: stored.key.to_string(),
            version: stored.version.get(),
            expires_at: stored.expires_at.to_string(),
            stored: stored.stored,
            refused: stored.refused,
        })
    }

    async fn dht_get(&self, params: GetParams) -> Outcome {
        let (kind, name) = named(&params.kind, &params.name)?;
        let owner = params.owner.as_deref().map(|text| key("owner", text)).transpose()?;
        let command = DhtCommand::Get { key: RecordKey::of(kind, &name), owner };
        let done = self.ask_table(command).await?;
        let DhtResult::Got(got) = done else { return Err(surprise(done)) };
        result(&GotShape {
            key: got.key.to_string(),
            records: got.records.iter().map(|record| RecordShape::of(record)).collect(),
            questions: got.effort.questions,
            hops: got.effort.hops,
        })
    }

    async fn dht_find(&self, params: FindParams) -> Outcome {
        let pinned = params.key.as_deref().map(|text| key("key", text)).transpose()?;
        let wanted = match (params.id, params.capability) {
            (Some(id), None) => Wanted::Entity(parameter("id", &id)?, pinned),
            (None, Some(capability)) if pinned.is_none() => Wanted::Capability(capability),
            (Some(_), Some(_)) | (None, _) => {
                let text = "either `id`, with or without `key`, or `capability` is needed";
                return Err(RpcError::params(text));
            }
        };
        let done = self.ask_table(DhtCommand::Find(wanted)).await?;
        let DhtResult::Ways(ways) = done else { return Err(surprise(done)) };
        result(&WaysShape { ways: ways.iter().map(WayShape::of).collect() })
    }

    async fn dht_table(&self) -> Outcome {
        self.node.settled().await?;
        let view = self.node.look(|peer: &Peer, _| peer.dht());
        let view = view.ok_or(CommandError::Dht(DhtError::Disabled))?;
        result(&TableShape::of(&view))
    }

    async fn ask_table(&self, command: DhtCommand) -> Result<DhtResult, RpcError> {
        let done = self.node.command(Command::Dht(command)).await?;
        let CommandResult::Dht(result) = done else { return Err(unexpected(&done)) };
        Ok(result)
    }
}

fn named(kind: &str, name: &str) -> Result<(RecordKind, RecordName), RpcError> {
    let kind = RecordKind::from_text(kind)
        .ok_or_else(|| RpcError::params("kind: neither `entity` nor `capability`"))?;
    let name = RecordName::new(kind, name).ok_or_else(|| {
        RpcError::params(match kind {
            RecordKind::Entity => "name: not an id of 1 to 128 of A-Z a-z 0-9 . _ -",
            RecordKind::Capability => "name: not 1 to 128 bytes without control characters",
        })
    })?;
    Ok((kind, name))
}

fn key(name: &str, text: &str) -> Result<PublicKey, RpcError> {
    PublicKey::from_hex(text).map_err(|error| RpcError::params(format!("{name}: {error}")))
}

fn surprise(result: DhtResult) -> RpcError {
    unexpected(&CommandResult::Dht(result))
}

#[derive(Serialize)]
struct StoredShape {
    key: String,
    version: u64,
    expires_at: String,
    stored: usize,
    refused: usize,
}

#[derive(Serialize)]
struct GotShape {
    key: String,
    records: Vec<RecordShape>,
    questions: usize,
    hops: u8,
}

#[derive(Serialize)]
struct RecordShape {
    kind: &'static str,
    name: String,
    owner: String,
    value: Box<RawValue>,
    version: u64,
    issued_at: String,
    expires_at: String,
    signature: String,
}

impl RecordShape {
    fn of(record: &CheckedRecord) -> Self {
        let terms = record.record().terms();
        Self {
            kind: terms.kind.as_str(),
            name: terms.name.as_str().to_owned(),
            owner: terms.owner.to_hex(),
            value: raw_object(&terms.value),
            version: terms.version.get(),
            issued_at: terms.issued_at.to_string(),
            expires_at: terms.expires_at.to_string(),
            signature: record.signed().signature.to_base64(),
        }
    }
}

#[derive(Serialize)]
struct WaysShape {
    ways: Vec<WayShape>,
}

#[derive(Serialize)]
struct WayShape {
    id: String,
    key: String,
    address: String,
    source: &'static str,
    capabilities: Option<Vec<String>>,
    expires_at: Option<String>,
}

impl WayShape {
    fn of(way: &FoundWay) -> Self {
        Self {
            id: way.contact.entity_id().to_string(),
            key: way.contact.public_key().to_hex(),
            address: way.contact.address().to_string(),
            source: match way.source {
                Source::Static => "static",
                Source::Bootstrap => "bootstrap",
                Source::Table => "table",
            },
            capabilities: way.capabilities.clone(),
            expires_at: way.expires_at.map(|at| at.to_string()),
        }
    }
}

#[derive(Serialize)]
struct TableShape {
    node: String,
    state: &'static str,
    contacts: Vec<ContactShape>,
    buckets: Vec<BucketShape>,
    slots: usize,
    bytes: usize,
}

#[derive(Serialize)]
struct ContactShape {
    id: String,
    key: String,
    address: String,
    node: String,
    heard_at: String,
    good: bool,
}

#[derive(Serialize)]
struct BucketShape {
    contacts: usize,
    waiting: usize,
}

impl TableShape {
    fn of(view: &DhtView) -> Self {
        let contact = |held: &ContactView| ContactShape {
            id: held.contact.entity_id().to_string(),
            key: held.contact.public_key().to_hex(),
            address: held.contact.address().to_string(),
            node: held.contact.node_id().to_string(),
            heard_at: held.heard_at.to_string(),
            good: held.is_good,
        };
        let bucket = |(contacts, waiting): &(usize, usize)| BucketShape {
            contacts: *contacts,
            waiting: *waiting,
        };
        Self {
            node: view.node.to_string(),
            state: view.state.as_str(),
            contacts: view.contacts.iter().map(contact).collect(),
            buckets: view.buckets.iter().map(bucket).collect(),
            slots: view.slots,
            bytes: view.bytes,
        }
    }
}
