//! What came of handing a letter to a channel.

use std::time::Duration;

use crate::channel::secret::Secret;
use crate::letter::Reference;

/// What came of one attempt to deliver a letter. No text of it holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The channel has it.
    Told {
        /// What later letters of the incident refer to; `None` where the channel has no such thing.
        reference: Option<Reference>,
    },
    /// This attempt was certainly not accepted, and the channel may take it later. An earlier attempt that was unsure remains so.
    Later {
        /// How long the channel asks to be left alone; `None`: it does not say.
        after: Option<Duration>,
        /// What happened.
        why: String,
    },
    /// It was sent and the answer was lost, so that the channel may have it: the next attempt carries [`Letter::unsure`].
    ///
    /// [`Letter::unsure`]: crate::letter::Letter::unsure
    Unsure {
        /// What happened.
        why: String,
    },
    /// The channel does not have it, and trying again changes nothing until somebody acts.
    Never {
        /// What the channel said.
        why: String,
        /// What to do, in words.
        fix: String,
    },
}

impl Outcome {
    /// Returns whether the channel has the letter.
    pub fn is_told(&self) -> bool {
        matches!(self, Self::Told { .. })
    }

    /// The same without the secret, should a server have repeated it.
    pub(crate) fn redacted(self, secret: &Secret) -> Self {
        match self {
            Self::Told { reference } => Self::Told { reference },
            Self::Later { after, why } => Self::Later { after, why: secret.redact(&why) },
            Self::Unsure { why } => Self::Unsure { why: secret.redact(&why) },
            Self::Never { why, fix } => {
                Self::Never { why: secret.redact(&why), fix: secret.redact(&fix) }
            }
        }
    }
}
