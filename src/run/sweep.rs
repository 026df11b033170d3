//! Phase 6: results of the cells for other values of the notebook's inputs.
//!
//! In: a run that is over, whose process still lives. Out: a [`Sweep`], within bounds. The runner forks
//! for each state; whatever goes wrong there costs states, never the run.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use serde::Serialize;

use super::observer::Observer;
use super::protocol::{Command, Conversation, DEEPEST_INPUTS, Event, Frames, ProtocolError};
use super::record::{Loss, Lost, State, Step, Sweep, Widget, WidgetKind};
use crate::config::Samples;

/// Most inputs of one notebook, and of one state.
const MOST_WIDGETS: usize = 1000;

/// Longest id or name of an input, in bytes.
const LONGEST_NAME: usize = 1000;

/// Longest label of a value, in bytes.
const LONGEST_LABEL: usize = 10_000;

/// Bounds of a sweep, and the states that it is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SweepPlan {
    /// Most states of one notebook, besides the run's own.
    pub most_states: u64,
    /// Most values of one input.
    pub most_values: u64,
    /// Bytes that all states together may give.
    pub most_bytes: u64,
    /// Wall-clock time of all states.
    pub time: Duration,
    /// Wall-clock time of one state.
    pub state_time: Duration,
    /// Wall-clock time of the run itself, for states that need it once more.
    pub run_time: Duration,
    /// States that run at the same time.
    pub jobs: u32,
    /// Bytes of memory that all of them may take together, with the run itself.
    pub memory: u64,
    /// Whether the inputs are only asked for, and no state is run.
    pub is_dry: bool,
    /// Values that the author named, by the variable of the input.
    pub samples: BTreeMap<String, Samples>,
}

/// The part of a [`SweepPlan`] that the runner gets.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct SweepOptions {
    state_seconds: f64,
    /// For a state with the whole run before it.
    replay_seconds: f64,
    jobs: u32,
    memory: u64,
}

/// Preview of a sweep, before its first state.
#[derive(Debug, Clone, Copy)]
pub struct Foreseen<'a> {
    /// The inputs.
    pub widgets: &'a [Widget],
    /// States, if no value is left out.
    pub wanted: u64,
    /// States that will be run.
    pub states: u64,
}

/// Asks for the states of a run that is over. A sweep that breaks off gives the states until there.
pub(super) fn sweep<C: Read + Write>(
    frames: &mut Frames<C>,
    conversation: &Conversation<'_>,
    plan: &SweepPlan,
    observer: &mut dyn Observer,
) -> Sweep {
    let mut sweep = Sweep::default();
    frames.allow(plan.most_bytes);
    let ended = states(frames, conversation, plan, observer, &mut sweep);
    sweep.is_cut = ended.is_err();
    if let Err(error) = ended {
        observer.sweep_broke(Some(&error));
    }
    // Forks end in any order.
    sweep.states.sort_by(|one, other| one.path.cmp(&other.path));
    sweep.lost.sort();
    sweep
}

