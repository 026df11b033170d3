//! A page of a site: one that is made, or one that stands in the earlier site.

use serde::{Deserialize, Serialize};

use super::document::has_tables;
use crate::render::Page;
use crate::site::{SitePath, Standing};

/// A page of a site.
#[derive(Debug)]
pub enum Piece {
    /// A page that is written.
    New(Box<Page>),
    /// A page that is taken over as it is.
    Standing {
        /// Its path.
        path: SitePath,
        /// Entry on the index page.
        summary: Summary,
        /// Needs of it.
        needs: Needs,
        /// The page, and files that only it has or that it shares with others.
        files: Vec<Standing>,
    },
}

/// Shared files that a page needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// What draws charts.
    pub charts: bool,
    /// What sorts tables.
    pub tables: bool,
    /// What shows other states.
    pub states: bool,
    /// Frames for code of notebooks.
    pub islands: bool,
}

/// Facts about a page on the index page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Title.
    pub title: String,
    /// Description.
    pub description: Option<String>,
    /// Authors and date.
    pub byline: String,
    /// A small picture, a `data:` address.
    pub picture: Option<String>,
    /// Language.
    pub language: String,
    /// File name of the notebook.
    pub file_name: String,
}

/// Facts about a page that was written.
#[derive(Debug)]
pub struct Emitted {
    /// Entry on the index page.
    pub summary: Summary,
    /// Needs of it.
    pub needs: Needs,
    /// The page, its own files, and the programs that draw its charts.
    pub files: Vec<SitePath>,
}

impl Needs {
    /// Needs of a page whose body is still there.
    pub(super) fn of(page: &Page) -> Self {
        Self {
            charts: !page.runtimes.is_empty(),
            tables: has_tables(page, page.body.as_str()),
            states: page.states.is_some(),
            islands: page.has_islands,
        }
    }
}

impl Summary {
    pub(super) fn of(page: &Page) -> Self {
        Self {
            title: page.title.clone(),
            description: page.description.clone(),
            byline: page.byline.clone(),
            picture: page.picture.clone(),
            language: page.language.clone(),
            file_name: page.file_name.clone(),
        }
    }
}

impl From<Page> for Piece {
    fn from(page: Page) -> Self {
        Self::New(Box::new(page))
    }
}

impl Piece {
    /// Path of the page.
    pub fn path(&self) -> &SitePath {
        match self {
            Self::New(page) => &page.path,
            Self::Standing { path, .. } => path,
        }
    }

    pub(super) fn new_page(&self) -> Option<&Page> {
        match self {
            Self::New(page) => Some(page),
            Self::Standing { .. } => None,
        }
    }

    pub(super) fn new_mut(&mut self) -> Option<&mut Page> {
        match self {
            Self::New(page) => Some(page),
            Self::Standing { .. } => None,
        }
    }

    pub(super) fn needs(&self) -> Needs {
        match self {
            Self::New(page) => Needs::of(page),
            Self::Standing { needs, .. } => *needs,
        }
    }

    pub(super) fn has_islands(&self) -> bool {
        match self {
            Self::New(page) => page.has_islands,
            Self::Standing { needs, .. } => needs.islands,
        }
    }

    pub(super) fn summary(&self) -> Summary {
        match self {
            Self::New(page) => Summary::of(page),
            Self::Standing { summary, .. } => summary.clone(),
        }
    }

    /// Its files in the earlier site.
    pub fn standing(&self) -> &[Standing] {
        match self {
            Self::New(_) => &[],
            Self::Standing { files, .. } => files,
        }
    }

    pub(super) fn take_standing(&mut self) -> Vec<Standing> {
        match self {
            Self::New(_) => Vec::new(),
            Self::Standing { files, .. } => std::mem::take(files),
        }
    }
}
