//! Pictures from a real TLS server on loopback, which only tests reach: locked, built without it, verified.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use camino::{Utf8Path, Utf8PathBuf};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::config::LayoutSetting;
use crate::diagnostic::{Diagnostic, Severity};
use crate::driver::{Analyzed, Goal, Options, PictureReport, Project, Runtime, claim};
use crate::environment::Pins;
use crate::remote::{AssetsLock, LOCK, Route, Store};
use crate::run::Unobserved;
use crate::run::stored::Policy;
use crate::verify;

/// What a server answers to a path: the whole answer.
type Answers = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

struct Server {
    port: u16,
    certificate: Vec<u8>,
    answers: Answers,
}

impl Server {
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Answers::default();
        let (config, all) = (Arc::new(config), Arc::clone(&answers));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (config, all) = (Arc::clone(&config), Arc::clone(&all));
                std::thread::spawn(move || serve(client, config, &all));
            }
        });
        Self { port, certificate: made.cert.der().to_vec(), answers }
    }

    fn at(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.port)
    }

    fn answer(&self, path: &str, status: &str, fields: &str, body: &[u8]) {
        let length = match fields.contains("Content-Length") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let head = format!("HTTP/1.1 {status}\r\n{length}{fields}\r\n");
        let answer = [head.as_bytes(), body].concat();
        self.answers.lock().unwrap().insert(format!("/{path}"), answer);
    }

    fn picture(&self, path: &str, body: &[u8]) {
        self.answer(path, "200 OK", "Content-Type: image/png\r\n", body);
    }

    fn route(&self) -> Route {
        Route::to(format!("localhost:{}", self.port).parse().unwrap(), &self.certificate)
    }
}

fn serve(client: TcpStream, config: Arc<ServerConfig>, answers: &Answers) {
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut stream = StreamOwned::new(connection, client);
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.extend(byte),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let path = path.split('?').next().unwrap();
    let answer = answers.lock().unwrap().get(path).cloned();
    let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    let _ = stream.write_all(&answer.unwrap_or(missing));
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

/// A picture of one pixel that no other test has.
fn gif(seed: &str) -> Vec<u8> {
    let colours = crate::cache::KeyBuilder::new("gif").text("seed", seed).end();
    let colours: Vec<u8> = colours.as_str().bytes().take(6).collect();
    [&b"GIF89a\x01\0\x01\0\x80\0\0"[..], &colours, b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"]
        .concat()
}

struct RemoteTest {
    folder: tempfile::TempDir,
    server: Server,
}

impl RemoteTest {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), server: Server::start() }
    }

    fn root(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    /// A picture of this test.
    fn gif(&self, name: &str) -> Vec<u8> {
        gif(&format!("{} {name}", self.root()))
    }

    fn write(&self, cells: &serde_json::Value) {
        let notebook =
            serde_json::json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4});
        fs_err::create_dir_all(self.root().join("in")).unwrap();
        fs_err::write(self.root().join("in/a.ipynb"), notebook.to_string()).unwrap();
    }

    fn prose(&self, lines: &[String]) {
        self.write(&serde_json::json!([{"cell_type": "markdown", "metadata": {}, "source": lines.join("\n\n")}]));
    }

    fn project(&self, goal: Goal) -> Project {
        self.project_in(goal, LayoutSetting::Site)
    }

    fn project_in(&self, goal: Goal, layout: LayoutSetting) -> Project {
        let runtime = Runtime { execute: Policy::NeverRun, ..Runtime::default() };
        let (remote_images, layout) = (true, Some(layout));
        let options = Options { remote_images, layout, runtime, ..Options::default() };
        Project::open_for(goal, &[self.root().join("in")], options, &Unobserved).unwrap()
    }

    fn lock(&self, pins: Pins) -> PictureReport {
        let project = self.project(Goal::Reading);
        let route = || Ok(self.server.route());
        project.lock_pictures_by(&route, &notebooks(&project), pins, &Unobserved).unwrap().unwrap()
    }

    fn prepare(&self) -> PictureReport {
        let project = self.project(Goal::Reading);
        let route = || Ok(self.server.route());
        project.prepare_pictures_by(&route, &notebooks(&project), &Unobserved).unwrap().unwrap()
    }

    /// Builds the site without any server; its findings, and whether it was published.
    fn build(&self) -> (Vec<String>, bool) {
        self.build_in(LayoutSetting::Site)
    }

    fn build_in(&self, layout: LayoutSetting) -> (Vec<String>, bool) {
        let project = self.project_in(Goal::Site, layout);
        let destination = claim(&self.root().join("out")).unwrap();
        let compiled = project.compile(&destination, &Unobserved).unwrap().unwrap();
        let findings = told(compiled.findings());
        if !compiled.is_publishable() {
            return (findings, false);
        }
        compiled.publish(destination).unwrap();
        (findings, true)
    }

    fn verify(&self) {
        let out = self.root().join("out");
        let found = verify::verify_folder(&out, &verify::Expected::default());
        assert!(found.is_ok_and(|it| it.is_empty()));
    }

    fn page(&self) -> String {
        fs_err::read_to_string(self.root().join("out/a.html")).unwrap()
    }

    fn lock_file(&self) -> AssetsLock {
        AssetsLock::load(&self.root().join("in")).unwrap()
    }

    /// Takes the pictures of the lock from this machine.
    fn forget(&self) {
        let store = Store::below(&crate::driver::cache_folder().unwrap());
        self.lock_file().iter().for_each(|(_, picture)| store.forget(picture));
    }
}

