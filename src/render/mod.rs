//! Phase 8: [`Document`] to [`Page`].
//!
//! In: the cells of one notebook, sanitized. Out: the body of a page and the values for its head.
//! Never prints an unescaped string: see [`environment`].

pub mod environment;
mod markup;
mod slots;

use std::sync::Arc;

use base64::Engine as _;
use minijinja::{Value, context};

pub use environment::{RenderError, Rendered, Templates, is_template};
pub use slots::Slots;

use crate::charts::Runtime;
use crate::config::BaseUrl;
use crate::graph::picture::Picture;
use crate::notebook::CodeVisibility;
use crate::output::{Heading, PlacedChart, RenderedOutput};
use crate::sanitize::{self, MarkedFile, SafeCss, SafeHtml};
use crate::site::{Asset, SitePath, SitePathError, download_name};
use crate::states::States;

/// Properties shared by all pages of a site.
#[derive(Debug)]
pub struct Look<'text> {
    /// Title of the site.
    pub title: String,
    /// The same, if its author chose it.
    pub site_name: String,
    /// Description of the site on its index page.
    pub description: Option<String>,
    /// Language of the pages that are not made from a notebook.
    pub language: String,
    /// nbc's templates, or the site's own.
    pub templates: Templates<'text>,
    /// Rules of the site's own.
    pub theme: SafeCss,
    /// Address at which the site will be published.
    pub base_url: Option<BaseUrl>,
    /// Whether pages may need other files of the site.
    pub has_files: bool,
}

/// The visible parts of one cell.
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
    /// `scrolled` or `whole`, where the author decides about long outputs.
    pub scroll: Option<&'static str>,
    /// The cell's number, if what it shows depends on an input.
    pub slot: Option<u32>,
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
    /// Labels of the picture's nodes, in its order.
    pub labels: Vec<NodeLabel>,
}

/// Label of a cell in the drawing.
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
    /// Path of the page.
    pub path: SitePath,
    /// Title of the page.
    pub title: String,
    /// Whether the title must be printed, because no output begins with it.
    pub print_title: bool,
    /// The number, from 1, of the block whose heading is the title; 0 when none is. What is said of the page
    /// stands behind it.
    pub title_cell: usize,
    /// The author's description, or its first sentences: for the index and for search engines.
    pub description: Option<String>,
    /// Whether the description must be printed, because it is no part of the notebook's prose.
    pub print_description: bool,
    /// Names.
    pub authors: Vec<String>,
    /// Date, exactly as the author wrote it.
    pub date: Option<String>,
    /// BCP 47 language tag.
    pub language: String,
    /// Notebook without its outputs, for download.
    pub source: Option<Vec<u8>>,
    /// File name of the notebook, without folders: a page tells nothing of the machine.
    pub file_name: String,
    /// `medium`, `full` or `columns` of marimo.
    pub width: Option<String>,
    /// Notes to readers at the top of the page.
    pub notes: Vec<String>,
    /// The dataflow, if it is shown.
    pub graph: Option<DrawnGraph>,
    /// Headings for the outline.
    pub outline: Vec<Heading>,
    /// Cells.
    pub blocks: Vec<Block>,
    /// Runtimes that draw the charts in them.
    pub runtimes: Vec<Arc<Runtime>>,
    /// Files of the site that its links lead to, and that are no pages.
    pub files: Vec<SitePath>,
    /// Their outputs for other values of the inputs.
    pub states: Option<Arc<States>>,
}

/// The body of a page, and the values for its head.
#[derive(Debug)]
pub struct Page {
    /// Path of the page.
    pub path: SitePath,
    /// Title.
    pub title: String,
    /// Description.
    pub description: Option<String>,
    /// Authors and date, for the index.
    pub byline: String,
    /// A small picture for the index, a `data:` address.
    pub picture: Option<String>,
    /// Language.
    pub language: String,
    /// File name of the notebook.
    pub file_name: String,
    /// Rules of the outputs, to be added to the page's own.
    pub style: SafeCss,
    /// Title, description and the like.
    pub head: Rendered,
    /// The body.
    pub body: Rendered,
    /// Files that only this page needs.
    pub files: Vec<Asset>,
    /// Files of the site that its links lead to, and that are no pages.
    pub linked: Vec<SitePath>,
    /// Charts in the body that a runtime draws.
    pub charts: Vec<PlacedChart>,
    /// Runtimes that draw them, one a kind.
    pub runtimes: Vec<Arc<Runtime>>,
    /// Whether the body has frames.
    pub has_islands: bool,
    /// Outputs of the cells for other values of the inputs.
    pub states: Option<Arc<States>>,
}

