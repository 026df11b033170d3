//! The document around the body of a page: its head, its policy, and what runs in it.
//!
//! Everything that could run, and the policy that allows it, goes through slots: a template says where it
//! stands, and not what it is.

use std::collections::BTreeMap;

use minijinja::{Value, context};

use super::csp::{self, Charts, Contents, Csp, OwnFiles};
use super::{
    CHART_STYLE, GENERATOR, MATH_STYLE, PAGE_STYLE, STATE_STYLE, SharedFiles, TABLE_STYLE, states,
};
use crate::charts::Kind;
use crate::render::{self, Look, Page, RenderError, Rendered, Slots};
use crate::sanitize::SafeHtml;
use crate::site::scripts::{
    CHARTS as CHART_SCRIPT, PAGE as PAGE_SCRIPT, STATES as STATE_SCRIPT, TABLES as TABLE_SCRIPT,
};
use crate::site::{Asset, Integrity};

/// Three cells and what leads from one to the next. Without an icon, browsers ask for `/favicon.ico`.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
    %3Crect width='16' height='16' rx='3.5' fill='%230b5cad'/%3E%3Cpath d='M4 4.5h8M4 8h5M4 11.5h8' \
    stroke='%23fff' stroke-width='2' stroke-linecap='round'/%3E%3C/svg%3E";

/// Parts of a document besides its body, and their entries in its policy.
struct Parts<'page> {
    page: &'page Page,
    has_charts: bool,
    has_tables: bool,
    has_formulas: bool,
    has_states: bool,
    contents: Contents,
    slots: Slots<'page>,
}

/// A whole HTML document around the body of a page, which is taken: it may be most of the memory of a build.
/// `packed` are the runtimes that stand in pages.
pub(super) fn document(
    page: &mut Page,
    shared: Option<&SharedFiles>,
    packed: &BTreeMap<Integrity, String>,
    states: &[states::Piece],
    look: &Look<'_>,
) -> Result<Rendered, RenderError> {
    let (head, body) = (std::mem::take(&mut page.head), std::mem::take(&mut page.body));
    let page = &*page;
    let mut parts = Parts::of(page, body.as_str(), states);
    let (mut stylesheets, mut script_links, mut scripts) = (Vec::new(), Vec::new(), Vec::new());
    let mut style = page.style.as_str().to_owned();
    if let Some(shared) = shared {
        (stylesheets, script_links) = parts.linked(shared);
    } else {
        style.insert_str(0, &parts.inline_style(look));
        scripts = parts.inline_scripts()?;
    }
    let style = parts.style(style)?;
    let runtimes = parts.runtimes(shared, packed)?;
    let charts = parts.charts()?;
    let states = states.iter().map(|it| it.value(page, &mut parts.slots));
    let states = states.collect::<Result<Vec<_>, _>>()?;
    let Parts { contents, mut slots, .. } = parts;
    let open = "<meta http-equiv=\"Content-Security-Policy\" content=\"";
    let policy = slots.policy(open, Csp::of(&contents).as_str(), "\">");
    let values = context! {
        language => page.language.as_str(),
        direction => render::direction(&page.language),
        policy,
        generator => GENERATOR,
        head => slots.rendered("head", head),
        icon => ICON,
        stylesheets,
        style,
        script_links,
        body => slots.needed("body", body),
        charts,
        runtimes,
        states,
        scripts,
    };
    look.templates.fill("document.html", values, slots)
}

impl<'page> Parts<'page> {
    fn of(page: &'page Page, body: &str, states: &[states::Piece]) -> Self {
        let plays = |html: &str| ["<audio ", "<video "].iter().any(|it| holds(html, it));
        let has_media = plays(body) || page.states.as_ref().is_some_and(|it| it.any_html(plays));
        let has_states = !states.is_empty();
        let fetched = states.iter().any(|it| it.file().is_some());
        let states = match (has_states, fetched) {
            (false, _) => csp::States::None,
            (true, false) => csp::States::Held,
            (true, true) => csp::States::Fetched,
        };
        let has_islands = page.has_islands;
        Self {
            page,
            has_charts: !page.runtimes.is_empty(),
            has_tables: has_tables(page, body),
            has_formulas: has_formulas(page, body),
            has_states,
            contents: Contents { has_media, has_islands, states, ..Contents::default() },
            slots: Slots::default(),
        }
    }

    /// Stylesheets and scripts that are files.
    fn linked(&mut self, shared: &SharedFiles) -> (Vec<Value>, Vec<Value>) {
        let SharedFiles { style, script, charts, tables, states } = shared;
        self.contents.own_files = OwnFiles::Linked;
        let charts = charts.as_ref().filter(|_| self.has_charts);
        let tables = tables.as_ref().filter(|_| self.has_tables);
        let states = states.as_ref().filter(|_| self.has_states);
        let stylesheets = [style].into_iter().chain(charts.map(|it| &it.style));
        let stylesheets = stylesheets.chain(states.into_iter().chain(tables).map(|it| &it.style));
        let scripts = [script].into_iter().chain(charts.map(|it| &it.script));
        // The script of states copies tables as they are, before the one of tables changes them.
        let scripts: Vec<&Asset> =
            scripts.chain(states.into_iter().chain(tables).map(|it| &it.script)).collect();
        self.contents.scripts.extend(scripts.iter().map(|it| it.integrity().clone()));
        let stylesheets = stylesheets.map(|it| {
            self.link("stylesheet.integrity", "<link rel=\"stylesheet\" href", it, "\">")
        });
        let stylesheets = stylesheets.collect();
        let scripts = scripts.into_iter();
        let scripts = scripts
            .map(|it| self.link("script.integrity", "<script defer src", it, "\"></script>"));
        (stylesheets, scripts.collect())
    }

