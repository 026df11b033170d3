//! Flags and `nbc.toml` to the foreign code that pages may hold: outputs in frames, and what draws charts.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::Failure;
use super::options::Publishing;
use crate::config::Config;
use crate::output::Islands;
use crate::sanitize::IslandKind;
use crate::site::StatedIntegrity;

/// An `--allow-island KIND[:NOTEBOOK]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedIsland {
    kind: IslandKind,
    /// Relative to what is built; none for all.
    notebook: Option<Utf8PathBuf>,
}

/// Why a text is no [`AllowedIsland`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no kind of island: write `anywidget`, `bokeh`, `folium`, `html`, `mpld3` or `pyvis`"
)]
pub struct AllowedIslandError(String);

impl std::str::FromStr for AllowedIsland {
    type Err = AllowedIslandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, notebook) = match text.split_once(':') {
            Some((kind, notebook)) => (kind, Some(notebook)),
            None => (text, None),
        };
        let refuse = || AllowedIslandError(text.to_owned());
        let kind = IslandKind::named(kind).ok_or_else(refuse)?;
        if notebook.is_some_and(str::is_empty) {
            return Err(refuse());
        }
        Ok(Self { kind, notebook: notebook.map(Utf8PathBuf::from) })
    }
}

/// The foreign code that pages of a build may hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust {
    islands: Vec<AllowedIsland>,
    runtimes: BTreeSet<String>,
    has_files: bool,
}

impl Trust {
    /// Trust of the caller and of `nbc.toml`, which the user granted when the grants were collected.
    pub(super) fn new(
        asked: &Publishing,
        config: &Config,
        has_files: bool,
    ) -> Result<Self, Failure> {
        let mut islands = asked.allow_island.clone();
        let mut runtimes: BTreeSet<String> =
            asked.trust_runtime.iter().map(|it| it.as_str().to_owned()).collect();
        for it in &config.trust.islands {
            islands.push(it.parse::<AllowedIsland>()?);
        }
        for it in &config.trust.runtimes {
            runtimes.insert(it.parse::<StatedIntegrity>()?.as_str().to_owned());
        }
        Ok(Self { islands, runtimes, has_files })
    }

    /// Scripts that the outputs of a notebook may run.
    pub(super) fn islands(&self, notebook: &Utf8Path) -> Islands {
        let holds = |it: &&AllowedIsland| it.notebook.as_ref().is_none_or(|own| own == notebook);
        let allowed = self.islands.iter().filter(holds).map(|it| it.kind).collect();
        Islands { allowed, has_files: self.has_files }
    }

    /// Whether any notebook may have islands.
    pub(super) fn has_islands(&self) -> bool {
        !self.islands.is_empty()
    }

    /// Digests of programs that draw charts, beside those that nbc knows.
    pub(super) fn runtimes(&self) -> &BTreeSet<String> {
        &self.runtimes
    }
}

/// Permissions that `nbc.toml` asks for, in a person's words.
pub(super) fn wishes(config: &Config) -> impl Iterator<Item = String> {
    let islands = config.trust.islands.iter().map(|it| format!("scripts of outputs (`{it}`)"));
    let runtimes = config.trust.runtimes.iter().map(|it| format!("what draws charts (`{it}`)"));
    // Templates decide which markup all pages have.
    let templates = config.theme.templates.iter().map(|it| format!("the templates in `{it}`"));
    islands.chain(runtimes).chain(templates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_island_is_allowed_everywhere_or_in_one_notebook() {
        let islands = vec!["folium".parse().unwrap(), "html:a/b.ipynb".parse().unwrap()];
        let trust = Trust { islands, ..Trust::default() };
        assert_eq!(trust.islands("c.py".into()).allowed, [IslandKind::Folium].into());
        let both = [IslandKind::Folium, IslandKind::Html].into();
        assert_eq!(trust.islands("a/b.ipynb".into()).allowed, both);
        for bad in ["", "*", "folium:", "Folium", "flash"] {
            assert!(bad.parse::<AllowedIsland>().is_err(), "{bad}");
        }
    }
}
