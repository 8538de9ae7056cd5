//! Who knows a peer: the operator, the bootstrap contacts, or the table, in this order.
//!
//! What a person wrote down counts more than what anybody signed. A key that is pinned for an id is asked for in the table,
//! too: records of that name under other keys are not shown.
//!
//! Source: docs/protocol/1.1.md#registry

use entity_dht::OperationId;
use entity_dht::discovery::{self, Discovered, Source, Wanted, Way};
use entity_wire::payload::dht::Contact;
use entity_wire::time::Timestamp;

use crate::core::Core;
use crate::dht::{DhtError, FoundWay, Part};
use crate::roster::Origin;

/// What became of a search, at once.
pub(crate) enum Search {
    /// It is over.
    Known(Vec<FoundWay>),
    /// The table is looked into.
    Begun(OperationId),
}

/// Looks for a peer, or for peers.
///
/// # Errors
///
/// Nothing nearer knows it, and the table cannot be looked into.
pub(crate) fn find(
    core: &Core,
    part: &mut Part,
    wanted: Wanted,
    wall: Timestamp,
) -> Result<Search, DhtError> {
    let wanted = match wanted {
        Wanted::Entity(id, None) => {
            let pinned =
                core.roster.get(id.as_str()).filter(|entry| entry.came == Origin::Operator);
            let pinned = pinned.and_then(|entry| entry.key);
            Wanted::Entity(id, pinned)
        }
        wanted @ (Wanted::Entity(_, Some(_)) | Wanted::Capability(_)) => wanted,
    };
    let named = named(core, &wanted);
    if !named.is_empty() {
        return Ok(Search::Known(named));
    }
    Ok(match part.discovery.find(wanted, wall)? {
        discovery::Search::Known(ways) => Search::Known(ways.into_iter().map(known).collect()),
        discovery::Search::Begun(begun) => Search::Begun(begun),
    })
}

/// What a search in the table has found.
pub(crate) fn ways_of(discovered: &Discovered) -> Vec<FoundWay> {
    let of = |way: &Way| {
        let of_owner = |found: &&entity_dht::registry::Resolved| {
            found.owner == *way.contact.public_key()
                && found.presence.entity_id == *way.contact.entity_id()
        };
        let found = discovered.found.iter().find(of_owner);
        FoundWay {
            contact: way.contact.clone(),
            source: way.source,
            capabilities: found.and_then(|found| found.presence.capabilities.clone()),
            expires_at: found.map(|found| found.expires_at),
        }
    };
    discovered.ways.iter().map(of).collect()
}

/// Whom the operator has named.
fn named(core: &Core, wanted: &Wanted) -> Vec<FoundWay> {
    let Wanted::Entity(id, pinned) = wanted else { return Vec::new() };
    let entry = core.roster.get(id.as_str()).filter(|entry| entry.came == Origin::Operator);
    let way = entry.and_then(|entry| {
        let key = entry.key.filter(|key| pinned.is_none_or(|pinned| pinned == *key))?;
        let contact = Contact::new(id.clone(), key, entry.address.parse().ok()?);
        let bootstrap = core.config.dht.iter().flat_map(|config| &config.bootstrap);
        let is_bootstrap = bootstrap.into_iter().any(|held| *held == contact);
        let source = if is_bootstrap { Source::Bootstrap } else { Source::Static };
        Some(known(Way { contact, source }))
    });
    way.into_iter().collect()
}

fn known(way: Way) -> FoundWay {
    FoundWay { contact: way.contact, source: way.source, capabilities: None, expires_at: None }
}
