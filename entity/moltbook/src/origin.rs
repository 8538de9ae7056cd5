//! The one place a key may go to.

use std::fmt;

/// Where the service is.
pub const SERVICE: &str = "https://www.moltbook.com/api/v1";

/// Scheme, host and port of a service: `https` and one exact host. There is no other way to make one, so a key cannot go anywhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    host: String,
    port: u16,
}

impl Origin {
    /// The service itself.
    pub fn service() -> Self {
        Self { host: "www.moltbook.com".to_owned(), port: 443 }
    }

    /// Reads an address such as `https://localhost:8443/api/v1`; the path is `/api/v1` or absent.
    ///
    /// # Errors
    ///
    /// [`BadOrigin`] names what is wrong and how to mend it. The address of the service without `www` is refused, because it redirects and
    /// loses the header with the key on the way.
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        let rest = text.strip_prefix("https://").ok_or(BadOrigin::NotHttps)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, "api/v1"));
        if path.trim_end_matches('/') != "api/v1" {
            return Err(BadOrigin::Path);
        }
        if authority.contains('@') {
            return Err(BadOrigin::Credentials);
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| BadOrigin::Port)?),
            None => (authority, 443),
        };
        if port == 0 {
            return Err(BadOrigin::Port);
        }
        let host = host.to_ascii_lowercase();
        let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
        if host.is_empty() || host.len() > 253 || !host.bytes().all(name) {
            return Err(BadOrigin::Host);
        }
        if host == "moltbook.com" {
            return Err(BadOrigin::Bare);
        }
        Ok(Self { host, port })
    }

    /// The host, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The whole address of `path`, which begins with `/` and stands below the root of the interface.
    pub fn at(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// Whether this is the service itself.
    pub fn is_service(&self) -> bool {
        *self == Self::service()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            443 => write!(f, "https://{}/api/v1", self.host),
            port => write!(f, "https://{}:{port}/api/v1", self.host),
        }
    }
}

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOrigin {
    /// Anything but `https`.
    #[error("the address does not begin with https://, and the key goes nowhere else")]
    NotHttps,
    /// The domain without `www`.
    #[error(
        "moltbook.com redirects and loses the key on the way: write https://www.moltbook.com/api/v1"
    )]
    Bare,
    /// A user or password before the host.
    #[error("an address has no user and no password: the key comes from its own file")]
    Credentials,
    /// No host, or characters that stand in none.
    #[error("the host is not a name such as www.moltbook.com")]
    Host,
    /// Not 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// Another path, a query, a fragment.
    #[error("the path is not /api/v1")]
    Path,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_named_by_its_exact_host() {
        assert_eq!(Origin::parse(SERVICE).unwrap(), Origin::service());
        assert_eq!(Origin::parse("https://WWW.moltbook.com").unwrap(), Origin::service());
        assert_eq!(Origin::service().at("/posts"), "https://www.moltbook.com/api/v1/posts");
        let local = Origin::parse("https://localhost:8443/api/v1/").unwrap();
        assert_eq!(local.at("/home"), "https://localhost:8443/api/v1/home");
        assert!(!local.is_service());
    }

    #[test]
    fn no_other_address_is_taken() {
        for (text, why) in [
            ("http://www.moltbook.com/api/v1", BadOrigin::NotHttps),
            ("HTTPS://www.moltbook.com/api/v1", BadOrigin::NotHttps),
            ("https://moltbook.com/api/v1", BadOrigin::Bare),
            ("https://me:pw@www.moltbook.com/api/v1", BadOrigin::Credentials),
            ("https://www.moltbook.com@evil.example/api/v1", BadOrigin::Credentials),
            ("https:///api/v1", BadOrigin::Host),
            ("https://www.moltbook.com\\.evil.example/api/v1", BadOrigin::Host),
            ("https://www.moltbook.com#.evil.example/api/v1", BadOrigin::Host),
            ("https://[::1]:1/api/v1", BadOrigin::Host),
            ("https://www.moltbook.com:0/api/v1", BadOrigin::Port),
            ("https://www.moltbook.com:99999/api/v1", BadOrigin::Port),
            ("https://www.moltbook.com/api/v2", BadOrigin::Path),
            ("https://www.moltbook.com/api/v1?x=1", BadOrigin::Path),
        ] {
            assert_eq!(Origin::parse(text).unwrap_err(), why, "{text}");
        }
    }
}
