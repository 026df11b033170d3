//! The states of a page: packed like a runtime, in the page itself or in files beside it.

use base64::Engine as _;
use minijinja::{Value, context};

use super::{EmitError, Layout, compress, document};
use crate::render::{Page, RenderError, Slots};
use crate::site::Asset;

/// Most packed bytes within a page that may have files.
const LARGEST_INLINE: usize = 64 << 10;

/// A packed piece: the model, or a chunk of contents.
pub(super) struct Piece {
    name: String,
    data: Data,
}

enum Data {
    /// Base64.
    Inline(String),
    File(Asset),
}

/// The pieces of a page, the model first; none for a page without states.
pub(super) fn pack(page: &Page, layout: Layout) -> Result<Vec<Piece>, EmitError> {
    let Some(states) = &page.states else { return Ok(Vec::new()) };
    let chunks = states.chunks()?;
    let model = (String::from("model"), states.model(&chunks)?);
    let chunks = chunks.into_iter().enumerate().map(|(at, it)| (at.to_string(), it.json));
    let one = |(name, json): (String, String)| {
        let bytes = compress(&json)?;
        // The model says which controls work: a page that is read has it at once.
        let is_file = layout == Layout::Site && bytes.len() > LARGEST_INLINE && name != "model";
        let data = match is_file {
            true => Data::File(Asset::hashed("assets", "states", "bin", bytes)?),
            false => Data::Inline(base64::engine::general_purpose::STANDARD.encode(bytes)),
        };
        Ok(Piece { name, data })
    };
    std::iter::once(model).chain(chunks).map(one).collect()
}

impl Piece {
    /// Its file, unless it is part of the page.
    pub(super) fn file(&self) -> Option<&Asset> {
        match &self.data {
            Data::File(file) => Some(file),
            Data::Inline(_) => None,
        }
    }

    /// The same, to be kept.
    pub(super) fn into_file(self) -> Option<Asset> {
        match self.data {
            Data::File(file) => Some(file),
            Data::Inline(_) => None,
        }
    }

    /// Values for the template.
    pub(super) fn value<'it>(
        &'it self,
        page: &Page,
        slots: &mut Slots<'it>,
    ) -> Result<Value, RenderError> {
        let name = self.name.as_str();
        let data = match &self.data {
            Data::Inline(text) => document::Data::Text(text),
            Data::File(file) => document::Data::File(file),
        };
        let open = format!("<script type=\"text/plain\" data-states=\"{name}\"");
        let names = ("piece.text", "piece.integrity");
        let (src, text, integrity) = data.place(slots, page, names, &open)?;
        Ok(context! { name, src, text, integrity })
    }
}
