//! Warm starts against cold ones, with real marimo and real IPython: what a fork gives, and what it may not see.
//!
//! Runs use the interpreter of `NBC_TEST_PYTHON`, which `tests/run.sh` makes; see CONTRIBUTING.md.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nbc::environment::{Beside, Choice, Confinement, Environment, Provisioner};
use nbc::notebook::Notebook;
use nbc::process::{Isolation, Limits, OnDemand, Sandbox};
use nbc::run::grants::Shown;
use nbc::run::reach::Reach;
use nbc::run::warm::{BatchRun, WarmPool};
use nbc::run::{
    Bounds, Execution, Grants, HostPaths, OnError, OutputLimits, RunPlan, RunRecord, RunnerFolder,
    SweepPlan, Unobserved,
};
use nbc::source::Sources;

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    let launcher = Utf8Path::new(env!("CARGO_BIN_EXE_nbc"));
    Sandbox::confined_with(Isolation::Strict, launcher).unwrap_or_else(|error| panic!("{error}"))
});

static RUNNER: LazyLock<RunnerFolder> = LazyLock::new(|| RunnerFolder::below(cache()).unwrap());

static CACHE: LazyLock<Utf8PathBuf> = LazyLock::new(|| {
    let folder = std::env::var("NBC_CACHE_DIR").expect("tests/run.sh sets one");
    Utf8PathBuf::from(folder)
});

fn cache() -> &'static Utf8Path {
    &CACHE
}

fn python() -> Utf8PathBuf {
    test_support::python().into()
}

fn limits() -> Limits {
    Limits {
        wall: Duration::from_secs(40),
        cpu: Duration::from_secs(120),
        memory: 2 << 30,
        processes: 512,
        open_files: 1024,
        file_size: 1 << 30,
        temporary: 1 << 30,
        console: 64 << 10,
    }
}

/// Notebooks with the plans of their runs.
struct Planned {
    notebooks: Vec<Notebook>,
    plans: Vec<RunPlan>,
    names: Vec<String>,
}

struct Options {
    limits: Limits,
    sweep: Option<SweepPlan>,
    grants: Grants,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: limits(), sweep: None, grants: Grants::default() }
    }
}

fn planned(paths: &[Utf8PathBuf], options: &Options) -> Planned {
    let mut sources = Sources::default();
    let provisioner =
        Provisioner::new(Choice::Given(python()), (cache(), 2 << 30), None, false, Arc::default());
    let provisioner = provisioner.unwrap();
    let sandbox = OnDemand::ready(Isolation::Strict, SANDBOX.clone());
    let limits = &options.limits;
    let mut all = Planned { notebooks: vec![], plans: vec![], names: vec![] };
    let mut environment: Option<Environment> = None;
    for path in paths {
        let source = sources.load(path).unwrap();
        let notebook = nbc::notebook::parse(&mut sources, source).value.expect("a notebook");
        let graph = nbc::graph::analyze(&sources, &notebook).value.into_runnable();
        let graph = graph.unwrap_or_else(|found| panic!("{path}: {found:?}"));
        let environment = environment.get_or_insert_with(|| {
            let buildable = std::collections::BTreeSet::new();
            let confinement =
                Confinement { sandbox: &sandbox, limits, buildable: &buildable, say: &|_| () };
            provisioner.provision(&notebook, Beside::new(path, None), confinement).unwrap()
        });
        let places = HostPaths { notebook: path, runner: RUNNER.path() };
        let bounds = Bounds {
            process: options.limits.clone(),
            cell: options.limits.wall,
            outputs: OutputLimits::default(),
            sweep: options.sweep.clone(),
        };
        let opened = nbc::run::grants::open(
            &options.grants,
            path,
            &environment.mounts,
            Shown::Folder(&Reach::default()),
        )
        .unwrap();
        let on_error = OnError::Continue;
        let plan =
            nbc::run::plan::plan(&notebook, &graph, environment, places, bounds, on_error, opened);
        all.notebooks.push(notebook);
        all.plans.push(plan);
        all.names.push(path.to_string());
    }
    all
}

impl Planned {
    fn cold(&self, at: usize) -> Execution {
        nbc::run::execute(&self.plans[at], &SANDBOX, &self.notebooks[at], &mut Unobserved).unwrap()
    }

