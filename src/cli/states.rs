//! What a build says of the states of a notebook, and the choice of the one that is shown first.

use super::args::ChosenValue;
use super::command::counted;
use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{Cell, Notebook};
use crate::run::record::{Loss, Step, Sweep, Widget};
use crate::run::{RunRecord, sweep};
use crate::source::Span;

/// Most states that one finding names.
const MOST_NAMED: usize = 3;

/// What was left out of a sweep, or went wrong in it.
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
            Loss::Size => ("gave too much", "a state may give 24 MiB"),
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

fn counted_total(widget: &Widget) -> String {
    // The runner counts no further.
    match widget.total {
        total if total >= 1 << 53 => "countless".to_owned(),
        total => total.to_string(),
    }
}

fn span(notebook: &Notebook, widget: &Widget) -> Span {
    notebook.cell(widget.cell).map_or(Span::new(notebook.source, 0, 0), Cell::head)
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

/// Takes over which state a page shows first. Gives what is wrong with the wish.
pub(super) fn choose(
    record: &mut RunRecord,
    chosen: &[ChosenValue],
    notebook: &Notebook,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let Some(sweep) = &mut record.sweep else { return problems };
    let file = Span::new(notebook.source, 0, 0);
    let mut steps = Vec::new();
    for one in chosen {
        let Some(widget) = sweep.widgets.iter().find(|it| it.name.as_deref() == Some(&one.name))
        else {
            let names = sweep.widgets.iter().filter_map(|it| it.name.as_deref());
            let names = names.collect::<Vec<_>>().join("`, `");
            let message = format!("no input is called `{}`", one.name);
            problems.push(
                Diagnostic::error(Code::UnknownValue, file, message)
                    .with_help(format!("the inputs are `{names}`")),
            );
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
