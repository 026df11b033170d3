//! Addresses of pictures of the web, in one form.
//!
//! In: an address as an author wrote it, or as a server redirects to it. Out: an `https:` address in the form that
//! browsers make of it (the URL standard), so that one picture has one entry in the lock.

use std::fmt;

use url::Url;

/// Longest address that is looked at, in bytes.
const LONGEST: usize = 4096;

/// An address of a picture: `https:`, with no name before the host and no fragment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(String);

/// Why an address of the web is none of a picture that nbc fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not of the web.
    #[error("its address is not one of the web")]
    NotWeb,
    /// Anybody on the way could change what comes.
    #[error("its address is `http:`, and pictures are fetched by `https:` only")]
    Insecure,
    /// It holds credentials, which would be sent and written down.
    #[error("its address holds a name or a password")]
    Credentials,
    /// It cannot be read.
    #[error("its address cannot be read")]
    Malformed,
    /// It is longer than any that a server would take.
    #[error("its address is longer than {LONGEST} bytes")]
    TooLong,
}

/// Whether an address names something of the web, or of the host that a page comes from (`//host/path`).
#[must_use]
pub fn is_web(address: &str) -> bool {
    let address = address.trim();
    let starts =
        |with: &str| address.get(..with.len()).is_some_and(|it| it.eq_ignore_ascii_case(with));
    starts("https:") || starts("http:") || starts("//")
}

/// An address of the web without its query, which may hold a token; other addresses as they are.
#[must_use]
pub fn shown(address: &str) -> String {
    match address.split_once('?').filter(|_| is_web(address)) {
        Some((before, _)) => format!("{before}?…"),
        None => address.to_owned(),
    }
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// When nbc fetches nothing from there.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(AddressError::TooLong);
        }
        if !is_web(text) {
            return Err(AddressError::NotWeb);
        }
        let whole = if text.starts_with("//") { format!("https:{text}") } else { text.to_owned() };
        Self::of(Url::parse(&whole).map_err(|_| AddressError::Malformed)?)
    }

    /// The address that a redirect from this one leads to.
    ///
    /// # Errors
    /// When nbc fetches nothing from there.
    pub fn join(&self, location: &str) -> Result<Self, AddressError> {
        if location.len() > LONGEST {
            return Err(AddressError::TooLong);
        }
        let own = Url::parse(&self.0).map_err(|_| AddressError::Malformed)?;
        Self::of(own.join(location).map_err(|_| AddressError::Malformed)?)
    }

    fn of(mut url: Url) -> Result<Self, AddressError> {
        match url.scheme() {
            "https" => {}
            "http" => return Err(AddressError::Insecure),
            _ => return Err(AddressError::NotWeb),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(AddressError::Malformed);
        }
        url.set_fragment(None);
        let text = String::from(url);
        if text.len() > LONGEST { Err(AddressError::TooLong) } else { Ok(Self(text)) }
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address without its query.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.0)
    }

    /// The host, with the port if it is not the usual one.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.0.strip_prefix("https://").unwrap_or(&self.0);
        rest.split(['/', '?']).next().unwrap_or_default()
    }

    /// The last part of the path, as a name for a file; still with its escapes.
    #[must_use]
    pub fn file_name(&self) -> &str {
        let path = self.0.split('?').next().unwrap_or_default();
        path.rsplit('/').next().filter(|it| !it.is_empty()).unwrap_or("picture")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Address({})", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<String, AddressError> {
        Address::parse(text).map(|it| it.as_str().to_owned())
    }

    #[test]
    fn one_picture_has_one_address() {
        for (text, expected) in [
            (" HTTPS://Example.ORG:443/a b.png#part\n", "https://example.org/a%20b.png"),
            ("//example.org/ä.png?q=1", "https://example.org/%C3%A4.png?q=1"),
            ("https://bücher.example/x/../a.png", "https://xn--bcher-kva.example/a.png"),
            ("https:\\\\example.org\\a.png", "https://example.org/a.png"),
            ("https://0x7f.1/a.png", "https://127.0.0.1/a.png"),
        ] {
            assert_eq!(check(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn addresses_that_nothing_is_fetched_from_say_why() {
        for (text, expected) in [
            ("http://example.org/a.png", AddressError::Insecure),
            ("https://me:word@example.org/a.png", AddressError::Credentials),
            ("https://me@example.org/a.png", AddressError::Credentials),
            ("https://", AddressError::Malformed),
            ("https://exa mple.org/a.png", AddressError::Malformed),
            ("ftp://example.org/a.png", AddressError::NotWeb),
            ("data:image/png;base64,AA", AddressError::NotWeb),
            ("a.png", AddressError::NotWeb),
        ] {
            assert_eq!(check(text), Err(expected), "{text}");
        }
        let long = format!("https://example.org/{}", "a".repeat(LONGEST));
        assert_eq!(check(&long), Err(AddressError::TooLong));
        // Escapes make it longer.
        let long = format!("https://example.org/{}", "ä".repeat(LONGEST / 3));
        assert_eq!(check(&long), Err(AddressError::TooLong));
    }

    #[test]
    fn a_redirect_holds_the_same_rules() {
        let from = Address::parse("https://example.org/a/b.png?x").unwrap();
        let to = |location: &str| from.join(location).map(|it| it.as_str().to_owned());
        assert_eq!(to("../c.png").as_deref(), Ok("https://example.org/c.png"));
        assert_eq!(to("//other.example/c").as_deref(), Ok("https://other.example/c"));
        assert_eq!(to("http://example.org/c"), Err(AddressError::Insecure));
        assert_eq!(to("file:///etc/passwd"), Err(AddressError::NotWeb));
    }

    #[test]
    fn a_query_is_not_told() {
        let address = Address::parse("https://example.org/a.png?token=hunter2").unwrap();
        assert_eq!(address.shown(), "https://example.org/a.png?…");
        assert!(!format!("{address:?}").contains("hunter2"));
        assert_eq!((address.host(), address.file_name()), ("example.org", "a.png"));
        assert_eq!(shown("a.png?raw=true"), "a.png?raw=true");
        let address = Address::parse("https://example.org:8443/").unwrap();
        assert_eq!((address.host(), address.file_name()), ("example.org:8443", "picture"));
    }
}
