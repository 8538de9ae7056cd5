//! Where a peer can be reached.

use std::fmt;
use std::str::FromStr;

/// The address of a peer: `http://host[:port][/prefix]`, parsed once; `ws://` for one that takes messages over WebSockets alone.
///
/// The prefix has no slash at its end and is put before every path. Credentials, queries and fragments are refused: an
/// address names a place, and nothing in it may change what is sent there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    scheme: Scheme,
    host: String,
    port: u16,
    prefix: String,
}

/// What a peer takes at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// HTTP, and perhaps WebSockets.
    Http,
    /// WebSockets alone.
    Ws,
}

/// Why a text is not an [`Address`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// The text does not start with `http://` or `ws://`.
    #[error("address does not start with `http://` or `ws://`")]
    Scheme,
    /// The part between `http://` and the first slash is not `host` or `host:port`.
    #[error("address has no valid `host:port`")]
    Authority,
    /// The part after the host has characters that a path may not have.
    #[error(
        "address has a path with characters outside the printable ASCII letters a path may have"
    )]
    Path,
}

impl Address {
    /// The port of an address that names none.
    pub const DEFAULT_PORT: u16 = 80;

    /// What the peer takes there.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host: a name, an IPv4 address, or an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, with brackets around an IPv6 address: the `Host` header.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The path on the server for `path` (which starts with a slash).
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let http = text.strip_prefix("http://").map(|rest| (Scheme::Http, rest));
        let ws = || text.strip_prefix("ws://").map(|rest| (Scheme::Ws, rest));
        let (scheme, rest) = http.or_else(ws).ok_or(InvalidAddress::Scheme)?;
        let (authority, prefix) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let prefix = prefix.trim_end_matches('/');
        let in_path =
            |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte);
        if !prefix.bytes().all(in_path) {
            return Err(InvalidAddress::Path);
        }
        let (host, port) = split_authority(authority)?;
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port, prefix: prefix.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Ws => "ws",
        };
        write!(formatter, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

fn split_authority(authority: &str) -> Result<(&str, u16), InvalidAddress> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(InvalidAddress::Authority)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| InvalidAddress::Authority)?;
        let port = match after.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if after.is_empty() => Address::DEFAULT_PORT,
            None => return Err(InvalidAddress::Authority),
        };
        return Ok((host, port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, parse_port(port)?),
        None => (authority, Address::DEFAULT_PORT),
    };
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    // 253 is the longest name the domain name system can hold.
    if host.is_empty() || host.len() > 253 || !host.bytes().all(in_host) {
        return Err(InvalidAddress::Authority);
    }
    Ok((host, port))
}

fn parse_port(text: &str) -> Result<u16, InvalidAddress> {
    // `u16::from_str` accepts a leading plus sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.filter(|port| *port != 0).ok_or(InvalidAddress::Authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, InvalidAddress>) {
        let outcome = text.parse::<Address>().map(|address| address.to_string());
        assert_eq!(outcome, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn an_address_is_a_place_and_nothing_else() {
        check("http://127.0.0.1:8001", Ok("http://127.0.0.1:8001"));
        check("http://127.0.0.1:8001/", Ok("http://127.0.0.1:8001"));
        check("http://Peer-A.example", Ok("http://peer-a.example:80"));
        check("http://[::1]:9/a/b/", Ok("http://[::1]:9/a/b"));
        check("ws://[::1]:9/a", Ok("ws://[::1]:9/a"));
        check("wss://127.0.0.1:1", Err(InvalidAddress::Scheme));
        check("https://127.0.0.1:1", Err(InvalidAddress::Scheme));
        check("127.0.0.1:1", Err(InvalidAddress::Scheme));
        check("http://", Err(InvalidAddress::Authority));
        check("http://:80", Err(InvalidAddress::Authority));
        check("http://a:0", Err(InvalidAddress::Authority));
        check("http://a:+1", Err(InvalidAddress::Authority));
        check("http://a:65536", Err(InvalidAddress::Authority));
        check("http://user@a:1", Err(InvalidAddress::Authority));
        check("http://a b:1", Err(InvalidAddress::Authority));
        check("http://[::1]x", Err(InvalidAddress::Authority));
        check("http://a:1/x?y", Err(InvalidAddress::Path));
        check("http://a:1/x#y", Err(InvalidAddress::Path));
        check("http://a:1/x y", Err(InvalidAddress::Path));
        check("http://a:1/x\r\nHost: b", Err(InvalidAddress::Path));
    }
}
