//! Phase 8: [`Document`] to [`Page`].
//!
//! In: the cells of one notebook, sanitized. Out: the body of a page and what its head needs.
//! Never prints an unescaped string: see [`environment`].

pub mod environment;

use std::sync::Arc;

use minijinja::{Value, context};

pub use environment::{RenderError, Rendered};

use crate::charts::Runtime;
use crate::graph::picture::Picture;
use crate::notebook::CodeVisibility;
use crate::output::{Heading, PlacedChart, RenderedOutput};
use crate::sanitize::{SafeCss, SafeHtml};
use crate::site::SitePath;

/// What a reader sees of one cell.
#[derive(Debug)]
pub struct Block {
    /// Anchor, `cell-3`.
    pub id: String,
    /// `code` or `prose`.
    pub kind: &'static str,
    /// Name that the author gave.
    pub name: Option<String>,
    /// Code, unless it is not on the page.
    pub code: Option<CodeBlock>,
    /// Outputs in order.
    pub outputs: Vec<RenderedOutput>,
    /// Charts in them that a runtime draws.
    pub charts: Vec<PlacedChart>,
}

/// Highlighted code.
#[derive(Debug)]
pub struct CodeBlock {
    /// Open or folded.
    pub visibility: CodeVisibility,
    /// The text, with the colours of its tokens.
    pub html: SafeHtml,
}

/// A dataflow to be drawn.
#[derive(Debug)]
pub struct DrawnGraph {
    /// Places and lines.
    pub picture: Picture,
    /// What is said of each node of the picture, in its order.
    pub labels: Vec<NodeLabel>,
}

/// What is said of a cell in the drawing.
#[derive(Debug)]
pub struct NodeLabel {
    /// Short, in the box.
    pub name: String,
    /// For those who cannot see the lines.
    pub description: String,
    /// Anchor of the cell, if it is on the page.
    pub anchor: Option<String>,
}

/// One notebook, ready to be laid out.
#[derive(Debug)]
pub struct Document {
    /// Where the page lies.
    pub path: SitePath,
    /// Title of the page.
    pub title: String,
    /// Whether the title must be printed, because no output begins with it.
    pub print_title: bool,
    /// First sentences, for the index and for search engines.
    pub description: Option<String>,
    /// BCP 47 language tag.
    pub language: String,
    /// File name of the notebook, without folders: a page tells nothing of the machine.
    pub file_name: String,
    /// `medium`, `full` or `columns` of marimo.
    pub width: Option<String>,
    /// Sentences at the top of the page: what a reader must know.
    pub notes: Vec<String>,
    /// The dataflow, if it is shown.
    pub graph: Option<DrawnGraph>,
    /// Headings for the outline.
    pub outline: Vec<Heading>,
    /// Cells.
    pub blocks: Vec<Block>,
    /// What draws the charts in them.
    pub runtimes: Vec<Arc<Runtime>>,
}

/// The body of a page, and what its head needs to know.
#[derive(Debug)]
pub struct Page {
    /// Where it lies.
    pub path: SitePath,
    /// Title.
    pub title: String,
    /// Description.
    pub description: Option<String>,
    /// Language.
    pub language: String,
    /// File name of the notebook.
    pub file_name: String,
    /// Rules of the outputs, to be added to the page's own.
    pub style: SafeCss,
    /// The body.
    pub body: Rendered,
    /// Charts in the body that a runtime draws.
    pub charts: Vec<PlacedChart>,
    /// What draws them, one a kind.
    pub runtimes: Vec<Arc<Runtime>>,
}

/// Fewest headings that make an outline worth its place.
const OUTLINE_MINIMUM: usize = 3;

/// Lays out a document. `home` is the link to the index page, if there is one.
///
/// # Errors
/// When a template is broken.
pub fn page(document: &Document, home: Option<&str>) -> Result<Page, RenderError> {
    let headings: Vec<&Heading> =
        document.outline.iter().filter(|heading| matches!(heading.level, 2 | 3)).collect();
    let outline: Vec<Value> = if headings.len() < OUTLINE_MINIMUM {
        Vec::new()
    } else {
        headings
            .iter()
            .map(
                |it| context! { level => it.level, id => it.id.as_str(), text => it.text.as_str() },
            )
            .collect()
    };
    let cells: Vec<Value> = document.blocks.iter().map(cell_value).collect();
    let has_code = document
        .blocks
        .iter()
        .any(|block| block.code.as_ref().is_some_and(|it| it.visibility == CodeVisibility::Folded));
    let body = environment::render(
        "page.html",
        context! {
            home => home.unwrap_or_default(),
            file_name => document.file_name.as_str(),
            has_code,
            outline,
            width => document.width.as_deref().unwrap_or_default(),
            heading => if document.print_title { document.title.as_str() } else { "" },
            notes => document.notes.clone(),
            graph => document.graph.as_ref().map(graph_value),
            cells,
        },
    )?;
    let outputs = document.blocks.iter().flat_map(|block| &block.outputs);
    let style = SafeCss::concat(outputs.map(|output| output.css.clone()));
    Ok(Page {
        path: document.path.clone(),
        title: document.title.clone(),
        description: document.description.clone(),
        language: document.language.clone(),
        file_name: document.file_name.clone(),
        style,
        body,
        charts: document.blocks.iter().flat_map(|block| block.charts.clone()).collect(),
        runtimes: document.runtimes.clone(),
    })
}

/// Longest name in a box of the drawing, in characters.
const NAME_LENGTH: usize = 13;

fn graph_value(graph: &DrawnGraph) -> Value {
    let (width, height) = graph.picture.node_size;
    let nodes: Vec<Value> = graph
        .picture
        .nodes
        .iter()
        .zip(&graph.labels)
        .map(|(node, label)| {
            let name = if label.name.chars().count() > NAME_LENGTH {
                label.name.chars().take(NAME_LENGTH - 1).chain(['…']).collect()
            } else {
                label.name.clone()
            };
            context! {
                x => node.x, y => node.y, width, height, name,
                middle => node.x + width / 2,
                baseline => node.y + height / 2 + 4,
                description => label.description.as_str(),
                href => label.anchor.as_ref().map(|it| format!("#{it}")).unwrap_or_default(),
            }
        })
        .collect();
    context! {
        width => graph.picture.width, height => graph.picture.height,
        edges => graph.picture.edges.clone(), nodes,
    }
}

fn cell_value(block: &Block) -> Value {
    let outputs: Vec<Value> =
        block.outputs.iter().map(|output| environment::html_value(&output.html)).collect();
    let code_state = match block.code.as_ref().map(|code| code.visibility) {
        Some(CodeVisibility::Shown) => "shown",
        Some(CodeVisibility::Folded) => "folded",
        Some(CodeVisibility::Hidden) | None => "hidden",
    };
    let code_label = match &block.name {
        Some(name) => format!("Code of {name}"),
        None => format!("Code of {}", block.id.replace('-', " ")),
    };
    context! {
        id => block.id.as_str(),
        kind => block.kind,
        name => block.name.as_deref().unwrap_or_default(),
        code_state,
        code_label,
        code => block.code.as_ref().map_or(Value::UNDEFINED, |code| environment::html_value(&code.html)),
        outputs,
    }
}
