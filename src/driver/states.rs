//! Findings about the states of a notebook, and the choice of the one that is shown first.

use std::collections::{BTreeMap, BTreeSet};

use indicatif::DecimalBytes;
use serde::Serialize;
use serde_json::Value;

use super::events::counted;
use crate::config::{SAMPLES_ARE, Samples};
use crate::diagnostic::{Code, Diagnostic, one_line};
use crate::notebook::{CellId, Notebook};
use crate::run::record::{CellRun, Loss, Step, Sweep, Widget, WidgetKind};
use crate::run::{OutputLimits, RunRecord, sweep};
use crate::source::Span;

/// A value of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenValue {
    /// Variable of the input; `form.part` for a part.
    pub name: String,
    /// The value as a reader reads it.
    pub value: String,
}

impl std::str::FromStr for ChosenValue {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok(Self { name: name.trim().to_owned(), value: value.to_owned() })
            }
            _ => Err("write `NAME=VALUE`"),
        }
    }
}

/// Most states that one finding names.
const MOST_NAMED: usize = 3;

/// Findings about values that a sweep left out, and runs that failed in it.
pub(super) fn findings(notebook: &Notebook, sweep: &Sweep) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for widget in &sweep.widgets {
        let kept = sweep::count(widget);
        if kept < widget.total && !widget.reach.is_empty() {
            let message =
                format!("{} has {kept} of {} values", name(widget), counted_total(widget));
            findings.push(
                Diagnostic::warning(Code::SampledInput, span(notebook, widget), message).with_help(
                    "choose them with `[states]` in nbc.toml or `[tool.nbc.states]` in the notebook, \
                     or raise `--max-values` and `--max-states`",
                ),
            );
        }
    }
    for sample in notebook.about.samples.keys() {
        let name = sample.split('.').next();
        if !sweep.widgets.iter().any(|it| it.name.as_deref() == name) {
            let message =
                format!("the notebook names values of `{sample}`, which is no input of it");
            let file = Span::new(notebook.source, 0, 0);
            findings.push(Diagnostic::warning(Code::UnknownValue, file, message));
        }
    }
    for name in &notebook.about.unread_samples {
        let message = format!("`{name}` in `[tool.nbc.states]` is not read: {SAMPLES_ARE}");
        let file = Span::new(notebook.source, 0, 0);
        findings.push(Diagnostic::warning(Code::UnknownValue, file, message));
    }
    findings.extend(passed_over(notebook, sweep));
    let most = format!("a state may give {} MiB", OutputLimits::STATE_BYTES >> 20);
    for why in [Loss::Time, Loss::End, Loss::Size, Loss::Process, Loss::Limit] {
        let lost: Vec<_> = sweep.lost.iter().filter(|it| it.why == why).collect();
        let Some(first) = lost.first() else { continue };
        let states = lost.iter().take(MOST_NAMED).map(|it| described(&it.path, &sweep.widgets));
        let named = states.collect::<Vec<_>>().join("; ");
        let more = if lost.len() > MOST_NAMED { ", and others" } else { "" };
        let number = counted(lost.len(), "state");
        let (reason, help) = match why {
            Loss::Time => ("took too long", "raise the limit with `--state-timeout SECONDS`"),
            Loss::End => ("ended its process", "the page says where such a state is chosen"),
            Loss::Size => ("gave too much", most.as_str()),
            Loss::Process => ("had no process", "raise the limit with `--processes NUMBER`"),
            Loss::Limit => ("was one too many", "raise the limit with `--max-states NUMBER`"),
        };
        let widget = first.path.first();
        let widget = widget.and_then(|it| sweep.widgets.iter().find(|one| one.id == it.widget));
        let place = widget.map_or(Span::new(notebook.source, 0, 0), |it| span(notebook, it));
        let message = format!("{number} gave nothing, because it {reason}: {named}{more}");
        findings.push(Diagnostic::warning(Code::LostState, place, message).with_help(help));
    }
    if sweep.is_cut {
        let number = counted(sweep.states.len(), "state");
        let message = format!("the sweep ended early, after {number}");
        findings.push(
            Diagnostic::warning(Code::CutSweep, Span::new(notebook.source, 0, 0), message)
                .with_help("raise `--sweep-timeout` or `--max-bytes`, or leave values out"),
        );
    }
    findings
}

