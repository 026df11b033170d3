//! Promises about the source text that no compiler checks: layers, who may name which crate,
//! templates without a way around escaping, and a test for every diagnostic code.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic and print"
)]

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use nbc::diagnostic::Code;

#[path = "tidy/cycles.rs"]
mod cycles;

/// Uses against the order of `src/lib.rs`, each with its reason.
const UPWARD_USES: &[(&str, &str, &str)] = &[];

/// Words and the only folders whose code may hold them.
const OWNERS: &[(&str, &[&str])] = &[
    ("ruff_", &["python"]),
    ("ammonia", &["sanitize", "output"]),
    ("html5ever", &["sanitize", "output"]),
    ("lightningcss", &["sanitize", "output"]),
    ("html5gum", &["verify"]),
    ("nbc_verify", &["lib", "main"]),
    ("nbc_sandbox", &["lib"]),
    ("from_safe_string", &[]),
    ("Command::new", &["process"]),
    (".reveal()", &["process", "secret"]),
];

/// Numbers of the Python that runs in the sandbox, each with the reason why nbc has no part in it. Any other comes
/// from Rust with the first message (`run::protocol::Constants`).
const NUMBERS_OF_PYTHON: &[(&str, &str)] = &[
    ("console.py: LARGEST_FILE", "size of a file in memory after which it begins again"),
    ("engine/marimo.py: ESCAPES", "how marimo escapes rows"),
    ("inputs/ipython.py: LONGEST_TASKS", "patience of the process with itself"),
    ("inputs/ipython.py: LONGEST_TRIAL", "patience of the process with its fork"),
    ("inputs/ipython.py: MOST_LATE", "when trials are given up"),
    ("inputs/ipython.py: MOST_OBJECTS", "how far the search for names goes"),
    ("inputs/ipython.py: MOST_TRIED", "how far a trial goes"),
    ("inputs/ipython.py: SHORT_TRIAL", "how far a trial goes"),
    ("inputs/marimo.py: LARGEST_SET", "which sets of options are tried whole"),
    ("inputs/widgets.py: MOST_ROUNDS", "how far links are followed"),
    ("states/explore.py: FEW_ENTRIES", "how often folders are looked at"),
    ("states/processes.py: FEW_ORPHANS", "when a state has the machine to itself"),
    ("states/processes.py: LEAST_MEMORY", "room of a fork beside the run"),
    ("states/explore.py: LONGEST_WAIT", "patience of the process with its forks"),
    ("states/explore.py: LOOK_EVERY", "how often folders are looked at"),
    ("states/explore.py: MOST_ENDED", "when forks are given up"),
    ("states/explore.py: MOST_SLOW", "when forks are given up"),
    ("states/processes.py: PATIENCE", "patience of the process with its forks"),
    ("states/traces.py: MOST_BYTES", "files that are kept in memory to be put back"),
    ("states/traces.py: MOST_ENTRIES", "folders that are watched"),
    ("states/wire.py: LARGEST_PATH", "frames between forks, which nbc never sees"),
    ("warm.py: MOST_LEFT", "caches of packages that each notebook gets"),
    ("warm.py: SET_DUMPABLE", "a number of the kernel"),
];

/// Codes without a test. May only shrink: this one is a defect of nbc, and `verify` has its own tests.
const UNTESTED_CODES: &[&str] = &["NBC501"];

fn root() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder, sorted; none when there is no such folder.
fn files(folder: &str) -> Vec<(Utf8PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().into_iter().flatten().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path().to_owned());
            } else {
                let text = fs_err::read(entry.path()).unwrap();
                let path = entry.path().strip_prefix(root()).unwrap().to_owned();
                found.push((path, String::from_utf8_lossy(&text).into_owned()));
            }
        }
    }
    found.sort();
    found
}

