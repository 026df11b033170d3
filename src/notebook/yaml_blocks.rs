//! YAML blocks of a document of Quarto: all of them count, wherever they stand.
//!
//! In: the text after the front matter. Out: its values and those of the later blocks, and the places of these, which are
//! no prose.

use std::ops::Range;

use serde_json::{Map, Value};

use super::execution::Execution;
use super::front_matter;
use super::pieces::{Piece, pieces};

/// A later block: its place, and its values.
pub(super) struct YamlBlock {
    pub(super) place: Range<usize>,
    pub(super) values: Map<String, Value>,
    /// Whether it could not be read, and speaks of what is run or shown.
    pub(super) is_broken: bool,
}

/// Whether a line ends a block that began with `---`.
pub(super) fn is_end(line: &str) -> bool {
    ["---", "..."].contains(&line.trim_end())
}

/// All blocks of a text.
pub(super) fn find(text: &str) -> Vec<YamlBlock> {
    let mut found = Vec::new();
    if !text.contains("---") {
        return found;
    }
    let lines: Vec<Range<usize>> = pieces(text)
        .into_iter()
        .filter_map(|it| if let Piece::Line(range) = it { Some(range) } else { None })
        .collect();
    let line = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    let mut at = 0;
    while let Some(first) = lines.get(at) {
        at += 1;
        let rest = lines.get(at..).unwrap_or_default();
        // A rule, unlike a block, has a blank line after it.
        let is_open = line(first).trim_end() == "---"
            && rest.first().is_some_and(|it| !line(it).trim().is_empty());
        if !is_open {
            continue;
        }
        let Some(end) = rest.iter().position(|it| is_end(line(it))) else { break };
        let Some(last) = rest.get(end) else { break };
        let yaml = text.get(first.end..last.start).unwrap_or_default();
        let (values, is_broken) = match front_matter::parse(yaml) {
            Ok(values) => (values, false),
            Err(_) if speaks(yaml) => (Execution::of_broken(yaml), true),
            Err(_) => continue,
        };
        if !values.is_empty() {
            found.push(YamlBlock { place: first.start..last.end, values, is_broken });
            at += end + 1;
        }
    }
    found
}

/// The YAML that a cell begins with.
pub(super) fn first(text: &str) -> Option<&str> {
    let mut text = text.trim_start();
    while let Some(comment) = text.strip_prefix("<!--") {
        text = comment.split_once("-->")?.1.trim_start();
    }
    let (_, rest) = text.split_once('\n').filter(|(first, _)| first.trim_end() == "---")?;
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        if is_end(line) {
            return rest.get(..end);
        }
        end += line.len();
    }
    None
}

/// Whether a text that is no YAML has a line about what is run or shown: prose between two rules may use these words.
fn speaks(yaml: &str) -> bool {
    let keys = ["execute", "echo", "eval", "include", "enabled"];
    yaml.lines().any(|line| line.split_once(':').is_some_and(|(key, _)| keys.contains(&key.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_from_rules_and_prose() {
        let of = |text: &str| -> Vec<(String, bool)> {
            let found = find(text).into_iter();
            found.map(|it| (text.get(it.place).unwrap().to_owned(), it.is_broken)).collect()
        };
        let block = "---\necho: false\n...\n";
        assert_eq!(of(&format!("<!-- c -->\n\n{block}\na\n")), [(block.to_owned(), false)]);
        assert_eq!(of("---\na\n---\n\nb\n\n---\n\nc: d\n\n---\n"), []);
        assert_eq!(of("```yaml\n---\necho: false\n---\n```\n"), []);
        let broken = "---\nexecute:\n  echo: [\n---\n";
        assert_eq!(of(broken), [(broken.to_owned(), true)]);
        assert_eq!(first("\n<!-- a -->\n---\nx: 1\n...\nb"), Some("x: 1\n"));
        assert_eq!(first("---\nx: 1\n"), None);
    }
}
