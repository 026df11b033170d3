//! A requirements file with the files that it names (`-r`, `-c`), read by nbc so that the cache key holds all that is
//! asked for and installers get only what was checked.
//!
//! In: the text of the file, and the root that no include leaves: others' files would be told to the index by their
//! lines. Out: requirements and constraints that parse. Other options (`--index-url`, `-e`, paths) are refused: index
//! settings belong to the user, and a path or an editable install is built from source.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::pep508::Requirement;
use super::requirements::{Beside, Requirements, RequirementsError};
use crate::source::credentials::Credentials;
use crate::source::project_file::{MOST_PROJECT_BYTES, ProjectFileError};

/// Most files that a requirements file leads to; one that is included twice counts twice.
const MOST_FILES: usize = 1000;
/// Deepest nesting of includes.
const DEEPEST: u32 = 8;
/// Longest name of an included file that a message shows.
const LONGEST_SHOWN: usize = 200;

/// Options that name a file, short and long.
const INCLUDES: [(&str, &str, Kind); 2] =
    [("-r", "--requirement", Kind::Requirements), ("-c", "--constraint", Kind::Constraints)];

/// The meaning of a file's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Packages that are asked for.
    Requirements,
    /// Versions of packages, if something else asks for them.
    Constraints,
}

/// Reads a requirements file beside a notebook with all that it includes.
pub(super) fn requirements_txt(
    beside: Beside<'_>,
    name: &str,
    text: &str,
) -> Result<Requirements, RequirementsError> {
    let mut reader = Reader {
        beside,
        lines: Vec::new(),
        constraints: Vec::new(),
        places: BTreeMap::new(),
        files: 0,
        bytes: 0,
    };
    reader.add(Utf8Path::new(name), text, Kind::Requirements, 0)?;
    let Reader { lines, constraints, places, .. } = reader;
    // Of pins with hashes nothing is left to resolve, unless constraints may forbid one.
    let is_locked = !lines.is_empty()
        && constraints.is_empty()
        && lines.iter().all(|line| line.contains("==") && line.contains("--hash="));
    let mut found = Requirements::of(name, lines, None);
    (found.is_locked, found.constraints, found.places) = (is_locked, constraints, places);
    Ok(found)
}

struct Reader<'a> {
    beside: Beside<'a>,
    lines: Vec<String>,
    constraints: Vec<String>,
    /// Lines with an address, each with its place for messages.
    places: BTreeMap<String, String>,
    files: usize,
    bytes: u64,
}

impl Reader<'_> {
    /// Adds the lines of a file; `path` counts from the notebook's folder.
    fn add(
        &mut self,
        path: &Utf8Path,
        text: &str,
        kind: Kind,
        depth: u32,
    ) -> Result<(), RequirementsError> {
        let shown = self.beside.folder().join(path);
        self.files += 1;
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        for (is_reached, bound) in [
            (depth > DEEPEST, "its files include each other more than 8 deep"),
            (
                self.files > MOST_FILES,
                "it leads to more than 1,000 files, those counted twice that are included twice",
            ),
            (self.bytes > MOST_PROJECT_BYTES, "it and the files that it includes hold over 16 MiB"),
        ] {
            if is_reached {
                return Err(RequirementsError::Includes { path: shown, bound });
            }
        }
        for (line, text) in numbered_lines(text) {
            let refused = |reason: &str| RequirementsError::line(&shown, line, reason.to_owned());
            if let Some((of, included)) = include(&text) {
                if kind == Kind::Constraints && of == Kind::Requirements {
                    return Err(refused("is not supported: constraints include constraints only"));
                }
                let other = path.parent().unwrap_or(Utf8Path::new("")).join(included);
                let text = self.included(&other).map_err(|source| {
                    let included = included.escape_debug().take(LONGEST_SHOWN).collect();
                    RequirementsError::Included { path: shown.clone(), line, included, source }
                })?;
                self.add(&other, &text, of, depth + 1)?;
                continue;
            }
            if text.starts_with(['-', '.', '/']) {
                return Err(refused(
                    "is not supported: list packages by name, and set indexes in pip's or uv's own \
                     configuration",
                ));
            }
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let parsed = Requirement::parse(&text).map_err(refused)?;
            if kind == Kind::Constraints && (!parsed.extras.is_empty() || parsed.has_hashes) {
                return Err(refused("is no constraint: those have neither extras nor hashes"));
            }
            if parsed.address.is_some() {
                let place = format!("`{shown}`, line {line},");
                self.places.entry(text.clone()).or_insert(place);
            }
            match kind {
                Kind::Requirements => self.lines.push(text),
                Kind::Constraints => self.constraints.push(text),
            }
        }
        Ok(())
    }

    /// A file that a line names. Credentials are no requirements, though some of their lines parse.
    fn included(&self, path: &Utf8Path) -> Result<String, ProjectFileError> {
        let credentials = Credentials::new()
            .map_err(|error| ProjectFileError::System(std::io::Error::other(error)))?;
        let is_hidden = |it: &str| credentials.hold(Utf8Path::new(it), false);
        if path.components().any(|it| it.as_str() != ".." && is_hidden(it.as_str())) {
            return Err(ProjectFileError::Credentials);
        }
        self.beside.text_at(path)
    }
}

