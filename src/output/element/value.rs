//! Elements that show a value.

use std::collections::BTreeMap;

use serde_json::Value;

use super::table::column;
use super::{Compiled, plain};
use crate::charts::{Chart, Refusal};
use crate::output::chart::{self, ChartPicture, Family};
use crate::output::data::{self, Column};
use crate::output::{bundle, diagram, image, media, note};
use crate::run::record::MimeBundle;
use crate::sanitize::{Gate, SafeHtml};

impl Compiled<'_, '_> {
    /// An element that shows a value; `None` for others.
    pub(super) fn value(&self, gate: &mut Gate) -> Option<SafeHtml> {
        Some(match self.name {
            "callout-output" => self.callout(gate),
            "stat" => self.stat(gate),
            "json-output" => self.json_output(gate),
            "table" | "data-editor" => {
                let label = self.markup("label", gate);
                let label =
                    label.map(|it| SafeHtml::div("nbc-widget-label", it)).unwrap_or_default();
                SafeHtml::concat([label, self.table(gate)?])
            }
            "data-explorer" => {
                self.marimo.notes.unsupported("a chart builder");
                SafeHtml::concat([
                    note("A chart builder needs a running notebook; this is its data."),
                    self.table(gate)?,
                ])
            }
            "dataframe" => self.data_frame()?,
            "mermaid" => diagram::html(&self.text("diagram"), self.marimo.notes),
            "download" => self.download(gate),
            "progress" => self.progress(gate),
            "image-comparison" => self.comparison(),
            "matplotlib" => {
                self.marimo.control("matplotlib selection");
                self.picture("chart-base64", "Figure")
            }
            "mime-renderer" => self.bundle(gate)?,
            "iconify-icon" => self.icon(),
            "anywidget" | "panel" => {
                self.marimo.notes.unsupported(format!("a custom widget ({})", self.name));
                note(
                    "Here the notebook shows a custom widget, whose code pages of this site don't run.",
                )
            }
            "vega" => {
                let spec = self.json("spec");
                self.chart(Family::VegaLite, Family::VegaLite.read(&spec, &[]))
            }
            "plotly" => {
                let read = Family::Plotly.read(&self.json("figure"), &[]);
                chart::figure(Family::Plotly, read, ChartPicture::None, self.marimo.notes)
            }
            "mpl-interactive" => {
                self.marimo.notes.unsupported("an interactive chart");
                note(
                    "Here the notebook shows an interactive chart, which needs a running notebook.",
                )
            }
            _ => return None,
        })
    }

    /// A box with a text of some kind: a warning, a success.
    fn callout(&self, gate: &mut Gate) -> SafeHtml {
        let kind = match self.text("kind").as_str() {
            kind @ ("info" | "warn" | "success" | "danger" | "alert") => kind.to_owned(),
            _ => "neutral".to_owned(),
        };
        let body = self.markup("html", gate).unwrap_or_default();
        let class = format!("nbc-callout nbc-callout-{kind}");
        SafeHtml::element("div", &[("class", &class), ("role", "note")], body)
    }

    /// A value as a tree, with its name.
    fn json_output(&self, gate: &mut Gate) -> SafeHtml {
        let value = self.json("json-data");
        let marimo = self.marimo;
        let name = self.text("name");
        let name = match name.as_str() {
            "" => SafeHtml::default(),
            name => SafeHtml::div("nbc-widget-label", SafeHtml::text(name)),
        };
        let tree = data::tree(&value, &mut |text, depth| marimo.leaf(text, depth, gate));
        SafeHtml::concat([name, tree])
    }

    /// The columns of a data frame explorer.
    fn data_frame(&self) -> Option<SafeHtml> {
        self.marimo.notes.unsupported("a data frame explorer");
        let columns = self.json("columns");
        let columns: Vec<Column> = columns.as_array()?.iter().filter_map(column).collect();
        let rows = self.json("total").as_u64().unwrap_or(0) as usize;
        let whole = data::Extent { rows, columns: columns.len() };
        Some(SafeHtml::concat([
            note("A data frame explorer needs a running notebook; these are its columns."),
            data::table(&columns, &[], whole, self.marimo.notes, &mut |_| None),
        ]))
    }

    /// Two pictures, one below the other.
    fn comparison(&self) -> SafeHtml {
        let one = |name: &str, label: &str| {
            let caption = SafeHtml::element("figcaption", &[], SafeHtml::text(label));
            SafeHtml::element("figure", &[], SafeHtml::concat([self.picture(name, label), caption]))
        };
        let pair = [one("before-src", "Before"), one("after-src", "After")];
        SafeHtml::div("nbc-comparison", SafeHtml::concat(pair))
    }

