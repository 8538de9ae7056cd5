//! The one byte form of a key file.

use entity_crypto::encoding::base64_encode;
use zeroize::Zeroizing;

use super::{FORMAT, KeyInfo};
use crate::kdf::{KdfParameters, SALT_LEN};

/// What follows `protection` in a key file.
pub(super) enum Form<'a> {
    Passphrase {
        kdf: KdfParameters,
        salt: &'a [u8; SALT_LEN],
        nonce: &'a [u8; 12],
        /// Empty where the rest of the file is authenticated.
        sealed: &'a [u8],
    },
    None {
        seed: &'a str,
        /// Empty where the rest of the file is digested.
        check: &'a str,
    },
}

/// Writes a key file.
pub(super) fn render(info: &KeyInfo, form: &Form<'_>) -> Zeroizing<Vec<u8>> {
    let mut file = File::new();
    file.text("format", FORMAT);
    file.raw("name", &quoted(info.name.as_str()));
    file.text("purpose", info.purpose.word());
    file.text("public_key", &info.public_key.to_hex());
    file.text("created_at", &info.created_at.to_string());
    match &info.handover {
        Some(handover) => file.raw("handover", &String::from_utf8_lossy(&handover.to_json())),
        None => file.raw("handover", "null"),
    }
    match form {
        Form::Passphrase { kdf, salt, nonce, sealed } => {
            file.text("protection", "passphrase");
            file.text("kdf", "argon2id");
            file.raw("kdf_memory_kib", &kdf.memory_kib().to_string());
            file.raw("kdf_passes", &kdf.passes().to_string());
            file.raw("kdf_lanes", &kdf.lanes().to_string());
            file.text("salt", &base64_encode(*salt));
            file.text("cipher", "aes-256-gcm");
            file.text("nonce", &base64_encode(*nonce));
            file.text("sealed", &base64_encode(sealed));
        }
        Form::None { seed, check } => {
            file.text("protection", "none");
            file.text("seed", seed);
            file.text("check", check);
        }
    }
    file.end()
}

/// A JSON text: control characters cannot be in a name, so only quotes and backslashes are escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

struct File(Zeroizing<Vec<u8>>);

impl File {
    fn new() -> Self {
        // Reserved at once: a buffer that grows leaves copies of the seed behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(RESERVED_LEN));
        bytes.extend_from_slice(b"{\n");
        Self(bytes)
    }

    fn text(&mut self, field: &str, value: &str) {
        self.field(field);
        self.0.push(b'"');
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'"');
    }

    fn raw(&mut self, field: &str, value: &str) {
        self.field(field);
        self.0.extend_from_slice(value.as_bytes());
    }

    fn field(&mut self, field: &str) {
        if self.0.len() > 2 {
            self.0.extend_from_slice(b",\n");
        }
        self.0.extend_from_slice(b"  \"");
        self.0.extend_from_slice(field.as_bytes());
        self.0.extend_from_slice(b"\": ");
    }

    fn end(mut self) -> Zeroizing<Vec<u8>> {
        self.0.extend_from_slice(b"\n}\n");
        self.0
    }
}

/// More than the longest key file: a name of quotes, a hand-over of escapes, and less than 1 KiB for all else.
const RESERVED_LEN: usize = 8 * 1024;
