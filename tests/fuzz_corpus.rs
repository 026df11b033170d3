//! Every input under `fuzz/corpus/`, through the same functions that libFuzzer calls.
#![expect(clippy::print_stderr, reason = "a failing test names its input")]

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

#[test]
fn every_input_of_the_corpora_is_survived() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, target) in targets::TARGETS {
        // Every construct is in the notebooks that marimo is compared on.
        let compared = root.join("tests/differential/notebooks");
        let own = root.join("fuzz/corpus").join(name);
        let folders = match name {
            "parse_marimo" => vec![compared],
            "parse_markdown" => vec![own, compared],
            "states" => vec![own, root.join("tests/states")],
            _ => vec![own],
        };
        let mut paths: Vec<_> = folders
            .iter()
            .flat_map(|it| fs_err::read_dir(it).expect("every target has a corpus"))
            .map(|it| it.expect("an entry").path())
            .collect();
        paths.sort();
        assert!(paths.len() >= 2, "the corpus of {name} is empty");
        for path in paths {
            // Shown only if the target panics.
            eprintln!("{}", path.display());
            target(&fs_err::read(&path).expect("an input"));
        }
    }
}

#[test]
fn every_target_has_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    for (name, _) in targets::TARGETS {
        let program = fs_err::read_to_string(folder.join(format!("{name}.rs")));
        let program = program.expect("a program");
        assert!(program.contains(&format!("run(\"{name}\", data)")), "{program}");
    }
}
