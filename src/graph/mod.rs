//! Phase 2: [`Notebook`] to [`CellGraph`], then [`RunnableGraph`].
//!
//! In: cells. Out: the names each defines and uses, the edges between them, the order of the run.
//! Never touches the disk; reports instead of failing.

mod cycles;
mod hygiene;
mod jupyter;
mod marimo;
pub mod picture;
pub mod print;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Parsed, has_errors};
use crate::notebook::{CellId, CellKind, Format, Notebook};
pub use crate::python::CellNames;
use crate::source::Sources;

/// The dataflow of a notebook; may hold cycles and ambiguities.
#[derive(Debug, Default)]
pub struct CellGraph {
    /// Per runnable cell, what it defines and uses.
    pub names: BTreeMap<CellId, Arc<CellNames>>,
    /// Edges from a cell to the cells that it depends on.
    pub parents: BTreeMap<CellId, BTreeSet<CellId>>,
    /// The same edges the other way.
    pub children: BTreeMap<CellId, BTreeSet<CellId>>,
    /// Run order; cells in or below a cycle, and disabled cells and what hangs on them, are absent.
    pub order: Vec<CellId>,
    /// Run order if no cell were disabled.
    pub full_order: Vec<CellId>,
    /// Faults, cell by cell, for machines.
    pub problems: Vec<Problem>,
    /// Findings that forbid a run; empty in a graph that can become runnable.
    errors: Vec<Diagnostic>,
}

/// A fault of one cell of a graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// The cell does not parse, or would not compile.
    Syntax(CellId),
    /// The cell imports with a star.
    StarImport(CellId),
    /// The cell defines a name that others define, too.
    MultipleDefinitions {
        /// The cell.
        cell: CellId,
        /// The name.
        name: String,
        /// All cells that define it, this one included; shared by their problems.
        definers: Arc<[CellId]>,
    },
    /// The cell is part of a cycle.
    Cycle {
        /// The cell.
        cell: CellId,
        /// Edges of the cycle: from the definer, over the names, to the user.
        edges: Arc<[(CellId, Vec<String>, CellId)]>,
    },
    /// The setup cell needs another cell.
    SetupReference(CellId),
}

/// A dataflow without cycles, ambiguous names or broken cells: the only one that can be run.
#[derive(Debug)]
pub struct RunnableGraph(CellGraph);

impl CellGraph {
    /// Proves that the graph can be run.
    ///
    /// # Errors
    /// The findings that forbid it.
    pub fn into_runnable(self) -> Result<RunnableGraph, Vec<Diagnostic>> {
        if has_errors(&self.errors) { Err(self.errors) } else { Ok(RunnableGraph(self)) }
    }

    /// All cells that depend on a cell, near or far, in document order; not the cell itself.
    pub fn descendants(&self, cell: CellId) -> BTreeSet<CellId> {
        let mut found = BTreeSet::new();
        let mut open = vec![cell];
        while let Some(next) = open.pop() {
            for &child in self.children.get(&next).into_iter().flatten() {
                if child != cell && found.insert(child) {
                    open.push(child);
                }
            }
        }
        found
    }

    fn connect(&mut self, parent: CellId, child: CellId) {
        if parent != child {
            self.parents.entry(child).or_default().insert(parent);
            self.children.entry(parent).or_default().insert(child);
        }
    }
}

impl RunnableGraph {
    /// The graph.
    pub fn graph(&self) -> &CellGraph {
        &self.0
    }

    /// The graph, when the run is over.
    pub fn into_graph(self) -> CellGraph {
        self.0
    }
}

/// Finds definitions, references, edges, order and what contradicts them.
pub fn analyze(sources: &Sources, notebook: &Notebook) -> Parsed<CellGraph> {
    let mut graph = CellGraph::default();
    let mut broken = Vec::new();
    for (id, cell) in notebook.cells() {
        if cell.kind == CellKind::Unparsable {
            // The parser has reported the cell; this finding only keeps the graph from running.
            broken.push(Diagnostic::error(
                Code::SyntaxError,
                cell.whole(),
                "the cell is not valid Python",
            ));
            graph.problems.push(Problem::Syntax(id));
        } else if cell.kind.is_runnable() {
            graph.names.insert(id, Arc::clone(&cell.names));
            graph.parents.entry(id).or_default();
            graph.children.entry(id).or_default();
        }
    }
    let mut diagnostics = match notebook.format {
        Format::Marimo => marimo::analyze(notebook, &mut graph),
        Format::Jupyter => jupyter::analyze(notebook, &mut graph),
    };
    if notebook.format == Format::Jupyter {
        diagnostics.extend(hygiene::inspect(notebook, &graph));
    }
    diagnostics.extend(self_imports(sources, notebook, &graph));
    graph.problems.sort();
    crate::diagnostic::sort(&mut diagnostics);
    graph.errors = broken;
    graph.errors.extend(diagnostics.iter().cloned());
    Parsed { value: graph, diagnostics }
}

/// Imports of the notebook itself: Python finds `pandas.py` beside the notebook before the library.
fn self_imports(sources: &Sources, notebook: &Notebook, graph: &CellGraph) -> Vec<Diagnostic> {
    let path = sources.get(notebook.source).path();
    let (Some(stem), Some("py")) = (path.file_stem(), path.extension()) else { return Vec::new() };
    let importing = graph.names.iter().filter(|(_, names)| names.imports.contains(stem));
    let diagnostics = importing.filter_map(|(id, names)| {
        let cell = notebook.cell(*id)?;
        let span = names.definitions.get(stem).copied().unwrap_or_else(|| cell.head());
        let message = format!("the notebook imports `{stem}`, which is also its own name");
        Some(
            Diagnostic::warning(Code::SelfImport, span, message)
                .with_label("may import this file instead of the library")
                .with_help("rename the notebook"),
        )
    });
    diagnostics.collect()
}
