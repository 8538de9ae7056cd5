//! Tokens and secret addresses: where they come from, and that they go nowhere else.

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::settings::SecretFrom;

/// A token, or an address that is as good as one. It cannot be displayed or serialized, prints as `(..)` and is wiped on drop.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Longest secret, bytes: far more than any token or address has.
    pub const LEN_MAX: usize = 8 * 1024;

    /// Takes a text as secret, without the white space around it.
    ///
    /// # Errors
    ///
    /// [`SecretError::Empty`], [`SecretError::TooLong`], and [`SecretError::NotPlain`] for what no header and no address can carry.
    pub fn new(text: Zeroizing<String>) -> Result<Self, SecretError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(SecretError::Empty);
        }
        if trimmed.len() > Self::LEN_MAX {
            return Err(SecretError::TooLong);
        }
        if !trimmed.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(SecretError::NotPlain);
        }
        Ok(Self(Zeroizing::new(trimmed.to_owned())))
    }

    /// The text itself, for the one place that sends it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Takes the secret out of a text that somebody else wrote, such as an answer that quotes the request. The text has to be whole: of a
    /// secret that was cut in two nobody sees that it is one.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut clean = Zeroizing::new(text.to_owned());
        for part in self.parts() {
            *clean = clean.replace(part, HIDDEN);
            let escaped = Zeroizing::new(escaped(part));
            if *escaped != part {
                *clean = clean.replace(&**escaped, HIDDEN);
            }
        }
        std::mem::take(&mut *clean)
    }

    /// The secret; of an address also the path, each step of it and each value of its query, which a service may quote alone.
    fn parts(&self) -> impl Iterator<Item = &str> {
        let path = self.expose().splitn(4, '/').nth(3).unwrap_or_default();
        let steps = path.split(['/', '?', '&', '=', '#', ';']);
        let of_path = std::iter::once(path).chain(steps).filter(|part| part.len() >= PART_MIN);
        std::iter::once(self.expose()).chain(of_path)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

/// As a page of HTML quotes it.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment has no such variable.
    #[error(
        "the environment variable {0} is not set: set it where handfast runs, in CI as a secret of the job"
    )]
    Unset(String),
    /// The file cannot be read.
    #[error("the secret's file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("the secret is empty")]
    Empty,
    /// It is longer than [`Secret::LEN_MAX`].
    #[error("the secret is longer than {} bytes: is it the right file?", Secret::LEN_MAX)]
    TooLong,
    /// It has other characters than visible ASCII.
    #[error(
        "the secret has line breaks or characters that no token has: it has to be one line of ASCII"
    )]
    NotPlain,
}

/// A secret, and what is unwise about where it is kept.
#[derive(Debug)]
pub struct Found {
    /// The secret.
    pub secret: Secret,
    /// A sentence for people, if others can read the secret.
    pub warning: Option<String>,
}

/// Fetches a secret from where the project file says it is; `environment` looks a variable up.
///
/// # Errors
///
/// A [`SecretError`]; none of its texts holds anything of the secret.
pub fn find(
    from: &SecretFrom,
    environment: &dyn Fn(&str) -> Option<String>,
    folder: &Path,
) -> Result<Found, SecretError> {
    match from {
        SecretFrom::Environment(name) => {
            // A CI service sets the variable of a secret that nobody has set to nothing.
            let text = environment(name).filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| SecretError::Unset(name.clone()))?;
            Ok(Found { secret: Secret::new(Zeroizing::new(text))?, warning: None })
        }
        SecretFrom::File(path) => {
            let path = folder.join(path);
            let text = read(&path)
                .map_err(|source| SecretError::Unreadable { path: path.clone(), source })?;
            Ok(Found { secret: Secret::new(text)?, warning: readable_by_others(&path) })
        }
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    // One byte more than is allowed, so that a longer one is seen to be longer.
    let most = Secret::LEN_MAX + 3;
    let mut text = Zeroizing::new(String::with_capacity(most));
    fs::File::open(path)?.take(most as u64).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        format!(
            "{} can be read by others (mode {:03o}): chmod 600 {}",
            path.display(),
            mode & 0o777,
            path.display()
        )
    })
}

