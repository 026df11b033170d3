//! The proxy itself: accepts on a socket of the run's network, connects in that of the host.
//!
//! In: connections of a hostile client. Out: connections to the hosts that the user named, and to no address
//! that was not checked. Ends with the run, and every connection with it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs,
};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::address::is_public;
use super::head::{self, Malformed, Request};
use super::{AllowedHost, HostName, Refusal, Target, Traffic};

/// Connections of a run at the same time. More wait until one ends.
const MOST_CONNECTIONS: usize = 64;
/// Connections of an installer at the same time: it keeps many open for later requests.
const MOST_FETCHES: usize = 1024;
/// Longest time until the head of a request is whole.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest time to resolve a name, and to connect to an address.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Most addresses of a host that are tried.
const MOST_ADDRESSES: usize = 4;
/// Longest pause in the answer to a plain request.
const ANSWER_TIME: Duration = Duration::from_secs(120);

/// The hosts that a client may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Reach {
    /// The hosts that the user named, by names at public addresses only.
    Named,
    /// The hosts that the user named, wherever they are, and all others at public addresses; so many bytes in all.
    Public {
        /// Most bytes in both directions.
        most_bytes: u64,
    },
}

impl Reach {
    fn most_bytes(self) -> u64 {
        match self {
            Self::Named => Traffic::MOST_BYTES,
            Self::Public { most_bytes } => most_bytes,
        }
    }

    fn most_connections(self) -> usize {
        if self == Self::Named { MOST_CONNECTIONS } else { MOST_FETCHES }
    }
}

/// Serves the connections of one run.
#[derive(Debug)]
pub(in super::super) struct Proxy {
    listener: TcpListener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hosts: Vec<AllowedHost>,
    reach: Reach,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_over: bool,
    connections: usize,
    /// Both ends of everything that is open, to be shut when the run is over.
    open: BTreeMap<u64, TcpStream>,
    next: u64,
    bytes: u64,
    traffic: Traffic,
}

impl Proxy {
    /// Serves the connections of a listening socket.
    pub(in super::super) fn start(
        listener: TcpListener,
        hosts: Vec<AllowedHost>,
        reach: Reach,
    ) -> io::Result<Self> {
        let (state, freed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { hosts, reach, state, freed });
        let proxy = Self { listener, shared };
        let (listener, shared) = (proxy.listener.try_clone()?, Arc::clone(&proxy.shared));
        spawn("proxy", move || accept(&listener, &shared))?;
        Ok(proxy)
    }

    /// Ends every connection; nothing is sent or received afterwards.
    pub(in super::super) fn stop(&self) {
        self.shared.end();
        // Wakes the thread that accepts.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }

    /// Requests of the run so far.
    pub(in super::super) fn traffic(&self) -> Traffic {
        self.shared.state().traffic.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        if !shared.take_place() {
            return;
        }
        let permit = ConnectionPermit(Arc::clone(shared));
        match listener.accept() {
            Ok((client, _)) => {
                // Without a thread left, the client sees its connection end.
                let _ = spawn("proxy connection", move || {
                    // An error of one side ends the connection, and needs no report.
                    drop(serve(client, &permit.0));
                    drop(permit);
                });
            }
            // Descriptors may be used up for a moment.
            Err(_) if !shared.state().is_over => std::thread::sleep(Duration::from_millis(20)),
            Err(_) => return,
        }
    }
}

/// Permit for one connection, of those that may exist at once; dropping it gives it back.
struct ConnectionPermit(Arc<Shared>);

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.connections = state.connections.saturating_sub(1);
        self.0.freed.notify_one();
    }
}

/// An open stream that the end of the run shuts.
struct Registered {
    shared: Arc<Shared>,
    key: u64,
    stream: TcpStream,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        self.shared.state().open.remove(&self.key);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit; false when the run is over.
    fn take_place(&self) -> bool {
        let state = self.state();
        let full = |it: &mut State| !it.is_over && it.connections >= self.reach.most_connections();
        let mut state = self.freed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        state.connections += 1;
        !state.is_over
    }

    fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        for stream in state.open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.freed.notify_all();
    }

    fn register(self: &Arc<Self>, stream: TcpStream) -> io::Result<Registered> {
        let copy = stream.try_clone()?;
        let mut state = self.state();
        if state.is_over {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let key = state.next;
        state.next += 1;
        state.open.insert(key, copy);
        Ok(Registered { shared: Arc::clone(self), key, stream })
    }

    /// Counts bytes that go through; the run is cut off at the last one.
    fn count(&self, bytes: usize) -> io::Result<()> {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if state.bytes <= self.reach.most_bytes() {
            return Ok(());
        }
        state.traffic.is_cut_off = true;
        drop(state);
        self.end();
        Err(io::ErrorKind::QuotaExceeded.into())
    }

    fn refuse(&self, target: &Target, refusal: Refusal) {
        let refused = &mut self.state().traffic.refused;
        if refused.len() < Traffic::MOST_REFUSED {
            refused.insert(target.to_string(), refusal);
        }
    }
}

fn serve(client: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let client = shared.register(client)?;
    let (request, surplus) = match read_head(&client.stream, shared)? {
        Ok(it) => it,
        Err(malformed) => {
            return answer(
                &client.stream,
                match malformed {
                    Malformed::BadRequest => "400 Bad Request",
                    Malformed::LengthRequired => "411 Length Required",
                    Malformed::HeadTooLarge => "431 Request Header Fields Too Large",
                },
            );
        }
    };
    let target = match &request {
        Request::Tunnel { target } | Request::Plain { target, .. } => target,
    };
    let server = match connect(target, shared) {
        Ok(Some(server)) => shared.register(server)?,
        Ok(None) => return answer(&client.stream, "403 Forbidden"),
        Err(_) => return answer(&client.stream, "502 Bad Gateway"),
    };
    shared.state().traffic.contacted.insert(target.to_string());
    match request {
        Request::Tunnel { .. } => {
            (&client.stream).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            exchange(&client, &server, &surplus, None)
        }
        Request::Plain { head, body, .. } => {
            server.stream.set_read_timeout(Some(ANSWER_TIME))?;
            (&server.stream).write_all(&head)?;
            exchange(&client, &server, &surplus, Some(body))
        }
    }
}

type Head = Result<(Request, Vec<u8>), Malformed>;

fn read_head(mut client: &TcpStream, shared: &Shared) -> io::Result<Head> {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = HEAD_TIME.checked_sub(start.elapsed()).filter(|it| !it.is_zero());
        client.set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
        let count = client.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        shared.count(count)?;
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        match head::parse(&bytes) {
            Ok(None) => {}
            Ok(Some((request, length))) => {
                client.set_read_timeout(None)?;
                return Ok(Ok((request, bytes.split_off(length.min(bytes.len())))));
            }
            Err(malformed) => return Ok(Err(malformed)),
        }
    }
}

fn answer(mut client: &TcpStream, status: &str) -> io::Result<()> {
    const TEXT: &str = "The notebook's network is limited.\n";
    let length = TEXT.len();
    client.write_all(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{TEXT}"
        )
        .as_bytes(),
    )
}

