//! Several keys in one place.

use entity_crypto::entropy::Entropy;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_wire::time::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::files::{KeyFiles, KeyFilesError};
use crate::handover::{Handover, InvalidHandover};
use crate::key_file::{self, KeyFileError, KeyInfo, Protected, Protection, Purpose};
use crate::name::{FileName, InvalidKeyName, KeyName};
use crate::passphrase::{InvalidPassphrase, Passphrase};

/// The keys of an entity, each in a file of its own, one of them the default.
#[derive(Debug)]
pub struct Wallet<F> {
    files: F,
}

/// A key out of its file. Dropping it locks it: the seed is wiped.
#[derive(Debug)]
pub struct Unlocked {
    /// The key.
    pub key: SigningKey,
    /// What the file says of it, authenticated.
    pub info: KeyInfo,
}

/// A file of a wallet, as a list shows it.
#[derive(Debug)]
pub struct Listed {
    /// The file.
    pub file: FileName,
    /// What it claims, or why it is no key file.
    pub claim: Result<(KeyInfo, Protected), WalletError>,
}

impl<F: KeyFiles> Wallet<F> {
    /// Opens a wallet over its files.
    pub fn new(files: F) -> Self {
        Self { files }
    }

    /// Gives the files back.
    pub fn into_files(self) -> F {
        self.files
    }

    /// Shows every key file, also those that cannot be read.
    ///
    /// # Errors
    ///
    /// [`WalletError::Files`] where the files cannot be listed.
    pub fn list(&self) -> Result<Vec<Listed>, WalletError> {
        let mut listed = Vec::new();
        for file in self.files.list()?.into_iter().filter(FileName::is_key) {
            let claim = match self.files.read(&file) {
                Ok(Some(bytes)) => claim_of(&file, &bytes),
                // Another process has removed it meanwhile.
                Ok(None) => continue,
                Err(error) => Err(error.into()),
            };
            listed.push(Listed { file, claim });
        }
        Ok(listed)
    }

    /// Shows what the file of one key says, without a passphrase.
    ///
    /// # Errors
    ///
    /// [`WalletError::Unknown`], [`WalletError::Misplaced`], [`WalletError::KeyFile`], [`WalletError::Files`].
    pub fn show(&self, name: &KeyName) -> Result<(KeyInfo, Protected), WalletError> {
        claim_of(&name.file_name(), &self.bytes(name)?)
    }

    /// Whether there is a file for this key.
    ///
    /// # Errors
    ///
    /// [`WalletError::Files`].
    pub fn contains(&self, name: &KeyName) -> Result<bool, WalletError> {
        Ok(self.files.read(&name.file_name())?.is_some())
    }

