//! What is kept of a relay, as records of the space `relay`.
//!
//! | key | value |
//! |---|---|
//! | `member/KEY` | the expiry in microseconds (i64be), then the name |
//! | `mail/KEY/NUMBER` | the expiry (i64be), the sender (a byte `00` and its key, or `01` and an IPv6 address), the forward as on the wire |

use std::net::{IpAddr, Ipv6Addr};

use bytes::Bytes;
use entity_crypto::encoding::hex_decode_array;
use entity_crypto::signing::PublicKey;
use entity_journal::{Record, Space, Write};
use entity_wire::relay::Header;
use entity_wire::time::Timestamp;

use super::book::Member;
use super::mailbox::{Mail, Place};
use super::vocabulary::Sender;

/// Where a relay keeps what it has.
pub const SPACE: Space = Space::state("relay");

/// A record that was not written by this code, or was damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: not a record of a relay")]
pub struct DamagedRecord {
    /// Its key, printable characters as they are.
    pub key: String,
}

/// A record as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Member(PublicKey, Member),
    Mail(Place, Mail),
}

pub(crate) fn write_member(key: &PublicKey, member: &Member) -> Write {
    let mut value = member.expires_at.micros().to_be_bytes().to_vec();
    value.extend(member.entity_id.as_str().as_bytes());
    Write::put(SPACE, format!("member/{key}"), value)
}

pub(crate) fn delete_member(key: &PublicKey) -> Write {
    Write::delete(SPACE, format!("member/{key}"))
}

pub(crate) fn write_mail(place: Place, mail: &Mail) -> Write {
    let mut value = mail.expires_at.micros().to_be_bytes().to_vec();
    match mail.sender {
        Sender::Member(key) => {
            value.push(0);
            value.extend(key.as_bytes());
        }
        Sender::Host(address) => {
            let address = match address {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            };
            value.push(1);
            value.extend(address.octets());
        }
    }
    value.extend(mail.header.write(&mail.message));
    Write::put(SPACE, mail_key(place), value)
}

pub(crate) fn delete_mail(place: Place) -> Write {
    Write::delete(SPACE, mail_key(place))
}

fn mail_key((recipient, number): Place) -> String {
    format!("mail/{recipient}/{number:016x}")
}

impl Kept {
    /// Reads a record.
    pub(crate) fn read(record: &Record) -> Result<Self, DamagedRecord> {
        let read = || {
            let mut parts = std::str::from_utf8(&record.key).ok()?.split('/');
            let kind = parts.next()?;
            let key = PublicKey::from_hex(parts.next()?).ok()?;
            let number = parts.next();
            let (expiry, rest) = record.value.split_first_chunk::<8>()?;
            let expires_at = Timestamp::from_micros(i64::from_be_bytes(*expiry));
            match (kind, number, parts.next()) {
                ("member", None, None) => {
                    let entity_id = std::str::from_utf8(rest).ok()?.parse().ok()?;
                    Some(Self::Member(key, Member { entity_id, expires_at, connection: None }))
                }
                ("mail", Some(number), None) => {
                    let number = u64::from_be_bytes(hex_decode_array(number).ok()?);
                    let (sender, rest) = sender(rest)?;
                    let (header, message) = Header::read(rest).ok()?;
                    let message = Bytes::copy_from_slice(message);
                    let mail = Mail { header, message, sender, expires_at };
                    (header.recipient == key).then_some(Self::Mail((key, number), mail))
                }
                _ => None,
            }
        };
        read().ok_or_else(|| DamagedRecord { key: record.key.escape_ascii().to_string() })
    }
}

fn sender(bytes: &[u8]) -> Option<(Sender, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => {
            let (key, rest) = rest.split_first_chunk::<32>()?;
            Some((Sender::Member(PublicKey::from_bytes(key).ok()?), rest))
        }
        (1, rest) => {
            let (octets, rest) = rest.split_first_chunk::<16>()?;
            Some((Sender::Host(IpAddr::from(Ipv6Addr::from(*octets)).to_canonical()), rest))
        }
        (_, _) => None,
    }
}
