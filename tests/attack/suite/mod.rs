//! Starts the workers, and sums up what they found.

mod kills;
mod place;
mod worker;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use place::{LEVELS, Level, Place, User};

/// A row of the table that `main.py list` prints.
#[derive(Debug, Clone, Deserialize)]
struct Probe {
    name: String,
    does: String,
    proof: Proof,
    /// Kernels without the interface are common.
    is_rare: bool,
    /// Why it is not contained without namespaces; empty when it is.
    open_in_place: String,
    /// The attack is on the run itself, so that any end will do.
    ends_run: bool,
    limits: BTreeMap<String, u64>,
}

/// The user who can show without isolation that a probe is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Proof {
    Anyone,
    /// Not root, for whom it would strike the whole machine.
    User,
    Capability,
}

impl Probe {
    fn is_provable_by(&self, user: User) -> bool {
        match self.proof {
            Proof::Anyone => true,
            Proof::User => user == User::Ordinary,
            Proof::Capability => user == User::Root,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Word {
    Contained,
    Escaped,
    /// Neither: the probe itself is wrong.
    Broken,
}

/// The result of one probe.
#[derive(Debug, Serialize, Deserialize)]
struct Finding {
    name: String,
    word: Word,
    detail: String,
    seconds: f64,
}

pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(nbc::process::STAGE_ARGUMENT) => {
            return u8::try_from(nbc::process::sandbox_main()).unwrap_or(u8::MAX).into();
        }
        Some("worker") => return worker::main(&arguments),
        Some("killer") => return kills::worker(&arguments),
        _ => {}
    }
    let words: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|it| !it.starts_with('-')).collect();
    let is_quiet = arguments.iter().any(|it| it == "--quiet" || it == "-q");
    let place = Place::make();
    let mut is_good = true;
    if words != ["kill"] {
        is_good &= probes(&place, &words, is_quiet);
    }
    if words.is_empty() || words.contains(&"kill") {
        is_good &= kills::all(&place);
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn table(place: &Place, words: &[&str]) -> Vec<Probe> {
    let output = place.python().args(["-B", "main.py", "list"]).output().expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let probes: Vec<Probe> = serde_json::from_slice(&output.stdout).expect("a table");
    let is_wanted =
        |it: &Probe| words.is_empty() || words.iter().any(|word| it.name.contains(word));
    probes.into_iter().filter(is_wanted).collect()
}

type Findings = BTreeMap<(String, Level, User), Finding>;

fn probes(place: &Place, words: &[&str], is_quiet: bool) -> bool {
    let start = Instant::now();
    let table = table(place, words);
    let users = place.users();
    let findings: Findings = std::thread::scope(|scope| {
        let lanes: Vec<_> =
            users.iter().map(|&user| scope.spawn(move || lane(place, words, user))).collect();
        lanes.into_iter().flat_map(|it| it.join().expect("a lane ends")).collect()
    });
    let mut is_good = true;
    let mut complain = |text: String| {
        is_good = false;
        println!("FAILED {text}");
    };
    let mut counts: BTreeMap<(Level, User), (u32, Vec<&str>)> = BTreeMap::new();
    let mut unproven = vec![];
    for probe in &table {
        let mut line = format!("{:40}", probe.name);
        let mut is_proven = false;
        for (level, user) in LEVELS.iter().flat_map(|level| users.iter().map(|it| (*level, *it))) {
            if level == Level::None && !probe.is_provable_by(user) {
                continue;
            }
            let Some(finding) = findings.get(&(probe.name.clone(), level, user)) else {
                complain(format!("{} at {level:?} as {user:?}: no word of it", probe.name));
                continue;
            };
            let is_open = level == Level::BestEffort && !probe.open_in_place.is_empty();
            let (contained, open) = counts.entry((level, user)).or_default();
            match (level, finding.word) {
                (Level::None, Word::Escaped) => is_proven = true,
                (Level::None, Word::Contained) => {}
                (_, Word::Contained) if !is_open => *contained += 1,
                (_, Word::Escaped) if is_open => open.push(&probe.name),
                _ => complain(format!(
                    "{} at {level:?} as {user:?}: {:?}: {}",
                    probe.name, finding.word, finding.detail
                )),
            }
            let word = if is_open { "open" } else { place::word(finding.word) };
            line += &format!(" {}/{}: {word};", place::level(level), place::user(user));
        }
        if !is_proven {
            unproven.push(probe.name.as_str());
            let by_all = users.iter().any(|it| probe.is_provable_by(*it));
            if by_all && !probe.is_rare && probe.proof != Proof::Capability {
                complain(format!("{}: did not succeed even without isolation", probe.name));
            }
        }
        if !is_quiet {
            println!("{line} {}", probe.does);
        }
    }
    for ((level, user), (contained, open)) in &counts {
        if *level != Level::None {
            println!(
                "{} as {}: {contained} of {} contained{}",
                place::level(*level),
                place::user(*user),
                table.len(),
                if open.is_empty() { String::new() } else { format!("; not: {}", open.join(", ")) }
            );
        }
    }
    println!(
        "{} probes in {:.0} s; without isolation {} succeeded here{}",
        table.len(),
        start.elapsed().as_secs_f64(),
        table.len() - unproven.len(),
        if unproven.is_empty() {
            String::new()
        } else {
            format!("; not (the kernel, or the container around it): {}", unproven.join(", "))
        }
    );
    if users.len() == 1 {
        println!("run by an ordinary user, so nothing was tried as root");
    }
    is_good
}

/// The three levels for one user, one after the other.
fn lane(place: &Place, words: &[&str], user: User) -> Vec<((String, Level, User), Finding)> {
    let mut all = vec![];
    for level in LEVELS {
        let mut arguments = vec!["worker", place::level(level), place::user(user)];
        arguments.extend(words);
        let mut worker = place
            .worker(level, user, &arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = worker.stdout.take().expect("a pipe");
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if std::env::var_os("NBC_ATTACK_DETAILS").is_some() {
                println!("{}/{}: {line}", place::level(level), place::user(user));
            }
            match serde_json::from_str::<Finding>(&line) {
                Ok(finding) => all.push(((finding.name.clone(), level, user), finding)),
                Err(_) => println!("{}/{}: {line}", place::level(level), place::user(user)),
            }
        }
        let status = worker.wait().expect("it ends");
        if !status.success() {
            println!("{}/{}: {status}", place::level(level), place::user(user));
        }
    }
    all
}
