//! SHA-256, HMAC-SHA256 and HKDF-SHA256.

use std::fmt;
use std::hint;

use aws_lc_rs::{digest, hkdf, hmac};
use thiserror::Error;
use zeroize::Zeroizing;

/// Hashes bytes with SHA-256.
pub fn sha256(data: &[u8]) -> [u8; DIGEST_LEN] {
    array(digest::digest(&digest::SHA256, data).as_ref())
}

/// SHA-256 of bytes that come piece by piece.
#[derive(Clone)]
pub struct RunningSha256(digest::Context);

impl RunningSha256 {
    /// Starts with no bytes.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// Returns the digest of all bytes taken so far; taking can go on.
    pub fn digest(&self) -> [u8; DIGEST_LEN] {
        array(self.0.clone().finish().as_ref())
    }
}

impl Default for RunningSha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RunningSha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RunningSha256(..)")
    }
}

/// Hashes a secret, and keeps the first `N` bytes of the digest, wiped on drop.
pub(crate) fn secret_digest<const N: usize>(
    algorithm: &'static digest::Algorithm,
    secret: &[u8],
) -> Zeroizing<[u8; N]> {
    let mut digest = digest::digest(algorithm, secret);
    let mut kept = Zeroizing::new([0; N]);
    kept.copy_from_slice(&digest.as_ref()[..N]);
    // The library does not wipe a digest. Overwriting it and then claiming to look at it keeps the
    // compiler from dropping the write.
    digest = digest::digest(algorithm, &[]);
    hint::black_box(&digest);
    kept
}

/// Authenticates bytes with HMAC-SHA256.
///
/// *Shape*: a key of any length, as RFC 2104 allows.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; DIGEST_LEN] {
    array(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref())
}

/// A pseudorandom key, the state between the two halves of HKDF. The library wipes it on drop.
pub struct Prk(hkdf::Prk);

impl Prk {
    /// Extracts a key from input that is secret but not uniform.
    ///
    /// An empty salt means 32 zero bytes. *Source*: RFC 5869 section 2.2.
    pub fn extract(salt: &[u8], input: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(input))
    }

    /// Takes a key that is secret and uniform already: 32 bytes that another derivation made.
    ///
    /// *Source*: RFC 5869 section 3.3.
    pub fn from_uniform(key: &[u8; DIGEST_LEN]) -> Self {
        Self(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key))
    }

    /// Fills `output` with key material bound to `info`.
    ///
    /// *Source*: RFC 5869 section 2.3.
    ///
    /// # Errors
    /// [`OutputTooLong`] when more than [`OUTPUT_LEN_MAX`] bytes are asked for; `output` is
    /// unchanged then.
    pub fn expand(&self, info: &[u8], output: &mut [u8]) -> Result<(), OutputTooLong> {
        if output.is_empty() {
            return Ok(());
        }
        let info = [info];
        let material = self.0.expand(&info, Length(output.len())).map_err(|_| OutputTooLong)?;
        material.fill(output).map_err(|_| OutputTooLong)
    }

    /// Returns `N` bytes of key material bound to `info`, wiped on drop.
    ///
    /// An `N` above [`OUTPUT_LEN_MAX`] does not compile.
    ///
    /// # Panics
    /// If the library cannot allocate memory.
    pub fn expand_array<const N: usize>(&self, info: &[u8]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= OUTPUT_LEN_MAX, "HKDF-SHA256 yields at most 255 blocks") };
        let mut output = Zeroizing::new([0; N]);
        self.expand(info, output.as_mut_slice()).expect("the length was checked when compiling");
        output
    }
}

impl fmt::Debug for Prk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Prk(..)")
    }
}

/// More key material was asked for than HKDF yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expand a key to more than {OUTPUT_LEN_MAX} bytes")]
pub struct OutputTooLong;

/// Bytes of a SHA-256 digest and of an HMAC-SHA256 tag.
pub const DIGEST_LEN: usize = 32;

/// Bytes that one [`Prk::expand`] yields at most: 255 blocks; RFC 5869 section 2.3.
pub const OUTPUT_LEN_MAX: usize = 255 * DIGEST_LEN;

/// Tells the library how much key material to make.
#[derive(Clone, Copy)]
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn array(bytes: &[u8]) -> [u8; DIGEST_LEN] {
    let mut array = [0; DIGEST_LEN];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests;
