//! The network of a run against a hostile Python: what is named can be reached, and nothing else.

#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed, and probes run outside as well"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use nbc::process::{
    Access, Ended, Isolation, Job, Limits, Mount, Openings, Outcome, Refusal, Sandbox, Traffic,
};
use test_support::SystemPython;

static PYTHON: LazyLock<SystemPython> = LazyLock::new(SystemPython::find);

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    let launcher = Utf8Path::new(env!("CARGO_BIN_EXE_nbc"));
    Sandbox::confined_with(Isolation::Strict, launcher).expect("every layer can be had")
});

/// Code shared by the probes: the proxy, and a way to talk to it without a library.
const PRELUDE: &str = "\
import os, socket, urllib.request
def attempt(call, *arguments):
    try:
        return call(*arguments)
    except Exception as error:
        return type(error).__name__
def raw(data, most=65536):
    with socket.create_connection(('127.0.0.1', 3128), timeout=15) as it:
        it.sendall(data.encode() if isinstance(data, str) else data)
        got = b''
        while len(got) < most:
            try: piece = it.recv(4096)
            except ConnectionResetError: break
            if not piece: break
            got += piece
        return got.decode('latin-1')
def status(data):
    return raw(data).split('\\r\\n')[0]
def get(url):
    with urllib.request.urlopen(url, timeout=15) as answer:
        return answer.read().decode()
";

fn job(script: &str, hosts: &[String]) -> Job {
    let mut mounts = vec![];
    let SystemPython { executable, prefix } = &*PYTHON;
    if !prefix.starts_with("/usr") {
        mounts.push(Mount {
            host: prefix.clone(),
            inside: prefix.clone(),
            access: Access::ReadOnly,
        });
    }
    let script = format!("{PRELUDE}{script}");
    let proxy = "http://127.0.0.1:3128".to_owned();
    Job {
        program: executable.clone(),
        arguments: ["-I", "-B", "-c", &script].map(str::to_owned).to_vec(),
        environment: BTreeMap::from([
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ("http_proxy".to_owned(), proxy.clone()),
            ("https_proxy".to_owned(), proxy),
        ]),
        mounts,
        working_folder: "/tmp".into(),
        limits: Limits {
            wall: Duration::from_secs(40),
            cpu: Duration::from_secs(60),
            open_files: 1024,
            file_size: 256 << 20,
            memory: 512 << 20,
            processes: 64,
            temporary: 16 << 20,
            console: 64 * 1024,
        },
        openings: Openings {
            hosts: hosts.iter().map(|it| it.parse().expect("a host")).collect(),
            ..Openings::default()
        },
    }
}

fn run(job: &Job) -> (Ended, Traffic) {
    let running = SANDBOX.start(job).unwrap_or_else(|error| {
        panic!("{error}: {:?}", std::error::Error::source(&error));
    });
    let network = running.watch_network();
    (running.wait(), network.traffic())
}

/// Runs a script that may reach some hosts; gives what it printed, and what it asked for.
fn inside(script: &str, hosts: &[String]) -> (String, Traffic) {
    let (ended, traffic) = run(&job(script, hosts));
    let text = String::from_utf8_lossy(&ended.console).trim_end().to_owned();
    assert_eq!(ended.outcome, Outcome::Exited(0), "{text}");
    (text, traffic)
}

/// A web server on the host's loopback that keeps what it is sent, and answers each connection once.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heard = Arc::new(Mutex::new(vec![]));
        let server = Self { port, heard: Arc::clone(&heard) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&heard);
                std::thread::spawn(move || answer(stream, &heard));
            }
        });
        server
    }

    fn named(&self) -> Vec<String> {
        vec![format!("localhost:{}", self.port)]
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no thread panicked").clone()
    }
}