fn notebooks(project: &Project) -> Vec<Analyzed> {
    project.analyze().1.into_iter().filter_map(|it| it.value).collect()
}

fn told(findings: &[Diagnostic]) -> Vec<String> {
    let one = |it: &Diagnostic| {
        let mark = if it.severity == Severity::Error { "error" } else { "warning" };
        format!("{mark} {}: {}", it.code.number(), it.message)
    };
    findings.iter().map(one).collect()
}

#[test]
fn pictures_are_locked_built_without_a_server_and_verified() {
    let test = RemoteTest::new();
    let server = &test.server;
    let drawing = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><title>{}</title>\
        <script>alert(1)</script><rect width='9' height='9'/></svg>",
        test.root()
    );
    server.picture("red.gif", &test.gif("red"));
    server.picture("drawing", drawing.as_bytes());
    server.picture("stored.gif", &test.gif("stored"));
    server.answer("moved", "302 Found", "Location: there/../moved.gif?a=b\r\n", b"");
    server.picture("moved.gif", &test.gif("moved"));
    let html = format!("<img src='{}'>", server.at("stored.gif"));
    test.write(&serde_json::json!([
        {"cell_type": "markdown", "metadata": {}, "source": format!(
            "![red]({}) <img src='{}' width=40 alt='drawing'>\n\n![moved]({})",
            server.at("red.gif?token=hunter2#x"), server.at("drawing"), server.at("moved"))},
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "1", "outputs": [
            {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}}]},
    ]));
    let (findings, is_published) = test.build();
    assert!(is_published && findings.len() == 4, "{findings:?}");
    let unlocked = format!(
        "warning NBC412: `{}?…` is not on the page: `{LOCK}` does not name it",
        server.at("red.gif")
    );
    assert!(findings.contains(&unlocked), "{findings:?}");
    let report = test.lock(Pins::Keep);
    assert_eq!((told(&report.findings), report.failures.len()), (Vec::new(), 0));
    assert_eq!((report.pictures, report.fetched, report.is_changed), (4, 4, true));
    let text = fs_err::read_to_string(report.path).unwrap();
    assert!(text.contains(&format!("url = \"{}\"", server.at("red.gif?token=hunter2"))), "{text}");
    assert!(
        text.contains("type = \"image/svg+xml\"") && text.contains("type = \"image/gif\""),
        "{text}"
    );
    let again = test.lock(Pins::Keep);
    assert_eq!((again.fetched, again.is_changed), (0, false));
    server.answers.lock().unwrap().clear();
    let (findings, is_published) = test.build();
    let removed = ["warning NBC401: removed from an output: `<script>` element".to_owned()];
    assert!(is_published && findings == removed, "{findings:?}");
    let page = test.page();
    assert!(
        !page.contains("localhost") && !page.contains("hunter2") && !page.contains("alert(1)"),
        "{page}"
    );
    assert_eq!(page.matches("<img ").count(), 4, "{page}");
    let file = page.split(" src=\"").find_map(|it| {
        it.strip_prefix("assets/")?.split('"').next().filter(|it| it.starts_with("red"))
    });
    let manifest = fs_err::read_to_string(test.root().join("out/manifest.json")).unwrap();
    assert!(manifest.contains(file.unwrap_or("no file")), "{page}\n{manifest}");
    test.verify();
    assert!(test.build_in(LayoutSetting::Single).1);
    assert_eq!(test.page().matches("<img src=\"data:image/").count(), 4);
    assert!(!test.root().join("out/assets").exists());
    test.verify();
}