/// Values that the notebook names and an input cannot have, for its bounds or its step.
fn passed_over(notebook: &Notebook, sweep: &Sweep) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (name, samples) in &notebook.about.samples {
        let Samples::These(wanted) = samples else { continue };
        let Some(widget) = named(&sweep.widgets, name) else { continue };
        let is_row = matches!(widget.kind, WidgetKind::Slider | WidgetKind::Number);
        if !is_row || (widget.labels.len() as u64) < widget.total {
            continue;
        }
        let numbers: Vec<f64> = widget.labels.iter().filter_map(|it| it.parse().ok()).collect();
        let is_there = |it: &Value| it.as_f64().is_none_or(|it| numbers.contains(&it));
        let missing: Vec<String> =
            wanted.iter().filter(|it| !is_there(it)).map(ToString::to_string).collect();
        if !missing.is_empty() {
            let message = format!("`{name}` cannot have the values {}", missing.join(", "));
            findings.push(
                Diagnostic::warning(Code::UnknownValue, span(notebook, widget), message)
                    .with_help("its bounds or its step leave them out"),
            );
        }
    }
    findings
}

/// The input of a name, parts included.
fn named<'w>(widgets: &'w [Widget], name: &str) -> Option<&'w Widget> {
    widgets.iter().find_map(|it| match it.name.as_deref() == Some(name) {
        true => Some(it),
        false => named(&it.parts, name),
    })
}

fn counted_total(widget: &Widget) -> String {
    // The runner counts no further.
    match widget.total {
        total if total >= 1 << 53 => "countless".to_owned(),
        total => total.to_string(),
    }
}

/// The line that binds an input, as far as it can be told.
fn span(notebook: &Notebook, widget: &Widget) -> Span {
    let Some(cell) = notebook.cell(widget.cell) else { return Span::new(notebook.source, 0, 0) };
    let binding = widget.name.as_ref().map(|it| format!("{it} ="));
    let line = binding.and_then(|it| {
        cell.code.lines().position(|line| line.trim_start().starts_with(it.as_str()))
    });
    match line.and_then(|it| u32::try_from(it + 1).ok()) {
        Some(line) => cell.line_span(line),
        None => cell.head(),
    }
}

fn name(widget: &Widget) -> String {
    widget
        .name
        .as_ref()
        .map_or_else(|| "an input without a name".to_owned(), |it| format!("`{it}`"))
}

/// `a = 3, kind = x`, as far as the inputs are known.
fn described(path: &[Step], widgets: &[Widget]) -> String {
    let steps = path.iter().map(|step| {
        let widget = widgets.iter().find(|it| it.id == step.widget);
        let label = widget.and_then(|it| it.labels.get(step.value as usize));
        match (widget, label) {
            (Some(widget), Some(label)) => {
                format!("{} = {label}", widget.name.as_deref().unwrap_or("?"))
            }
            _ => "…".to_owned(),
        }
    });
    steps.collect::<Vec<_>>().join(", ")
}

