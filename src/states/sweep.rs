//! The results of a sweep, state by state, and the input values that each belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::catalogue::Catalogue;
use crate::notebook::CellId;
use crate::run::record::{CellRun, State, Step, Sweep};

/// Most states of a page.
const MOST_STATES: usize = 100_000;
/// Most inputs that a state sets.
const MOST_STEPS: usize = 32;
/// Most work: results of cells with their keys, and inputs of states.
const MOST_WORK: usize = 4_000_000;
/// Most inputs that are there at the same time.
const MOST_AT_ONCE: usize = 500;

/// Inputs, by index, each with the index of its value; sorted. Those that have their first value are left out.
pub(super) type Key = Vec<(usize, u32)>;

/// The inputs that are there, by index, in the order in which they were made.
pub(super) type Scope = Rc<Vec<usize>>;

/// Result of a cell in one state.
#[derive(Debug)]
pub(super) struct CellResult<'a> {
    /// Nothing where the cell was not run.
    pub(super) run: Option<&'a CellRun>,
    /// The inputs of that state.
    pub(super) scope: Scope,
}

/// A sweep, read.
#[derive(Debug, Default)]
pub(super) struct Read<'a> {
    pub(super) catalogue: Catalogue,
    /// The inputs of the run itself.
    pub(super) start: Scope,
    /// The first state of the page: values that differ from the run's, and the inputs that exist then.
    pub(super) first: (Key, Scope),
    /// Cells that make inputs.
    makers: BTreeSet<CellId>,
    /// Inputs that these cells made, keyed by cell and the values it depends on.
    made: BTreeMap<(CellId, Key), Vec<usize>>,
    /// Inputs that were created again by others, by their id and the values of those; `None` if no input was created.
    remade: BTreeMap<(String, Key), Option<usize>>,
    scopes: BTreeMap<Key, Scope>,
    pub(super) given: BTreeMap<CellId, BTreeMap<Key, CellResult<'a>>>,
    /// Steps of keys, and inputs of states, looked at so far.
    work: usize,
    /// Number of unusable results, by reason.
    pub(super) dropped: BTreeMap<&'static str, usize>,
}

impl<'a> Read<'a> {
    /// Reads a sweep. What is wrong in it costs no more than its own place.
    pub(super) fn of(sweep: &'a Sweep, is_shown: &dyn Fn(CellId) -> bool) -> Self {
        let mut read = Self::default();
        let all = sweep.widgets.iter().chain(sweep.states.iter().flat_map(|it| &it.widgets));
        read.makers = all.filter(|it| it.makers.is_none()).map(|it| it.cell).collect();
        let mut start: Vec<usize> = Vec::new();
        for widget in &sweep.widgets {
            if start.len() >= MOST_AT_ONCE {
                read.drop("the page has too many inputs");
                break;
            }
            let chosen = sweep.chosen.iter().find(|it| it.widget == widget.id);
            match read.catalogue.add(widget, chosen.map(|it| it.value)) {
                Ok(input) => start.push(input),
                Err(reason) => read.drop(reason),
            }
        }
        read.start = Rc::new(start);
        // A state stands on those that set less.
        let mut states: Vec<&State> = sweep.states.iter().collect();
        states.sort_by_key(|it| it.path.len());
        for state in states.drain(..states.len().min(MOST_STATES)) {
            if let Err(reason) = read.state(state, is_shown) {
                read.drop(reason);
            }
        }
        if sweep.states.len() > MOST_STATES {
            read.drop("the sweep has too many states");
        }
        let place = |it: &Step| sweep.widgets.iter().position(|one| one.id == it.widget);
        let mut chosen = sweep.chosen.clone();
        chosen.sort_by_key(place);
        read.first = match read.resolve(&chosen) {
            Ok((scope, mut key, last)) => {
                let scope = last.map_or(Rc::clone(&scope), |it| read.after(&scope, it, &mut key));
                (key, scope)
            }
            Err(reason) => {
                read.drop(reason);
                (Key::new(), Rc::clone(&read.start))
            }
        };
        read.catalogue.find_resets();
        read
    }

