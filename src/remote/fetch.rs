//! Fetching pictures of the web: the only part of nbc itself that speaks to servers.
//!
//! In: an address. Out: the bytes of the answer, which are whatever its server sent, or the reason why there are none.
//! Every connection goes through a proxy of nbc's own, which looks the name up once and connects to public addresses
//! only, so that neither an address of a notebook nor a redirect leads to this machine or its network. The proxy passes
//! bytes of one picture only; TLS is between this client and the server.

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::CryptoProvider;
use ureq::http::Response;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, LOCATION};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, Proxy};

use super::{Address, AddressError, MOST_PICTURE};
use crate::interrupt;
use crate::process::AllowedHost;
use crate::process::network::FetchProxy;

/// Most redirects of a picture.
const MOST_REDIRECTS: usize = 5;
/// Longest time of a picture, redirects included.
const PICTURE_TIME: Duration = Duration::from_secs(30);
/// Longest time of all pictures.
const WHOLE_TIME: Duration = Duration::from_secs(600);
/// Most bytes of the fields of an answer.
const MOST_HEAD: usize = 32 << 10;
/// Bytes that a connection takes beside those of the picture: TLS and heads.
const BESIDE: u64 = 1 << 20;
/// Longest text of another program in a message, in characters.
const LONGEST_FOREIGN: usize = 160;
/// Types of pictures that pages have.
const ACCEPTED: &str = "image/png, image/jpeg, image/gif, image/webp, image/svg+xml";

/// The servers that may be reached, and whose word for their names is taken.
pub struct Route {
    /// Servers that are reached wherever they are. Empty but in tests.
    own: Vec<AllowedHost>,
    roots: Arc<[Certificate<'static>]>,
}

/// Why a picture was not fetched; a clause about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The system has no list of authorities.
    #[error("the system trusts no certificate authority")]
    NoRoots,
    /// nbc's proxy cannot be started.
    #[error("nbc's own proxy cannot be started: {0}")]
    NoProxy(String),
    /// The server is of this machine, or of a network that is not public.
    #[error("`{0}` is this machine or in a private network")]
    Private(String),
    /// There is no such server, or it does not take connections.
    #[error("`{0}` cannot be reached")]
    Unreachable(String),
    /// The server is not who it says.
    #[error("the certificate of `{0}` cannot be trusted: {1}")]
    Certificate(String, String),
    /// The server has no such picture, or does not give it.
    #[error("`{0}` answers with status {1}")]
    Status(String, u16),
    /// A redirect leads to where nothing is fetched from.
    #[error("`{0}` redirects to another address, of which nothing is fetched: {1}")]
    Redirect(String, AddressError),
    /// Redirects do not end.
    #[error("it redirects more than {MOST_REDIRECTS} times")]
    Redirects,
    /// It is larger than a picture may be.
    #[error("it holds more than {} MiB", MOST_PICTURE >> 20)]
    TooLarge,
    /// It takes too long.
    #[error("it takes longer than {} seconds", PICTURE_TIME.as_secs())]
    TimedOut,
    /// All pictures together take too long.
    #[error("all pictures together take longer than {} seconds", WHOLE_TIME.as_secs())]
    OutOfTime,
    /// The answer is none of HTTP.
    #[error("the answer of `{0}` cannot be read: {1}")]
    Unreadable(String, String),
    /// The user stopped it.
    #[error("it was interrupted")]
    Interrupted,
}

impl Route {
    /// Servers at public addresses, with certificates that the system trusts.
    ///
    /// # Errors
    /// When the system trusts none.
    pub fn public() -> Result<Self, FetchError> {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = found.iter().map(|it| Certificate::from_der(it).to_owned()).collect();
        if roots.is_empty() {
            return Err(FetchError::NoRoots);
        }
        Ok(Self { own: Vec::new(), roots: roots.into() })
    }

    /// One server of a test besides, and the certificate that it has. No other way leads to a server that is not public.
    #[cfg(test)]
    pub(crate) fn to(server: AllowedHost, certificate: &[u8]) -> Self {
        let root = Certificate::from_der(certificate).to_owned();
        Self { own: vec![server], roots: [root].into() }
    }
}

/// Fetches pictures, until their time is over.
pub struct Fetcher {
    route: Route,
    provider: Arc<CryptoProvider>,
    /// Longest time of one picture.
    time: Duration,
    end: Instant,
}

/// One answer on the way to a picture.
enum Answer {
    Bytes(Vec<u8>),
    Elsewhere(Address),
}