fn answer(mut stream: TcpStream, heard: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
    let (mut bytes, mut piece) = (vec![], [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        // Everything that is already there counts, so that a second request would be seen.
        if bytes.ends_with(b"\r\n\r\n") && !bytes.starts_with(b"POST") {
            break;
        }
    }
    heard.lock().expect("no thread panicked").push(String::from_utf8_lossy(&bytes).into_owned());
    let _ =
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
}

#[test]
fn a_named_host_is_reached_by_plain_requests_and_by_tunnels() {
    let server = Server::start();
    let port = server.port;
    let script = format!(
        "print(get('http://localhost:{port}/a?b'))\n\
         print(raw('CONNECT LOCALHOST.:{port} HTTP/1.1\\r\\n\\r\\nGET /tunnel HTTP/1.1\\r\\n\\r\\n')[-5:])"
    );
    let (printed, traffic) = inside(&script, &server.named());
    assert_eq!(printed, "hello\nhello");
    assert_eq!(Vec::from_iter(traffic.contacted), [format!("localhost:{port}")]);
    assert!(traffic.refused.is_empty());
    let heard = server.heard();
    assert!(heard[0].starts_with("GET /a?b HTTP/1.1\r\nHost: localhost:"), "{heard:?}");
    assert_eq!(heard[1], "GET /tunnel HTTP/1.1\r\n\r\n");
}

#[test]
fn without_a_named_host_there_is_no_network_at_all() {
    let script = "print(attempt(socket.socket, socket.AF_INET), open('/proc/self/net/dev').read().count('lo:'))\n\
                  print(open('/proc/self/net/tcp').read().count(':0C38'))";
    assert_eq!(inside(script, &[]), ("PermissionError 1\n0".to_owned(), Traffic::default()));
}

#[test]
fn nothing_but_the_proxy_can_be_reached() {
    let server = Server::start();
    let port = server.port;
    let script = format!(
        "def connect(address, family=socket.AF_INET):\n\
         \x20   socket.socket(family).connect(address)\n\
         for address in [('127.0.0.1', {port}), ('127.0.0.1', 22), ('1.1.1.1', 443), ('169.254.169.254', 80)]:\n\
         \x20   print(attempt(connect, address))\n\
         print(attempt(connect, ('::1', {port}), socket.AF_INET6))\n\
         for kind in [socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK]:\n\
         \x20   print(attempt(socket.socket, socket.AF_INET, kind), attempt(socket.socket, socket.AF_INET6, kind))\n\
         for family in [socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK]:\n\
         \x20   print(attempt(socket.socket, family, socket.SOCK_STREAM))\n\
         print(attempt(socket.socket, socket.AF_INET, socket.SOCK_STREAM, 262))\n\
         print(attempt(lambda: socket.socket().bind(('127.0.0.1', 0))))\n\
         print(attempt(lambda: socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', 9))))\n\
         print(attempt(lambda: socket.socket().setsockopt(socket.IPPROTO_TCP, 31, b'tls')))\n\
         print(attempt(socket.getaddrinfo, 'example.org', 80))"
    );
    let (printed, traffic) = inside(&script, &server.named());
    let lines = printed.lines().collect::<Vec<_>>();
    assert_eq!(lines[..5], ["PermissionError"; 5], "{printed}");
    assert_eq!(lines[5..9], ["PermissionError PermissionError"; 4], "{printed}");
    assert_eq!(lines[9..14], ["PermissionError"; 5], "{printed}");
    assert_ne!(lines[14], "1", "{printed}");
    assert_eq!(lines[15..], ["PermissionError", "gaierror"], "{printed}");
    assert!(server.heard().is_empty());
    assert_eq!(traffic, Traffic::default());
}

#[test]
fn hosts_and_ports_that_are_not_named_are_refused() {
    let (server, other) = (Server::start(), Server::start());
    let script = format!(
        "for target in ['127.0.0.1:{named}', 'localhost:{other}', '[::1]:{named}', '169.254.169.254:80', \
         'example.org:443', 'localhost.example.org:{named}', '[::ffff:127.0.0.1]:{named}', '[fd00:ec2::254]:80']:\n\
         \x20   print(status(f'CONNECT {{target}} HTTP/1.1\\r\\n\\r\\n'))\n\
         print(status('GET http://localhost:{other}/ HTTP/1.1\\r\\nHost: localhost:{named}\\r\\n\\r\\n'))\n\
         for target in ['127.1:{named}', '2130706433:{named}', '0x7f000001:{named}', 'localhost:{named}@a', 'localhost']:\n\
         \x20   print(status(f'CONNECT {{target}} HTTP/1.1\\r\\n\\r\\n'))",
        named = server.port,
        other = other.port,
    );
    let (printed, traffic) = inside(&script, &server.named());
    let lines = printed.lines().collect::<Vec<_>>();
    assert_eq!(lines[..9], ["HTTP/1.1 403 Forbidden"; 9], "{printed}");
    assert_eq!(lines[9..], ["HTTP/1.1 400 Bad Request"; 5], "{printed}");
    assert!(server.heard().is_empty() && other.heard().is_empty());
    assert!(traffic.contacted.is_empty());
    assert_eq!(traffic.refused.len(), 8);
    assert_eq!(traffic.refused.get("169.254.169.254:80"), Some(&Refusal::NotNamed));
}

#[test]
fn a_name_that_leads_to_a_private_address_is_refused() {
    // The resolver of the host answers these from its own tables, as one of an attacker would.
    let name = String::from_utf8(Command::new("hostname").output().expect("a name").stdout)
        .expect("UTF-8")
        .trim()
        .to_owned();
    let names = ["ip6-localhost".to_owned(), "localhost.localdomain".to_owned(), name];
    let names: Vec<String> = names.into_iter().map(|it| format!("{it}:22")).collect();
    let script = "import sys\nfor name in sys.argv[1:]: print(status(f'CONNECT {name} HTTP/1.1\\r\\n\\r\\n'))";
    let mut job = job(script, &names);
    job.arguments.extend(names.clone());
    let (ended, traffic) = run(&job);
    let printed = String::from_utf8_lossy(&ended.console).into_owned();
    // A name that nobody knows cannot be resolved, which is as good.
    assert!(
        printed.lines().all(|it| it.contains("403 Forbidden") || it.contains("502 Bad Gateway")),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), names.len());
    assert!(traffic.refused.values().all(|it| *it == Refusal::PrivateAddress));
    assert!(traffic.contacted.is_empty());
}

