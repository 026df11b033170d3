//! Options of `marimo.App` and of cells.

use crate::diagnostic::{Code, Diagnostic};
use crate::notebook::{CellOptions, CodeVisibility};
use crate::python::{Argument, Constant};

use super::Reader;

impl Reader<'_> {
    pub(super) fn app_options(&mut self, keywords: &[Argument], base: u32) {
        for keyword in keywords {
            let span = self.span(&keyword.range, base);
            let name = keyword.name.as_deref().unwrap_or("**");
            let text = match &keyword.value {
                Constant::Str(text) => Some(text.clone()),
                _ => None,
            };
            let slot = match name {
                "width" => &mut self.app.width,
                "app_title" => &mut self.title,
                "css_file" => &mut self.app.css_file,
                "layout_file" => &mut self.app.layout_file,
                "sql_output" => &mut self.app.sql_output,
                "auto_download" => continue,
                "html_head_file" => {
                    if text.is_some_and(|it| !it.is_empty()) {
                        let message = "`html_head_file` is refused: a notebook cannot write into the page's head";
                        self.diagnostics.push(
                            Diagnostic::error(Code::RefusedOption, span, message)
                                .with_help("remove the option; use `css_file` for styles"),
                        );
                    }
                    continue;
                }
                _ => {
                    let message = format!("`{name}` is no option of `marimo.App` and is ignored");
                    self.diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
                    continue;
                }
            };
            match (text, &keyword.value) {
                (Some(text), _) => *slot = Some(text),
                (None, Constant::None) => {}
                (None, _) => {
                    let message = format!("`{name}` is not a constant string and is ignored");
                    self.diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
                }
            }
        }
    }

    pub(super) fn cell_options(&mut self, keywords: &[Argument], base: u32) -> CellOptions {
        let mut options = CellOptions::default();
        for keyword in keywords {
            let span = self.span(&keyword.range, base);
            let name = keyword.name.as_deref().unwrap_or("**");
            match (name, &keyword.value) {
                ("disabled", Constant::Bool(value)) => options.disabled = *value,
                ("hide_code", Constant::Bool(value)) => {
                    let visibility =
                        if *value { CodeVisibility::Hidden } else { CodeVisibility::Shown };
                    options.code = Some(visibility);
                }
                ("column", Constant::Int(value)) => options.column = u32::try_from(*value).ok(),
                ("column", Constant::None) | ("expand_output" | "name", _) => {}
                ("disabled" | "hide_code" | "column", _) => {
                    let message =
                        format!("`{name}` has no constant value of its type and is ignored");
                    self.diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
                }
                _ => {
                    let message = format!("`{name}` is no option of a cell and is ignored");
                    self.diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message));
                }
            }
        }
        options
    }
}