    /// The key that is used when none is named: the one that was chosen, or else the only identity.
    ///
    /// # Errors
    ///
    /// [`WalletError::NoKey`] in an empty wallet, [`WalletError::NoDefault`] where several keys could be meant,
    /// [`WalletError::Files`].
    pub fn default_key(&self) -> Result<KeyName, WalletError> {
        if let Some(marker) = self.files.read(&FileName::default_marker())? {
            let text = std::str::from_utf8(&marker).ok().and_then(|text| text.strip_suffix('\n'));
            let name = text.and_then(|text| text.parse().ok());
            return name.ok_or(WalletError::Marker);
        }
        let listed = self.list()?;
        if listed.is_empty() {
            return Err(WalletError::NoKey);
        }
        let mut names =
            listed.into_iter().filter_map(|listed| listed.claim.ok()).filter_map(|(info, _)| {
                match info.purpose {
                    Purpose::Identity => Some(info.name),
                    Purpose::Retired => None,
                }
            });
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            (None, _) | (Some(_), Some(_)) => Err(WalletError::NoDefault),
        }
    }

    /// Chooses the key that is used when none is named.
    ///
    /// # Errors
    ///
    /// As [`Wallet::show`]; [`WalletError::Retired`].
    pub fn set_default(&mut self, name: &KeyName) -> Result<(), WalletError> {
        let (info, _) = self.show(name)?;
        match info.purpose {
            Purpose::Identity => {}
            Purpose::Retired => return Err(WalletError::Retired { name: name.clone() }),
        }
        let marker = format!("{name}\n");
        Ok(self.files.replace(&FileName::default_marker(), marker.as_bytes())?)
    }

    /// Keeps a key, never over another one. The first key becomes the default.
    ///
    /// # Errors
    ///
    /// [`WalletError::Exists`], [`WalletError::Passphrase`], [`WalletError::Files`].
    pub fn add(
        &mut self,
        name: KeyName,
        key: &SigningKey,
        protection: Protection<'_>,
        now: Timestamp,
        entropy: &mut Entropy,
    ) -> Result<KeyInfo, WalletError> {
        let info = KeyInfo {
            name,
            purpose: Purpose::Identity,
            public_key: key.public_key(),
            created_at: now,
            handover: None,
        };
        let first = self.files.list()?.is_empty();
        let bytes = sealed(&info, key, protection, entropy)?;
        self.files.create(&info.name.file_name(), &bytes).map_err(|error| match error {
            KeyFilesError::Exists { .. } => WalletError::Exists { name: info.name.clone() },
            other @ (KeyFilesError::OpenToOthers { .. }
            | KeyFilesError::NotAFile { .. }
            | KeyFilesError::TooLong { .. }
            | KeyFilesError::System { .. }) => WalletError::Files(other),
        })?;
        if first {
            self.set_default(&info.name)?;
        }
        Ok(info)
    }

    /// Unlocks a key.
    ///
    /// # Errors
    ///
    /// [`WalletError::Unknown`], [`WalletError::Misplaced`], [`WalletError::KeyFile`], [`WalletError::Files`].
    pub fn unlock(
        &self,
        name: &KeyName,
        passphrase: Option<&Passphrase>,
    ) -> Result<Unlocked, WalletError> {
        let bytes = self.bytes(name)?;
        let opened = key_file::open(&bytes, passphrase);
        let (key, info) =
            opened.map_err(|source| WalletError::KeyFile { file: name.file_name(), source })?;
        if info.name != *name {
            return Err(WalletError::Misplaced { file: name.file_name(), name: info.name });
        }
        Ok(Unlocked { key, info })
    }

    /// Protects a key in another way. At every moment its file is readable in the old way or in the new one.
    ///
    /// # Errors
    ///
    /// As [`Wallet::unlock`]; [`WalletError::Passphrase`].
    pub fn protect(
        &mut self,
        name: &KeyName,
        old: Option<&Passphrase>,
        new: Protection<'_>,
        entropy: &mut Entropy,
    ) -> Result<KeyInfo, WalletError> {
        let Unlocked { key, info } = self.unlock(name, old)?;
        let bytes = sealed(&info, &key, new, entropy)?;
        self.files.replace(&name.file_name(), &bytes)?;
        Ok(info)
    }

    /// Puts `new` in the place of a key. The old key signs the new one and the new one the old; the old one is kept under
    /// [`retired_name`], protected in the same way.
    ///
    /// Where it is interrupted, the name still belongs to the old key, and doing it again completes it.
    ///
    /// # Errors
    ///
    /// As [`Wallet::unlock`]; [`WalletError::Retired`], [`WalletError::Name`], [`WalletError::Handover`],
    /// [`WalletError::Exists`] where another key has the name that the old one would be kept under.
    pub fn rotate(
        &mut self,
        name: &KeyName,
        passphrase: Option<&Passphrase>,
        new: &SigningKey,
        now: Timestamp,
        entropy: &mut Entropy,
    ) -> Result<KeyInfo, WalletError> {
        let protected = self.show(name)?.1;
        let old = self.unlock(name, passphrase)?;
        match old.info.purpose {
            Purpose::Identity => {}
            Purpose::Retired => return Err(WalletError::Retired { name: name.clone() }),
        }
        let protection = match (protected, passphrase) {
            (Protected::Passphrase(kdf), Some(passphrase)) => {
                Protection::Passphrase(passphrase, kdf)
            }
            // A protected file has been unlocked with a passphrase, so this one is not protected.
            (Protected::None, _) | (Protected::Passphrase(_), None) => Protection::None,
        };
        let handover = Handover::sign(name.clone(), &old.key, new, now)?;
        let retired = KeyInfo {
            name: retired_name(name, &old.info)?,
            purpose: Purpose::Retired,
            ..old.info.clone()
        };
        match self.show(&retired.name) {
            Err(WalletError::Unknown { .. }) => {}
            // An interrupted rotation has left it.
            Ok((kept, _)) if kept.public_key == retired.public_key => {}
            Ok(_) => return Err(WalletError::Exists { name: retired.name }),
            // What cannot be read may still be somebody's only copy.
            Err(error) => return Err(error),
        }
        // First the copy of the old key, then the new one in its place.
        let bytes = sealed(&retired, &old.key, protection, entropy)?;
        self.files.replace(&retired.name.file_name(), &bytes)?;
        let info = KeyInfo {
            name: name.clone(),
            purpose: Purpose::Identity,
            public_key: new.public_key(),
            created_at: now,
            handover: Some(handover),
        };
        let bytes = sealed(&info, new, protection, entropy)?;
        self.files.replace(&name.file_name(), &bytes)?;
        Ok(info)
    }

    /// The keys that an unlocked key has come after, the latest first: each has handed the name over to the one before it in
    /// this list, as far back as the wallet's hand-overs reach.
    ///
    /// # Errors
    ///
    /// [`WalletError::Files`] where the files cannot be listed.
    pub fn predecessors(&self, unlocked: &KeyInfo) -> Result<Vec<PublicKey>, WalletError> {
        let claims = self.list()?.into_iter().filter_map(|listed| listed.claim.ok());
        // Nobody vouches for these files, but each hand-over is signed by both of its keys.
        let kept = claims.filter_map(|(info, _)| info.handover);
        // The same key may have taken over another name, too.
        let kept: Vec<Handover> = kept.filter(|kept| *kept.id() == unlocked.name).collect();
        let mut keys = Vec::new();
        let (mut key, mut handover) = (unlocked.public_key, unlocked.handover.as_ref());
        while let Some(step) = handover
            && *step.id() == unlocked.name
            && step.new_key() == key
            && step.old_key() != unlocked.public_key
            && !keys.contains(&step.old_key())
        {
            key = step.old_key();
            keys.push(key);
            handover = kept.iter().find(|earlier| earlier.new_key() == key);
        }
        Ok(keys)
    }

    /// Removes a key for good.
    ///
    /// # Errors
    ///
    /// [`WalletError::Unknown`], [`WalletError::Files`].
    pub fn remove(&mut self, name: &KeyName) -> Result<(), WalletError> {
        if !self.contains(name)? {
            return Err(WalletError::Unknown { name: name.clone() });
        }
        let marker = FileName::default_marker();
        let chosen = self.files.read(&marker)?;
        if chosen.is_some_and(|chosen| chosen.as_slice() == format!("{name}\n").as_bytes()) {
            self.files.remove(&marker)?;
        }
        Ok(self.files.remove(&name.file_name())?)
    }

    fn bytes(&self, name: &KeyName) -> Result<Zeroizing<Vec<u8>>, WalletError> {
        let bytes = self.files.read(&name.file_name())?;
        bytes.ok_or_else(|| WalletError::Unknown { name: name.clone() })
    }
}

