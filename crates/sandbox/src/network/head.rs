//! The head of a request to the proxy: hostile bytes to a target, and to the head that goes there.

use super::Target;

/// Most bytes of a head.
pub(super) const LONGEST: usize = 32 * 1024;
/// Most fields of a head.
const MOST_FIELDS: usize = 100;

/// A client's request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// `CONNECT host:port`: bytes in both directions.
    Tunnel { target: Target },
    /// One request of plain HTTP: this head, then exactly as many bytes of body.
    Plain { target: Target, head: Vec<u8>, body: u64 },
}

/// Why a head is refused; each is a status of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    BadRequest,
    LengthRequired,
    HeadTooLarge,
}

/// Fields that are between a client and its proxy, or ask for another protocol (RFC 9110, section 7.6.1).
const OWN: [&str; 10] = [
    "connection",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];

/// Reads the head at the start of some bytes; `None` when its end is not there yet. Gives its length, too.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= LONGEST => length,
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Malformed::HeadTooLarge),
        Err(_) => return Err(Malformed::BadRequest),
    };
    let (Some(method), Some(address)) = (request.method, request.path) else {
        return Err(Malformed::BadRequest);
    };
    // Python's own client says HTTP/1.0 here up to version 3.11.
    if method == "CONNECT" {
        let target = Target::parse(address, None).map_err(|_| Malformed::BadRequest)?;
        return Ok(Some((Request::Tunnel { target }, length)));
    }
    if request.version != Some(1) {
        return Err(Malformed::BadRequest);
    }
    Ok(Some((plain(method, address, request.headers)?, length)))
}

/// One request of plain HTTP, with the head that the target gets.
fn plain(
    method: &str,
    address: &str,
    fields: &[httparse::Header<'_>],
) -> Result<Request, Malformed> {
    let rest = address
        .get(..7)
        .filter(|it| it.eq_ignore_ascii_case("http://"))
        .and_then(|_| address.get(7..))
        .ok_or(Malformed::BadRequest)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if path.contains('#') {
        return Err(Malformed::BadRequest);
    }
    let target = Target::parse(authority, Some(80)).map_err(|_| Malformed::BadRequest)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    // The name in the request line decides; a `Host` that says something else reaches nobody (RFC 9112, 3.2.2).
    let mut head = format!("{method} {slash}{path} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    let body = pass_on(fields, &mut head)?;
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    Ok(Request::Plain { target, head, body })
}

/// Adds the fields for the target to `head`; gives the length of the body.
fn pass_on(fields: &[httparse::Header<'_>], head: &mut Vec<u8>) -> Result<u64, Malformed> {
    let mut body = None;
    // Headers that `Connection` lists are not passed on, either.
    let listed: Vec<&[u8]> = fields
        .iter()
        .filter(|it| it.name.eq_ignore_ascii_case("connection"))
        .flat_map(|it| it.value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .collect();
    for field in fields {
        let name = field.name.to_ascii_lowercase();
        if name == "transfer-encoding" {
            return Err(Malformed::LengthRequired);
        }
        if name == "content-length" {
            let length = number(field.value).ok_or(Malformed::BadRequest)?;
            // Two lengths are how one request is made to look like two.
            if body.replace(length).is_some() {
                return Err(Malformed::BadRequest);
            }
        }
        let is_listed = listed.iter().any(|it| it.eq_ignore_ascii_case(name.as_bytes()));
        if OWN.contains(&name.as_str()) || (is_listed && name != "content-length") {
            continue;
        }
        head.extend_from_slice(field.name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(field.value);
        head.extend_from_slice(b"\r\n");
    }
    Ok(body.unwrap_or(0))
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Malformed {
        parse(text.as_bytes()).expect_err(text)
    }

    fn plain(text: &str) -> (String, String, u64) {
        match parse(text.as_bytes()) {
            Ok(Some((Request::Plain { target, head, body }, _))) => {
                (target.to_string(), String::from_utf8(head).unwrap(), body)
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_tunnel_needs_a_host_and_a_port() {
        assert!(matches!(parse(b"CONNECT a.example:443 HTTP/1.0\r\n\r\n"), Ok(Some(_))));
        let (request, length) =
            parse(b"CONNECT A.example:443 HTTP/1.1\r\n\r\nrest").unwrap().unwrap();
        let target = Target::parse("a.example:443", None).unwrap();
        assert_eq!((request, length), (Request::Tunnel { target }, 34));
        for bad in
            ["a.example", "u@a.example:1", "http://a.example:1", "a.example:1/x", "a.example:99999"]
        {
            assert_eq!(
                refused(&format!("CONNECT {bad} HTTP/1.1\r\n\r\n")),
                Malformed::BadRequest,
                "{bad}"
            );
        }
    }

    #[test]
    fn the_request_line_decides_about_the_host() {
        let (target, head, body) = plain(
            "POST http://a.example:81/x?y HTTP/1.1\r\nHost: evil.example\r\nConnection: X-A, close\r\n\
             X-A: 1\r\nX-B: 2\r\nProxy-Authorization: Basic x\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
        );
        assert_eq!(
            (target.as_str(), head.as_str(), body),
            (
                "a.example:81",
                "POST /x?y HTTP/1.1\r\nHost: a.example:81\r\nX-B: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
                3
            )
        );
        assert!(
            plain("GET HTTP://a.example?q HTTP/1.1\r\n\r\n").1.starts_with("GET /?q HTTP/1.1\r\n")
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for bad in [
            "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET http://a.example/ HTTP/1.0\r\n\r\n",
            "GET http://u:p@a.example/ HTTP/1.1\r\n\r\n",
            "GET http://a.example/#x HTTP/1.1\r\n\r\n",
            "GET https://a.example/ HTTP/1.1\r\n\r\n",
            "GET http://a.example\\@b.example/ HTTP/1.1\r\n\r\n",
            "GET http://a.example/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
            "GET http://a.example/ HTTP/1.1\r\nA : b\r\n\r\n",
            "GET http://a.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "GET http://a.example/ HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "GET http://a.example/ HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
            "GET http://a.example/ HTTP/1.1\r\nA: b\rc\r\n\r\n",
        ] {
            assert_eq!(refused(bad), Malformed::BadRequest, "{bad}");
        }
        let chunked = "POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(refused(chunked), Malformed::LengthRequired);
    }

    #[test]
    fn a_head_has_an_end() {
        assert_eq!(parse(b"GET http://a.example/ HT"), Ok(None));
        let many = "A: b\r\n".repeat(MOST_FIELDS + 1);
        let many = format!("GET http://a.example/ HTTP/1.1\r\n{many}\r\n");
        assert_eq!(refused(&many), Malformed::HeadTooLarge);
        let long = format!("GET http://a.example/{} HTTP/1.1\r\n", "x".repeat(LONGEST));
        assert_eq!(refused(&long), Malformed::HeadTooLarge);
    }
}
