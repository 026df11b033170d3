//! One worker: runs each probe at its level, and looks what is left and what harm is done.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nbc::process::{
    Access, Ended, Isolation, Job, Limits, Mount, Openings, Outcome, Sandbox, Slot,
};

use super::{Finding, Probe, Proof, Word, place};

const MIB: u64 = 1 << 20;
const CONSOLE: u64 = 64 * 1024;

pub(super) fn main(arguments: &[String]) -> ExitCode {
    let [_, level, user, words @ ..] = arguments else { return ExitCode::FAILURE };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    adopt_orphans();
    let mut host = Host::connect();
    let place = Utf8PathBuf::from(std::env::var("ATTACK_PLACE").expect("set by the suite"));
    let isolation = match level.as_str() {
        "strict" | "warm" => Some(Isolation::Strict),
        "best-effort" => Some(Isolation::BestEffort),
        _ => None,
    };
    let sandbox = isolation.map(|it| match Sandbox::confined(it) {
        Ok(sandbox) => sandbox,
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    });
    let has_namespaces =
        |it: &Sandbox| it.layers().iter().any(|it| it.name == "pid namespace" && it.active);
    if let Some(sandbox) = &sandbox {
        assert_eq!(has_namespaces(sandbox), level != "best-effort", "not the level to be tested");
    }
    if let Some(sandbox) = &sandbox {
        side_by_side(sandbox);
    }
    for probe in table(&place, &words) {
        let is_provable = match probe.proof {
            Proof::Anyone => true,
            Proof::User => user == "user",
            Proof::Capability => user == "root",
        };
        if sandbox.is_none() && !is_provable {
            continue;
        }
        let start = Instant::now();
        let seen = match &sandbox {
            Some(sandbox) => confined(sandbox, &probe, &place, &host, level == "warm"),
            None => bare(&probe, &place, &host),
        };
        let mut finding = judge(&probe, seen, sandbox.is_none(), &mut host);
        finding.seconds = start.elapsed().as_secs_f64();
        let line = serde_json::to_string(&finding).expect("it is plain");
        println!("{line}");
    }
    ExitCode::SUCCESS
}

/// The end of one run must not end another.
fn side_by_side(sandbox: &Sandbox) {
    let job = |script: &str| Job {
        program: "/bin/sh".into(),
        arguments: ["-c", script].map(str::to_owned).to_vec(),
        environment: BTreeMap::new(),
        mounts: vec![],
        openings: Openings::default(),
        working_folder: "/tmp".into(),
        limits: Limits {
            wall: Duration::from_secs(15),
            cpu: Duration::from_secs(20),
            memory: 128 * MIB,
            processes: 40,
            open_files: 256,
            file_size: 12 * MIB,
            temporary: 16 * MIB,
            console: CONSOLE,
        },
    };
    let long = sandbox.start(&job("sleep 0.5; echo whole")).expect("it starts");
    let short = sandbox.start(&job("exit 3")).expect("it starts");
    assert_eq!(short.wait().outcome, Outcome::Exited(3));
    let long = long.wait();
    assert_eq!((long.outcome, long.console.as_slice()), (Outcome::Exited(0), &b"whole\n"[..]));
}

fn table(place: &Utf8Path, words: &[&str]) -> Vec<Probe> {
    let mut command = Command::new(place::python());
    command.args(["-B", "main.py", "list"]).current_dir(place.join("probes"));
    let output = command.output().expect("python starts");
    let probes: Vec<Probe> = serde_json::from_slice(&output.stdout).expect("a table");
    let is_wanted =
        |it: &Probe| words.is_empty() || words.iter().any(|word| it.name.contains(word));
    probes.into_iter().filter(is_wanted).collect()
}

/// Whoever loses its parents below this process becomes its child.
pub(super) fn adopt_orphans() {
    let this = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(this)).expect("a subreaper");
}

/// The other side of the socket of `host.py`.
struct Host {
    stream: BufReader<UnixStream>,
    places: BTreeMap<String, serde_json::Value>,
    folder: Utf8PathBuf,
}

impl Host {
    fn connect() -> Host {
        let stream = UnixStream::connect("questions").expect("the host listens");
        let mut host = Host {
            stream: BufReader::new(stream),
            places: BTreeMap::new(),
            folder: Utf8PathBuf::new(),
        };
        host.look();
        host
    }

    fn ask<T: serde::de::DeserializeOwned>(&mut self, question: &str) -> T {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{question}\n").as_bytes()).expect("the host listens");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the host answers");
        serde_json::from_str(&line).expect("an answer")
    }

    fn look(&mut self) {
        self.places = self.ask("where");
        let folder = self.places.get("folder").and_then(|it| it.as_str());
        self.folder = folder.expect("a folder").into();
    }

    fn coordinates(&self, is_bare: bool) -> String {
        let mut places = self.places.clone();
        places.insert("is_bare".to_owned(), is_bare.into());
        serde_json::to_string(&places).expect("it is plain")
    }
}