/// Fewest headings that make an outline worth its place.
const OUTLINE_MINIMUM: usize = 3;

/// Largest picture on the index page, in bytes of its address.
const LARGEST_PICTURE: usize = 40_000;

/// Links to pages of the site that are no notebook's own business.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// The link to the first page; none on that page.
    pub home: Option<String>,
    /// The link to the list of all notebooks, where the first page is a notebook.
    pub list: Option<String>,
}

/// Lays out a document.
///
/// # Errors
/// When a template is broken.
pub fn page(mut document: Document, ways: &Ways, look: &Look<'_>) -> Result<Page, LayoutError> {
    let mut outputs = document.blocks.iter().flat_map(|block| &block.outputs);
    let style = SafeCss::concat(outputs.clone().map(|output| output.css.clone()));
    let picture = outputs.find_map(|output| sanitize::first_picture(&output.html, LARGEST_PICTURE));
    // Outputs may be most of the memory of a build: they are moved, not copied.
    let blocks = std::mem::take(&mut document.blocks);
    let has_code = blocks
        .iter()
        .any(|block| block.code.as_ref().is_some_and(|it| it.visibility == CodeVisibility::Folded));
    let (mut own, mut charts, mut slots) = (Vec::new(), Vec::new(), Slots::default());
    let mut cells: Vec<Value> = Vec::new();
    for mut block in blocks {
        charts.append(&mut block.charts);
        cells.push(cell_value(block, &document.path, &mut own, &mut slots, look)?);
    }
    let (source, mut files) = source(&document, look)?;
    let authors = document.authors.join(", ");
    let date = document.date.as_deref().unwrap_or_default();
    let published = if is_iso_date(date) { date } else { "" };
    let body = body(&document, ways, (source, has_code), cells, slots, look)?;
    let shared = picture.as_deref().and_then(|picture| shared_picture(&document, picture, look));
    let head = head(&document, published, shared.as_ref(), look)?;
    let has_islands = own.iter().any(|it| it.path().as_str().starts_with("islands/"));
    files.extend(own);
    files.extend(shared);
    let said = [authors.as_str(), date].into_iter().filter(|it| !it.is_empty());
    let byline = said.collect::<Vec<_>>().join(" · ");
    Ok(Page {
        path: document.path,
        title: document.title,
        description: document.description,
        byline,
        picture,
        language: document.language,
        file_name: document.file_name,
        style,
        head,
        body,
        files,
        linked: document.files,
        charts,
        runtimes: document.runtimes,
        has_islands,
        states: document.states,
    })
}

/// The body of a page. `source` comes with whether the page has code to unfold.
fn body(
    document: &Document,
    ways: &Ways,
    (source, has_code): (Value, bool),
    cells: Vec<Value>,
    slots: Slots<'_>,
    look: &Look<'_>,
) -> Result<Rendered, RenderError> {
    let outline = outline(&document.outline);
    let authors = document.authors.join(", ");
    let date = document.date.as_deref().unwrap_or_default();
    let published = if is_iso_date(date) { date } else { "" };
    let byline = context! { authors => authors.as_str(), date, published };
    let lead = document.description.as_deref().filter(|_| document.print_description);
    look.templates.fill(
        "page.html",
        context! {
            home => ways.home.as_deref().unwrap_or_default(),
            list => ways.list.as_deref().unwrap_or_default(),
            file_name => document.file_name.as_str(),
            has_code,
            outline,
            width => document.width.as_deref().unwrap_or_default(),
            heading => if document.print_title { document.title.as_str() } else { "" },
            lead => lead.unwrap_or_default(),
            byline => if authors.is_empty() && date.is_empty() { Value::from(false) } else { byline },
            title_cell => document.title_cell,
            notes => document.notes.clone(),
            graph => document.graph.as_ref().map(graph_value),
            source,
            cells,
        },
        slots,
    )
}

/// Headings of the outline; none if there are only few. Where chapters are headings of the first level, like the title of
/// others, they and those below them are shown.
fn outline(headings: &[Heading]) -> Vec<Value> {
    let of = |level: u8| headings.iter().filter(move |it| it.level == level);
    let first = if of(1).nth(1).is_some() { 1 } else { 2 };
    let shown = headings.iter().filter(|it| it.level == first || it.level == first + 1);
    if shown.clone().count() < OUTLINE_MINIMUM {
        return Vec::new();
    }
    let place = |it: &Heading| 2 + (it.level - first);
    shown
        .map(|it| context! { level => place(it), id => it.id.as_str(), text => it.text.as_str() })
        .collect()
}