fn states<C: Read + Write>(
    frames: &mut Frames<C>,
    conversation: &Conversation<'_>,
    plan: &SweepPlan,
    observer: &mut dyn Observer,
    sweep: &mut Sweep,
) -> Result<(), ProtocolError> {
    let (most_states, most_values) = (plan.most_states, plan.most_values);
    observer.sweep_started();
    frames.send(&Command::Widgets { samples: &plan.samples, most_states, most_values })?;
    let (widgets, wanted, states) = match frames.next()? {
        Event::Widgets { widgets, wanted, states } => (widgets, wanted, states),
        Event::Fatal { message } => return Err(ProtocolError::Failed { message }),
        _ => return Err(ProtocolError::OutOfOrder { event: "widgets" }),
    };
    check_widgets(&widgets, conversation)?;
    sweep.widgets = widgets;
    sweep.wanted = wanted;
    sweep.planned = states;
    if plan.is_dry {
        return Ok(());
    }
    observer.sweep_foreseen(Foreseen { widgets: &sweep.widgets, wanted, states });
    if states == 0 {
        return Ok(());
    }
    let options = SweepOptions {
        state_seconds: plan.state_time.as_secs_f64(),
        replay_seconds: (plan.run_time + plan.state_time).as_secs_f64(),
        jobs: plan.jobs,
        memory: plan.memory,
    };
    frames.send(&Command::Sweep { options })?;
    loop {
        let given = (sweep.states.len() + sweep.lost.len()) as u64;
        // A state without a result counts too, and the runner keeps the bound itself.
        if given > most_states.saturating_mul(2).saturating_add(1) {
            return Err(ProtocolError::OverLimit { what: "a number of states" });
        }
        observer.state_finished(given, states.max(given));
        match frames.next()? {
            Event::State { path, cells, widgets } => {
                let state = State { path, cells: cells.into_iter().collect(), widgets };
                match check_state(&state, conversation) {
                    Ok(()) => sweep.states.push(state),
                    // One state speaks for itself only.
                    Err(_) => sweep.lost.push(Lost { path: shortened(state.path), why: Loss::End }),
                }
            }
            Event::Lost(Lost { path, why }) => {
                sweep.lost.push(Lost { path: shortened(path), why });
            }
            Event::Swept {} => return Ok(()),
            Event::Fatal { message } => return Err(ProtocolError::Failed { message }),
            _ => return Err(ProtocolError::OutOfOrder { event: "state" }),
        }
    }
}

fn shortened(path: Vec<Step>) -> Vec<Step> {
    path.into_iter().filter(|it| it.widget.len() <= LONGEST_NAME).take(DEEPEST_INPUTS).collect()
}

fn check_state(state: &State, conversation: &Conversation<'_>) -> Result<(), ProtocolError> {
    let is_long = state.path.iter().any(|it| it.widget.len() > LONGEST_NAME);
    if state.path.is_empty() || state.path.len() > DEEPEST_INPUTS || is_long {
        return Err(ProtocolError::OverLimit { what: "a path" });
    }
    for (cell, run) in &state.cells {
        conversation.expect(*cell)?;
        conversation.check(run)?;
    }
    check_widgets(&state.widgets, conversation)
}

fn check_widgets(widgets: &[Widget], conversation: &Conversation<'_>) -> Result<(), ProtocolError> {
    if widgets.len() > MOST_WIDGETS {
        return Err(ProtocolError::OverLimit { what: "a number of inputs" });
    }
    widgets.iter().try_for_each(|it| check_widget(it, conversation, 0))
}

fn check_widget(
    widget: &Widget,
    conversation: &Conversation<'_>,
    depth: usize,
) -> Result<(), ProtocolError> {
    let over = |what| Err(ProtocolError::OverLimit { what });
    if depth > DEEPEST_INPUTS || widget.parts.len() > MOST_WIDGETS {
        return over("a nesting of inputs");
    }
    let name = widget.name.as_deref().unwrap_or_default();
    if widget.id.len() > LONGEST_NAME || name.len() > LONGEST_NAME {
        return over("the name of an input");
    }
    if widget.values.len() != widget.labels.len()
        || widget.labels.iter().any(|it| it.len() > LONGEST_LABEL)
        || u64::from(widget.initial) >= count(widget)
    {
        return over("a list of values");
    }
    conversation.expect(widget.cell)?;
    widget.reach.iter().try_for_each(|it| conversation.expect(*it))?;
    widget.parts.iter().try_for_each(|it| check_widget(it, conversation, depth + 1))
}

/// The number of values that an input has.
pub fn count(widget: &Widget) -> u64 {
    if widget.parts.is_empty() {
        return widget.values.len() as u64;
    }
    let product = widget.parts.iter().map(count).fold(1_u64, u64::saturating_mul);
    match widget.kind {
        WidgetKind::Form => product.saturating_add(1),
        _ => product,
    }
}