    /// The result of each, how many were forked, and why not all.
    fn warm(&self) -> (Vec<Execution>, usize, Vec<String>) {
        let pool = WarmPool::default();
        let list: Vec<_> = self.plans.iter().zip(&self.notebooks).collect();
        let plans: Vec<_> = self.plans.iter().collect();
        let mut given: Vec<Option<Execution>> = self.plans.iter().map(|_| None).collect();
        let (mut forked, mut remarks) = (0, vec![]);
        for batch in pool.batches(&SANDBOX, &list, 1) {
            let mut batch_run = BatchRun::new(&pool, &SANDBOX, &batch, &plans);
            for (place, member) in batch.members.iter().enumerate() {
                let notebook = &self.notebooks[*member];
                given[*member] = Some(batch_run.execute(place, notebook, &mut Unobserved).unwrap());
            }
            forked += batch_run.forked();
            remarks.extend(batch_run.remarks().iter().cloned());
        }
        (given.into_iter().map(Option::unwrap).collect(), forked, remarks)
    }
}

fn record(execution: &Execution) -> &RunRecord {
    let said = || format!("{:?}\n{}", execution.diagnostics, execution.console);
    execution.record.as_ref().unwrap_or_else(|| panic!("{}", said()))
}

/// Notebooks in a folder of their own.
struct Folder {
    folder: tempfile::TempDir,
    paths: Vec<Utf8PathBuf>,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), paths: vec![] }
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn jupyter(&mut self, name: &str, cells: &[&str]) {
        self.write(name, &test_support::jupyter(cells));
        self.paths.push(self.path().join(name));
    }

    fn marimo(&mut self, name: &str, cells: &[&str]) {
        self.write(name, &test_support::marimo(cells));
        self.paths.push(self.path().join(name));
    }

    fn planned(&self) -> Planned {
        planned(&self.paths, &Options::default())
    }
}

fn repository() -> Utf8PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn notebooks_in(folder: &str) -> Vec<Utf8PathBuf> {
    let entries = repository().join(folder).read_dir_utf8().unwrap();
    let paths = entries.map(|it| it.unwrap().into_path());
    let mut paths: Vec<_> =
        paths.filter(|it| matches!(it.extension(), Some("py" | "ipynb"))).collect();
    paths.sort();
    paths
}

fn sweep() -> SweepPlan {
    SweepPlan {
        most_states: 60,
        most_values: 6,
        most_bytes: 256 << 20,
        time: Duration::from_secs(120),
        state_time: Duration::from_secs(10),
        run_time: Duration::from_secs(60),
        jobs: 2,
        memory: 2 << 30,
        is_dry: false,
        samples: std::collections::BTreeMap::new(),
    }
}

