//! The keys of an entity: where they are kept, how they are protected, how one gives way to the next.
//!
//! Everything here is pure: files are behind the seam [`KeyFiles`], time and randomness are handed in. A key leaves its
//! file only as a [`SigningKey`](entity_crypto::signing::SigningKey), which is wiped on drop, as is everything secret on
//! the way.
//!
//! | module | what it holds |
//! |---|---|
//! | [`name`] | [`KeyName`], and the [`FileName`] it is kept under |
//! | [`files`] | [`KeyFiles`]: the seam to the file system |
//! | [`memory`] | [`MemoryKeyFiles`], which can stop at any operation |
//! | [`conformance`] | what every implementation of the seam has to do, as checks |
//! | [`passphrase`] | [`Passphrase`]: one byte form for what a person types |
//! | [`kdf`] | Argon2id with bounded parameters, PBKDF2 of the older formats |
//! | [`key_file`] | the format of a key file: every byte of it authenticated |
//! | [`handover`] | how an old key names its successor |
//! | [`wallet`] | [`Wallet`]: several keys, a default, passphrases, rotation |
//! | [`foreign`] | key files of two older formats, hex seeds, PKCS#8 |
//! | [`hygiene`] | what is done against copies that are left in memory |
//!
//! `docs/guide/wallet.md` says what this protects against, and what not.

pub mod name;
pub mod passphrase;

pub mod files;
pub mod memory;

pub mod conformance;

pub mod handover;
pub mod kdf;
pub mod key_file;

pub mod foreign;
pub mod wallet;

pub mod hygiene;

pub use files::{KeyFiles, KeyFilesError};
pub use handover::Handover;
pub use key_file::{KeyInfo, Protection, Purpose};
pub use memory::MemoryKeyFiles;
pub use name::{FileName, KeyName};
pub use passphrase::Passphrase;
pub use wallet::{Unlocked, Wallet, WalletError};
