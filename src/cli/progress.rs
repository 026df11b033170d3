//! Progress of a build: a line that moves on a terminal, plain lines elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressStyle};

use super::printer::Printer;
use crate::diagnostic::one_line;
use crate::driver::{Events, counted};
use crate::notebook::CellId;
use crate::run::record::CellRun;
use crate::run::{Foreseen, Observer, ProtocolError, sweep};

/// Progress of one build, or of a part of it.
pub struct Progress {
    bars: Option<MultiProgress>,
    bar: Option<ProgressBar>,
    printer: Printer,
    is_detailed: bool,
    name: String,
    done: usize,
    cells: usize,
    /// When the cell that runs began, or the sweep.
    since: Instant,
    /// How long each cell took, and how many bytes it gave.
    costs: BTreeMap<CellId, (Duration, u64)>,
}

impl Progress {
    /// Shows moving lines only where they can be seen; `is_detailed` tells how the work went.
    pub fn new(printer: Printer, is_detailed: bool) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self::with(bars, printer, is_detailed)
    }

    fn with(bars: Option<MultiProgress>, printer: Printer, is_detailed: bool) -> Self {
        let bar = bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let (since, costs) = (Instant::now(), BTreeMap::new());
        Self {
            bars,
            bar,
            printer,
            is_detailed,
            name: String::new(),
            done: 0,
            cells: 0,
            since,
            costs,
        }
    }

    fn above(&self, print: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }

    /// Removes the moving lines.
    pub fn finish(&self) {
        if let Some(bars) = &self.bars {
            // A terminal that is gone needs no clearing.
            let _ = bars.clear();
        }
    }

    fn show(&self) {
        if let Some(bar) = &self.bar {
            let text = format!("{}: cell {} of {}", self.name, self.done + 1, self.cells);
            bar.set_message(one_line(&text));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Events for Progress {
    fn another(&self) -> Box<dyn Events> {
        Box::new(Self::with(self.bars.clone(), self.printer, self.is_detailed))
    }

    /// Shows a short step, on a terminal only.
    fn moment(&self, text: &str) {
        if self.bar.is_some() {
            self.step(text);
        }
    }

    /// A line that moves, or one that stays where nobody watches.
    fn step(&self, text: &str) {
        match &self.bar {
            Some(bar) => {
                // A line that says nothing is not shown.
                bar.enable_steady_tick(Duration::from_millis(100));
                bar.set_message(one_line(text));
            }
            None => self.printer.line(&one_line(text)),
        }
    }

    fn notebook(&mut self, name: &str, cells: usize) {
        self.name = name.to_owned();
        self.done = 0;
        self.cells = cells;
        self.costs.clear();
        if self.bar.is_some() {
            self.show();
        } else {
            self.step(&format!("{name}: running {}", counted(cells, "cell")));
        }
    }

    fn detail(&self, text: &str) {
        if self.is_detailed {
            self.line(text);
        }
    }

    fn line(&self, text: &str) {
        self.above(|| self.printer.line(&one_line(text)));
    }

    /// Each line stands behind a mark, so that none passes for one of nbc's own.
    fn quote(&self, title: &str, foreign: &str) {
        self.above(|| {
            self.printer.line(&one_line(title));
            for line in foreign.trim_end().lines() {
                self.printer.line(&format!("  | {}", one_line(line)));
            }
        });
    }

    fn warning(&self, text: &str) {
        self.above(|| self.printer.warning(text));
    }

    fn help(&self, text: &str) {
        self.above(|| self.printer.help(text));
    }
}

impl Observer for Progress {
    fn cell_started(&mut self, _cell: CellId) {
        self.since = Instant::now();
        self.show();
    }

    fn cell_finished(&mut self, cell: CellId, run: &CellRun) {
        self.done += 1;
        self.costs.insert(cell, (self.since.elapsed(), run.size() as u64));
    }

    fn sweep_foreseen(&mut self, foreseen: Foreseen<'_>) {
        if foreseen.wanted > foreseen.states
            && let Some(text) = explosion(&foreseen, &self.costs)
        {
            self.line(&format!("{}: {text}", self.name));
        }
        if foreseen.states > 0 {
            let number = usize::try_from(foreseen.states).unwrap_or(usize::MAX);
            self.step(&format!(
                "{}: running {} of its inputs",
                self.name,
                counted(number, "state")
            ));
        }
        self.since = Instant::now();
    }

    fn sweep_broke(&mut self, error: Option<&ProtocolError>) {
        let reason = error.map_or_else(|| "their time was over".to_owned(), ToString::to_string);
        self.line(&format!("{}: the states of its inputs ended early: {reason}", self.name));
    }

    fn state_finished(&mut self, done: u64, states: u64) {
        let Some(bar) = &self.bar else { return };
        let left = match done {
            0 => String::new(),
            done => {
                let each = self.since.elapsed() / u32::try_from(done).unwrap_or(u32::MAX);
                let rest = u32::try_from(states.saturating_sub(done)).unwrap_or(u32::MAX);
                format!(", {} left", duration(each.saturating_mul(rest).as_secs_f64()))
            }
        };
        bar.set_message(one_line(&format!("{}: state {done} of {states}{left}", self.name)));
    }
}

/// Time of a fork beside its cells.
const FORK: Duration = Duration::from_millis(20);

/// Why values are left out: the cell with most states, and what it would take to run all of them.
fn explosion(foreseen: &Foreseen<'_>, costs: &BTreeMap<CellId, (Duration, u64)>) -> Option<String> {
    let cells: BTreeSet<CellId> =
        foreseen.widgets.iter().flat_map(|it| it.reach.iter().copied()).collect();
    let of = |cell: CellId| foreseen.widgets.iter().filter(move |it| it.reach.contains(&cell));
    let states = |cell: CellId| of(cell).fold(1_u64, |all, it| all.saturating_mul(it.total));
    let cell = cells.iter().copied().max_by_key(|it| states(*it))?;
    let names: Vec<&str> = of(cell).map(|it| it.name.as_deref().unwrap_or("?")).collect();
    let reached = of(cell).flat_map(|it| &it.reach).collect::<BTreeSet<_>>();
    let costs: Vec<_> = reached.into_iter().filter_map(|it| costs.get(it)).collect();
    let each: Duration = costs.iter().map(|(time, _)| *time).sum();
    let bytes: u64 = costs.iter().map(|(_, bytes)| *bytes).sum();
    let all = (each + FORK).as_secs_f64() * states(cell) as f64;
    let kept = of(cell).fold(1_u64, |all, it| all.saturating_mul(sweep::count(it)));
    Some(format!(
        "cell {} depends on {} ({}): {} states, about {} of CPU time and {}; {kept} of them will be run",
        cell.0 + 1,
        counted(names.len(), "input"),
        names.join(", "),
        states(cell),
        duration(all),
        DecimalBytes(bytes.saturating_mul(states(cell))),
    ))
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        ..63_072_000.0 => format!("{:.0} days", seconds / 86_400.0),
        _ => "years".to_owned(),
    }
}
