//! When messages travel as compact frames, as an operator writes it.

use std::str::FromStr;

use entity_peer::config;
use serde::Deserialize;

/// When messages of 1.1 travel as compact frames (`docs/protocol/1.1.md#compact-frames`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Frames {
    /// Never: only signed envelopes are sent and taken.
    Never,
    /// To peers that a WebSocket leads to; taken on every layer.
    #[default]
    Auto,
    /// On every layer.
    Always,
}

/// A text that is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of `auto`, `always` and `never`")]
pub struct InvalidFrames;

impl Frames {
    /// The same in the peer's words.
    pub fn frames(self) -> config::Frames {
        match self {
            Self::Never => config::Frames::Never,
            Self::Auto => config::Frames::Socket,
            Self::Always => config::Frames::Always,
        }
    }
}

impl FromStr for Frames {
    type Err = InvalidFrames;

    fn from_str(text: &str) -> Result<Self, InvalidFrames> {
        match text {
            "never" => Ok(Self::Never),
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            _ => Err(InvalidFrames),
        }
    }
}

impl TryFrom<String> for Frames {
    type Error = InvalidFrames;

    fn try_from(text: String) -> Result<Self, InvalidFrames> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_and_a_file_say_it_alike() {
        #[derive(Debug, Deserialize)]
        struct File {
            frames: Frames,
        }
        let file = |text: &str| toml::from_str::<File>(text).map(|file| file.frames);
        for (word, expected) in
            [("auto", Frames::Auto), ("always", Frames::Always), ("never", Frames::Never)]
        {
            assert_eq!(word.parse(), Ok(expected));
            assert_eq!(file(&format!("frames = '{word}'")), Ok(expected));
        }
        assert_eq!("yes".parse::<Frames>(), Err(InvalidFrames));
        let error = file("frames = 'yes'").unwrap_err().to_string();
        assert!(error.contains("`auto`, `always` and `never`"), "{error}");
    }
}
