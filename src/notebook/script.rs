//! PEP 723: the `# /// script` block.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceId, Span, toml_error};

use super::{About, ScriptMetadata};

/// Finds and reads the block of a text; `at` maps an offset of the text to its source.
pub(super) fn find(
    text: &str,
    source: SourceId,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<ScriptMetadata> {
    if !text.contains("# /// script") {
        return None;
    }
    let mut found: Option<(Span, String)> = None;
    let mut block: Option<(u32, String, Option<usize>)> = None;
    let mut offset = 0u32;
    let mut end_of_last = 0u32;
    // A block ends at the last `# ///` before the comment ends: PEP 723's expression is greedy.
    let mut close = |block: Option<(u32, String, Option<usize>)>, end: u32| {
        let Some((start, mut content, Some(length))) = block else { return };
        content.truncate(length);
        let span = Span::new(source, start, end);
        match &found {
            Some((first, _)) => diagnostics.push(
                Diagnostic::error(Code::InvalidScriptHeader, span, "a second `script` block")
                    .with_other(*first, "the first one")
                    .with_help("merge the two blocks"),
            ),
            None => found = Some((span, content)),
        }
    };
    for raw in text.split_inclusive('\n') {
        let line = raw.trim_end_matches(['\n', '\r']);
        let end = offset + line.len() as u32;
        match &mut block {
            None if line == "# /// script" => {
                block = Some((offset, String::new(), None));
            }
            Some((_, content, length)) if line == "#" || line.starts_with("# ") => {
                if line == "# ///" {
                    *length = Some(content.len());
                    end_of_last = end;
                }
                content.push_str(line.get(2..).unwrap_or_default());
                content.push('\n');
            }
            Some(_) => close(block.take(), end_of_last),
            None => {}
        }
        offset += raw.len() as u32;
    }
    close(block.take(), end_of_last);
    let (span, content) = found?;
    // The first line opens the block, so that lines count from there.
    read(&format!("\n{content}"), span, diagnostics)
}

/// Reads the TOML of a header, wherever it was found.
pub(super) fn read(
    content: &str,
    span: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<ScriptMetadata> {
    match content.parse::<toml::Table>() {
        Ok(table) => {
            let found = metadata(table, span, diagnostics);
            Some(ScriptMetadata { dependency_lines: dependency_lines(content), ..found })
        }
        Err(error) => {
            let reason = toml_error::told(&error, content);
            let message = format!("the script header is not valid TOML: {reason}");
            diagnostics.push(Diagnostic::error(Code::InvalidScriptHeader, span, message));
            None
        }
    }
}

/// Lines of the dependencies of a header.
fn dependency_lines(content: &str) -> Vec<usize> {
    let Ok(table) = toml::de::DeTable::parse(content) else { return Vec::new() };
    let found = table.get_ref().get("dependencies").and_then(|it| it.get_ref().as_array());
    let texts = found.into_iter().flatten().filter(|it| it.get_ref().is_str());
    texts.map(|it| toml_error::line_at(content, it.span().start)).collect()
}

fn metadata(table: toml::Table, span: Span, diagnostics: &mut Vec<Diagnostic>) -> ScriptMetadata {
    let mut dependencies = Vec::new();
    let mut wrong = |what: &str| {
        diagnostics.push(Diagnostic::error(Code::InvalidScriptHeader, span, what));
    };
    match table.get("dependencies") {
        Some(toml::Value::Array(items)) => {
            for item in items {
                match item.as_str() {
                    Some(requirement) => dependencies.push(requirement.to_owned()),
                    None => wrong("`dependencies` of the script header must be strings"),
                }
            }
        }
        Some(_) => wrong("`dependencies` of the script header must be a list of strings"),
        None => {}
    }
    let requires_python = match table.get("requires-python") {
        Some(toml::Value::String(it)) => Some(it.clone()),
        Some(_) => {
            wrong("`requires-python` of the script header must be a string");
            None
        }
        None => None,
    };
    if let Some(own) = table.get("tool").and_then(|it| it.get("nbc")) {
        check_own(own, span, diagnostics);
    }
    ScriptMetadata { dependencies, dependency_lines: Vec::new(), requires_python, table, span }
}

/// Checks `[tool.nbc]`: only nbc reads it, so an unknown key or value is a mistake.
fn check_own(own: &toml::Value, span: Span, diagnostics: &mut Vec<Diagnostic>) {
    let Some(own) = own.as_table() else {
        let message = "`tool.nbc` of the script header must be a table";
        diagnostics.push(Diagnostic::error(Code::InvalidScriptHeader, span, message));
        return;
    };
    let is_text = |it: &toml::Value| it.is_str();
    if own.get("inputs").is_some_and(|it| !it.as_array().is_some_and(|it| it.iter().all(is_text))) {
        let message = "`inputs` of `[tool.nbc]` must be a list of patterns, as in `.gitignore`";
        diagnostics.push(
            Diagnostic::error(Code::InvalidScriptHeader, span, message)
                .with_help("write `inputs = [\"data/*.csv\"]`"),
        );
    }
    for key in own.keys().filter(|it| !About::KEYS.contains(&it.as_str())) {
        let message = format!("`{key}` of `[tool.nbc]` is nothing that nbc reads");
        let help = format!("it reads {}", About::KEYS.map(|it| format!("`{it}`")).join(", "));
        diagnostics.push(Diagnostic::warning(Code::IgnoredOption, span, message).with_help(help));
    }
}