/// The head of a document, in which search engines and other sites read about it.
fn head(
    document: &Document,
    published: &str,
    shared: Option<&Asset>,
    look: &Look<'_>,
) -> Result<Rendered, RenderError> {
    let picture_address = match (&look.base_url, shared) {
        (Some(base), Some(file)) => format!("{}{}", base.as_str(), file.path().as_str()),
        _ => String::new(),
    };
    look.templates.render(
        "head.html",
        context! {
            kind => "article",
            title => document.title.as_str(),
            description => document.description.as_deref().unwrap_or_default(),
            authors => document.authors.clone(),
            published,
            site_name => look.site_name.as_str(),
            address => address(&document.path, look),
            picture_address,
        },
    )
}

/// Why a page cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A template is broken.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A file of the page has no place in the site.
    #[error(transparent)]
    Path(#[from] SitePathError),
}

/// A page that is not made from a notebook.
///
/// # Errors
/// When a template is broken.
pub fn own_page(
    path: SitePath,
    title: &str,
    body: Rendered,
    look: &Look<'_>,
) -> Result<Page, RenderError> {
    let head = look.templates.render(
        "head.html",
        context! {
            kind => "website", title, description => look.description.as_deref().unwrap_or_default(),
            authors => Vec::<String>::new(), published => "", picture_address => "",
            site_name => look.site_name.as_str(),
            // The page for missing pages is served at all addresses.
            address => if path.as_str() == "404.html" { String::new() } else { address(&path, look) },
        },
    )?;
    Ok(Page {
        path,
        title: title.to_owned(),
        description: None,
        byline: String::new(),
        picture: None,
        language: look.language.clone(),
        file_name: String::new(),
        style: SafeCss::default(),
        head,
        body,
        files: Vec::new(),
        linked: Vec::new(),
        charts: Vec::new(),
        runtimes: Vec::new(),
        has_islands: false,
        states: None,
    })
}

/// `rtl` or `ltr`: how the script of a language is written.
pub fn direction(language: &str) -> &'static str {
    const LANGUAGES: [&str; 12] =
        ["ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "syr", "ug", "ur", "yi"];
    const SCRIPTS: [&str; 6] = ["arab", "hebr", "thaa", "syrc", "nkoo", "adlm"];
    let lower = language.to_ascii_lowercase();
    let mut parts = lower.split('-');
    let first = parts.next().unwrap_or_default();
    let script = parts.find(|it| it.len() == 4);
    let is_rtl = script.map_or(LANGUAGES.contains(&first), |it| SCRIPTS.contains(&it));
    if is_rtl { "rtl" } else { "ltr" }
}

/// The absolute address of a page, where it is known; a folder's first page is the folder.
fn address(path: &SitePath, look: &Look<'_>) -> String {
    let path = path.as_str();
    let path = if path == "index.html" { "" } else { path };
    look.base_url.as_ref().map(|base| format!("{}{path}", base.as_str())).unwrap_or_default()
}

/// `2024-05-01`, and what may follow: a time.
fn is_iso_date(text: &str) -> bool {
    let mut parts = text.get(..10).unwrap_or_default().split('-').map(str::len);
    let rest = text.get(10..).unwrap_or_default();
    [parts.next(), parts.next(), parts.next()] == [Some(4), Some(2), Some(2)]
        && parts.next().is_none()
        && text.bytes().all(|it| it.is_ascii_digit() || b"-:.TZ+".contains(&it))
        && (rest.is_empty() || rest.starts_with('T'))
}

/// The link by which readers get the notebook, and the file that it leads to, if it is one.
fn source(document: &Document, look: &Look<'_>) -> Result<(Value, Vec<Asset>), SitePathError> {
    let Some(bytes) = &document.source else { return Ok((Value::from(false), Vec::new())) };
    let file_name = document.file_name.as_str();
    let name = download_name(file_name);
    let name = name.as_ref();
    // Jekyll, which some hosts run, takes every file that starts so for a template.
    if !look.has_files || bytes.starts_with(b"---") {
        let data = base64::engine::general_purpose::STANDARD.encode(bytes);
        let href = format!("data:application/octet-stream;base64,{data}");
        return Ok((context! { href, name }, Vec::new()));
    }
    let (stem, extension) =
        (stem(&document.path), file_name.rsplit_once('.').map_or("", |it| it.1));
    let file = match extension {
        "py" | "ipynb" => Asset::hashed("assets", stem, extension, bytes.clone())?,
        // Hosts make pages of Markdown.
        _ => Asset::hashed("assets", &format!("{stem}.md"), "txt", bytes.clone())?,
    };
    Ok((context! { href => document.path.link_to(file.path()), name }, vec![file]))
}