#[test]
fn one_request_never_becomes_two() {
    let server = Server::start();
    let port = server.port;
    let script = format!(
        "request = 'GET http://localhost:{port}/first HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n'\n\
         second = 'GET http://evil.example/second HTTP/1.1\\r\\n\\r\\n'\n\
         print(raw(request + second)[-5:])\n\
         print(raw('POST http://localhost:{port}/third HTTP/1.1\\r\\nContent-Length: 3\\r\\n\\r\\nabc' + second)[-5:])\n\
         for field in ['Transfer-Encoding: chunked', 'Content-Length: 3\\r\\nContent-Length: 4', 'Content-Length: 3\\r\\nTransfer-Encoding: x']:\n\
         \x20   print(status(f'POST http://localhost:{port}/bad HTTP/1.1\\r\\n{{field}}\\r\\n\\r\\n0\\r\\n\\r\\n' + second))"
    );
    let (printed, _) = inside(&script, &server.named());
    assert_eq!(
        printed,
        "hello\nhello\nHTTP/1.1 411 Length Required\nHTTP/1.1 400 Bad Request\nHTTP/1.1 411 Length Required"
    );
    let heard = server.heard();
    assert_eq!(heard.len(), 2);
    assert!(heard.iter().all(|it| !it.contains("second") && !it.contains("evil")), "{heard:?}");
    assert!(heard[1].ends_with("\r\n\r\nabc"), "{heard:?}");
}

