//! `[theme]`, `[page]` and the files that they name to what all pages of a site have in common.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::Failure;
use crate::config::{self, Config};
use crate::diagnostic;
use crate::emit::Layout;
use crate::render::{Look, RenderError, Templates, is_template};
use crate::sanitize::{self, SafeCss};

/// Most files of a folder of templates.
const MOST_TEMPLATES: usize = 100;

/// Theme and templates of the configuration, read and checked before anything runs.
#[derive(Debug, Default)]
pub struct Looks {
    theme: SafeCss,
    /// The folder of templates, as the user named it, and its files.
    overrides: BTreeMap<String, String>,
    folder: Option<Utf8PathBuf>,
    config: Config,
}

impl Looks {
    /// Reads what the configuration of a folder names.
    pub fn load(folder: &Utf8Path, config: &Config) -> Result<Self, Failure> {
        // A misspelt name would be without effect.
        if let Some(name) = config.pages.keys().find(|it| !folder.join(it).is_file()) {
            return Err(Failure {
                message: format!("`[pages.\"{name}\"]` of `nbc.toml` names no notebook"),
                help: Some("its name is the path of the notebook below the folder".to_owned()),
            });
        }
        let settings = &config.theme;
        let sheet = match &settings.css {
            Some(path) => Some(read(folder, path)?),
            None => None,
        };
        let theme = sanitize::theme(settings, sheet.as_deref()).map_err(|error| {
            let message = match (&error, &settings.css) {
                (sanitize::ThemeError::Sheet { .. }, Some(path)) => format!("`{path}`, {error}"),
                _ => error.to_string(),
            };
            Failure { message, help: Some("docs/themes.md says what a theme may do".to_owned()) }
        })?;
        let overrides = match &settings.templates {
            Some(path) => templates(folder, path)?,
            None => BTreeMap::new(),
        };
        let looks =
            Self { theme, overrides, folder: settings.templates.clone(), config: config.clone() };
        looks.templates()?;
        Ok(looks)
    }

    /// Whether a page that fails its proof may owe it to the site's own templates.
    pub fn has_templates(&self) -> bool {
        !self.overrides.is_empty()
    }

    /// The site's own templates.
    pub fn overrides(&self) -> &BTreeMap<String, String> {
        &self.overrides
    }

    /// Those of the looks that do not depend on a notebook.
    pub fn look(&self, title: &str, layout: Layout) -> Result<Look<'_>, Failure> {
        let page = &self.config.page;
        Ok(Look {
            title: title.to_owned(),
            site_name: self.config.title.as_deref().map(diagnostic::straight).unwrap_or_default(),
            description: page.description.as_deref().map(diagnostic::straight),
            language: page.language.clone().unwrap_or_else(|| "en".to_owned()),
            templates: self.templates()?,
            theme: self.theme.clone(),
            base_url: self.config.base_url.clone(),
            has_files: layout == Layout::Site,
        })
    }

    /// The failure of a template, with the place to mend it.
    pub fn failure(&self, error: &RenderError) -> Failure {
        let failure = Failure::from(error);
        match &self.folder {
            Some(folder) => failure.with_help(format!(
                "mend the site's own templates in `{folder}`; see docs/themes.md"
            )),
            None => failure,
        }
    }

    fn templates(&self) -> Result<Templates<'_>, Failure> {
        Templates::new(&self.overrides).map_err(|error| self.failure(&error))
    }
}

fn read(folder: &Utf8Path, path: &Utf8Path) -> Result<String, Failure> {
    config::read_plain(folder, path).map_err(|error| Failure {
        message: format!("cannot read `{path}` of the theme: {error}"),
        help: Some("a theme is made of plain files beside `nbc.toml`".to_owned()),
    })
}

/// The templates of a folder. Names that nbc does not have would be without effect.
fn templates(folder: &Utf8Path, path: &Utf8Path) -> Result<BTreeMap<String, String>, Failure> {
    let unreadable = |error: &std::io::Error| Failure {
        message: format!("cannot read the templates in `{path}`: {error}"),
        help: None,
    };
    config::check_folder(folder, path).map_err(|error| unreadable(&error))?;
    let mut found = BTreeMap::new();
    for entry in path.read_dir_utf8().map_err(|error| unreadable(&error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        let name = entry.file_name();
        if !name.ends_with(".html") {
            continue;
        }
        if !is_template(name) && !name.starts_with('_') {
            return Err(Failure {
                message: format!("`{}` replaces no template of nbc", entry.path()),
                help: Some(
                    "docs/themes.md lists the names; a part that others include starts with `_`"
                        .to_owned(),
                ),
            });
        }
        if found.len() == MOST_TEMPLATES {
            return Err(unreadable(&std::io::Error::other("it holds more than 100 templates")));
        }
        found.insert(name.to_owned(), read(folder, entry.path())?);
    }
    Ok(found)
}