/// The picture as a file of its own, which other sites can show.
fn shared_picture(document: &Document, address: &str, look: &Look<'_>) -> Option<Asset> {
    let (kind, data) = address.strip_prefix("data:image/")?.split_once(";base64,")?;
    let extension = ["png", "jpeg", "webp", "gif"].into_iter().find(|it| *it == kind)?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).ok()?;
    let may_be = look.has_files && look.base_url.is_some();
    may_be.then(|| Asset::hashed("assets", stem(&document.path), extension, bytes).ok())?
}

/// A file beside the notebook as a file of the site, named by its content, and for people by its own name.
fn neighbour(file: &MarkedFile<'_>) -> Option<Asset> {
    let extension = match file.mime {
        "image/png" => "png",
        "image/jpeg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "video/mp4" => "mp4",
        "video/webm" | "audio/webm" => "webm",
        "video/ogg" => "ogv",
        "audio/ogg" => "ogg",
        "audio/mpeg" => "mp3",
        "audio/wav" => "wav",
        "audio/flac" => "flac",
        "audio/mp4" => "m4a",
        _ => return None,
    };
    let name = file.name.rsplit_once('.').map_or(file.name.as_str(), |it| it.0);
    let stem = readable(name).unwrap_or_else(|| "file".to_owned());
    Asset::hashed("assets", &stem, extension, file.bytes()?).ok()
}

/// A name with only those characters that the path of a file in a site may have.
#[must_use]
pub fn readable(name: &str) -> Option<String> {
    let slug = sanitize::slug(name);
    let plain = |it: char| if it.is_ascii_alphanumeric() { it } else { '-' };
    let name: String = slug.chars().map(plain).collect();
    let parts = name.split('-').filter(|it| !it.is_empty());
    let name = parts.collect::<Vec<_>>().join("-");
    (!name.is_empty()).then_some(name)
}

fn stem(path: &SitePath) -> &str {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".html").unwrap_or(name)
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

/// Template values of a cell; its islands and the files beside the notebook that it shows are added to `files`.
fn cell_value<'text>(
    block: Block,
    path: &SitePath,
    files: &mut Vec<Asset>,
    slots: &mut Slots<'text>,
    look: &Look<'_>,
) -> Result<Value, LayoutError> {
    // Everything that depends on an input is one piece, so that templates of a site's own have it as well.
    let mut of_slot = block.slot.map(|slot| (slot, Slots::default()));
    let may_have_files = look.has_files && of_slot.is_none();
    let place = of_slot.as_mut().map_or(&mut *slots, |(_, own)| own);
    let mut outputs: Vec<Value> = Vec::new();
    for output in block.outputs {
        let html = sanitize::place_files(output.html, |file| {
            let file = neighbour(file).filter(|_| may_have_files)?;
            let address = path.link_to(file.path());
            files.push(file);
            Some(address)
        });
        outputs.push(place.html("output", html));
        if let Some(island) = output.island {
            let file = island.file(stem(path))?;
            let frame = island.frame(path, file.path());
            let values = context! {
                source => frame.source, height => frame.height, title => frame.title,
            };
            outputs.push(place.rendered("output", look.templates.render("island.html", values)?));
            files.push(file);
        }
    }
    if let Some((slot, own)) = of_slot {
        let made = look.templates.fill("slot.html", context! { slot, outputs }, own)?;
        outputs = vec![slots.rendered("output", made)];
    }
    let code_state = match block.code.as_ref().map(|code| code.visibility) {
        Some(CodeVisibility::Shown) => "shown",
        Some(CodeVisibility::Folded) => "folded",
        Some(CodeVisibility::Hidden) | None => "hidden",
    };
    let code_label = match &block.name {
        Some(name) => format!("Code of {name}"),
        None => format!("Code of {}", block.id.replace('-', " ")),
    };
    Ok(context! {
        id => block.id.as_str(),
        kind => block.kind,
        scroll => block.scroll.unwrap_or_default(),
        name => block.name.as_deref().unwrap_or_default(),
        code_state,
        code_label,
        code => block.code.map_or(Value::UNDEFINED, |code| slots.html("cell.code", code.html)),
        outputs,
    })
}
