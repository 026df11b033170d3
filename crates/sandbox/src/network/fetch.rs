//! The way of package installers to the network: to servers that the user's own settings name, wherever they are, and to
//! all others at public addresses only.
//!
//! A requirement, a lock, an index page or a redirect is written by others, and may name this machine, its network, or
//! the service that gives a cloud machine its credentials. Checking the text is not enough: a server redirects, and a
//! name may resolve elsewhere the second time. So installers get a proxy that connects to the address that it checked.

use std::net::{Ipv4Addr, TcpListener};
use std::{fmt, io};

use super::proxy::{Proxy, Reach};
use super::{AllowedHost, Refusal};

/// A proxy on this machine's loopback; ends with this value.
pub struct FetchProxy {
    proxy: Proxy,
    address: String,
}

impl fmt::Debug for FetchProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FetchProxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FetchProxy {
    /// Starts one for a user's own servers, which passes at most so many bytes.
    ///
    /// # Errors
    /// When nothing can listen on loopback.
    pub fn start(own: Vec<AllowedHost>, most_bytes: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = format!("http://{}", listener.local_addr()?);
        let proxy = Proxy::start(listener, own, Reach::Public { most_bytes })?;
        Ok(Self { proxy, address })
    }

    /// Its own address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Servers, as `host:port`, that were refused because they are of this machine or its network.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        let refused = self.proxy.traffic().refused.into_iter();
        refused.filter(|it| it.1 == Refusal::PrivateAddress).map(|it| it.0).collect()
    }

    /// Whether more bytes were asked for than may pass.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.proxy.traffic().is_cut_off
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    /// The status line of an answer to a request of a proxy.
    fn asked(proxy: &FetchProxy, head: &str) -> String {
        let mut stream = TcpStream::connect(proxy.address.trim_start_matches("http://")).unwrap();
        stream.write_all(format!("{head} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn an_installer_reaches_its_users_servers_and_no_other_of_this_machine() {
        let serve = || {
            let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = server.local_addr().unwrap().port();
            std::thread::spawn(move || {
                for client in server.incoming() {
                    let mut client = client.unwrap();
                    let _ = client.read(&mut [0; 1000]);
                    let _ = client.write_all(b"HTTP/1.1 200 Here\r\nContent-Length: 0\r\n\r\n");
                }
            });
            port
        };
        let (own, foreign) = (serve(), serve());
        let host = format!("localhost:{own}").parse().unwrap();
        let proxy = FetchProxy::start(vec![host], 1 << 20).unwrap();
        let here = asked(&proxy, &format!("GET http://localhost:{own}/"));
        assert_eq!(here, "HTTP/1.1 200 Here");
        for target in [
            format!("localhost:{foreign}"),
            format!("127.0.0.1:{foreign}"),
            format!("[::ffff:127.0.0.1]:{foreign}"),
            "169.254.169.254:80".to_owned(),
            "10.0.0.1:80".to_owned(),
            "[fd00:ec2::254]:80".to_owned(),
        ] {
            for head in [format!("GET http://{target}/"), format!("CONNECT {target}")] {
                assert_eq!(asked(&proxy, &head), "HTTP/1.1 403 Forbidden", "{head}");
            }
        }
        assert!(proxy.refused().contains(&format!("127.0.0.1:{foreign}")));
    }
}