/// The Rust files of `src/` and `crates/*/src/` with the module of nbc that each belongs to.
fn sources() -> Vec<(Utf8PathBuf, String, String)> {
    let is_rust = |path: &Utf8PathBuf| path.extension() == Some("rs");
    let rust = files("src").into_iter().chain(files("crates")).filter(|(path, _)| is_rust(path));
    rust.map(|(path, text)| {
        let names: Vec<&str> = path.components().map(|it| it.as_str()).collect();
        let module = match names.as_slice() {
            ["crates", "verify", "src", own @ ("site" | "terminal"), ..] => own,
            ["crates", "verify", "src", "main.rs"] => "main",
            ["crates", "verify", ..] => "verify",
            ["crates", "sandbox", "src", own @ ("interrupt.rs" | "secret"), ..] => {
                own.trim_end_matches(".rs")
            }
            ["crates", "sandbox", ..] => "process",
            ["src", name, ..] => name.trim_end_matches(".rs"),
            _ => panic!("{path}: tell this test what the new crate is"),
        };
        let module = module.to_owned();
        (path, module, text)
    })
    .collect()
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The modules that code names as `crate::a` or `crate::{a, b::c}`.
fn named_modules(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let mut depth = 0;
        let mut starts_name = true;
        for word in after.split_inclusive(|it: char| !it.is_alphanumeric() && it != '_') {
            let (name, end) =
                word.split_at(word.len() - word.chars().last().map_or(0, char::len_utf8));
            if starts_name && depth <= 1 && !name.is_empty() {
                found.insert(name.to_owned());
            }
            depth += i32::from(end == "{") - i32::from(end == "}");
            starts_name = end == "{" || end == "," || (starts_name && end.trim().is_empty());
            if depth <= 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn modules_are_named_however_they_are_written() {
    let code = "use crate::a::B; use crate::{c, d::{E, F}, g::H};\n crate::i::j(crate::k::L)";
    let expected = ["a", "c", "d", "g", "i", "k"].map(str::to_owned);
    assert_eq!(named_modules(code), BTreeSet::from(expected));
}

#[test]
fn a_module_uses_only_those_above_it() {
    let lib = fs_err::read_to_string(root().join("src/lib.rs")).unwrap();
    let order: Vec<&str> = lib
        .lines()
        .filter_map(|line| {
            let line = line.strip_suffix(';')?;
            if let Some(of_a_crate) = line.strip_prefix("pub use nbc_") {
                return of_a_crate
                    .split_once("::")
                    .or(of_a_crate.split_once(" as "))
                    .map(|it| it.1);
            }
            line.strip_prefix("pub mod ").or(line.strip_prefix("mod "))
        })
        .collect();
    let place = |module: &str| order.iter().position(|it| *it == module);
    for module in ["site", "terminal", "verify", "interrupt", "secret", "process"] {
        assert!(place(module).is_some(), "{module} is not in {order:?}");
    }
    let mut upward = BTreeSet::new();
    for (path, module, text) in sources() {
        // Tests at the foot of a file may replay whatever they need.
        let code = without_comments(text.split("#[cfg(test)]\nmod ").next().unwrap());
        for used in named_modules(&code) {
            if let (Some(from), Some(to)) = (place(&module), place(&used))
                && to > from
                && !UPWARD_USES.iter().any(|(a, b, _)| *a == module && *b == used)
            {
                upward.insert(format!("{path} uses `{used}`, which comes after `{module}`"));
            }
        }
    }
    for (from, to, reason) in UPWARD_USES {
        println!("exception: `{from}` uses `{to}`: {reason}");
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn each_door_has_one_owner() {
    let mut strays = Vec::new();
    for (path, module, text) in sources() {
        let code = without_comments(&text);
        for (word, owners) in OWNERS {
            if code.contains(word) && !owners.contains(&module.as_str()) {
                strays.push(format!("{path} names `{word}`; only {owners:?} may"));
            }
        }
    }
    assert!(strays.is_empty(), "{strays:#?}");
}

#[test]
fn only_commands_know_of_flags() {
    let is_command = |path: &Utf8Path| {
        path.starts_with("src/cli") || path.as_str() == "crates/verify/src/command.rs"
    };
    let all = ["src", "crates"].into_iter().flat_map(files);
    let (at_home, strays): (Vec<_>, Vec<_>) = all
        .filter(|(path, text)| {
            path.extension() == Some("rs") && without_comments(text).contains("clap::")
        })
        .map(|(path, _)| path)
        .partition(|path| is_command(path));
    assert!(strays.is_empty(), "{strays:?} name `clap`");
    assert!(at_home.len() > 2, "{at_home:?}");
}

#[test]
fn unsafe_code_is_in_one_crate() {
    let mut roots = 0;
    let mut unsafe_blocks = 0;
    for (path, _, text) in sources() {
        let is_sandbox = path.starts_with("crates/sandbox");
        let code = without_comments(&text);
        let blocks = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"];
        let found = blocks.iter().map(|it| code.matches(it).count()).sum::<usize>();
        assert!(is_sandbox || found == 0, "{path} holds unsafe code");
        unsafe_blocks += found;
        if matches!(path.file_name(), Some("lib.rs" | "main.rs")) && !is_sandbox {
            roots += 1;
            assert!(code.contains("#![forbid(unsafe_code)]"), "{path} allows unsafe code");
        }
    }
    assert!(roots >= 4 && unsafe_blocks > 20, "{roots} roots, {unsafe_blocks} unsafe blocks");
}

/// The tables of `Cargo.toml` that name dependencies, those of one system too.
fn dependencies(manifest: &toml::Table) -> Vec<(String, toml::Value)> {
    let mut found = Vec::new();
    for (name, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if name.ends_with("dependencies") {
            found.extend(table.iter().map(|(name, wanted)| (name.clone(), wanted.clone())));
        } else {
            found.extend(dependencies(table));
        }
    }
    found
}

#[test]
fn the_crates_of_nbc_depend_on_no_other_of_nbc() {
    for (name, least) in [("sandbox", 10), ("verify", 10)] {
        let manifest = format!("crates/{name}/Cargo.toml");
        let manifest = fs_err::read_to_string(root().join(manifest)).unwrap();
        let wanted = dependencies(&manifest.parse().unwrap());
        assert!(wanted.len() >= least, "{wanted:?}");
        for (dependency, wanted) in wanted {
            let is_of_nbc = wanted.get("path").is_some() || dependency.starts_with("nbc");
            assert!(!is_of_nbc, "`crates/{name}` depends on `{dependency}`");
        }
    }
}

#[test]
fn the_rules_of_verify_share_types_and_lists_with_the_writer_and_nothing_else() {
    let mut seen = 0;
    for (path, module, text) in sources() {
        let code = without_comments(&text);
        let used = named_modules(&code);
        let is_alone = match (module.as_str(), path.file_name()) {
            // Their parents are `site` and `terminal`, which name nothing of the crate themselves.
            ("site" | "terminal", _) => used.is_empty() && !code.contains("super::super"),
            // It gives the rules their arguments, and says what they found.
            ("verify", Some("command.rs")) => true,
            ("verify", _) => {
                used.iter().all(|it| it == "site")
                    && !["terminal::", "command::"].iter().any(|it| code.contains(it))
            }
            _ => continue,
        };
        seen += 1;
        assert!(is_alone, "{path} uses {used:?}");
    }
    assert!(seen > 20, "{seen} files of `crates/verify`");
}

#[test]
fn templates_cannot_opt_out_of_escaping() {
    for (path, text) in files("templates") {
        let dense: String = text.split_whitespace().collect();
        for word in ["autoescape", "|safe"] {
            assert!(!dense.contains(word), "{path} holds `{word}`");
        }
    }
}

#[test]
fn every_source_file_says_what_it_is() {
    let silent: Vec<_> =
        sources().into_iter().filter(|it| !it.2.starts_with("//!")).map(|it| it.0).collect();
    assert!(silent.is_empty(), "no `//!` in the first line: {silent:?}");
}

#[test]
fn every_diagnostic_code_has_a_test() {
    let in_tests = files("tests").into_iter().filter(|(path, _)| path != "tests/tidy.rs");
    let at_the_foot = sources().into_iter().filter_map(|(path, _, text)| {
        Some((path, text.split_once("#[cfg(test)]\nmod ")?.1.to_owned()))
    });
    let texts: Vec<String> = in_tests.chain(at_the_foot).map(|(_, text)| text).collect();
    let untested: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| {
            let names = [
                code.number().to_owned(),
                format!("Code::{code:?}"),
                format!("error: [{}]", code.slug()),
                format!("warning: [{}]", code.slug()),
            ];
            !texts.iter().any(|text| names.iter().any(|name| text.contains(name.as_str())))
        })
        .map(|code| code.number())
        .collect();
    let missing: Vec<_> = untested.iter().filter(|it| !UNTESTED_CODES.contains(it)).collect();
    assert!(missing.is_empty(), "write a test for {missing:?}");
    let stale: Vec<_> = UNTESTED_CODES.iter().filter(|it| !untested.contains(it)).collect();
    assert!(stale.is_empty(), "tested by now, take them off `UNTESTED_CODES`: {stale:?}");
}

/// `docs/diagnostics.md`, from the explanations in the code.
fn reference() -> String {
    let mut text = String::from(
        "# Diagnostics\n\nWritten by a test from `src/diagnostic/code.rs`; `nbc explain CODE` prints the same. \
         `1xx` notebook,\n`2xx` dataflow, `3xx` run, `4xx` output, `5xx` site.\n",
    );
    for code in Code::ALL {
        text.push_str(&format!("\n## {} `{}`\n\n", code.number(), code.slug()));
        for line in code.explanation().trim().lines() {
            text.push_str(&format!("{}\n", line.trim()));
        }
    }
    text
}

#[test]
fn the_reference_of_diagnostics_is_the_one_in_the_code() {
    let path = root().join("docs/diagnostics.md");
    if std::env::var_os("NBC_UPDATE_DOCS").is_some() {
        fs_err::write(&path, reference()).unwrap();
    }
    let written = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(
        written == reference(),
        "docs/diagnostics.md is stale: run `NBC_UPDATE_DOCS=1 cargo test --test tidy`, and commit it"
    );
}

#[test]
fn a_number_or_type_that_both_sides_use_is_written_in_rust_alone() {
    let mut left: BTreeSet<String> =
        NUMBERS_OF_PYTHON.iter().map(|(name, _)| (*name).to_owned()).collect();
    let python = files("runner/nbc_runner").into_iter().chain(files("src/environment"));
    for (path, text) in python.filter(|(path, _)| path.extension() == Some("py")) {
        let file = path.strip_prefix("runner/nbc_runner").unwrap_or(&path);
        for line in text.lines() {
            let Some((name, value)) = line.split_once(" = ") else { continue };
            let name = name.split(':').next().unwrap_or(name);
            let is_constant =
                name.starts_with(|it: char| it.is_ascii_uppercase()) && !name.contains(' ');
            let is_text = value.starts_with(['"', '\'', 'b', 'r']);
            let is_call = value.starts_with(|it: char| it.is_ascii_alphabetic());
            if is_constant && !is_text && !is_call && value.bytes().any(|it| it.is_ascii_digit()) {
                let known = left.remove(&format!("{file}: {name}"));
                assert!(
                    known,
                    "{path}: `{line}`: is it a bound of nbc's? Then it comes by the protocol"
                );
            }
        }
        for fact in [nbc::run::CHARTS_MIME, nbc::run::WIDGET_VIEW_MIME, nbc::run::WIDGET_STATE_MIME]
        {
            assert!(!text.contains(fact), "{path}: `{fact}` comes by the protocol");
        }
    }
    assert!(left.is_empty(), "no number of Python: {left:?}");
}