/// How a probe ended.
struct Seen {
    console: Vec<u8>,
    /// The limit or signal that stopped it; empty when it ended by itself.
    stopped: String,
    is_by_limit: bool,
    end: String,
}

fn confined(
    sandbox: &Sandbox,
    probe: &Probe,
    place: &Utf8Path,
    host: &Host,
    is_warm: bool,
) -> Seen {
    let limit = |name: &str, value: u64| probe.limits.get(name).copied().unwrap_or(value);
    let mount = |host: Utf8PathBuf, inside: &str| Mount {
        host,
        inside: inside.into(),
        access: Access::ReadOnly,
    };
    let program = if is_warm { "/attack/forked.py" } else { "/attack/main.py" };
    let arguments = ["-E", "-s", "-B", program, &probe.name, &host.coordinates(false), "/visible"];
    let environment = [("LANG", "C.UTF-8"), ("HOME", "/tmp"), ("TMPDIR", "/tmp")];
    let job = Job {
        program: place::python(),
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        mounts: vec![
            mount(place.join("probes"), "/attack"),
            mount(host.folder.join("visible"), "/visible"),
        ],
        openings: Openings::default(),
        working_folder: "/tmp".into(),
        // Those that `resources.py` knows.
        limits: Limits {
            wall: Duration::from_secs(limit("wall", 15)),
            cpu: Duration::from_secs(limit("cpu", 20)),
            memory: 128 * MIB,
            processes: 40,
            open_files: 256,
            file_size: 12 * MIB,
            temporary: 16 * MIB,
            console: CONSOLE,
        },
    };
    let ended = if is_warm { forked(sandbox, &job, host) } else { started(sandbox, &job) };
    let is_by_limit = matches!(
        ended.outcome,
        Outcome::TimedOut
            | Outcome::OutOfCpuTime
            | Outcome::OutOfMemory
            | Outcome::OutOfDisk
            // SIGSYS is the answer of a filter to another ABI.
            | Outcome::Signalled(libc::SIGSYS)
    );
    Seen {
        console: ended.console,
        stopped: String::new(),
        is_by_limit,
        end: format!("{:?}", ended.outcome),
    }
}

