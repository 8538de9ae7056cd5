//! The functions that expressions may call on bytes: every one a standard algorithm of a library.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey as VerifyingKey,
};
use aws_lc_rs::{digest, hkdf, hmac};

/// SHA-256.
pub(crate) fn sha256(data: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, data).as_ref().to_vec()
}

/// HKDF-Extract with SHA-256 (RFC 5869), which is HMAC with the salt as its key.
pub(crate) fn extract(salt: &[u8], secret: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), secret).as_ref().to_vec()
}

/// HKDF-Expand with SHA-256 to `length` bytes.
pub(crate) fn expand(prk: &[u8], info: &[u8], length: usize) -> Option<Vec<u8>> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, prk);
    let infos = [info];
    let okm = prk.expand(&infos, Length(length)).ok()?;
    let mut out = vec![0; length];
    okm.fill(&mut out).ok()?;
    Some(out)
}

/// The Ed25519 public key of a seed.
pub(crate) fn ed25519_public(seed: &[u8]) -> Option<Vec<u8>> {
    Some(Ed25519KeyPair::from_seed_unchecked(seed).ok()?.public_key().as_ref().to_vec())
}

/// An Ed25519 signature.
pub(crate) fn sign(seed: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    Some(Ed25519KeyPair::from_seed_unchecked(seed).ok()?.sign(data).as_ref().to_vec())
}

/// Whether an Ed25519 signature holds.
pub(crate) fn verify(key: &[u8], data: &[u8], signature: &[u8]) -> bool {
    VerifyingKey::new(&ED25519, key).verify(data, signature).is_ok()
}

/// The X25519 public key of a secret.
pub(crate) fn x25519_public(secret: &[u8]) -> Option<Vec<u8>> {
    let key = PrivateKey::from_private_key(&X25519, secret).ok()?;
    Some(key.compute_public_key().ok()?.as_ref().to_vec())
}

/// The X25519 shared secret; `None` for a public key of low order.
pub(crate) fn x25519(secret: &[u8], public: &[u8]) -> Option<Vec<u8>> {
    let key = PrivateKey::from_private_key(&X25519, secret).ok()?;
    let public = UnparsedPublicKey::new(&X25519, public);
    agreement::agree(&key, public, (), |shared| Ok(shared.to_vec())).ok()
}

/// AES-256-GCM: ciphertext and tag.
pub(crate) fn seal(key: &[u8], nonce: &[u8], associated: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let mut data = plain.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    aead(key)?.seal_in_place_append_tag(nonce, Aad::from(associated), &mut data).ok()?;
    Some(data)
}

/// The plaintext of what [`seal`] made; `None` if anything was changed.
pub(crate) fn open(key: &[u8], nonce: &[u8], associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let mut data = sealed.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let plain = aead(key)?.open_in_place(nonce, Aad::from(associated), &mut data).ok()?;
    Some(plain.to_vec())
}

fn aead(key: &[u8]) -> Option<LessSafeKey> {
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?))
}