    /// A MIME bundle in an attribute.
    fn bundle(&self, gate: &mut Gate) -> Option<SafeHtml> {
        let mime = self.text("mime");
        if let Some(family @ (Family::Vega | Family::VegaLite)) = Family::of_type(&mime) {
            let read = family.read(&self.json("data"), &[]);
            return Some(self.chart(family, read));
        }
        // Bundles are JSON in a text, other data is the text itself.
        let data = self.json("data");
        let parsed = data.as_str().filter(|_| mime.ends_with("bundle")).and_then(data::parse);
        let bundle = MimeBundle {
            data: BTreeMap::from([(mime, parsed.unwrap_or(data))]),
            metadata: serde_json::Map::new(),
        };
        bundle::render(&bundle, gate, self.marimo.notes).map(|it| it.html)
    }

    /// The name of an icon; its drawing is on a server.
    fn icon(&self) -> SafeHtml {
        let name = self.element.attributes.get("icon").map_or("", String::as_str);
        let name = name.split(':').next_back().unwrap_or("").replace('-', " ");
        SafeHtml::element(
            "span",
            &[("class", "nbc-icon"), ("role", "img"), ("aria-label", &name)],
            SafeHtml::text("◆"),
        )
    }

    /// A file that the notebook offers.
    fn download(&self, gate: &mut Gate) -> SafeHtml {
        let label = self.markup("label", gate).unwrap_or_else(|| SafeHtml::text("Download"));
        let name = self.text("filename");
        let data = self.text("data");
        let mime = data.strip_prefix("data:").and_then(|it| it.split([';', ',']).next());
        if let Some(mime) = mime
            && let Some(bytes) = image::decode(&data)
        {
            return SafeHtml::div(
                "nbc-widget",
                media::file(&name, mime, &bytes, label, self.marimo.notes),
            );
        }
        self.marimo.notes.control("download");
        let name = SafeHtml::element("code", &[], SafeHtml::text(&name));
        let text = SafeHtml::text(" is made by the running notebook");
        let text = SafeHtml::concat([SafeHtml::text(" "), name, text]);
        let text = SafeHtml::element("span", &[("class", "nbc-widget-value")], text);
        SafeHtml::div("nbc-widget", SafeHtml::concat([label, text]))
    }

    /// How far something had come when the notebook ran.
    fn progress(&self, gate: &mut Gate) -> SafeHtml {
        let title = self.markup("title", gate).unwrap_or_default();
        let title = SafeHtml::element("span", &[("class", "nbc-progress-title")], title);
        let subtitle =
            self.markup("subtitle", gate).map(|it| SafeHtml::div("nbc-stat-caption", it));
        let bar = match (self.json("progress").as_u64(), self.json("total").as_u64()) {
            (Some(progress), Some(total)) => {
                let text = SafeHtml::text(&format!("{progress} of {total}"));
                let (value, most) = (progress.to_string(), total.max(1).to_string());
                let attributes =
                    [("value", value.as_str()), ("max", &most), ("aria-label", "Progress")];
                let bar = SafeHtml::element("progress", &attributes, text.clone());
                SafeHtml::concat([
                    bar,
                    SafeHtml::element("span", &[("class", "nbc-widget-value")], text),
                ])
            }
            _ => SafeHtml::default(),
        };
        SafeHtml::div("nbc-progress", SafeHtml::concat([title, bar, subtitle.unwrap_or_default()]))
    }

    /// A Vega chart, with the picture that the runner made of it.
    fn chart(&self, family: Family, read: Result<Chart, Refusal>) -> SafeHtml {
        chart::figure(family, read, self.marimo.chart(), self.marimo.notes)
    }

    /// One number with its label, caption and direction.
    fn stat(&self, gate: &mut Gate) -> SafeHtml {
        let line = |class: &'static str, text: Option<SafeHtml>| {
            text.map_or_else(SafeHtml::default, |it| SafeHtml::div(class, it))
        };
        let value = match self.json("value") {
            Value::String(text) => self.marimo.html(&text, gate),
            other => SafeHtml::text(&plain(&other)),
        };
        let label = self.markup("label", gate);
        let caption = self.markup("caption", gate);
        let (class, arrow) = match self.text("direction").as_str() {
            "increase" => ("nbc-stat-caption nbc-stat-increase", "▲ "),
            "decrease" => ("nbc-stat-caption nbc-stat-decrease", "▼ "),
            _ => ("nbc-stat-caption", ""),
        };
        let caption = caption.map(|it| SafeHtml::concat([SafeHtml::text(arrow), it]));
        let class_of_all =
            if self.flag("bordered") { "nbc-stat nbc-stat-bordered" } else { "nbc-stat" };
        let pieces = [
            line("nbc-stat-label", label),
            line("nbc-stat-value", Some(value)),
            line(class, caption),
        ];
        SafeHtml::div(class_of_all, SafeHtml::concat(pieces))
    }
}