/// Cold and warm runs of the same notebooks are equal; each stands there twice, so that it is forked.
fn are_equal(paths: &[Utf8PathBuf], options: &Options, fewest_forked: usize) {
    let twice: Vec<_> = paths.iter().flat_map(|it| [it.clone(), it.clone()]).collect();
    let planned = planned(&twice, options);
    let (warm, forked, remarks) = planned.warm();
    println!("{forked} of {} forked; {remarks:#?}", twice.len());
    let mut differ = vec![];
    for at in (0..twice.len()).step_by(2) {
        let cold = planned.cold(at);
        for warm in &warm[at..at + 2] {
            assert_eq!((&cold.layers, &cold.masks), (&warm.layers, &warm.masks));
            assert_eq!(cold.diagnostics.len(), warm.diagnostics.len());
            let [one, other] =
                [record(&cold), record(warm)].map(|it| serde_json::to_string(it).unwrap());
            if one != other {
                let differs = one.bytes().zip(other.bytes()).position(|(a, b)| a != b).unwrap_or(0);
                let near = |text: &str| {
                    let part = text.as_bytes();
                    let part = &part[differs.saturating_sub(200)..part.len().min(differs + 200)];
                    String::from_utf8_lossy(part).into_owned()
                };
                differ.push(format!("{}\n- {}\n+ {}", planned.names[at], near(&one), near(&other)));
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(forked >= fewest_forked, "{forked}");
}

#[test]
fn the_examples_give_the_same() {
    are_equal(&notebooks_in("examples"), &Options::default(), 0);
}

#[test]
fn apps_have_the_same_states() {
    let options = Options { sweep: Some(sweep()), ..Options::default() };
    // The others take long, and show nothing else.
    let apps = ["converter.py", "loan.py", "orders.py", "thermostat.py"];
    let apps = apps.map(|it| repository().join("tests/apps").join(it));
    are_equal(&apps, &options, 8);
}

/// Reports what a notebook sees of its process and its surroundings; `proc` is spelled so that nbc does not find it.
const LOOK: &str = r#"
import json, os, resource, signal, stat, sys, textwrap, threading, time
proc = "/pr" + "oc"
def tree(folder):
    found = []
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            it = os.lstat(os.path.join(root, name))
            found.append((os.path.join(root, name), stat.filemode(it.st_mode), it.st_size))
    return sorted(found)
def numbers():
    found = []
    for name in os.listdir(proc + "/self/fd"):
        try:
            target = os.readlink(proc + "/self/fd/" + name)
        except OSError:
            continue
        found.append((int(name), target.split(":")[0].split("/")[1:2] or target.split(":")[0]))
    return sorted(found)
print(json.dumps({
    "files": {it: tree(it) for it in ("/nb", "/tmp", "/dev/shm")},
    "environment": dict(os.environ),
    "numbers": [os.getpid(), getattr(os, "getpg" + "id")(0) == os.getpid(), os.getuid(), os.getgid()],
    "others": sorted(int(it) for it in os.listdir(proc) if it.isdigit() and it not in "12"),
    "limits": {it: resource.getrlimit(getattr(resource, it)) for it in dir(resource) if it.startswith("RLIMIT_")},
    "signals": {int(it): str(signal.getsignal(it)) for it in signal.valid_signals()},
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "open": numbers(),
    "path": sys.path, "argv": sys.argv, "folder": os.getcwd(), "umask": os.umask(0o22),
    "processors": sorted(os.sched_getaffinity(0)), "nice": os.nice(0),
    "threads": [it.name for it in threading.enumerate()],
    "status": [it for it in open(proc + "/self/status").read().splitlines()
               if it.split(":")[0] in ("Seccomp", "Seccomp_filters", "NoNewPrivs", "CapEff", "CapBnd", "CapPrm", "SigIgn", "SigBlk", "SigCgt", "Groups", "TracerPid")],
    "time": getattr(time, "process_" + "time")() < 5,
    "indent": textwrap.indent("a", "b"), "sum": sum([1]),
}, indent=1, sort_keys=True, default=str))
"#;

/// Leaves things behind in every place that it can reach.
const LITTER: &str = r#"
import builtins, ctypes, json, os, random, resource, signal, socket, subprocess, sys, threading, time
for folder in ("/nb", "/tmp", "/dev/shm"):
    open(folder + "/left", "w").write("a")
    os.makedirs(folder + "/folder/below", exist_ok=True)
    os.mkfifo(folder + "/pipe")
server = socket.socket(socket.AF_UNIX)
server.bind("/tmp/socket")
server.listen()
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0left")
abstract.listen()
os.remove("data.txt")
os.environ["LEFT"] = "a"
os.chdir("/dev/shm")
os.umask(0o77)
import textwrap
textwrap.indent = lambda *_, **__: "replaced"
builtins.sum = lambda _: 77
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.path.insert(0, "/tmp")
random.seed(1)
subprocess.Popen(["sleep", "1000"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(0.01)
            try:
                open("/tmp/again", "a").write("a")
                open("/nb/again", "a").write("a")
            except OSError:
                pass
    os._exit(0)
threading.Thread(target=lambda: time.sleep(1000), daemon=True).start()
libc = ctypes.CDLL(None, use_errno=True)
for call in ("shmget", "semget", "msgget"):
    getattr(libc, call)(1, 1, 0o1777)
os.sched_setaffinity(0, {0})
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
# Whatever is open may be shared with others.
import fcntl
for number in range(0, 150):
    try:
        fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_NONBLOCK | os.O_APPEND)
    except OSError:
        pass
print("littered")
"#;

/// Reaches for the process that it was forked from: prints what worked.
const REACH: &str = r#"
import ctypes, os, resource, signal, socket
proc, worked = "/pr" + "oc", []
def attempt(name, action):
    try:
        worked.append((name, repr(action())[:60]))
    except (OSError, ValueError, AttributeError):
        pass
for pid in (1, 2):
    for file in ("mem", "maps", "environ", "auxv", "syscall", "stack"):
        attempt(f"read {pid} {file}", lambda: open(f"{proc}/{pid}/{file}", "rb").read(16))
    for file in ("mem", "comm", "oom_score_adj", "clear_refs", "timerslack_ns", "coredump_filter"):
        attempt(f"write {pid} {file}", lambda: open(f"{proc}/{pid}/{file}", "r+b").write(b"1"))
    for file in ("fd", "map_files", "fdinfo"):
        attempt(f"list {pid} {file}", lambda: os.listdir(f"{proc}/{pid}/{file}"))
    for file in ("root", "cwd", "exe", "ns/mnt", "ns/user"):
        attempt(f"link {pid} {file}", lambda: os.readlink(f"{proc}/{pid}/{file}"))
    libc = ctypes.CDLL(None, use_errno=True)
    attempt(f"trace {pid}", lambda: (_ for _ in ()).throw(OSError) if libc.ptrace(16, pid, 0, 0) else "traced")
attempt("mount", lambda: (_ for _ in ()).throw(OSError) if libc.umount2(b"/tmp", 2) else "unmounted")
attempt("setns", lambda: (_ for _ in ()).throw(OSError) if libc.unshare(0x10000000) else "unshared")
attempt("last", lambda: open(proc + "/sys/kernel/ns_last_pid", "w").write("100"))
for pid in (1, 2):
    attempt(f"stop {pid}", lambda: os.kill(pid, signal.SIGSTOP) if pid == 1 else None)
os.kill(2, signal.SIGSTOP)
print(sorted(it for it in worked if not it[0].startswith("stop")))
"#;

impl Folder {
    /// A notebook that looks around, after each of the others; gives what the others gave.
    fn haunted(&mut self, others: &[(&str, &[&str])], options: &Options) -> Vec<Execution> {
        self.write("data.txt", "data");
        for (at, (name, cells)) in others.iter().enumerate() {
            self.jupyter(&format!("{at}-{name}.ipynb"), cells);
            self.jupyter(&format!("{at}-then.ipynb"), &[LOOK, "import random; random.random()"]);
        }
        let planned = planned(&self.paths, options);
        let (warm, forked, remarks) = planned.warm();
        println!("{forked} of {} forked; {remarks:#?}", warm.len());
        let cold = planned.cold(1);
        let looks = |it: &Execution| {
            serde_json::to_value(&record(it).cells[&nbc::notebook::CellId(0)]).unwrap()
        };
        let mut numbers = std::collections::BTreeSet::new();
        let (mut given, mut count) = (vec![], 0);
        for (at, execution) in warm.into_iter().enumerate() {
            if at % 2 == 0 {
                given.push(execution);
                continue;
            }
            let [one, other] = [&cold, &execution].map(|it| {
                looks(it)["outputs"][0]["text"].as_str().map_or_else(
                    || looks(it).to_string(),
                    |it| it.replace(&format!("{}-then", at / 2), "0-then"),
                )
            });
            let differ = one.lines().zip(other.lines()).filter(|(one, other)| one != other);
            let differ: Vec<_> = differ.collect();
            assert!(one == other, "after {}: {differ:#?}", others[at / 2].0);
            numbers.insert(
                serde_json::to_string(&record(&execution).cells[&nbc::notebook::CellId(1)])
                    .unwrap(),
            );
            count += 1;
        }
        assert_eq!(numbers.len(), count, "random numbers are each notebook's own");
        assert!(forked >= count, "{forked}");
        given
    }
}

#[test]
fn nothing_is_left_of_one_notebook_for_the_next() {
    let mut folder = Folder::new();
    let given = folder.haunted(
        &[("litter", &[LITTER]), ("reach", &[REACH]), ("litter", &[LITTER])],
        &Options::default(),
    );
    let text = |it: &Execution| serde_json::to_string(&record(it).cells).unwrap();
    assert!(text(&given[0]).contains("littered"), "{}", text(&given[0]));
    assert!(text(&given[1]).contains(r#""text":"[]\n""#), "{}", text(&given[1]));
    assert!(!folder.path().join("left").exists() && folder.path().join("data.txt").exists());
}

#[test]
fn a_notebook_that_harms_the_process_it_comes_from_harms_itself() {
    let kill = "import os, time\nos.kill(2, 9)\ntime.sleep(60)";
    let limit = "import resource\nname = 'pr' + 'limit'\ngetattr(resource, name)(2, resource.RLIMIT_NOFILE, (20, 20))\nprint('set')";
    let slow = "import os\nos.sched_setaffinity(2, {0})\nos.setpriority(os.PRIO_PROCESS, 2, 19)";
    let end = "import os\nos._exit(3)";
    let signals = "import os\nfor it in (1, 2, 10, 12, 15):\n    os.kill(2, it)";
    let given = Folder::new().haunted(
        &[
            ("kill", &[kill]),
            ("limit", &[limit]),
            ("slow", &[slow]),
            ("end", &[end]),
            ("signals", &[signals]),
        ],
        &Options::default(),
    );
    assert!(given[0].record.is_none());
    assert!(given[1].record.is_some());
}

/// Uses of libraries after the fork that are imported before it: each line is a notebook.
const USES: [&str; 9] = [
    "import numpy as np\nprint(np.linalg.svd(np.arange(250_000.0).reshape(500, 500) % 7)[1][:3].round(6))",
    "import pandas as pd\nimport numpy as np\nt = pd.DataFrame({'a': [1, 2, 2], 'b': [1.5, 2, 3]})\nprint(t.groupby('a').sum(), t.describe())\ndisplay(t.style.highlight_max())",
    "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([1, 3, 2])\nplt.show()",
    "import altair as alt\nimport pandas as pd\nt = pd.DataFrame({'a': [1, 2], 'b': [2, 3]})\ndisplay(alt.Chart(t).mark_bar().encode(x='a', y='b'))",
    "import duckdb\nprint(duckdb.sql('select sum(range) from range(1000000)').fetchall())",
    "import numpy as np\nfrom sklearn.cluster import KMeans\nfrom sklearn.linear_model import LinearRegression\nx = np.arange(2000.0).reshape(1000, 2) % 11\nprint(KMeans(3, random_state=1, n_init=3).fit(x).inertia_.round(3), LinearRegression().fit(x, x[:, 0]).coef_.round(6))",
    "import numba\nimport numpy as np\n@numba.njit(parallel=True)\ndef total(x):\n    s = 0.0\n    for i in numba.prange(len(x)):\n        s += x[i]\n    return s\nprint(total(np.arange(1000.0)))",
    "import polars as pl\nprint(pl.DataFrame({'a': [1, 2, 2]}).group_by('a').len().sort('a'))",
    "import sqlglot\nimport decimal, statistics\nprint(sqlglot.parse_one('select 1').sql(), object(), [print, object()], lambda: 1)",
];

#[test]
fn libraries_do_the_same_after_the_fork() {
    let mut folder = Folder::new();
    for (at, code) in USES.iter().enumerate() {
        folder.jupyter(&format!("{at}.ipynb"), &[code]);
        folder.marimo(
            &format!("{at}-marimo.py"),
            &[&code.replace("display(", "print(").replace("t.style.highlight_max()", "''")],
        );
    }
    are_equal(&folder.paths, &Options::default(), 36);
}

/// The text that a record's first cell printed.
fn printed(execution: &Execution) -> String {
    let outputs = &record(execution).cells.values().next().unwrap().outputs;
    let texts = outputs.iter().map(|it| match it {
        nbc::run::record::RawOutput::Stream { text, .. } => text.clone(),
        nbc::run::record::RawOutput::Display { bundle } => format!("{:?}", bundle.data),
    });
    texts.collect()
}

#[test]
fn a_notebook_that_would_have_imported_something_else_gets_a_process_of_its_own() {
    let numpy = "import numpy\nprint(getattr(numpy, 'mine', 'numpy'))";
    let chosen = "import matplotlib.pyplot as plt\nprint(plt.rcParams['lines.linewidth'])";
    let early = "import os\nos.environ['MPLBACKEND'] = 'svg'\nimport matplotlib\nprint(matplotlib.get_backend())";
    let local = "import helper, numpy\nprint(helper.name, helper.__file__)";
    let loaded =
        "import sys\nprint('numpy' in sys.modules, 'decimal' in sys.modules, len(sys.modules))";
    let quiet = "print(sum([1]))";
    for (kind, code, file, text, fewest, most) in [
        ("shadowed", numpy, "numpy.py", "mine = 'mine'", 0, 0),
        ("shadowed by a folder", numpy, "numpy/__init__.py", "mine = 'folder'", 0, 0),
        ("settings", chosen, "matplotlibrc", "lines.linewidth: 7", 0, 0),
        ("variables", early, "a.txt", "", 3, 3),
        ("local module", local, "helper.py", "name = 'helper'", 3, 3),
        ("looks around", loaded, "a.txt", "", 0, 0),
        ("shadows what nobody imports", quiet, "numpy.py", "", 3, 3),
    ] {
        let mut folder = Folder::new();
        folder.write(file, text);
        for name in ["a", "b", "c"] {
            folder.jupyter(&format!("{name}.ipynb"), &[code]);
        }
        let planned = folder.planned();
        let (warm, forked, remarks) = planned.warm();
        let cold = planned.cold(0);
        for warm in &warm {
            assert_eq!(printed(&cold), printed(warm), "{kind}");
        }
        assert!((fewest..=most).contains(&forked), "{kind}: {forked} {remarks:?}");
    }
}

#[test]
fn a_limit_that_one_notebook_reaches_is_its_own() {
    let memory = "held = []\nwhile True:\n    held.append(b'a' * 10_000_000)";
    let disk =
        "with open('/tmp/a', 'wb') as file:\n    while True:\n        file.write(b'a' * 1_000_000)";
    let time = "while True:\n    pass";
    let sleep = "import time\ntime.sleep(100)";
    let processes =
        "import os, time\nfor _ in range(1000):\n    if os.fork() == 0:\n        time.sleep(100)";
    let cases: [(&str, &[&str]); 5] = [
        ("memory", &[memory]),
        ("disk", &[disk]),
        ("time", &[time]),
        ("sleep", &[sleep]),
        ("processes", &[processes]),
    ];
    let mut options = Options::default();
    options.limits = Limits {
        wall: Duration::from_secs(15),
        cpu: Duration::from_secs(2),
        memory: 300 << 20,
        processes: 40,
        temporary: 30 << 20,
        ..options.limits
    };
    let mut folder = Folder::new();
    let given = folder.haunted(&cases, &options);
    let planned = planned(&folder.paths, &options);
    for (at, warm) in given.iter().enumerate() {
        let cold = planned.cold(2 * at);
        let findings = |it: &Execution| {
            let all = it.diagnostics.iter();
            all.map(|it| format!("{:?} {}", it.code, it.message.split('(').next().unwrap()))
                .collect::<Vec<_>>()
        };
        let codes = |it: &Execution| it.diagnostics.iter().map(|it| it.code).collect::<Vec<_>>();
        assert_eq!(
            codes(&cold),
            codes(warm),
            "{}: {:?} {:?}",
            cases[at].0,
            findings(&cold),
            findings(warm)
        );
        let cells = |it: &Execution| it.record.as_ref().map(|it| it.cells.clone());
        assert_eq!(cells(&cold), cells(warm), "{}", cases[at].0);
    }
}

#[test]
fn workers_have_a_warm_process_each() {
    let mut folder = Folder::new();
    for number in 0..24 {
        let code = format!(
            "import os, time\nopen('/tmp/{number}', 'w')\ntime.sleep(0.05)\nprint(os.listdir('/tmp')[-1:], {number}, os.getpid())"
        );
        folder.jupyter(&format!("{number:02}.ipynb"), &[&code]);
    }
    let planned = folder.planned();
    let pool = WarmPool::default();
    let list: Vec<_> = planned.plans.iter().zip(&planned.notebooks).collect();
    let plans: Vec<_> = planned.plans.iter().collect();
    let batches = pool.batches(&SANDBOX, &list, 3);
    assert_eq!(batches.len(), 3);
    std::thread::scope(|scope| {
        for batch in &batches {
            let (pool, plans, planned) = (&pool, &plans, &planned);
            scope.spawn(move || {
                let mut batch_run = BatchRun::new(pool, &SANDBOX, batch, plans);
                for (place, member) in batch.members.iter().enumerate() {
                    let notebook = &planned.notebooks[*member];
                    let given = batch_run.execute(place, notebook, &mut Unobserved).unwrap();
                    let text = printed(&given);
                    assert!(text.ends_with(&format!("] {member} 3\n")), "{text}");
                }
                assert_eq!(batch_run.forked(), 8);
            });
        }
    });
}

/// A few long notebooks once waited for each other in one process.
#[test]
fn no_worker_waits_for_what_another_could_run() {
    let mut folder = Folder::new();
    for number in 0..4 {
        folder.jupyter(&format!("{number}.ipynb"), &["1"]);
    }
    for number in 0..2 {
        folder.marimo(&format!("{number}.py"), &["1"]);
    }
    let planned = folder.planned();
    let pool = WarmPool::default();
    let list: Vec<_> = planned.plans.iter().zip(&planned.notebooks).collect();
    let parts = |workers: usize| {
        let batches = pool.batches(&SANDBOX, &list, workers);
        batches.into_iter().map(|it| it.members).collect::<Vec<_>>()
    };
    assert_eq!(parts(1), [vec![0, 1, 2, 3], vec![4, 5]]);
    assert_eq!(parts(2), [vec![0, 1, 2], vec![3], vec![4, 5]]);
    assert_eq!(parts(3), [vec![0, 1], vec![2, 3], vec![4, 5]]);
    assert_eq!(parts(6), [[0], [1], [2], [3], [4], [5]]);
}

#[test]
fn a_hundred_small_notebooks_take_little_beside_the_first() {
    for kind in ["ipynb", "py"] {
        let mut folder = Folder::new();
        for number in 0..100 {
            let cells = [
                "import json, math".to_owned(),
                format!("x{number} = {number}"),
                format!("print(math.sqrt({number}))"),
                format!("json.dumps([{number}, 'a'])"),
                "sum(range(100))".to_owned(),
            ];
            let cells: Vec<_> = cells.iter().map(String::as_str).collect();
            match kind {
                "py" => folder.marimo(&format!("n{number}.py"), &cells),
                _ => folder.jupyter(&format!("n{number}.ipynb"), &cells),
            }
        }
        let planned = folder.planned();
        let measure = |all: &dyn Fn() -> Vec<Execution>| {
            let start = (Instant::now(), cpu());
            let given = all();
            let (time, own) = (start.0.elapsed(), cpu() - start.1);
            let count = u32::try_from(given.len()).unwrap();
            println!("of them nbc: {:?}", own / count);
            let cpu = own + given.iter().map(|it| it.cpu).sum::<Duration>();
            (given, cpu / count, time / count)
        };
        let (cold, cold_cpu, cold_time) = measure(&|| (0..10).map(|at| planned.cold(at)).collect());
        let said = std::cell::RefCell::new((0, vec![]));
        let (warm, warm_cpu, warm_time) = measure(&|| {
            let (given, forked, remarks) = planned.warm();
            said.replace((forked, remarks));
            given
        });
        let (forked, remarks) = said.into_inner();
        println!(
            "{kind}: cold {cold_cpu:?} CPU, {cold_time:?}; warm {warm_cpu:?} CPU, {warm_time:?} a notebook"
        );
        assert_eq!(forked, 100, "{remarks:?}");
        for (at, (cold, warm)) in cold.iter().zip(&warm).enumerate() {
            assert_eq!(record(cold), record(warm), "{}", planned.names[at]);
        }
        assert!(warm_cpu * 2 < cold_cpu, "{warm_cpu:?} {cold_cpu:?}");
    }
}

/// CPU time of this process.
fn cpu() -> Duration {
    let stat = fs_err::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    Duration::from_millis(fields.map(|it| it.parse::<u64>().unwrap()).sum::<u64>() * 10)
}