    fn drop(&mut self, reason: &'static str) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    /// The inputs that a path sets, and those that are there before its last step, which is the third: its cells may
    /// not be known yet.
    fn resolve(&mut self, path: &[Step]) -> Result<(Scope, Key, Option<usize>), &'static str> {
        if path.len() > MOST_STEPS {
            return Err("a state sets too many inputs");
        }
        let (mut scope, mut key, mut last) = (Rc::clone(&self.start), Key::new(), None);
        for step in path {
            if let Some(last) = last {
                scope = self.after(&scope, last, &mut key);
            }
            let found = scope.iter().copied().find(|it| {
                self.catalogue.inputs.get(*it).is_some_and(|input| input.id == step.widget)
            });
            let found = found.ok_or("a state sets an input that is not there")?;
            let input = self.catalogue.inputs.get(found).ok_or("a state sets no input")?;
            if step.value >= input.size {
                return Err("a state sets an input to a value that it does not have");
            }
            if key.iter().any(|(it, _)| *it == found) {
                return Err("a state sets an input twice");
            }
            last = None;
            if step.value != input.initial {
                key.push((found, step.value));
                key.sort_unstable();
                last = Some(found);
            }
        }
        Ok((scope, key, last))
    }

    fn state(
        &mut self,
        state: &'a State,
        is_shown: &dyn Fn(CellId) -> bool,
    ) -> Result<(), &'static str> {
        if self.work > MOST_WORK {
            return Err("the sweep has too many results");
        }
        let (scope, mut key, last) = self.resolve(&state.path)?;
        self.work = self.work.saturating_add(scope.len() * (key.len() + 1));
        let reach = last.and_then(|it| self.catalogue.inputs.get(it)).map(|it| it.reach.clone());
        let (Some(last), Some(reach)) = (last, reach) else {
            return Err("a state sets nothing");
        };
        self.make(state, &reach, &key);
        self.remake(state, &scope, last, &key);
        let scope = self.after(&scope, last, &mut key);
        for (input, _) in &key {
            if let Some(input) = self.catalogue.inputs.get_mut(*input) {
                input.is_set = true;
            }
        }
        // A cell that the input reaches but that did not run was stopped: it shows nothing.
        let cells: BTreeSet<CellId> = state.cells.keys().chain(&reach).copied().collect();
        self.work = self.work.saturating_add(cells.len() * (key.len() + 1) + scope.len());
        if self.work > MOST_WORK {
            return Err("the sweep has too many results");
        }
        for cell in cells.into_iter().filter(|it| is_shown(*it)) {
            let own = self.restricted(&key, cell);
            if !own.is_empty() {
                let given = CellResult { run: state.cells.get(&cell), scope: Rc::clone(&scope) };
                self.given.entry(cell).or_default().entry(own).or_insert(given);
            }
        }
        Ok(())
    }

    /// Notes the inputs that a state's cells made. The first state that tells counts.
    fn make(&mut self, state: &State, reach: &BTreeSet<CellId>, key: &Key) {
        let makers: Vec<CellId> = self.makers.intersection(reach).copied().collect();
        for cell in makers {
            let place = (cell, self.restricted(key, cell));
            if self.made.contains_key(&place) {
                continue;
            }
            let mut made = Vec::new();
            for widget in state.widgets.iter().filter(|it| it.cell == cell) {
                match self.catalogue.add(widget, None) {
                    Ok(_) if made.len() >= MOST_AT_ONCE => self.drop("a state has too many inputs"),
                    Ok(input) => made.push(input),
                    Err(reason) => self.drop(reason),
                }
            }
            self.made.insert(place, made);
        }
    }

    /// Notes the inputs that the last step of a state creates again.
    fn remake(&mut self, state: &State, scope: &Scope, last: usize, key: &Key) {
        for old in scope.iter().copied() {
            let Some(place) = self.place_anew(old, last, key) else { continue };
            if self.remade.contains_key(&place) {
                continue;
            }
            let widget = state.widgets.iter().find(|it| it.id == place.0 && it.makers.is_some());
            let made = match widget.map(|it| self.catalogue.add(it, None)) {
                Some(Ok(made)) => Some(made),
                Some(Err(reason)) => {
                    self.drop(reason);
                    None
                }
                None => None,
            };
            self.remade.insert(place, made);
        }
    }

    /// Key of an input in `remade`, if `changed` itself makes it anew.
    fn place_anew(&self, input: usize, changed: usize, key: &Key) -> Option<(String, Key)> {
        let inputs = &self.catalogue.inputs;
        let (input, changed) = (inputs.get(input)?, inputs.get(changed)?);
        let makers = input.makers.as_ref().filter(|it| it.contains(&changed.id))?;
        let is_maker = |it: usize| inputs.get(it).is_some_and(|it| makers.contains(&it.id));
        let own = key.iter().filter(|(it, _)| is_maker(*it)).copied().collect();
        Some((input.id.clone(), own))
    }

    /// The part of a key that a cell depends on.
    pub(super) fn restricted(&self, key: &Key, cell: CellId) -> Key {
        let reaches =
            |it: usize| self.catalogue.inputs.get(it).is_some_and(|it| it.reach.contains(&cell));
        key.iter().filter(|(it, _)| reaches(*it)).copied().collect()
    }

    /// The inputs after `changed`, which is in `key`, was set: what its cells make takes the place of what they
    /// had made. What is gone is set no more.
    pub(super) fn after(&mut self, scope: &Scope, changed: usize, key: &mut Key) -> Scope {
        let scope = match self.scopes.get(key) {
            Some(known) => Rc::clone(known),
            None => {
                let after = self.made_anew(scope, changed, key);
                self.scopes.insert(key.clone(), Rc::clone(&after));
                after
            }
        };
        key.retain(|(it, _)| scope.contains(it));
        scope
    }

    fn made_anew(&self, scope: &Scope, changed: usize, key: &Key) -> Scope {
        let Some(input) = self.catalogue.inputs.get(changed) else { return Rc::clone(scope) };
        let anew = |old: usize| {
            let place = self.place_anew(old, changed, key);
            match place.and_then(|it| self.remade.get(&it)) {
                Some(made) => *made,
                None => Some(old),
            }
        };
        let scope: &Scope = &Rc::new(scope.iter().filter_map(|it| anew(*it)).collect());
        let makers: Vec<CellId> = self.makers.intersection(&input.reach).copied().collect();
        if makers.is_empty() {
            return Rc::clone(scope);
        }
        let id = |it: usize| self.catalogue.inputs.get(it).map(|it| it.id.as_str());
        let fresh = makers.iter().flat_map(|cell| {
            self.made.get(&(*cell, self.restricted(key, *cell))).into_iter().flatten().copied()
        });
        let mut fresh: Vec<usize> = fresh.filter(|it| id(*it) != id(changed)).collect();
        let mut after = Vec::new();
        for old in scope.iter().copied() {
            if let Some(at) = fresh.iter().position(|it| id(*it) == id(old)) {
                after.push(fresh.remove(at));
                continue;
            }
            let is_gone = old != changed
                && self.catalogue.inputs.get(old).is_some_and(|it| it.is_made_by(input));
            if !is_gone {
                after.push(old);
            }
        }
        after.extend(fresh);
        after.truncate(MOST_AT_ONCE);
        Rc::new(after)
    }

    /// The inputs of a scope that work: by marimo's id, the index of their entries.
    pub(super) fn live(&self, scope: &Scope) -> BTreeMap<String, u32> {
        let inputs = scope.iter().filter_map(|it| self.catalogue.inputs.get(*it));
        let works = inputs.filter(|it| it.is_set || it.reach.is_empty() || it.size == 1);
        works.flat_map(|it| it.ids.iter().cloned()).collect()
    }
}