#[test]
fn a_bomb_of_a_head_and_a_slow_client_are_cut_off() {
    let server = Server::start();
    let script = format!(
        "import time\n\
         print(status('GET http://localhost:{port}/ HTTP/1.1\\r\\n' + 'A: b\\r\\n' * 200 + '\\r\\n'))\n\
         print(attempt(status, b'GET http://localhost:{port}/' + b'x' * 1000000))\n\
         slow = socket.create_connection(('127.0.0.1', 3128))\n\
         start = time.monotonic()\n\
         try:\n\
         \x20   while time.monotonic() - start < 30:\n\
         \x20       slow.sendall(b'G'); time.sleep(0.5)\n\
         except OSError: pass\n\
         print(time.monotonic() - start < 15)",
        port = server.port
    );
    let (printed, _) = inside(&script, &server.named());
    let lines = printed.lines().collect::<Vec<_>>();
    assert_eq!(lines[0], "HTTP/1.1 431 Request Header Fields Too Large");
    // The rest of the bomb may turn the answer into a reset.
    assert!(
        lines[1].contains("431") || lines[1].contains("Error") || lines[1].is_empty(),
        "{printed}"
    );
    assert_eq!(lines[2], "True");
    assert!(server.heard().is_empty());
}

#[test]
fn many_connections_wait_their_turn() {
    let server = Server::start();
    let script = format!(
        "import threading\n\
         found = []\n\
         threads = [threading.Thread(target=lambda: found.append(get('http://localhost:{port}/'))) for _ in range(60)]\n\
         held = [socket.create_connection(('127.0.0.1', 3128)) for _ in range(60)]\n\
         for it in threads: it.start()\n\
         for it in threads: it.join()\n\
         print(len(found), set(found))",
        port = server.port
    );
    assert_eq!(inside(&script, &server.named()).0, "60 {'hello'}");
}

#[test]
fn connections_end_with_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let script = format!(
        "import time\nit = socket.create_connection(('127.0.0.1', 3128))\n\
         it.sendall(b'CONNECT localhost:{port} HTTP/1.1\\r\\n\\r\\nready')\ntime.sleep(60)"
    );
    let running = SANDBOX.start(&job(&script, &[format!("localhost:{port}")])).expect("it starts");
    let (mut stream, _) = listener.accept().expect("the proxy connects");
    let mut word = [0; 5];
    stream.read_exact(&mut word).expect("sent");
    assert_eq!(&word, b"ready");
    let start = Instant::now();
    running.kill();
    assert_eq!(running.wait().outcome, Outcome::Killed);
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
    assert!(matches!(stream.read(&mut word), Ok(0) | Err(_)));
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn buffers_of_connections_count_as_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // Nobody reads at the other end, so all that is sent stays in buffers.
    let script = format!(
        "held = []\n\
         for idx in range(600):\n\
         \x20   it = socket.create_connection(('127.0.0.1', 3128)); it.setblocking(False); held.append(it)\n\
         \x20   attempt(it.send, b'CONNECT localhost:{port} HTTP/1.1\\r\\n\\r\\n' + b'x' * 1000000)\n\
         print('all of it')"
    );
    let mut job = job(&script, &[format!("localhost:{port}")]);
    job.limits.memory = 64 << 20;
    job.limits.wall = Duration::from_secs(5);
    let (ended, _) = run(&job);
    assert_eq!(ended.outcome, Outcome::OutOfMemory, "{:?}", ended.console);
}

#[test]
fn the_layer_says_what_can_be_reached() {
    let running = SANDBOX.start(&job("", &["example.org".to_owned()])).expect("a sandbox");
    let layer = running.layers().iter().find(|it| it.name == "network namespace").expect("a layer");
    assert!(layer.active);
    assert_eq!(layer.detail, "nbc's proxy alone can be reached, and through it the named hosts");
}