fn started(sandbox: &Sandbox, job: &Job) -> Ended {
    match sandbox.start(job) {
        Ok(running) => running.wait(),
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

/// In a fork of a process that was confined before, between two other slots.
fn forked(sandbox: &Sandbox, job: &Job, host: &Host) -> Ended {
    let mount =
        Mount { host: host.folder.join("visible"), inside: "/nb".into(), access: Access::Overlay };
    let slot = Slot { mount, hidden: vec![] };
    let warm = match sandbox.start_warm(job, vec![slot; 3]) {
        Ok(warm) => warm,
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    };
    let attached = warm.enter(1).expect("a slot");
    let channel = warm.open_channel().expect("a socket");
    let mut fork = warm.channel().expect("a descriptor");
    // It ends by itself, or by its limits.
    let is_over = matches!(fork.read(&mut [0]), Ok(1));
    drop(channel);
    match attached.clear() {
        Ok(ended) if is_over => ended,
        _ => {
            warm.killer().kill();
            warm.wait()
        }
    }
}

/// Runs the probe as any program, which is what a notebook without isolation and limits is.
fn bare(probe: &Probe, place: &Utf8Path, host: &Host) -> Seen {
    let start = Instant::now();
    let longest = Duration::from_secs(probe.limits.get("wall").map_or(20, |it| it + 1));
    let mut child = Command::new(place::python())
        .args(["-E", "-s", "-B", place.join("probes/main.py").as_str(), &probe.name])
        .arg(host.coordinates(true))
        .arg(host.folder.join("visible"))
        // A probe must not strike the suite by acting on its own process group.
        .process_group(0)
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut pipes: Vec<Box<dyn Read + Send>> = vec![];
    pipes.extend(child.stdout.take().map(|it| Box::new(it) as Box<dyn Read + Send>));
    pipes.extend(child.stderr.take().map(|it| Box::new(it) as Box<dyn Read + Send>));
    let readers: Vec<_> = pipes
        .into_iter()
        .map(|mut pipe| {
            std::thread::spawn(move || {
                let mut bytes = vec![];
                drop(pipe.read_to_end(&mut bytes));
                bytes
            })
        })
        .collect();
    let mut stopped = String::new();
    loop {
        if child.try_wait().expect("its state").is_some() {
            break;
        }
        if start.elapsed() > longest {
            "nothing stopped it".clone_into(&mut stopped);
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // Those that are left hold the pipes open.
    let left = left_behind(Duration::ZERO);
    if stopped.is_empty() && !left.is_empty() {
        stopped = format!("it left {left:?}");
    }
    end_all();
    drop(child.wait());
    let mut console = vec![];
    for reader in readers {
        console.extend(reader.join().expect("it reads"));
    }
    Seen { console, stopped, is_by_limit: false, end: "no word".to_owned() }
}

fn judge(probe: &Probe, seen: Seen, is_bare: bool, host: &mut Host) -> Finding {
    let finding =
        |word, detail: String| Finding { name: probe.name.clone(), word, detail, seconds: 0.0 };
    let left = left_behind(Duration::from_secs(3));
    end_all();
    let traces = traces();
    let harm: Vec<String> = host.ask("check");
    if !harm.is_empty() {
        // The host has made good what it could.
        host.look();
    }
    let text = String::from_utf8_lossy(&seen.console);
    if !left.is_empty() {
        return finding(Word::Escaped, format!("processes are left: {left:?}"));
    }
    if !traces.is_empty() {
        return finding(Word::Escaped, format!("there is left: {traces:?}"));
    }
    if !harm.is_empty() {
        return finding(Word::Escaped, format!("on the host: {harm:?}"));
    }
    if !seen.stopped.is_empty() {
        return finding(Word::Escaped, seen.stopped);
    }
    if seen.console.len() > 2 * usize::try_from(CONSOLE).unwrap_or(usize::MAX) {
        return finding(Word::Escaped, format!("{} bytes of output", seen.console.len()));
    }
    let said = text.lines().rev().find_map(|line| {
        let escaped = line.strip_prefix("ESCAPED ").map(|it| (Word::Escaped, it));
        escaped.or_else(|| line.strip_prefix("CONTAINED ").map(|it| (Word::Contained, it)))
    });
    match said {
        Some((word, detail)) => finding(word, detail.to_owned()),
        None if seen.is_by_limit || (probe.ends_run && !is_bare) => {
            finding(Word::Contained, seen.end)
        }
        None => finding(Word::Broken, format!("{}: {}", seen.end, text.trim_end())),
    }
}

/// Processes below this one, after a moment in which they may end.
pub(super) fn left_behind(patience: Duration) -> Vec<String> {
    let start = Instant::now();
    loop {
        // Dead children are this process's to collect, and nobody else waits for them here.
        let left = descendants();
        let left: Vec<String> = left.into_iter().filter_map(living).collect();
        if left.is_empty() || start.elapsed() >= patience {
            return left;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Number, state and command of a process that has not ended.
fn living(pid: i32) -> Option<String> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let state = stat.get(stat.rfind(')')? + 1..)?.trim_start().chars().next()?;
    let command = fs_err::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let command: String = command.chars().take(60).collect();
    (state != 'Z' && state != 'X').then(|| format!("{pid} ({state}) {command}"))
}

fn descendants() -> Vec<i32> {
    let mut found = vec![];
    let mut parents = vec![i32::try_from(std::process::id()).expect("a number")];
    while let Some(parent) = parents.pop() {
        let Ok(threads) = fs_err::read_dir(format!("/proc/{parent}/task")) else { continue };
        for thread in threads.flatten() {
            let children =
                fs_err::read_to_string(thread.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|it| it.parse::<i32>().ok());
            for child in children {
                found.push(child);
                parents.push(child);
            }
        }
    }
    found
}

/// Ends and collects every process below this one.
pub(super) fn end_all() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let all = descendants();
        if all.is_empty() {
            return;
        }
        for pid in all.into_iter().filter_map(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
        }
    }
}

/// Mounts, control groups and temporary files of ours.
pub(super) fn traces() -> Vec<String> {
    let mut found = vec![];
    let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    found.extend(mounts.lines().filter(|it| it.contains("nbc")).map(str::to_owned));
    let temporary = std::env::var("TMPDIR").expect("set by the suite");
    let entries = Utf8Path::new(&temporary).read_dir_utf8().expect("listed").flatten();
    for entry in entries {
        found.push(entry.path().to_string());
        // The next probe is not to be blamed for it.
        drop(fs_err::remove_file(entry.path()).or_else(|_| fs_err::remove_dir_all(entry.path())));
    }
    found.extend(groups(std::process::id()));
    found
}

/// Control groups that an nbc with this number has made.
pub(super) fn groups(nbc: u32) -> Vec<String> {
    let own = fs_err::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_memory = own.lines().find_map(|it| it.split_once(":memory:"));
    let of_memory = of_memory.map(|(_, group)| format!("/sys/fs/cgroup/memory{group}"));
    let folders = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(str::to_owned);
    let prefix = format!("nbc-{nbc}");
    let mut found = vec![];
    for folder in folders.into_iter().chain(of_memory) {
        let Ok(entries) = Utf8Path::new(&folder).read_dir_utf8() else { continue };
        let ours = entries.flatten().filter(|it| {
            let rest = it.file_name().strip_prefix(&prefix);
            rest.is_some_and(|it| it.is_empty() || it.starts_with('-'))
        });
        found.extend(ours.map(|it| it.path().to_string()));
    }
    found
}
