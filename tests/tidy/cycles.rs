//! Modules of one folder that use each other in a circle: nobody can read one of them without all others.
//!
//! In: the files of a crate. Out: for each folder the largest set of files that all lead to each other, by the paths that
//! they write. The file of the folder itself (`mod.rs`, `lib.rs`) is its root, and no part of a circle in it.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

/// Most files of a circle.
const MOST: usize = 4;

/// Names from the root of the crate to a module.
type Module = Vec<String>;

/// The modules of a crate, each with those that it uses.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

/// Text without comments and literals.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|it| (it.trim_start_matches('#'), it));
        let is_inside_name = code.ends_with(|it: char| it.is_alphanumeric() || it == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some((after, hashed)) = raw
            && after.starts_with('"')
            && !is_inside_name
        {
            let hashes = hashed.len() - after.len();
            let end = format!("\"{}", "#".repeat(hashes));
            let body = hashes + 2;
            body + rest[body..].find(&end).unwrap() + end.len()
        } else if first == '"' {
            let mut is_escaped = false;
            let end = rest[1..].find(|it| {
                let is_end = it == '"' && !is_escaped;
                is_escaped = it == '\\' && !is_escaped;
                is_end
            });
            end.unwrap() + 2
        } else if let Some(after) = rest.strip_prefix('\'')
            && let Some(end) = after.char_indices().skip(1).find(|it| it.1 == '\'')
            && (after.starts_with('\\') || after.chars().nth(1) == Some('\''))
        {
            let is_quote = after.starts_with("\\'");
            end.0 + 2 + usize::from(is_quote)
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[length..];
    }
    code
}

/// Names and marks of code.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_name = |it: char| it.is_alphanumeric() || it == '_';
        let length = match first {
            _ if is_name(first) => rest.find(|it| !is_name(it)).unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// The paths that begin at a token, `a::{b, c::d}` taken apart, and the number of tokens.
fn paths<'a>(tokens: &[&'a str]) -> (Vec<Vec<&'a str>>, usize) {
    let (mut path, mut at) = (Vec::new(), 0);
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                let mut all = Vec::new();
                at += 1;
                while let Some(token) = tokens.get(at) {
                    if *token == "}" {
                        return (all, at + 1);
                    }
                    let (below, length) = paths(&tokens[at..]);
                    let below = below.into_iter().filter(|it| !it.is_empty());
                    all.extend(below.map(|it| [path.clone(), it].concat()));
                    at += length.max(1);
                }
                return (all, at);
            }
            Some(name) if name.starts_with(|it: char| it.is_alphabetic() || it == '_') => {
                path.push(*name);
                at += 1;
            }
            _ => return (vec![path], at),
        }
        match tokens.get(at) {
            Some(&"::") => at += 1,
            _ => return (vec![path], at),
        }
    }
}

/// The modules that code of a module names.
fn used(module: &Module, code: &str, all: &BTreeSet<Module>) -> BTreeSet<Module> {
    let tokens = tokens(code);
    let mut used = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let (found, length) = paths(&tokens[at..]);
        for path in found.iter().filter(|it| it.len() > 1) {
            let mut base = match path[0] {
                "crate" => Module::new(),
                _ => module.clone(),
            };
            for name in path {
                match *name {
                    "crate" | "self" => continue,
                    "super" => drop(base.pop()),
                    name => {
                        base.push(name.to_owned());
                        if !all.contains(&base) {
                            base.pop();
                            break;
                        }
                    }
                }
            }
            if base != *module {
                used.insert(base);
            }
        }
        at += length.max(1);
    }
    used
}

/// The modules of a crate, from its files below `folder`.
fn uses(folder: &Utf8Path, files: &[(Utf8PathBuf, String)]) -> Uses {
    let module = |path: &Utf8Path| {
        let path = path.strip_prefix(folder).unwrap().with_extension("");
        let mut names: Module = path.components().map(|it| it.to_string()).collect();
        if names.last().is_some_and(|it| ["mod", "lib", "main"].contains(&it.as_str())) {
            names.pop();
        }
        names
    };
    let all: BTreeSet<Module> = files.iter().map(|(path, _)| module(path)).collect();
    let mut uses = Uses::new();
    for (path, text) in files {
        // Tests at the foot of a file may replay whatever they need.
        let code = code_of(text.split("#[cfg(test)]\nmod ").next().unwrap());
        let module = module(path);
        let used = used(&module, &code, &all);
        uses.entry(module).or_default().extend(used);
    }
    uses
}

