//! Requests from bytes, answers to bytes.

use std::io::{self, Read};

use crate::service::{Answer, Ask};

/// Longest head of a request.
pub const HEAD_MAX: usize = 16 * 1024;
/// Longest body of a request.
pub const ASK_BODY_MAX: usize = 256 * 1024;

/// Reads one request.
///
/// # Errors
///
/// What reading gives; [`io::ErrorKind::InvalidData`] where it is no HTTP, or too long.
pub fn read_ask(stream: &mut impl Read) -> io::Result<Ask> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
        if bytes.len() > HEAD_MAX {
            return Err(bad("the head is too long"));
        }
        more(stream, &mut bytes)?;
    };
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    if !head.parse(&bytes[..end]).is_ok_and(|status| status.is_complete()) {
        return Err(bad("the head is no HTTP"));
    }
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::to_owned)
    };
    let length: usize = header("content-length")
        .map_or(Ok(0), |text| text.parse())
        .map_err(|_| bad("no length"))?;
    if length > ASK_BODY_MAX {
        return Err(bad("the body is too long"));
    }
    let (method, target) = (head.method.unwrap_or(""), head.path.unwrap_or(""));
    let (method, target) = (method.to_owned(), target.to_owned());
    let authorization = header("authorization");
    while bytes.len() < end + length {
        more(stream, &mut bytes)?;
    }
    let body = bytes[end..end + length].to_vec();
    Ok(Ask { method, target, authorization, body })
}

/// The bytes of `answer`, with `raw` in place of its JSON if there is one.
pub fn to_bytes(answer: &Answer, raw: Option<&[u8]>) -> Vec<u8> {
    let body = raw.map_or_else(|| answer.body.to_string().into_bytes(), <[u8]>::to_vec);
    let kind = if raw.is_some() { "text/html" } else { "application/json" };
    let mut bytes =
        format!("HTTP/1.1 {} X\r\nContent-Type: {kind}\r\n", answer.status).into_bytes();
    for (name, value) in &answer.headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let end = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    bytes.extend_from_slice(end.as_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut part = [0; 4096];
    match stream.read(&mut part)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => {
            bytes.extend_from_slice(&part[..read]);
            Ok(())
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whole_and_no_further() {
        let bytes = b"POST /api/v1/posts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: 2\r\n\r\n{}rest";
        let ask = read_ask(&mut &bytes[..]).unwrap();
        assert_eq!(ask.target, "/api/v1/posts");
        assert_eq!(ask.authorization.as_deref(), Some("Bearer k"));
        assert_eq!(ask.body, b"{}");
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let long = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; HEAD_MAX + 8192]].concat();
        assert_eq!(read_ask(&mut &long[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let long = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", ASK_BODY_MAX + 1);
        assert_eq!(read_ask(&mut long.as_bytes()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read_ask(&mut &b"GET"[..]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
