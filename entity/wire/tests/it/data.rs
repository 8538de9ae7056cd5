//! The recorded data, read with a JSON library that is not the one under test.

use entity_crypto::signing::{PublicKey, SigningKey};
use serde_json::Value;

macro_rules! vectors {
    ($($name:ident = $file:literal;)*) => {
        $(
            #[doc = concat!("The vectors in `tests/data/", $file, "`.")]
            pub(crate) fn $name() -> Value {
                serde_json::from_str(include_str!(concat!("../data/", $file))).expect($file)
            }
        )*
    };
}

vectors! {
    canonical_json = "canonical_json.json";
    signatures = "signatures.json";
    token_transfer = "token_transfer_signed.json";
    secure_message = "secure_message.json";
    handshake_iso = "handshake_v10.iso.json";
    handshake_dataclass = "handshake_v10.dataclass.json";
    handshake_as_coded = "handshake_v10.dataclass.as_coded_e2e.json";
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} of {value}"))
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} of {value}"))
}

pub(crate) fn signing_key(value: &Value, key: &str) -> SigningKey {
    SigningKey::from_seed_hex(text(value, key)).unwrap()
}

pub(crate) fn public_key(value: &Value, key: &str) -> PublicKey {
    PublicKey::from_hex(text(value, key)).unwrap()
}