/// Takes over which state a page shows first. Gives what is wrong with the wish; `without_inputs` says why a record
/// has no inputs at all.
pub(super) fn choose(
    record: &mut RunRecord,
    chosen: &[ChosenValue],
    notebook: &Notebook,
    without_inputs: &str,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let file = Span::new(notebook.source, 0, 0);
    let Some(sweep) = &mut record.sweep else {
        let unknown = chosen.iter().map(|one| {
            let message = format!("no input is called `{}`", one.name);
            Diagnostic::error(Code::UnknownValue, file, message).with_help(without_inputs)
        });
        return unknown.collect();
    };
    let mut steps = Vec::new();
    for one in chosen {
        let Some(widget) = sweep.widgets.iter().find(|it| it.name.as_deref() == Some(&one.name))
        else {
            let names: Vec<_> = sweep.widgets.iter().filter_map(|it| it.name.as_deref()).collect();
            let help = match names.is_empty() {
                true => "no input of the notebook has a name".to_owned(),
                false => format!("the inputs are `{}`", names.join("`, `")),
            };
            let message = format!("no input is called `{}`", one.name);
            problems.push(Diagnostic::error(Code::UnknownValue, file, message).with_help(help));
            continue;
        };
        match widget.labels.iter().position(|it| *it == one.value) {
            Some(at) if at as u32 == widget.initial => {}
            Some(at) => steps.push(Step { widget: widget.id.clone(), value: at as u32 }),
            None => {
                let labels = widget.labels.iter().take(20).cloned().collect::<Vec<_>>();
                let message = format!("`{}` has no value `{}`", one.name, one.value);
                problems.push(
                    Diagnostic::error(Code::UnknownValue, span(notebook, widget), message)
                        .with_help(format!("its values are {}", labels.join(", "))),
                );
            }
        }
    }
    sweep.chosen = steps;
    problems
}

/// Cells that gave something else when the same was run again.
pub(super) fn unsteady(
    notebook: &Notebook,
    first: &RunRecord,
    second: &RunRecord,
) -> Vec<Diagnostic> {
    let mut differ: BTreeMap<CellId, usize> = BTreeMap::new();
    let mut compare = |first: &BTreeMap<CellId, CellRun>,
                       second: Option<&BTreeMap<CellId, CellRun>>| {
        for (id, run) in first {
            if second.and_then(|it| it.get(id)) != Some(run) {
                *differ.entry(*id).or_default() += 1;
            }
        }
    };
    compare(&first.cells, Some(&second.cells));
    let states = |record: &'_ RunRecord| {
        let states = record.sweep.as_ref().map(|it| it.states.as_slice()).unwrap_or_default();
        states.iter().map(|it| (it.path.clone(), it.cells.clone())).collect::<BTreeMap<_, _>>()
    };
    let again = states(second);
    for (path, cells) in states(first) {
        compare(&cells, again.get(&path));
    }
    let cells = differ.into_iter().filter_map(|(id, count)| Some((notebook.cell(id)?, count)));
    cells
        .map(|(cell, count)| {
            let states = match first.sweep.as_ref().is_some_and(|it| !it.states.is_empty()) {
                true => format!(", in {}", counted(count, "state")),
                false => String::new(),
            };
            let message = format!("the cell gave something else the second time{states}");
            Diagnostic::error(Code::UnsteadyState, cell.head(), message)
                .with_help("seed random numbers, and leave clocks and ids out of what is shown")
        })
        .collect()
}

/// The inputs of a notebook, and the states that they make.
#[derive(Debug, Serialize)]
pub struct Listed {
    notebook: String,
    /// States besides the run's own, if no value is left out.
    wanted: u64,
    /// States that a build runs.
    states: u64,
    inputs: Vec<ListedInput>,
    cells: Vec<ListedCell>,
}

#[derive(Debug, Serialize)]
struct ListedInput {
    name: Option<String>,
    kind: WidgetKind,
    values: u64,
    of: u64,
    labels: Vec<String>,
    initial: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<ListedInput>,
}

impl ListedInput {
    fn of(widget: &Widget) -> Self {
        Self {
            name: widget.name.clone(),
            kind: widget.kind,
            values: sweep::count(widget),
            of: widget.total,
            labels: widget.labels.clone(),
            initial: widget.labels.get(widget.initial as usize).cloned(),
            parts: widget.parts.iter().map(Self::of).collect(),
        }
    }

