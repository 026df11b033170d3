//! Warm starts against cold ones, with real marimo and real IPython: what a fork gives, and what it may not see.
//!
//! Runs use the interpreter of `NBC_TEST_PYTHON`, which `tests/run.sh` makes; see CONTRIBUTING.md.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nbc::environment::{Choice, Confinement, Environment, Provisioner};
use nbc::notebook::Notebook;
use nbc::process::{Isolation, Limits, Sandbox};
use nbc::run::warm::{Brood, Nursery};
use nbc::run::{
    Bounds, Execution, Grants, OnError, OutputLimits, Places, RunPlan, RunRecord, RunnerFolder,
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
    std::env::var("NBC_TEST_PYTHON").expect("tests/run.sh makes one").into()
}

fn limits() -> Limits {
    Limits {
        wall: Duration::from_secs(120),
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
    let provisioner = Provisioner::new(Choice::Given(python()), cache()).unwrap();
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
            let confinement = Confinement { sandbox: &SANDBOX, limits, buildable: &buildable };
            provisioner.provision(&notebook, path, confinement).unwrap()
        });
        let places = Places { notebook: path, runner: RUNNER.path() };
        let bounds = Bounds {
            process: options.limits.clone(),
            cell: options.limits.wall,
            outputs: OutputLimits::default(),
            sweep: options.sweep.clone(),
        };
        let folder = path.parent().unwrap();
        let opened =
            nbc::run::grants::open(&options.grants, folder, &environment.mounts).unwrap();
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

    /// What each gave, how many were forked, and why not all.
    fn warm(&self) -> (Vec<Execution>, usize, Vec<String>) {
        let nursery = Nursery::default();
        let list: Vec<_> = self.plans.iter().zip(&self.notebooks).collect();
        let plans: Vec<_> = self.plans.iter().collect();
        let mut given: Vec<Option<Execution>> = self.plans.iter().map(|_| None).collect();
        let (mut forked, mut remarks) = (0, vec![]);
        for batch in nursery.batches(&SANDBOX, &list, 1) {
            let mut brood = Brood::new(&nursery, &SANDBOX, &batch, &plans);
            for (place, member) in batch.members.iter().enumerate() {
                let notebook = &self.notebooks[*member];
                given[*member] = Some(brood.execute(place, notebook, &mut Unobserved).unwrap());
            }
            forked += brood.forked();
            remarks.extend(brood.remarks().iter().cloned());
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
        let cells: Vec<_> = cells
            .iter()
            .map(|code| {
                serde_json::json!({
                    "cell_type": "code", "id": "a", "metadata": {}, "outputs": [],
                    "execution_count": null, "source": code,
                })
            })
            .collect();
        let notebook = serde_json::json!({
            "nbformat": 4, "nbformat_minor": 5, "cells": cells,
            "metadata": {"kernelspec": {"name": "python3", "language": "python", "display_name": "P"}},
        });
        self.write(name, &notebook.to_string());
        self.paths.push(self.path().join(name));
    }

    fn marimo(&mut self, name: &str, cells: &[&str]) {
        let cells = cells.iter().map(|code| {
            let body = code.lines().map(|it| format!("    {it}\n")).collect::<String>();
            format!("@app.cell\ndef _():\n{body}    return\n\n\n")
        });
        let text = format!(
            "import marimo\n\napp = marimo.App()\n\n\n{}if __name__ == \"__main__\":\n    app.run()\n",
            cells.collect::<String>()
        );
        self.write(name, &text);
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
            let [one, other] = [record(&cold), record(warm)].map(|it| serde_json::to_string(it).unwrap());
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
    are_equal(&notebooks_in("tests/apps"), &options, 10);
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
            let cpu = own + given.iter().map(|it| it.cpu).sum::<Duration>();
            (given, cpu / count, time / count)
        };
        let (cold, cold_cpu, cold_time) =
            measure(&|| (0..10).map(|at| planned.cold(at)).collect());
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