/// The file that a line names, and what its lines will be.
fn include(line: &str) -> Option<(Kind, &str)> {
    INCLUDES.into_iter().find_map(|(short, long, kind)| {
        let named = match line.strip_prefix(long) {
            Some(rest) => rest.strip_prefix(|it: char| it == '=' || it.is_whitespace())?,
            None => line.strip_prefix(short)?,
        };
        Some((kind, named.trim())).filter(|(_, it)| !it.is_empty())
    })
}

/// The lines of a requirements file without comments, each with its number; a backslash at the end continues it.
fn numbered_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut raw = text.lines().enumerate();
    std::iter::from_fn(move || {
        let (idx, first) = raw.next()?;
        let mut line = first.to_owned();
        while line.ends_with('\\') {
            line.pop();
            line.push(' ');
            line.push_str(raw.next().map(|it| it.1).unwrap_or_default());
        }
        Some((idx + 1, line.split(" #").next().unwrap_or_default().trim().to_owned()))
    })
    .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Utf8Path, text: &str) -> Result<Requirements, RequirementsError> {
        let notebook = folder.join("n.ipynb");
        requirements_txt(Beside::new(&notebook, None), "requirements.txt", text)
    }

    #[test]
    fn a_requirements_file_loses_comments_and_joins_lines() {
        let text = "# top\nnumpy>=2 # why\npandas==2.0 \\\n  --hash=sha256:ab\n\n";
        let found = read(Utf8Path::new(""), text).unwrap();
        assert_eq!(found.lines, ["numpy>=2", "pandas==2.0 --hash=sha256:ab"]);
        assert!(!found.is_locked);
    }

    #[test]
    fn a_requirements_file_cannot_choose_an_index_or_build_a_path() {
        for bad in ["--index-url https://example.org", "-e .", "./package", "/package", "x.whl"] {
            let found = read(Utf8Path::new(""), bad);
            assert!(matches!(found, Err(RequirementsError::Line { line: 1, .. })), "{bad}");
        }
    }

    #[test]
    fn constraints_are_read_like_requirements_and_kept_apart() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap();
        let put = |name: &str, text: &str| fs_err::write(folder.join(name), text).unwrap();
        put("c.txt", "a<2 # why\n-c more.txt\n");
        put("more.txt", "b==1\n");
        put("hashed.txt", "b==1 --hash=sha256:ab\n");
        put("extra.txt", "\nb[x]==1\n");
        put("requires.txt", "-r more.txt\n");
        for option in ["-c c.txt", "-cc.txt", "--constraint c.txt", "--constraint=c.txt"] {
            let found = read(folder, &format!("a\n{option}\n")).unwrap();
            assert_eq!(found.lines, ["a"], "{option}");
            assert_eq!(found.constraints, ["a<2", "b==1"], "{option}");
            assert_eq!(found.specifiers("a"), "<2");
            assert_ne!(found.digest(), read(folder, "a").unwrap().digest());
        }
        let pinned = "a==1 --hash=sha256:ab\n";
        assert!(read(folder, pinned).unwrap().is_locked);
        assert!(!read(folder, &format!("{pinned}-c c.txt")).unwrap().is_locked);
        for (option, line) in [("-c hashed.txt", 1), ("-c extra.txt", 2), ("-c requires.txt", 1)] {
            let told = read(folder, option).unwrap_err().to_string();
            let file = option.trim_start_matches("-c ");
            assert!(told.contains(&format!("{file}`, line {line}, is")), "{told}");
        }
    }

    #[test]
    fn includes_end_and_say_which_bound_they_hit() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap();
        for idx in 0..7 {
            let text = format!("-r r{}.txt\n", idx + 1).repeat(30);
            fs_err::write(folder.join(format!("r{idx}.txt")), text).unwrap();
        }
        fs_err::write(folder.join("r7.txt"), "").unwrap();
        fs_err::write(folder.join("own.txt"), "-r own.txt").unwrap();
        fs_err::write(folder.join("large.txt"), "# comment\n".repeat(1 << 20)).unwrap();
        fs_err::write(folder.join(".netrc"), "machine").unwrap();
        for (text, told) in [
            ("-r r0.txt", "more than 1,000 files"),
            ("-r own.txt", "more than 8 deep"),
            ("-r large.txt\n-c large.txt", "over 16 MiB"),
            ("-r /dev/zero", "out of the folder"),
            ("-r .", "no regular file"),
            ("-r .netrc", "credentials"),
            ("-c x/../.netrc", "credentials"),
        ] {
            let error = read(folder, text).unwrap_err();
            assert!(error.to_string().contains(told), "{text}: {error}");
            assert!(error.help().is_some(), "{text}");
        }
        assert!(read(folder, "-r r6.txt").is_ok());
    }
}
