//! Short words from outside: ids, addresses, times, nonces, amounts, names of keys, files, capabilities, periods.
//!
//! The input is `kind=word`. What is taken prints as a word that is read as the same.

use std::fmt::Display;
use std::str::FromStr;

use entity_crypto::identity::PeerId;
use entity_node::config::choice::{ListenAddress, PeerEntry};
use entity_node::config::heartbeat::Period;
use entity_transport::http::Address;
use entity_wallet::KeyName;
use entity_wire::id::{Nonce, SessionId};
use entity_wire::payload::chunk::{TransferId, TransferName};
use entity_wire::payload::dht::{NodeId, RecordKey};
use entity_wire::payload::token::{Amount, Balance, Digest, TokenName};
use entity_wire::time::Timestamp;
use handfast_scenario::duration;

use crate::corpus::Corpus;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "names",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds { held: 16 * 1024, held_per_byte: 16, worked_per_byte: 64, len_max: None },
};

fn target(input: &[u8]) -> Outcome {
    let Some((kind, word)) = std::str::from_utf8(input).ok().and_then(|text| text.split_once('='))
    else {
        return Outcome::Refused;
    };
    match kind {
        "peer" => settles::<PeerId>(word),
        "session" => settles::<SessionId>(word),
        "nonce" => settles::<Nonce>(word),
        "key" => settles::<KeyName>(word),
        "address" => settles::<Address>(word),
        "contact" => settles::<entity_wire::payload::dht::Address>(word),
        "node" => settles::<NodeId>(word),
        "record" => settles::<RecordKey>(word),
        "transfer" => settles::<TransferId>(word),
        "file" => settles_as::<TransferName>(word, |name| name.as_str().to_owned()),
        "amount" => settles::<Amount>(word),
        "balance" => settles::<Balance>(word),
        "digest" => settles::<Digest>(word),
        "token" => settles_as::<TokenName>(word, |name| name.as_str().to_owned()),
        "listen" => Outcome::of(&word.parse::<ListenAddress>()),
        "entry" => Outcome::of(&word.parse::<PeerEntry>()),
        "period" => Outcome::of(&word.parse::<Period>()),
        "duration" => Outcome::of(&duration::parse(word)),
        "time" => time(word),
        _ => Outcome::Refused,
    }
}

fn settles<T: FromStr + Display + PartialEq>(word: &str) -> Outcome {
    settles_as::<T>(word, ToString::to_string)
}

fn settles_as<T: FromStr + PartialEq>(word: &str, write: impl Fn(&T) -> String) -> Outcome {
    let Ok(value) = word.parse::<T>() else { return Outcome::Refused };
    let written = write(&value);
    let again = written.parse::<T>();
    assert!(
        again.is_ok_and(|again| again == value),
        "{word:?} is written {written:?}, another word"
    );
    Outcome::Taken
}

fn time(word: &str) -> Outcome {
    let Ok(time) = Timestamp::from_iso(word) else { return Outcome::Refused };
    let strict = Timestamp::from_iso_strict(&time.to_string());
    assert_eq!(strict, Ok(time), "{word:?} is written {time}, another time");
    Outcome::Taken
}

fn golden() -> Corpus {
    let digest = "7f7215c9c34fcb6aac77aaf1e0fd7a2b7f7215c9c34fcb6aac77aaf1e0fd7a2b";
    let key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
    Corpus::of([
        "peer=entity-a".to_owned(),
        "session=9b2f7c1e-0d1a-4f3b-8c5d-6e7f8091a2b3".to_owned(),
        "nonce=000102030405060708090a0b0c0d0e0f".to_owned(),
        "key=entity-a".to_owned(),
        "address=http://127.0.0.1:8001".to_owned(),
        "address=http://[::1]:8001/relay/x".to_owned(),
        "contact=http://192.0.2.1:8001".to_owned(),
        format!("node={digest}"),
        format!("record={digest}"),
        "transfer=9b2f7c1e-0d1a-4f3b-8c5d-6e7f8091a2b3".to_owned(),
        "file=report.txt".to_owned(),
        "amount=170141183460469231731687303715884105727".to_owned(),
        "balance=0".to_owned(),
        format!("digest={digest}"),
        "token=AGT".to_owned(),
        "listen=127.0.0.1:0".to_owned(),
        format!("entry=id=entity-b,address=http://127.0.0.1:8002,key={key},connect=false"),
        "period=30s".to_owned(),
        "duration=500ms".to_owned(),
        "time=2026-11-22T07:21:58.000000+00:00".to_owned(),
        "time=2026-11-22T07:21:58.5Z".to_owned(),
    ])
}