    fn link(
        &mut self,
        name: &'static str,
        start: &str,
        asset: &Asset,
        after: &'static str,
    ) -> Value {
        let href = self.page.path.link_to(asset.path());
        let before = format!("{start}=\"{}\" integrity=\"", SafeHtml::text(&href).as_str());
        let integrity = self.slots.attribute(name, before, asset.integrity().as_str(), after);
        context! { href, integrity }
    }

    /// nbc's rules, and behind them the site's own, which win.
    fn inline_style(&self, look: &Look<'_>) -> String {
        let charts = if self.has_charts { CHART_STYLE } else { "" };
        let tables = if self.has_tables { TABLE_STYLE } else { "" };
        let states = if self.has_states { STATE_STYLE } else { "" };
        let math = if self.has_formulas { MATH_STYLE } else { "" };
        [PAGE_STYLE, math, charts, tables, states, look.theme.as_str()].concat()
    }

    fn inline_scripts(&mut self) -> Result<Vec<Value>, RenderError> {
        let charts = self.has_charts.then_some(CHART_SCRIPT);
        let tables = self.has_tables.then_some(TABLE_SCRIPT);
        let states = self.has_states.then_some(STATE_SCRIPT);
        let scripts = [Some(PAGE_SCRIPT), charts, states, tables].into_iter().flatten();
        let scripts = scripts.map(|text| {
            self.contents.scripts.push(Integrity::of(text.as_bytes()));
            let open = "<script>".to_owned();
            Ok(self.slots.raw_text("script", open, text.into(), "</script>")?)
        });
        scripts.collect()
    }

    /// Empty where there is nothing to say.
    fn style(&mut self, text: String) -> Result<Value, RenderError> {
        if text.is_empty() {
            return Ok(Value::from(""));
        }
        self.contents.styles.push(Integrity::of(text.as_bytes()));
        Ok(self.slots.raw_text("style", "<style>".to_owned(), text.into(), "</style>")?)
    }

    /// Programs that draw charts: files, or packed.
    fn runtimes(
        &mut self,
        shared: Option<&'page SharedFiles>,
        packed: &'page BTreeMap<Integrity, String>,
    ) -> Result<Vec<Value>, RenderError> {
        let files = shared.and_then(|it| it.charts.as_ref());
        let mut runtimes = Vec::new();
        for runtime in &self.page.runtimes {
            let kind = runtime.kind().name();
            self.contents.scripts.push(runtime.integrity().clone());
            self.contents.charts = match (self.contents.charts, runtime.kind()) {
                (Charts::Saved, _) | (_, Kind::Plotly | Kind::Bokeh) => Charts::Saved,
                (Charts::None | Charts::Drawn, Kind::Vega) => Charts::Drawn,
            };
            let data = match files.and_then(|it| it.runtimes.get(runtime.integrity())) {
                Some(file) => Data::File(file),
                None => Data::Text(packed.get(runtime.integrity()).map_or("", String::as_str)),
            };
            let open = format!("<script type=\"text/plain\" data-runtime=\"{kind}\"");
            let names = ("runtime.text", "runtime.integrity");
            let (src, text, integrity) = data.place(&mut self.slots, self.page, names, &open)?;
            runtimes.push(context! { kind, src, text, integrity });
        }
        Ok(runtimes)
    }

    /// Data of the charts of the page.
    fn charts(&mut self) -> Result<Vec<Value>, RenderError> {
        let charts = self.page.charts.iter().filter(|_| self.has_charts).map(|placed| {
            let id = placed.id.as_str();
            let escaped = SafeHtml::text(id);
            let open =
                format!("<script type=\"application/json\" id=\"{}-data\">", escaped.as_str());
            let text = placed.chart.json().into();
            let json = self.slots.raw_text("chart.json", open, text, "</script>")?;
            Ok(context! { id, json })
        });
        charts.collect()
    }
}

/// Text that nbc's own scripts read: in the element itself, or in a file that it names.
pub(super) enum Data<'page> {
    /// Base64.
    Text(&'page str),
    File(&'page Asset),
}

impl<'page> Data<'page> {
    /// Address, text and digest, of which a template needs the first and the last, or the second; they
    /// go by the `names` in an element that starts as `open` says.
    pub(super) fn place(
        self,
        slots: &mut Slots<'page>,
        page: &Page,
        names: (&'static str, &'static str),
        open: &str,
    ) -> Result<(String, Value, Value), RenderError> {
        match self {
            Self::Text(text) => {
                let text = slots.raw_text(names.0, format!("{open}>"), text.into(), "</script>")?;
                Ok((String::new(), text, Value::from("")))
            }
            Self::File(file) => {
                let src = page.path.link_to(file.path());
                let escaped = SafeHtml::text(&src);
                let before = format!("{open} data-src=\"{}\" data-integrity=\"", escaped.as_str());
                let digest = file.integrity().as_str();
                let integrity = slots.attribute(names.1, before, digest, "\"></script>");
                Ok((src, Value::from(""), integrity))
            }
        }
    }
}

/// Whether a part is in a text, which may be megabytes.
fn holds(text: &str, part: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some()
}

fn has_formulas(page: &Page, body: &str) -> bool {
    let has = |html: &str| holds(html, "x-math");
    has(body) || page.states.as_ref().is_some_and(|it| it.any_html(has))
}

/// Whether a page has tables that the script of tables reads: nbc's own, and those of pandas and polars.
pub(super) fn has_tables(page: &Page, body: &str) -> bool {
    let has = |html: &str| {
        ["<table class=\"nbc-table\"", "class=\"x-dataframe\""].iter().any(|it| holds(html, it))
    };
    has(body) || page.states.as_ref().is_some_and(|it| it.any_html(has))
}