#[test]
fn what_is_no_picture_that_a_page_may_show_is_refused_and_told_at_its_place() {
    let test = RemoteTest::new();
    let server = &test.server;
    server.picture("lie.png", b"<html><script>alert(1)</script></html>");
    server.answer(
        "private",
        "302 Found",
        &format!("Location: https://127.0.0.1:{}/x\r\n", server.port),
        b"",
    );
    server.answer("plain", "302 Found", "Location: http://example.org/x\r\n", b"");
    server.answer("round", "301 Moved", "Location: /round\r\n", b"");
    server.answer("huge.png", "200 OK", "Content-Length: 99999999\r\n", b"");
    server.answer("packed.png", "200 OK", "Content-Encoding: br\r\n", b"x");
    server.answer("endless.png", "200 OK", "No-Content-Length: 1\r\n", &vec![0; 33 << 20]);
    let cut = "Content-Length: 9\r\n";
    server.answer("cut.png", "200 OK", cut, b"x");
    let names = [
        "lie.png",
        "private",
        "plain",
        "round",
        "huge.png",
        "endless.png",
        "packed.png",
        "cut.png",
        "gone?key=1",
    ];
    let mut lines: Vec<String> = names.map(|it| format!("![x]({})", server.at(it))).into();
    lines.extend(
        ["![x](http://example.org/a.png)", "![x](https://me:word@example.org/a.png)"]
            .map(str::to_owned),
    );
    lines.extend([format!("![x](https://127.0.0.1:{}/a.png)", server.port)]);
    test.prose(&lines);
    let report = test.lock(Pins::Keep);
    assert!(report.hides_query() && report.failures.is_empty() && !report.is_changed);
    let all = told(&report.findings).join("\n").replace(&server.port.to_string(), "PORT");
    let expected = [
        "error NBC413: `https://localhost:PORT/lie.png` cannot be fetched: it is no PNG, JPEG, GIF, WebP or SVG image by its content",
        "error NBC413: `https://localhost:PORT/private` cannot be fetched: `127.0.0.1:PORT` is this machine or in a private network",
        "error NBC413: `https://localhost:PORT/plain` cannot be fetched: `localhost:PORT` redirects to another address, of which nothing is fetched: its address is `http:`, and pictures are fetched by `https:` only",
        "error NBC413: `https://localhost:PORT/round` cannot be fetched: it redirects more than 5 times",
        "error NBC413: `https://localhost:PORT/huge.png` cannot be fetched: it holds more than 32 MiB",
        "error NBC413: `https://localhost:PORT/endless.png` cannot be fetched: it holds more than 32 MiB",
        "error NBC413: `https://localhost:PORT/packed.png` cannot be fetched: the answer of `localhost:PORT` cannot be read: it is compressed, which was not asked for",
        "error NBC413: `https://localhost:PORT/cut.png` cannot be fetched: the answer of `localhost:PORT` cannot be read: the connection ended too early",
        "error NBC413: `https://localhost:PORT/gone?…` cannot be fetched: `localhost:PORT` answers with status 404",
        "warning NBC412: `http://example.org/a.png` is not on the page: its address is `http:`, and pictures are fetched by `https:` only",
        "warning NBC412: `https://me:word@example.org/a.png` is not on the page: its address holds a name or a password",
        "error NBC413: `https://127.0.0.1:PORT/a.png` cannot be fetched: `127.0.0.1:PORT` is this machine or in a private network",
    ];
    assert_eq!(all.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_server_with_another_certificate_is_not_believed() {
    let test = RemoteTest::new();
    let other = Server::start();
    test.server.picture("a.gif", &test.gif("a"));
    test.prose(&[format!("![x]({})", test.server.at("a.gif"))]);
    let project = test.project(Goal::Reading);
    let server = format!("localhost:{}", test.server.port);
    let route = || Ok(Route::to(server.parse().unwrap(), &other.certificate));
    let found = project.lock_pictures_by(&route, &notebooks(&project), Pins::Keep, &Unobserved);
    let told = told(&found.unwrap().unwrap().findings).join("\n");
    assert!(told.contains(&format!("the certificate of `{server}` cannot be trusted")), "{told}");
    // Without the route of a test, there is no way to this machine.
    let route = || Ok(Route::to("example.org".parse().unwrap(), &test.server.certificate));
    let found = project.lock_pictures_by(&route, &notebooks(&project), Pins::Keep, &Unobserved);
    let told = self::told(&found.unwrap().unwrap().findings).join("\n");
    assert!(told.contains("is this machine or in a private network"), "{told}");
}

#[test]
fn other_bytes_than_the_lock_names_are_refused_until_they_are_asked_for() {
    let test = RemoteTest::new();
    let address = test.server.at("a.gif");
    test.server.picture("a.gif", &test.gif("one"));
    test.prose(&[format!("![x]({address})")]);
    assert_eq!(test.lock(Pins::Keep).fetched, 1);
    assert!(test.build().1);
    let page = test.page();
    test.forget();
    // A page that stands needs no bytes; one that is made anew does, and the site stays whole without them.
    assert_eq!((test.build(), test.page() == page), ((Vec::new(), true), true));
    test.prose(&[format!("![y]({address})")]);
    let missing =
        format!("error NBC413: `{address}` is not on the page: its bytes are not on this machine");
    assert_eq!(test.build(), (vec![missing], false));
    test.server.picture("a.gif", &test.gif("two"));
    let other = format!(
        "error NBC413: `{address}` cannot be fetched: it has other bytes than `{LOCK}` names"
    );
    let before = test.lock_file();
    let prepared = test.prepare();
    assert_eq!((told(&prepared.findings), prepared.fetched), (vec![other.clone()], 0));
    assert_eq!(
        (told(&test.lock(Pins::Keep).findings), test.lock_file()),
        (vec![other], before.clone())
    );
    test.server.picture("a.gif", &test.gif("one"));
    let prepared = test.prepare();
    assert_eq!((told(&prepared.findings), prepared.fetched), (Vec::new(), 1));
    assert!(test.build().1);
    let page = test.page();
    // The page of another entry of the lock is another page.
    test.server.picture("a.gif", &test.gif("two"));
    assert_eq!(test.lock(Pins::Upgrade).fetched, 1);
    assert_ne!(test.lock_file(), before);
    assert!(test.build().1);
    assert_ne!(test.page(), page);
    // What no notebook names any more goes, once the whole folder is locked.
    test.prose(&["nothing".to_owned()]);
    let alone = Project::open_for(
        Goal::Reading,
        &[test.root().join("in/a.ipynb")],
        Options { remote_images: true, ..Options::default() },
        &Unobserved,
    );
    let (alone, route) = (alone.unwrap(), || Ok(test.server.route()));
    let report = alone.lock_pictures_by(&route, &notebooks(&alone), Pins::Keep, &Unobserved);
    assert_eq!(report.unwrap().map(|it| (it.removed, it.pictures)), Some((0, 1)));
    let report = test.lock(Pins::Keep);
    assert_eq!((report.removed, report.pictures, report.is_changed), (1, 0, true));
}

#[test]
fn a_lock_that_says_another_type_is_told() {
    let test = RemoteTest::new();
    test.server.picture("a.gif", &test.gif("a"));
    test.prose(&[format!("![x]({})", test.server.at("a.gif"))]);
    test.lock(Pins::Keep);
    let path: Utf8PathBuf = test.root().join("in").join(LOCK);
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replace("image/gif", "image/png")).unwrap();
    let (findings, is_published) = test.build();
    assert!(!is_published && findings.join("").contains("not of the type"), "{findings:?}");
}
