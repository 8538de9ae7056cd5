//! Whether the node takes part in WebSockets, as an operator writes it.

use std::str::FromStr;

use entity_peer::Config;
use serde::Deserialize;

/// Which layers the node uses (`docs/protocol/1.1.md#websocket`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Written")]
pub enum WebSockets {
    /// HTTP alone.
    #[default]
    Never,
    /// HTTP, and WebSockets with those who have them too.
    Beside,
    /// WebSockets alone: no message is taken or sent by HTTP.
    Only,
}

/// A text that is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of `true`, `false` and `only`")]
pub struct InvalidWebSockets;

/// How it stands in a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Flag(bool),
    Word(String),
}

impl WebSockets {
    /// Tells a peer.
    pub fn apply(self, config: &mut Config) {
        config.websocket = self != Self::Never;
        config.http = self != Self::Only;
    }
}

impl FromStr for WebSockets {
    type Err = InvalidWebSockets;

    fn from_str(text: &str) -> Result<Self, InvalidWebSockets> {
        match text {
            "true" => Ok(Self::Beside),
            "false" => Ok(Self::Never),
            "only" => Ok(Self::Only),
            _ => Err(InvalidWebSockets),
        }
    }
}

impl TryFrom<Written> for WebSockets {
    type Error = InvalidWebSockets;

    fn try_from(written: Written) -> Result<Self, InvalidWebSockets> {
        match written {
            Written::Flag(true) => Ok(Self::Beside),
            Written::Flag(false) => Ok(Self::Never),
            Written::Word(word) => word.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_and_a_file_say_it_alike() {
        #[derive(Debug, Deserialize)]
        struct File {
            websocket: WebSockets,
        }
        let file = |text| toml::from_str::<File>(text).map(|file| file.websocket);
        for (flag, written, expected) in [
            ("true", "websocket = true", WebSockets::Beside),
            ("false", "websocket = false", WebSockets::Never),
            ("only", "websocket = 'only'", WebSockets::Only),
        ] {
            assert_eq!((flag.parse(), file(written)), (Ok(expected), Ok(expected)));
        }
        assert_eq!("yes".parse::<WebSockets>(), Err(InvalidWebSockets));
        let error = file("websocket = 'yes'").unwrap_err().to_string();
        assert!(error.contains("`true`, `false` and `only`"), "{error}");
    }
}