/// Connects to a target that is allowed; `None` when it is not.
fn connect(target: &Target, shared: &Shared) -> io::Result<Option<TcpStream>> {
    let is_user_s = shared.hosts.iter().any(|it| it.allows(target));
    if !is_user_s && shared.reach == Reach::Named {
        shared.refuse(target, Refusal::NotNamed);
        return Ok(None);
    }
    let start = Instant::now();
    let addresses = match &target.host {
        // A user who names an address or this machine means it.
        HostName::Address(address) if is_user_s => vec![*address],
        HostName::Address(address) => {
            if !is_public(*address) {
                shared.refuse(target, Refusal::PrivateAddress);
                return Ok(None);
            }
            vec![*address]
        }
        HostName::Name(name) if is_user_s && name == "localhost" => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        // Not every resolver knows the name with a final dot.
        HostName::Name(name) if name == "localhost" && shared.reach != Reach::Named => {
            shared.refuse(target, Refusal::PrivateAddress);
            return Ok(None);
        }
        // An index of one's own may have a short name, in a domain that the system adds.
        HostName::Name(name) if is_user_s && shared.reach != Reach::Named => {
            mixed(resolve(name.clone())?)
        }
        HostName::Name(name) => {
            // The final dot keeps the resolver from adding the domains of the host's own network.
            let mut found = mixed(resolve(format!("{name}."))?);
            // A host of one's own network is reached when its address is named as well.
            let is_named = |address| {
                let target = Target { host: HostName::Address(address), port: target.port };
                shared.hosts.iter().any(|it| it.allows(&target))
            };
            found.retain(|it| is_public(*it) || is_named(*it));
            if found.is_empty() {
                shared.refuse(target, Refusal::PrivateAddress);
                return Ok(None);
            }
            found
        }
    };
    let mut failure = io::Error::from(io::ErrorKind::TimedOut);
    for address in addresses.into_iter().take(MOST_ADDRESSES) {
        let left = CONNECT_TIME.checked_sub(start.elapsed()).filter(|it| !it.is_zero());
        let Some(left) = left else { break };
        match TcpStream::connect_timeout(&SocketAddr::new(address, target.port), left) {
            Ok(server) => return Ok(Some(server)),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Both families in turn: only the first addresses are tried, and one family may lead nowhere.
fn mixed(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let first = found.first().is_some_and(IpAddr::is_ipv4);
    let (one, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| it.is_ipv4() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut all = Vec::new();
    loop {
        match (one.next(), other.next()) {
            (None, None) => return all,
            pair => all.extend([pair.0, pair.1].into_iter().flatten()),
        }
    }
}

/// The addresses of a name. The resolver cannot be told to give up, so it is left behind when it is slow.
fn resolve(name: String) -> io::Result<Vec<IpAddr>> {
    let (say, hear) = mpsc::channel();
    spawn("proxy resolver", move || {
        let found = (name, 0).to_socket_addrs();
        let found = found.map(|it| it.map(|it| it.ip()).collect::<Vec<_>>());
        drop(say.send(found));
    })?;
    hear.recv_timeout(CONNECT_TIME).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Passes bytes in both directions until both have ended; of the client's, exactly `body` if it says so.
fn exchange(
    client: &Registered,
    server: &Registered,
    surplus: &[u8],
    body: Option<u64>,
) -> io::Result<()> {
    let shared = &client.shared;
    let (from, to, there) =
        (server.stream.try_clone()?, client.stream.try_clone()?, Arc::clone(shared));
    let (say, hear) = mpsc::channel();
    spawn("proxy answer", move || {
        drop(pump(&from, &to, u64::MAX, &there));
        // The client learns the end of the answer, and may still be sending.
        let _ = to.shutdown(Shutdown::Write);
        let _ = say.send(());
    })?;
    let limit = body.unwrap_or(u64::MAX);
    let first = usize::try_from(limit).unwrap_or(usize::MAX).min(surplus.len());
    let first = surplus.get(..first).unwrap_or_default();
    (&server.stream).write_all(first)?;
    let left = limit.saturating_sub(u64::try_from(first.len()).unwrap_or(u64::MAX));
    let sent = pump(&client.stream, &server.stream, left, shared);
    if sent.is_err() {
        let _ = server.stream.shutdown(Shutdown::Both);
    } else if body.is_none() {
        let _ = server.stream.shutdown(Shutdown::Write);
    }
    // Comes when the answer is over, also when the end of the run cut it off.
    let _ = hear.recv();
    Ok(())
}

fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    mut left: u64,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = match from.read(buffer.get_mut(..most).unwrap_or_default()) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        shared.count(count)?;
        to.write_all(buffer.get(..count).unwrap_or_default())?;
        left -= u64::try_from(count).unwrap_or(left).min(left);
    }
    Ok(())
}