impl Fetcher {
    /// Fetches over a route; the time of all pictures begins.
    #[must_use]
    pub fn new(route: Route) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self { route, provider, time: PICTURE_TIME, end: Instant::now() + WHOLE_TIME }
    }

    /// The bytes at an address. Nobody looked at them yet.
    ///
    /// # Errors
    /// When there are none, or too many.
    pub fn fetch(&self, address: &Address) -> Result<Vec<u8>, FetchError> {
        let end = (Instant::now() + self.time).min(self.end);
        let mut address = address.clone();
        for _ in 0..=MOST_REDIRECTS {
            match self.ask(&address, end)? {
                Answer::Bytes(bytes) => return Ok(bytes),
                Answer::Elsewhere(next) => address = next,
            }
        }
        Err(FetchError::Redirects)
    }

    fn ask(&self, address: &Address, end: Instant) -> Result<Answer, FetchError> {
        if interrupt::is_requested() {
            return Err(FetchError::Interrupted);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.out_of_time());
        }
        let host = address.host();
        // A proxy of its own for each connection: what it refused is this address, and its bound is one picture's.
        let proxy = FetchProxy::start(self.route.own.clone(), MOST_PICTURE + BESIDE)
            .map_err(|it| FetchError::NoProxy(it.to_string()))?;
        let agent = self.agent(&proxy, left)?;
        let answer = agent.get(address.as_str()).call();
        let mut answer = answer.map_err(|it| self.told(it, host, &proxy))?;
        let status = answer.status().as_u16();
        if matches!(status, 301 | 302 | 303 | 307 | 308) {
            let location = answer.headers().get(LOCATION).and_then(|it| it.to_str().ok());
            let location = location.ok_or_else(|| FetchError::Status(host.to_owned(), status))?;
            let next = address.join(location);
            return next
                .map(Answer::Elsewhere)
                .map_err(|it| FetchError::Redirect(host.to_owned(), it));
        }
        if status != 200 {
            return Err(FetchError::Status(host.to_owned(), status));
        }
        self.body(&mut answer, host, &proxy).map(Answer::Bytes)
    }

    fn agent(&self, proxy: &FetchProxy, left: Duration) -> Result<Agent, FetchError> {
        let own = Proxy::new(proxy.address()).map_err(|it| FetchError::NoProxy(it.to_string()))?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(self.route.roots.to_vec())))
            .unversioned_rustls_crypto_provider(Arc::clone(&self.provider))
            .build();
        let config = Agent::config_builder()
            .https_only(true)
            .http_status_as_error(false)
            // Each address that a redirect names is looked at first.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(Some(own))
            .tls_config(tls)
            .timeout_global(Some(left))
            .max_response_header_size(MOST_HEAD)
            .user_agent(concat!("nbc/", env!("CARGO_PKG_VERSION")))
            .accept(ACCEPTED)
            .accept_encoding("identity")
            .build();
        Ok(config.new_agent())
    }

    fn body(
        &self,
        answer: &mut Response<Body>,
        host: &str,
        proxy: &FetchProxy,
    ) -> Result<Vec<u8>, FetchError> {
        let field = |name| answer.headers().get(name).and_then(|it| it.to_str().ok());
        let length = field(CONTENT_LENGTH).and_then(|it| it.parse::<u64>().ok());
        if length.is_some_and(|it| it > MOST_PICTURE) {
            return Err(FetchError::TooLarge);
        }
        if field(CONTENT_ENCODING).is_some_and(|it| !it.eq_ignore_ascii_case("identity")) {
            let reason = "it is compressed, which was not asked for".to_owned();
            return Err(FetchError::Unreadable(host.to_owned(), reason));
        }
        let mut reader = answer.body_mut().with_config().limit(MOST_PICTURE + 1).reader();
        let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            if interrupt::is_requested() {
                return Err(FetchError::Interrupted);
            }
            let count = reader.read(&mut piece);
            let count = count.map_err(|it| self.told(it.into(), host, proxy))?;
            if count == 0 {
                return Ok(bytes);
            }
            bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
            if bytes.len() as u64 > MOST_PICTURE {
                return Err(FetchError::TooLarge);
            }
        }
    }

    fn out_of_time(&self) -> FetchError {
        let is_whole = Instant::now() >= self.end;
        if is_whole { FetchError::OutOfTime } else { FetchError::TimedOut }
    }

    /// The reason in words that do not depend on the machine.
    fn told(&self, error: ureq::Error, host: &str, proxy: &FetchProxy) -> FetchError {
        let own = host.to_owned();
        if !proxy.refused().is_empty() {
            return FetchError::Private(own);
        }
        if proxy.is_cut_off() {
            return FetchError::TooLarge;
        }
        match error {
            ureq::Error::Timeout(_) => self.out_of_time(),
            ureq::Error::BodyExceedsLimit(_) => FetchError::TooLarge,
            ureq::Error::ConnectProxyFailed(_)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed => FetchError::Unreachable(own),
            ureq::Error::Rustls(error) => of_tls(own, &error),
            ureq::Error::Io(error) => {
                let tls = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
                match tls {
                    Some(error) => of_tls(own, error),
                    None if error.kind() == std::io::ErrorKind::TimedOut => self.out_of_time(),
                    None => {
                        let reason = "the connection ended too early".to_owned();
                        FetchError::Unreadable(own, reason)
                    }
                }
            }
            other => FetchError::Unreadable(own, foreign(&other.to_string())),
        }
    }
}

fn of_tls(host: String, error: &rustls::Error) -> FetchError {
    let reason = foreign(&error.to_string());
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            FetchError::Certificate(host, reason)
        }
        _ => FetchError::Unreadable(host, reason),
    }
}

/// Words of another program, which may quote what the server sent.
fn foreign(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.chars().take(LONGEST_FOREIGN).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_server_that_says_nothing_is_left_after_a_while() {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = silent.local_addr().unwrap().port();
        let (server, none) = (format!("localhost:{port}").parse().unwrap(), [0; 8]);
        let mut fetcher = Fetcher::new(Route::to(server, &none));
        fetcher.time = Duration::from_millis(300);
        let address = Address::parse(&format!("https://localhost:{port}/a.png")).unwrap();
        assert_eq!(fetcher.fetch(&address), Err(FetchError::TimedOut));
        fetcher.end = Instant::now();
        assert_eq!(fetcher.fetch(&address), Err(FetchError::OutOfTime));
    }
}
