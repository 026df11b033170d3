//! Which notebook when: phases 3 to 7 of all notebooks, several at once, with results in the order of the notebooks.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Failure;
use super::analysis::Analyzed;
use super::events::{Events, counted};
use super::timings::{Phase, on_notebook};
use super::unit::{Builder, Outcome, Prepared, Task, Worker};
use super::workers::{self, Cutoff};
use crate::process::{Sandbox, interrupt};
use crate::run::RunPlan;
use crate::run::warm::{Batch, BatchRun, WarmPool};
use crate::site::SitePath;

/// Builds all notebooks. None for a build that was interrupted.
///
/// # Errors
/// An error that keeps nbc from working on any notebook; of several, that of the first notebook.
pub(super) fn build_all(
    builder: &Builder<'_>,
    notebooks: Vec<(SitePath, Analyzed)>,
    is_warm: bool,
    events: &dyn Events,
) -> Result<Vec<Outcome>, Failure> {
    let number = notebooks.len();
    let prepared = prepare_all(builder, notebooks, events);
    let (mut tasks, mut plans) = (Vec::new(), Vec::new());
    for prepared in prepared {
        let (task, plan) = match prepared? {
            Prepared::Task(task, plan) => (Ok(task), plan),
            Prepared::Nothing(outcome) => (Err(outcome), None),
        };
        tasks.push(task);
        plans.push(plan);
    }
    if interrupt::is_requested() || tasks.len() < number {
        return Ok(Vec::new());
    }
    // Notebooks that a process has to run, and those of them that one process is forked for.
    let to_run: Vec<usize> = (0..tasks.len())
        .filter(|it| tasks.get(*it).is_some_and(|it| it.as_ref().is_ok_and(|it| it.is_to_run())))
        .collect();
    let pool = WarmPool::default();
    let sandbox = match to_run.is_empty() || !is_warm {
        true => None,
        false => {
            Some(builder.timings.measure(Phase::Sandbox, || builder.preparation.sandbox(events))?)
        }
    };
    let pairs: Vec<_> = to_run
        .iter()
        .filter_map(|it| {
            let task = tasks.get(*it)?.as_ref().ok()?;
            Some((plans.get(*it)?.as_deref()?, &task.analyzed.notebook))
        })
        .collect();
    let own_plans: Vec<&RunPlan> = pairs.iter().map(|it| it.0).collect();
    let batches = sandbox.map(|it| pool.batches(it, &pairs, builder.settings.jobs));
    drop(pairs);
    let units = units(batches.unwrap_or_default(), &to_run, tasks.len());
    let warm = sandbox.map(|sandbox| Warm { pool: &pool, sandbox, plans: &own_plans });
    run_all(builder, units, tasks, &plans, warm.as_ref(), events).into_iter().collect()
}

/// Phases 3 and 4.
fn prepare_all(
    builder: &Builder<'_>,
    notebooks: Vec<(SitePath, Analyzed)>,
    events: &dyn Events,
) -> Vec<Result<Prepared, Failure>> {
    let cutoff = Cutoff::new();
    let notebooks = notebooks.into_iter().enumerate().collect();
    workers::each(notebooks, builder.settings.jobs, &cutoff, |(place, (path, analyzed)), tell| {
        if cutoff.is_before_end(place) && !interrupt::is_requested() {
            let name = analyzed.input.path.clone();
            let prepared = on_notebook(name.as_str(), || builder.prepare(events, analyzed, path));
            if prepared.is_err() {
                cutoff.end_at(place);
            }
            tell(place, prepared);
        }
    })
}

/// Places of notebooks that one worker builds one after the other, and the process that they are forked from.
type Unit = (Vec<usize>, Option<Batch>);

/// Batches first: they take longest.
fn units(batches: Vec<Batch>, to_run: &[usize], number: usize) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for batch in batches {
        let places = batch.members.iter().filter_map(|it| to_run.get(*it).copied()).collect();
        units.push((places, Some(batch)));
    }
    let in_batches: BTreeSet<usize> = units.iter().flat_map(|it| it.0.iter().copied()).collect();
    let single = (0..number).filter(|it| !in_batches.contains(it));
    units.extend(single.map(|it| (vec![it], None)));
    units
}

/// Everything that forks need.
struct Warm<'a> {
    pool: &'a WarmPool,
    sandbox: &'a Sandbox,
    plans: &'a [&'a RunPlan],
}

/// Phases 5 to 7.
fn run_all(
    builder: &Builder<'_>,
    units: Vec<Unit>,
    tasks: Vec<Result<Box<Task>, Box<Outcome>>>,
    plans: &[Option<Box<RunPlan>>],
    warm: Option<&Warm<'_>>,
    events: &dyn Events,
) -> Vec<Result<Outcome, Failure>> {
    let cutoff = Cutoff::new();
    let tasks: Vec<_> = tasks.into_iter().map(|it| Mutex::new(Some(it))).collect();
    workers::each(units, builder.settings.jobs, &cutoff, |(places, batch), tell| {
        let mut worker = Worker { events: events.another(), batch_run: None };
        let batch = batch.as_ref().zip(warm);
        worker.batch_run = batch
            .map(|(batch, warm)| (BatchRun::new(warm.pool, warm.sandbox, batch, warm.plans), 0));
        // A warm process keeps its memory between two notebooks as well.
        let _permit = worker.batch_run.is_some().then(|| builder.semaphore.acquire());
        for place in places {
            if !cutoff.is_before_end(place) || interrupt::is_requested() {
                break;
            }
            let task = tasks
                .get(place)
                .and_then(|it| it.lock().unwrap_or_else(PoisonError::into_inner).take());
            let outcome = match task {
                Some(Ok(task)) => {
                    let plan = plans.get(place).and_then(Option::as_deref);
                    let name = task.analyzed.input.path.clone();
                    on_notebook(name.as_str(), || builder.build(&mut worker, *task, plan))
                }
                Some(Err(outcome)) => Ok(*outcome),
                None => continue,
            };
            if outcome.is_err() {
                cutoff.end_at(place);
            }
            tell(place, outcome);
        }
        if let Some((batch_run, done)) = &worker.batch_run {
            let forked = batch_run.forked();
            let notebooks = counted(*done, "notebook");
            worker.events.detail(&format!("warm start: {forked} of {notebooks} forked"));
            for remark in batch_run.remarks() {
                worker.events.detail(&format!("warm start: {remark}"));
            }
        }
    })
}
