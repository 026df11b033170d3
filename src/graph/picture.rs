//! A small drawing of a dataflow: positions of the cells, and the lines between them.
//!
//! Layers from top to bottom: a cell stands below everything that it depends on. In a layer, cells
//! stand as near as may be to those they depend on. The geometry only; nothing of it is markup.

use std::collections::BTreeMap;

use super::CellGraph;
use crate::notebook::CellId;

/// Width and height of a cell, and the room between cells.
const NODE: (u32, u32) = (104, 30);
const GAP: (u32, u32) = (12, 34);
/// Most cells in a row: as many as fit the width of a page.
const MAX_ROW: usize = 6;
/// Most cells of a drawing that still tells anything.
const MAX_CELLS: usize = 150;

/// A cell in the drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The cell.
    pub cell: CellId,
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
}

/// A drawing; all numbers are CSS pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width of the whole.
    pub width: u32,
    /// Height of the whole.
    pub height: u32,
    /// Width and height of a cell.
    pub node_size: (u32, u32),
    /// Cells, in run order.
    pub nodes: Vec<Node>,
    /// Lines, as the `d` of an SVG path.
    pub edges: Vec<String>,
}

/// Draws the cells that depend on each other; `None` when there is nothing to draw, or too much.
pub fn draw(graph: &CellGraph) -> Option<Picture> {
    let is_linked = |it: &CellId| {
        let has = |edges: &BTreeMap<CellId, _>| {
            edges.get(it).is_some_and(|it: &std::collections::BTreeSet<CellId>| !it.is_empty())
        };
        has(&graph.parents) || has(&graph.children)
    };
    let cells: Vec<CellId> = graph.full_order.iter().copied().filter(is_linked).collect();
    if cells.is_empty() || cells.len() > MAX_CELLS {
        return None;
    }
    let layers = layers(graph, &cells);
    let mut places: BTreeMap<CellId, (u32, u32)> = BTreeMap::new();
    let (mut width, mut y) = (0, GAP.0);
    for layer in layers.values() {
        // Under the middle of what it depends on; document order where that is the same.
        let mut keyed: Vec<(u32, CellId)> = layer
            .iter()
            .map(|cell| {
                let parents = graph.parents.get(cell).into_iter().flatten();
                let xs: Vec<u32> = parents.filter_map(|it| places.get(it)).map(|it| it.0).collect();
                (xs.iter().sum::<u32>() / (xs.len().max(1) as u32), *cell)
            })
            .collect();
        keyed.sort();
        for row in keyed.chunks(MAX_ROW) {
            for (at, (_, cell)) in row.iter().enumerate() {
                let x = GAP.0 + at as u32 * (NODE.0 + GAP.0);
                places.insert(*cell, (x, y));
                width = width.max(x + NODE.0 + GAP.0);
            }
            y += NODE.1 + GAP.1;
        }
    }
    let edges = edges(graph, &cells, &places);
    let nodes = cells.iter().filter_map(|cell| {
        let &(x, y) = places.get(cell)?;
        Some(Node { cell: *cell, x, y })
    });
    let height = y - GAP.1 + GAP.0;
    Some(Picture { width, height, node_size: NODE, nodes: nodes.collect(), edges })
}

/// The cells of each layer, which depend on layers above it.
fn layers(graph: &CellGraph, cells: &[CellId]) -> BTreeMap<usize, Vec<CellId>> {
    let mut depth: BTreeMap<CellId, usize> = BTreeMap::new();
    for cell in cells {
        let parents = graph.parents.get(cell).into_iter().flatten();
        let below = parents.filter_map(|it| depth.get(it)).max().map_or(0, |it| it + 1);
        depth.insert(*cell, below);
    }
    let mut layers: BTreeMap<usize, Vec<CellId>> = BTreeMap::new();
    for cell in cells {
        layers.entry(depth.get(cell).copied().unwrap_or(0)).or_default().push(*cell);
    }
    layers
}

/// The lines from each cell to those it depends on, as paths of SVG.
fn edges(
    graph: &CellGraph,
    cells: &[CellId],
    places: &BTreeMap<CellId, (u32, u32)>,
) -> Vec<String> {
    let middle = |x: u32| x + NODE.0 / 2;
    let mut edges = Vec::new();
    for child in cells {
        for parent in graph.parents.get(child).into_iter().flatten() {
            let (Some(&(x1, y1)), Some(&(x2, y2))) = (places.get(parent), places.get(child)) else {
                continue;
            };
            let (x1, y1, x2) = (middle(x1), y1 + NODE.1, middle(x2));
            let bend = y1.midpoint(y2);
            edges.push(format!("M{x1} {y1}C{x1} {bend} {x2} {bend} {x2} {y2}"));
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(cells: u32, edges: &[(u32, u32)]) -> CellGraph {
        let mut graph = CellGraph::default();
        for (parent, child) in edges {
            graph.connect(CellId(*parent), CellId(*child));
        }
        graph.full_order = (0..cells).map(CellId).collect();
        graph
    }

    #[test]
    fn a_cell_stands_below_what_it_depends_on() {
        let picture = draw(&graph(5, &[(0, 1), (0, 2), (1, 3), (2, 3)])).unwrap();
        let rows: Vec<u32> = picture.nodes.iter().map(|it| it.y).collect();
        assert_eq!(rows, [12, 76, 76, 140], "the fifth cell has no edges");
        assert_eq!((picture.width, picture.height), (244, 182));
        assert_eq!(picture.edges.first().unwrap(), "M64 42C64 59 64 59 64 76");
    }

    #[test]
    fn nothing_and_too_much_are_not_drawn() {
        assert_eq!(draw(&graph(3, &[])), None);
        let long: Vec<(u32, u32)> = (0..200).map(|it| (it, it + 1)).collect();
        assert_eq!(draw(&graph(201, &long)), None);
    }

    #[test]
    fn a_row_has_no_more_cells_than_a_page_is_wide() {
        let star: Vec<(u32, u32)> = (1..=20).map(|it| (0, it)).collect();
        let picture = draw(&graph(21, &star)).unwrap();
        assert_eq!(picture.width, 12 + 6 * 116);
    }
}
