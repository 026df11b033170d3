//! The run's network when it has one: `lo`, and on it a listening socket that nbc holds.
//!
//! The socket is made inside and passed out, so that nothing of the host's network is ever inside.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::super::network::PROXY_PORT;
use super::protocol::{self, Report};
use super::{descriptors, system};

/// Detail of the network layer when there is a proxy.
pub(super) const DETAIL: &str = "nbc's proxy alone can be reached, and through it the named hosts";

/// Settings of this network alone. Buffers of sockets are memory that no process is charged for.
const SETTINGS: [(&str, &str); 3] = [
    ("tcp_rmem", "4096 65536 65536"),
    ("tcp_wmem", "4096 65536 65536"),
    // It sends data without a call of `connect`, which is what Landlock looks at.
    ("tcp_fastopen", "0"),
];

/// Makes the listening socket, and passes it to nbc. Runs before the view is entered, with the rights of root
/// over this network namespace.
pub(super) fn open(control: &UnixStream) -> io::Result<()> {
    for (name, value) in SETTINGS {
        // A container may hold `/proc/sys` read-only; the watch counts the sockets all the same.
        drop(fs_err::write(format!("/proc/sys/net/ipv4/{name}"), value));
    }
    let family = rustix::net::AddressFamily::INET;
    let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None)?;
    system::raise_loopback(socket.as_fd())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PROXY_PORT))?;
    protocol::send(control, &Report::Listening)?;
    descriptors::pass(control, listener.as_fd())
}

/// Takes the listening socket, on the side of nbc, after [`Report::Listening`].
pub(super) fn take(control: &UnixStream) -> io::Result<TcpListener> {
    descriptors::take(control).map(TcpListener::from)
}
