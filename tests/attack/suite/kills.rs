//! nbc, killed at random moments of a build: nothing of it may be left, and the earlier output stays.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::place::{self, Level, Place};
use super::worker::{adopt_orphans, end_all, groups, left_behind, traces};

/// Forty show a hole that opens once in a while; the two hundred of a release are run by hand.
const USUALLY: u32 = 40;

pub(super) fn all(place: &Place) -> bool {
    let start = Instant::now();
    let asked = std::env::var("NBC_KILLS").ok().and_then(|it| it.parse().ok());
    let kills: u32 = asked.unwrap_or(USUALLY);
    let users = place.users();
    let each = kills.div_ceil(u32::try_from(users.len() * 2).unwrap_or(1)).to_string();
    let mut is_good = true;
    std::thread::scope(|scope| {
        let lanes: Vec<_> = users
            .iter()
            .map(|&user| {
                let each = each.clone();
                scope.spawn(move || {
                    [Level::Strict, Level::BestEffort].map(|level| {
                        let arguments = ["killer", place::level(level), &each];
                        let output =
                            place.worker(level, user, &arguments).output().expect("started");
                        let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
                        let errors = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
                        let who = format!("{} as {}", place::level(level), place::user(user));
                        println!("killed at {who}: {said}{errors}");
                        output.status.success() && errors.is_empty()
                    })
                })
            })
            .collect();
        for lane in lanes {
            is_good &= lane.join().expect("a lane ends").iter().all(|it| *it);
        }
    });
    println!("{kills} kills in {:.0} s", start.elapsed().as_secs_f64());
    is_good
}

const NOTEBOOK: &str = r##"{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {}, "outputs": [],
"source": ["import os, subprocess, tempfile, time\n", "open(os.path.join(tempfile.gettempdir(), 'left'), 'w').write('x')\n",
"subprocess.Popen(['/bin/sleep', '300'], start_new_session=True)\n", "time.sleep(0.2)\n", "print('built')"]}],
"metadata": {}, "nbformat": 4, "nbformat_minor": 5}"##;

pub(super) fn worker(arguments: &[String]) -> ExitCode {
    let [_, level, kills] = arguments else { return ExitCode::FAILURE };
    let kills: u32 = kills.parse().expect("a number");
    // `host.py` waits for somebody to ask it.
    let _host = std::os::unix::net::UnixStream::connect("questions").expect("the host listens");
    adopt_orphans();
    let folder = Utf8PathBuf::from(std::env::var("HOME").expect("set by the suite"));
    let project = folder.join("project");
    fs_err::create_dir(&project).expect("made");
    fs_err::write(project.join("report.ipynb"), NOTEBOOK).expect("written");
    let build = || {
        let place = Utf8PathBuf::from(std::env::var("ATTACK_PLACE").expect("set by the suite"));
        let mut command = Command::new(place.join("nbc"));
        command.args(["build", "report.ipynb", "--output", "../site/pages", "--isolation", level]);
        command.args(["--python", place::python().as_str()]).current_dir(&project);
        // A stored run would be over before most of the kills.
        command.env("NBC_NO_CACHE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let start = Instant::now();
    let first = build().stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("nbc starts");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let usual = start.elapsed();
    let (site, cache) = (folder.join("site/pages"), folder.join("cache"));
    let earlier = files(&site);
    assert!(!earlier.is_empty(), "a site");
    let entries = names(&cache);
    let seed = std::process::id();
    let mut random = u64::from(seed);
    let (mut complaints, mut unfinished, mut in_time) = (vec![], 0, 0);
    let mut killed = vec![];
    for round in 0..kills {
        let mut child = build().spawn().expect("nbc starts");
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = f64::from(u32::try_from(random >> 33).unwrap_or(0)) / f64::from(1_u32 << 31);
        std::thread::sleep(usual.mul_f64(part));
        in_time += u32::from(child.try_wait().expect("its state").is_none());
        child.kill().expect("killed");
        killed.push(child.id());
        child.wait().expect("ended");
        let after = format!("kill {round} after {:.0} ms", usual.mul_f64(part).as_secs_f64() * 1e3);
        let left = left_behind(Duration::from_secs(5));
        end_all();
        let new = names(&cache).into_iter().filter(|it| !entries.contains(it)).collect::<Vec<_>>();
        for (what, left) in [("processes", left), ("traces", traces()), ("in the cache", new)] {
            if !left.is_empty() {
                complaints.push(format!("{after}: {what}: {left:?}"));
            }
        }
        if files(&site) != earlier {
            complaints.push(format!("{after}: the output has changed"));
        }
        // The next build takes the place of an unfinished one; a lock nobody holds locks nothing.
        unfinished += u32::from(folder.join("site/.pages.nbc-new").exists());
    }
    let last = build().status().expect("nbc starts");
    let beside = names(&folder.join("site"));
    if !last.success() || files(&site) != earlier || beside != ["pages"] {
        complaints.push(format!("the next build: {last}, beside the output: {beside:?}"));
    }
    // Nobody removes an empty group but the next nbc.
    let groups: Vec<_> = killed.into_iter().flat_map(groups).collect();
    if !groups.is_empty() {
        complaints.push(format!("after the next build: groups: {groups:?}"));
    }
    println!(
        "{kills} kills ({in_time} before the end of a build of {:.0} ms), {} complaints, {unfinished} \
         unfinished folders beside the output until the next build",
        usual.as_secs_f64() * 1e3,
        complaints.len()
    );
    for complaint in &complaints {
        println!("  {complaint}");
    }
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn files(folder: &Utf8Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        if entry.file_type().is_file() {
            let bytes = fs_err::read(entry.path()).expect("read");
            files.insert(entry.path().to_string_lossy().into_owned(), bytes);
        }
    }
    files
}

fn names(folder: &Utf8Path) -> Vec<String> {
    let Ok(entries) = folder.read_dir_utf8() else { return vec![] };
    let mut names: Vec<_> = entries.flatten().map(|it| it.file_name().to_owned()).collect();
    names.sort();
    names
}