#[cfg(not(unix))]
fn readable_by_others(_path: &Path) -> Option<String> {
    None
}

/// What stands where a secret stood.
const HIDDEN: &str = "(..)";

/// Shorter parts of an address are words that may stand in any text, and no secrets.
const PART_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<Secret, SecretError> {
        Secret::new(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn a_secret_prints_as_dots() {
        let secret = secret("xoxb-1-very-secret\n").unwrap();
        assert_eq!(format!("{secret:?}"), "(..)");
        assert_eq!(secret.expose(), "xoxb-1-very-secret");
    }

    #[test]
    fn a_secret_is_taken_out_of_what_a_server_answers() {
        let secret = secret("https://hooks.example.com/services/T0/B0/XXXXXXXX").unwrap();
        assert_eq!(
            secret.redact("no https://hooks.example.com/services/T0/B0/XXXXXXXX here"),
            "no (..) here"
        );
        assert_eq!(secret.redact("cannot POST /services/T0/B0/XXXXXXXX"), "cannot POST /(..)");
    }

    #[test]
    fn a_part_of_a_secret_address_is_taken_out_too_also_as_html_quotes_it() {
        let address = secret("https://x.example/hook/AAAAAAAA/B1?sig=CCCCCCCC&v=DDDDDDDD").unwrap();
        for quoted in [
            "AAAAAAAA",
            "no CCCCCCCC here",
            "DDDDDDDD",
            "hook/AAAAAAAA/B1?sig=CCCCCCCC&amp;v=DDDDDDDD",
        ] {
            let clean = address.redact(quoted);
            assert!(!["AAAA", "CCCC", "DDDD"].iter().any(|part| clean.contains(part)), "{clean}");
        }
        assert_eq!(
            address.redact("<a>hook/AAAAAAAA/B1?sig=CCCCCCCC&amp;v=DDDDDDDD</a>"),
            "<a>(..)</a>"
        );
        assert_eq!(address.redact("x.example has no hook B1"), "x.example has no hook B1");
        let token = secret("a&b<c>d").unwrap();
        assert_eq!(token.redact("Bearer a&amp;b&lt;c&gt;d"), "Bearer (..)");
    }

    #[test]
    fn what_no_header_can_carry_is_no_secret() {
        assert!(matches!(secret(" \n"), Err(SecretError::Empty)));
        assert!(matches!(secret("a\nb"), Err(SecretError::NotPlain)));
        assert!(matches!(secret("schlüssel"), Err(SecretError::NotPlain)));
        assert!(secret(&"x".repeat(Secret::LEN_MAX)).is_ok());
        assert!(matches!(secret(&"x".repeat(Secret::LEN_MAX + 1)), Err(SecretError::TooLong)));
    }

    #[test]
    fn an_unset_variable_is_named_and_so_is_an_absent_file() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = |_: &str| None;
        let unset = find(&SecretFrom::Environment("TOKEN".into()), &nothing, folder.path());
        assert!(unset.unwrap_err().to_string().contains("TOKEN is not set"));
        let empty =
            find(&SecretFrom::Environment("TOKEN".into()), &|_| Some(String::new()), folder.path());
        assert!(empty.unwrap_err().to_string().contains("TOKEN is not set"));
        let absent = find(&SecretFrom::File("slack".into()), &nothing, folder.path());
        assert!(absent.unwrap_err().to_string().contains("slack cannot be read"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_warned_of() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slack");
        fs::write(&path, "xoxb-1\n").unwrap();
        let from = SecretFrom::File("slack".into());
        for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let found = find(&from, &|_| None, folder.path()).unwrap();
            assert_eq!(found.secret.expose(), "xoxb-1");
            assert_eq!(found.warning.is_some(), warned, "mode {mode:o}");
            assert!(!format!("{found:?}").contains("xoxb"));
        }
    }
}
