//! The runtimes that a build's charts need: each is had once, and where it can't be had, charts are pictures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Failure;
use super::document::Unlinked;
use super::events::Warning;
use crate::charts::{Kind, KnownRuntime, Runtime, known};
use crate::config::ChartSetting;
use crate::diagnostic::Parsed;

/// The runtimes of a build, for several pages at once.
pub(super) struct Charts {
    known: Mutex<State>,
}

struct State {
    /// Kinds that may be live, as far as is known.
    live: BTreeSet<Kind>,
    had: BTreeMap<(Kind, &'static str), Arc<Runtime>>,
    /// Messages about runtimes that could not be had.
    warnings: BTreeSet<String>,
}

impl Charts {
    pub(super) fn new(setting: ChartSetting) -> Self {
        let all = [Kind::Bokeh, Kind::Plotly, Kind::Vega];
        let live = match setting {
            ChartSetting::Interactive => BTreeSet::from(all),
            ChartSetting::Static => BTreeSet::new(),
        };
        let (had, warnings) = (BTreeMap::new(), BTreeSet::new());
        Self { known: Mutex::new(State { live, had, warnings }) }
    }

    fn known(&self) -> MutexGuard<'_, State> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether charts of a kind may be live, as far as is known.
    pub(super) fn are_live(&self, kind: Kind) -> bool {
        self.known().live.contains(&kind)
    }

    /// Compiles a page, once with every kind of chart live, and again without those that turn out not to be.
    /// `own` are runtimes of the notebook's environment, which come before nbc's where they fit.
    /// `made_by` tells the version of the library in the notebook's environment.
    pub(super) fn compile(
        &self,
        compile: impl Fn(&BTreeSet<Kind>) -> Parsed<Unlinked>,
        own: &BTreeMap<Kind, Arc<Runtime>>,
        made_by: impl Fn(Kind) -> Option<String>,
        mut have: impl FnMut(&'static KnownRuntime) -> Result<Runtime, Failure>,
    ) -> Parsed<Unlinked> {
        loop {
            let live = self.known().live.clone();
            let mut compiled = compile(&live);
            let mut wanted = BTreeMap::new();
            let mut taken: BTreeMap<Kind, Arc<Runtime>> = BTreeMap::new();
            for chart in compiled.value.charts() {
                let version = chart.version().map(str::to_owned).or_else(|| made_by(chart.kind()));
                if let Some(runtime) =
                    own.get(&chart.kind()).filter(|it| it.fits(version.as_deref()))
                {
                    taken.insert(chart.kind(), Arc::clone(runtime));
                    continue;
                }
                // A page has one runtime of a kind; the newest draws most.
                let found = known(chart.kind(), version.as_deref());
                if let Some(found) = found
                    && wanted
                        .get(&chart.kind())
                        .is_none_or(|it: &&KnownRuntime| found.is_newer_than(it))
                {
                    wanted.insert(chart.kind(), found);
                }
            }
            wanted.retain(|kind, _| !taken.contains_key(kind));
            let mut runtimes: Vec<Arc<Runtime>> = taken.into_values().collect();
            let mut is_complete = true;
            for (kind, known) in wanted {
                match self.runtime(known, &mut have) {
                    Some(runtime) => runtimes.push(runtime),
                    None => {
                        self.known().live.remove(&kind);
                        is_complete = false;
                    }
                }
            }
            if is_complete {
                compiled.value.draw_with(runtimes);
                return compiled;
            }
        }
    }

    fn runtime(
        &self,
        known: &'static KnownRuntime,
        have: &mut impl FnMut(&'static KnownRuntime) -> Result<Runtime, Failure>,
    ) -> Option<Arc<Runtime>> {
        let key = (known.kind, known.version());
        // Held meanwhile: other pages wait for what is being fetched.
        let mut state = self.known();
        if let Some(runtime) = state.had.get(&key) {
            return Some(Arc::clone(runtime));
        }
        match have(known) {
            Ok(runtime) => {
                let runtime = Arc::new(runtime);
                state.had.insert(key, Arc::clone(&runtime));
                Some(runtime)
            }
            Err(failure) => {
                let what = known.kind.title();
                let message = format!("charts of {what} are not interactive: {}", failure.message);
                state.warnings.insert(message);
                None
            }
        }
    }

    /// Readers of the log must not believe that charts are live where they are not.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let state = self.known();
        let mut warnings: Vec<_> = state.warnings.iter().map(|it| Warning::new(it, None)).collect();
        if let Some(last) = warnings.last_mut() {
            let help = "pages show pictures of them; `--charts static` asks for pictures only";
            last.help = Some(help.to_owned());
        }
        warnings
    }
}