/// The name that a key is kept under once it has a successor: its own, `~`, and the beginning of its public key.
///
/// # Errors
///
/// [`WalletError::Name`] where that is too long.
pub fn retired_name(name: &KeyName, info: &KeyInfo) -> Result<KeyName, WalletError> {
    let digits: String = info.public_key.to_hex().chars().take(16).collect();
    Ok(format!("{name}~{digits}").parse()?)
}

/// What a file claims, if it is where it belongs.
fn claim_of(file: &FileName, bytes: &[u8]) -> Result<(KeyInfo, Protected), WalletError> {
    let claim = key_file::inspect(bytes);
    let (info, protected) =
        claim.map_err(|source| WalletError::KeyFile { file: file.clone(), source })?;
    if info.name.file_name() != *file {
        return Err(WalletError::Misplaced { file: file.clone(), name: info.name });
    }
    Ok((info, protected))
}

/// Writes a key file and opens it again: a file that nobody can open is never put in the place of one that somebody can.
fn sealed(
    info: &KeyInfo,
    key: &SigningKey,
    protection: Protection<'_>,
    entropy: &mut Entropy,
) -> Result<Zeroizing<Vec<u8>>, WalletError> {
    let passphrase = match protection {
        Protection::Passphrase(passphrase, _) => {
            passphrase.check_new()?;
            Some(passphrase)
        }
        Protection::None => None,
    };
    let bytes = key_file::seal(info, key, protection, entropy);
    match key_file::open(&bytes, passphrase) {
        Ok((_, read)) if read == *info => Ok(bytes),
        Ok(_) => Err(WalletError::Unreadable),
        Err(source) => Err(WalletError::KeyFile { file: info.name.file_name(), source }),
    }
}

/// Why a wallet does not do what it is asked.
#[derive(Debug, Error)]
pub enum WalletError {
    /// The file is damaged, changed, or not opened by this passphrase.
    #[error("use {file}")]
    KeyFile {
        /// The file.
        file: FileName,
        /// What is wrong.
        #[source]
        source: KeyFileError,
    },
    /// The file belongs to another name: it was renamed or copied.
    #[error("use {file}: it is the file of the key {name}")]
    Misplaced {
        /// The file.
        file: FileName,
        /// The name inside.
        name: KeyName,
    },
    /// The file that names the default key is damaged.
    #[error("read which key is the default")]
    Marker,
    /// There is no such key.
    #[error("find the key {name}")]
    Unknown {
        /// The name.
        name: KeyName,
    },
    /// There is no key at all.
    #[error("find a key: the wallet is empty")]
    NoKey,
    /// Several keys could be meant, or none that a peer can speak with.
    #[error("choose a key: the wallet has no default")]
    NoDefault,
    /// There is a key of this name.
    #[error("keep the key {name}: there is one of this name")]
    Exists {
        /// The name.
        name: KeyName,
    },
    /// The key has a successor.
    #[error("use the key {name}: it has handed over to another one")]
    Retired {
        /// The name.
        name: KeyName,
    },
    /// The passphrase may not protect a key.
    #[error(transparent)]
    Passphrase(#[from] InvalidPassphrase),
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] InvalidKeyName),
    /// The keys cannot hand over.
    #[error(transparent)]
    Handover(#[from] InvalidHandover),
    /// The files cannot be used.
    #[error(transparent)]
    Files(#[from] KeyFilesError),
    /// What was written does not read back; nothing was replaced. A mistake of this program or of the memory.
    #[error("write a key file that can be read")]
    Unreadable,
}

#[cfg(test)]
mod tests;