    /// A line for it, and one for each of its parts.
    fn write(&self, depth: usize, text: &mut String) {
        let kind = serde_json::to_value(self.kind).unwrap_or_default();
        let kind = kind.as_str().unwrap_or_default().replace('_', " ");
        let is_set = matches!(self.kind, WidgetKind::Multi | WidgetKind::Table);
        let labels = self.labels.iter().map(|it| match (is_set, it.as_str()) {
            (false, label) => label.to_owned(),
            (true, "—") => "{}".to_owned(),
            (true, label) => format!("{{{label}}}"),
        });
        let labels: Vec<String> = labels.map(|it| shortened(printable(&it))).collect();
        let mut shown: Vec<String> = labels.iter().take(LISTED_LABELS).cloned().collect();
        if let Some(last) = labels.last().filter(|_| labels.len() > LISTED_LABELS) {
            shown.push(format!("… {last}"));
        }
        let name = printable(self.name.as_deref().unwrap_or("(no name)"));
        let name = format!("{}{name}", "  ".repeat(depth));
        let of = if self.of > self.values { format!(" of {}", self.of) } else { String::new() };
        let noun = if self.values == 1 { "value" } else { "values" };
        text.push_str(&format!("\n  {name:<16} {kind:<10} {}{of} {noun}", self.values));
        if !shown.is_empty() {
            text.push_str(&format!(": {}", shown.join(", ")));
        }
        for part in &self.parts {
            part.write(depth + 1, text);
        }
    }
}

#[derive(Debug, Serialize)]
struct ListedCell {
    cell: u32,
    inputs: Vec<String>,
    states: u64,
    /// Of what the cell gave in the run, for each of its states; before it is packed.
    bytes: u64,
}

impl Listed {
    pub(super) fn of(path: &str, record: &RunRecord) -> Self {
        let none = Sweep::default();
        let sweep = record.sweep.as_ref().unwrap_or(&none);
        let inputs = sweep.widgets.iter().map(ListedInput::of).collect();
        let cells: BTreeSet<CellId> =
            sweep.widgets.iter().flat_map(|it| it.reach.iter().copied()).collect();
        let cells = cells.into_iter().map(|cell| {
            let own = sweep.widgets.iter().filter(|it| it.reach.contains(&cell));
            let states = own.clone().fold(1_u64, |all, it| all.saturating_mul(sweep::count(it)));
            let named = own.map(|it| it.name.clone().unwrap_or_else(|| it.id.clone()));
            let bytes = record.cells.get(&cell).map_or(0, |it| it.size() as u64);
            let bytes = bytes.saturating_mul(states);
            ListedCell { cell: cell.0 + 1, inputs: named.collect(), states, bytes }
        });
        let cells = cells.collect();
        Self {
            notebook: path.to_owned(),
            wanted: sweep.wanted,
            states: sweep.planned,
            inputs,
            cells,
        }
    }

    /// One JSON object.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// For a person.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}: {}, {} to run",
            self.notebook,
            counted(self.inputs.len(), "input"),
            counted(usize::try_from(self.states).unwrap_or(usize::MAX), "state"),
        );
        if self.wanted > self.states {
            text.push_str(&format!(" of {}", self.wanted));
        }
        for input in &self.inputs {
            input.write(0, &mut text);
        }
        for cell in &self.cells {
            text.push_str(&format!(
                "\n  cell {:<11} {} from {}",
                cell.cell,
                counted(usize::try_from(cell.states).unwrap_or(usize::MAX), "state"),
                printable(&cell.inputs.join(", ")),
            ));
            if cell.bytes > 0 {
                text.push_str(&format!(", about {}", DecimalBytes(cell.bytes)));
            }
        }
        text
    }
}

/// On one line: a log may take the beginning of a line for a command.
fn printable(text: &str) -> String {
    one_line(text)
}

/// A label in few characters.
fn shortened(label: String) -> String {
    match label.char_indices().nth(LONGEST_LABEL) {
        Some((end, _)) => format!("{}…", label.get(..end).unwrap_or_default()),
        None => label,
    }
}

/// Characters of a label that a list shows.
const LONGEST_LABEL: usize = 40;
/// Labels of an input that a list shows.
const LISTED_LABELS: usize = 6;