/// The modules below a folder that can be reached from one of them.
fn reached<'a>(uses: &'a Uses, root: &[String], from: &'a Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from];
    while let Some(module) = left.pop() {
        for next in uses.get(module).into_iter().flatten() {
            let is_below = next.len() > root.len() && next.starts_with(root);
            if is_below && reached.insert(next) {
                left.push(next);
            }
        }
    }
    reached
}

/// The largest circle below a folder.
fn largest(uses: &Uses, root: &[String]) -> BTreeSet<Module> {
    let below = uses.keys().filter(|it| it.len() > root.len() && it.starts_with(root));
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        below.map(|it| (it, reached(uses, root, it))).collect();
    let circles = reached.iter().map(|(module, to)| {
        let circle = to.iter().filter(|it| reached[**it].contains(module));
        circle.map(|it| (*it).clone()).collect::<BTreeSet<Module>>()
    });
    circles.max_by_key(BTreeSet::len).unwrap_or_default()
}

fn told(circle: &BTreeSet<Module>, uses: &Uses) -> String {
    let lines = circle.iter().map(|it| {
        let used = uses[it].intersection(circle).map(|it| it.join("::"));
        format!("  {} uses {}\n", it.join("::"), used.collect::<Vec<_>>().join(", "))
    });
    lines.collect()
}

#[test]
fn modules_of_a_folder_use_each_other_in_small_circles() {
    let mut crates = vec![Utf8PathBuf::from("src")];
    for entry in super::root().join("crates").read_dir_utf8().unwrap() {
        crates.push(Utf8PathBuf::from("crates").join(entry.unwrap().file_name()).join("src"));
    }
    let (mut found, mut folders) = (Vec::new(), 0);
    for folder in crates {
        let files: Vec<_> = super::files(folder.as_str())
            .into_iter()
            .filter(|(path, _)| path.extension() == Some("rs"))
            .collect();
        assert!(!files.is_empty(), "{folder}");
        let uses = uses(&folder, &files);
        let parents = files.iter().filter_map(|it| it.0.parent()).collect::<BTreeSet<_>>();
        // Modules of nbc itself have an order: they form no circle at all.
        for parent in parents.into_iter().filter(|it| *it != "src") {
            let root: Module = parent
                .strip_prefix(&folder)
                .unwrap()
                .components()
                .map(|it| it.to_string())
                .collect();
            let circle = largest(&uses, &root);
            folders += 1;
            if circle.len() > MOST {
                found.push(format!("{parent}: {} files\n{}", circle.len(), told(&circle, &uses)));
            }
        }
    }
    assert!(folders > 20, "{folders}");
    assert!(found.is_empty(), "modules that use each other in a circle:\n{}", found.concat());
}

#[test]
fn circles_are_found_however_paths_are_written() {
    let file = |path: &str, text: &str| (Utf8PathBuf::from(path), text.to_owned());
    let uses = uses(
        Utf8Path::new("src"),
        &[
            file("src/lib.rs", "mod a; pub use a::one::X;"),
            file("src/a/mod.rs", "mod one; mod two; mod three; mod four;"),
            file("src/a/one.rs", "use super::{Root, two::{self, B}};\n"),
            file(
                "src/a/two/mod.rs",
                "mod inner; fn f() { crate::a::three::g::<u8>(); inner::h() }",
            ),
            file("src/a/two/inner.rs", "use super::super::three;"),
            file("src/a/three.rs", "const Q: char = '\"'; use crate::{b, a::{one::X as Y}};"),
            // None of these is a use.
            file(
                "src/a/four.rs",
                "// use super::one;\nconst A: &str = \"super::one \\\" super::two\";\n\
                 const B: &str = r#\"super::one \" \"#;\nfn f<'a>(it: &'a str) { other::one::g() }\n\
                 #[cfg(test)]\nmod tests { use super::super::one; }",
            ),
            file("src/b.rs", "use crate::a::four;"),
        ],
    );
    let circle = largest(&uses, &["a".to_owned()]);
    let names: Vec<String> = circle.iter().map(|it| it.join("::")).collect();
    assert_eq!(names, ["a::one", "a::three", "a::two", "a::two::inner"]);
    assert!(told(&circle, &uses).contains("a::one uses a::two\n"));
    assert!(uses[&vec!["a".to_owned(), "four".to_owned()]].is_empty());
    // The root of a folder is no part of its circles.
    assert!(largest(&uses, &["a".to_owned(), "two".to_owned()]).is_empty());
}
