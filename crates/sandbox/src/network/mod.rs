//! The hosts that a run may reach, and the proxy that lets it reach them and nothing else.
//!
//! The run keeps a network namespace with nothing but `lo` in it. A listening socket of that namespace is
//! handed to nbc, which accepts on it outside: a host that nbc does not connect to cannot be reached.

mod address;
#[cfg(target_os = "linux")]
mod fetch;
#[cfg(target_os = "linux")]
mod head;
#[cfg(target_os = "linux")]
mod proxy;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
pub use fetch::FetchProxy;
#[cfg(target_os = "linux")]
pub(super) use proxy::{Proxy, Reach};

/// Port of the proxy inside, on the loopback interface of the run's own network.
pub const PROXY_PORT: u16 = 3128;

/// Ports that a host is allowed on when none is named.
const USUAL_PORTS: [u16; 2] = [443, 80];

/// Longest name of a host (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;

/// A host that a run may reach, as `--allow-net` names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowedHost {
    host: HostName,
    port: Option<u16>,
}

/// Reasons why a text names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no host: {reason}")]
pub struct AllowedHostError {
    text: String,
    reason: &'static str,
}

/// A host in canonical form: lower case, no final dot, addresses in their shortest form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostName {
    Name(String),
    Address(IpAddr),
}

impl HostName {
    /// Reads a host as it stands in an address (IPv6 in brackets); the reason when it is none.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or("the bracket is not closed")?;
            let address: Ipv6Addr = inner.parse().map_err(|_| "no IPv6 address in the brackets")?;
            return Ok(Self::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err("write IPv6 addresses in brackets, as in `[::1]:8080`");
        }
        if text.contains('*') {
            return Err("wildcards are not known; name each host");
        }
        if !text.is_ascii() {
            return Err("write international names in their ASCII form, `xn--…`");
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
        };
        if name.len() > LONGEST_NAME || !name.split('.').all(is_label) {
            return Err("write a name such as `example.org`, without scheme and path");
        }
        // Resolvers take `127.1`, `0x7f000001` and `2130706433` for addresses.
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|it| it.is_ascii_digit()) || last.starts_with("0x") {
            return Err("write IPv4 addresses as four decimal numbers");
        }
        Ok(Self::Name(name))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(formatter),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
        }
    }
}

/// A host and a port, as a client asks for them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) host: HostName,
    pub(super) port: u16,
}

impl Target {
    /// Reads `host:port`; without a port, `default` stands for it.
    pub(super) fn parse(text: &str, default: Option<u16>) -> Result<Self, &'static str> {
        let (host, port) = split_port(text)?;
        let port = port.or(default).ok_or("a port is missing")?;
        Ok(Self { host: HostName::parse(host)?, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let after_brackets = text.rfind(']').map_or(0, |it| it + 1);
    let (host, port) = match text.get(after_brackets..).and_then(|it| it.rfind(':')) {
        Some(at) => text.split_at(after_brackets + at),
        None => return Ok((text, None)),
    };
    // An IPv6 address without brackets has colons of its own.
    if after_brackets == 0 && host.contains(':') {
        return Ok((text, None));
    }
    let digits = port.trim_start_matches(':');
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    match digits.parse() {
        Ok(port @ 1..) if is_number => Ok((host, Some(port))),
        _ => Err("the port is a number from 1 to 65535"),
    }
}

/// Whether a host is this machine or of a network that is not public, by its name or number alone. Names may still
/// lead there.
#[must_use]
pub fn is_home(host: &AllowedHost) -> bool {
    match &host.host {
        HostName::Address(address) => !address::is_public(*address),
        HostName::Name(name) => name == "localhost" || name.ends_with(".localhost"),
    }
}

impl AllowedHost {
    /// The host without the port, as addresses write it.
    #[must_use]
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The same with a port, if it has none.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port: self.port.or(Some(port)), ..self }
    }

    /// Whether another, with its port, is allowed where this one is.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let target = |port| Target { host: other.host.clone(), port };
        other.port.is_some_and(|port| self.allows(&target(port)))
    }

    fn allows(&self, target: &Target) -> bool {
        self.host == target.host
            && self.port.map_or(USUAL_PORTS.contains(&target.port), |port| port == target.port)
    }
}

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = split_port(text).and_then(|(host, port)| Ok((HostName::parse(host)?, port)));
        match read {
            Ok((host, port)) => Ok(Self { host, port }),
            Err(reason) => Err(AllowedHostError { text: text.to_owned(), reason }),
        }
    }
}

impl TryFrom<String> for AllowedHost {
    type Error = AllowedHostError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AllowedHost> for String {
    fn from(host: AllowedHost) -> Self {
        host.to_string()
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(formatter, "{}:{port}", self.host),
            None => self.host.fmt(formatter),
        }
    }
}

/// Why the proxy did not connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The user did not name this host and port.
    NotNamed,
    /// The name leads to an address of this machine or of a private network.
    PrivateAddress,
}

/// Hosts that a run asked for. Holds no counts, times or addresses: two equal runs tell the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// `host:port` of those that were reached.
    pub contacted: BTreeSet<String>,
    /// `host:port` of those that were not allowed; at most [`Traffic::MOST_REFUSED`].
    pub refused: BTreeMap<String, Refusal>,
    /// Whether the run was cut off after [`Traffic::MOST_BYTES`].
    pub is_cut_off: bool,
}

impl Traffic {
    /// Most refused hosts that are remembered.
    pub const MOST_REFUSED: usize = 20;
    /// Most bytes of a run, in both directions.
    pub const MOST_BYTES: u64 = 4 << 30;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_in_one_way() {
        let check = |text: &str| text.parse::<AllowedHost>().map(|it| it.to_string());
        assert_eq!(check("Example.ORG."), Ok("example.org".to_owned()));
        assert_eq!(
            check("xn--bcher-kva.example:8443"),
            Ok("xn--bcher-kva.example:8443".to_owned())
        );
        assert_eq!(check("[0:0::1]:80"), Ok("[::1]:80".to_owned()));
        assert_eq!(check("127.0.0.1"), Ok("127.0.0.1".to_owned()));
        for bad in [
            "",
            ".",
            "https://a.example",
            "a.example/x",
            "*.example.org",
            "::1",
            "[::1",
            "[::1]x",
            "127.1",
            "0x7f000001",
            "2130706433",
            "1.2.3.4.5",
            "a.example:0",
            "a.example:65536",
            "a.example:",
            "a:+1",
            "a b",
            "bücher.example",
            "me@a.example",
            "a..b",
            "a:1:2",
            "a.0x10",
        ] {
            assert!(check(bad).is_err(), "{bad}: {:?}", check(bad));
        }
    }

    #[test]
    fn exactly_the_named_host_and_port_are_allowed() {
        let allows = |allowed: &str, target: &str| {
            let allowed: AllowedHost = allowed.parse().unwrap();
            allowed.allows(&Target::parse(target, None).unwrap())
        };
        assert!(allows("example.org", "EXAMPLE.org.:443"));
        assert!(allows("example.org", "example.org:80"));
        assert!(!allows("example.org", "example.org:8080"));
        assert!(!allows("example.org:443", "example.org:80"));
        assert!(!allows("example.org", "www.example.org:443"));
        assert!(!allows("example.org", "example.org.evil.example:443"));
        assert!(!allows("localhost", "127.0.0.1:80"));
    }
}
