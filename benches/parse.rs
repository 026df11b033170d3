//! Speed of reading and resolving: text in memory to [`nbc::graph`], on one core.
//!
//! `cargo bench --bench parse [-- [--write FOLDER] [FILE|LIST…]]`
//!
//! Without arguments, measures generated notebooks. Files are measured together, one group for each
//! extension; a LIST (`.txt`) names a file a line. `--write` writes the generated notebooks, so that
//! `parse_peers.py` can give the same ones to other readers. The figures are CPU time of this
//! thread, the best of several rounds: they hold on a machine that has other work, too.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints its figures and reads files given by hand"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use nbc::source::Sources;

/// The allocator of `nbc`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let mut files: Vec<String> = Vec::new();
    let mut write = None;
    let mut arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    while let Some(argument) = arguments.next() {
        if argument == "--write" {
            write = arguments.next();
        } else if argument.ends_with(".txt") {
            files.extend(std::fs::read_to_string(&argument)?.lines().map(str::to_owned));
        } else {
            files.push(argument);
        }
    }
    println!("{:<40} {:>9} {:>9} {:>9} {:>9}", "", "MB", "parse ms", "graph ms", "MB/s");
    if !files.is_empty() {
        for extension in ["py", "ipynb", "md", "qmd"] {
            let suffix = format!(".{extension}");
            let mut texts = Vec::new();
            for path in files.iter().filter(|it| it.ends_with(&suffix)) {
                texts.push((path.clone(), std::fs::read_to_string(path)?));
            }
            // Scripts beside notebooks are not read by nbc either.
            texts.retain(|(_, text)| extension != "py" || nbc::notebook::is_notebook("py", text));
            if !texts.is_empty() {
                measure(&format!("{} given .{extension}", texts.len()), &texts);
            }
        }
        return Ok(());
    }
    for (label, name, text) in generated() {
        if let Some(folder) = &write {
            std::fs::create_dir_all(folder)?;
            std::fs::write(format!("{folder}/{name}"), &text)?;
        }
        measure(label, &[(name.to_owned(), text)]);
    }
    Ok(())
}

/// Kind of notebook, name of its file, text.
fn generated() -> Vec<(&'static str, &'static str, String)> {
    vec![
        ("marimo, 1,000 cells", "cells_1000.py", marimo(1_000)),
        ("marimo, 3,000 cells", "cells_3000.py", marimo(3_000)),
        ("marimo, 10,000 cells", "cells_10000.py", marimo(10_000)),
        ("10,000 names in 100 cells", "names_10000.py", names(10_000)),
        ("30,000 names in 300 cells", "names_30000.py", names(30_000)),
        ("100,000 names in 1,000 cells", "names_100000.py", names(100_000)),
        ("SQL, 300 cells and tables", "sql_300.py", sql(300)),
        ("SQL, 1,000 cells and tables", "sql_1000.py", sql(1_000)),
        ("SQL, 3,000 cells and tables", "sql_3000.py", sql(3_000)),
        ("Jupyter, 10,000 cells", "cells_10000.ipynb", jupyter(10_000, Outputs::Small)),
        ("Jupyter, 400 images, 200 tables", "outputs.ipynb", jupyter(600, Outputs::Large)),
    ]
}

const HEADER: &str = "import marimo\n\n__generated_with = \"0.25.2\"\napp = marimo.App()\n";
const FOOTER: &str = "\n\nif __name__ == \"__main__\":\n    app.run()\n";

fn notebook(cells: usize, mut body: impl FnMut(&mut String, usize)) -> String {
    let mut text = HEADER.to_owned();
    for cell in 0..cells {
        text.push_str("\n\n@app.cell\ndef _():\n");
        body(&mut text, cell);
    }
    text.push_str(FOOTER);
    text
}

/// Cells that load, transform and describe, each after one or two others.
fn marimo(cells: usize) -> String {
    notebook(cells, |text, cell| {
        let (one, two) = (cell / 2, cell.saturating_sub(1));
        let written = match cell % 4 {
            _ if cell == 0 => {
                write!(text, "    import marimo as mo\n    import pandas as pd\n    frame_0 = 0\n")
            }
            1 => write!(
                text,
                "    # Sales of one region, by month.\n    frame_{cell} = (\n        pd.DataFrame(frame_{one})\n        .assign(total=lambda it: it[\"price\"] * it[\"count\"])\n        .groupby(\"region\", as_index=False)\n        .agg({{\"total\": \"sum\", \"count\": \"mean\"}})\n    )\n    return (frame_{cell},)\n"
            ),
            2 => write!(
                text,
                "    def summarize_{cell}(values, limit=10):\n        \"\"\"Sums up to `limit` values.\"\"\"\n        result = []\n        for index, value in enumerate(values):\n            if index > limit and value is not None:\n                break\n            result.append(value * 2 + frame_{one})\n        return sum(result)\n\n    frame_{cell} = summarize_{cell}([frame_{two}, 1, 2.5])\n    return\n"
            ),
            3 => write!(
                text,
                "    mo.md(\n        f\"\"\"\n        ## Chapter {cell}\n\n        The total is **{{frame_{two}:.2f}}**, which is more than the\n        year before; see the table below for each of the regions.\n        \"\"\"\n    )\n    frame_{cell} = [_x for _x in range(10) if _x % 2]\n    return\n"
            ),
            _ => write!(
                text,
                "    slider_{cell} = mo.ui.slider(1, 100, value=10, label=\"Limit\")\n    frame_{cell} = {{\"a\": slider_{cell}.value, \"b\": frame_{one}, \"c\": frame_{two}}}\n    slider_{cell}\n    return\n"
            ),
        };
        written.unwrap_or_default();
    })
}

/// A hundred names a cell, each of which uses one of the cell before.
fn names(count: usize) -> String {
    notebook(count / 100, |text, cell| {
        for name in cell * 100..(cell + 1) * 100 {
            match name.checked_sub(100) {
                Some(before) => writeln!(text, "    name_{name} = name_{before} + 1"),
                None => writeln!(text, "    name_{name} = {name}"),
            }
            .unwrap_or_default();
        }
    })
}

/// Every cell makes a table from the one before, and reads one table that all read.
fn sql(cells: usize) -> String {
    notebook(cells, |text, cell| {
        let before = cell.saturating_sub(1);
        let query = match cell {
            0 => "create table base as select 1 as key".to_owned(),
            _ => format!(
                "create table table_{cell} as select t.key, sum(b.key) from table_{before} t join base b using (key) group by 1"
            ),
        };
        writeln!(text, "    _ = mo.sql(f\"\"\"{query}\"\"\")").unwrap_or_default();
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Outputs {
    Small,
    Large,
}

/// A notebook in the format of nbformat: indented by one, sources and texts as lists of lines.
fn jupyter(cells: usize, outputs: Outputs) -> String {
    let mut text = "{\n \"cells\": [\n".to_owned();
    // A generator of its own: the same file on every machine.
    let mut state = 1_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    };
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for cell in 0..cells {
        if cell > 0 {
            text.push_str(",\n");
        }
        let before = cell.saturating_sub(1);
        write!(
            text,
            "  {{\n   \"cell_type\": \"code\",\n   \"execution_count\": {cell},\n   \"id\": \"cell-{cell}\",\n   \"metadata\": {{}},\n   \"outputs\": [\n    {{\n     \"data\": {{\n"
        )
        .unwrap_or_default();
        match (outputs, cell % 3) {
            (Outputs::Large, 0) => {
                text.push_str("      \"text/html\": [\n       \"<table border=\\\"1\\\" class=\\\"dataframe\\\">\\n\"");
                for row in 0..1_000 {
                    write!(
                        text,
                        ",\n       \"    <tr style=\\\"text-align: right;\\\">\\n\",\n       \"      <td>{row}</td><td>{}</td><td>Zürich \\u2014 ok</td>\\n\",\n       \"    </tr>\\n\"",
                        next()
                    )
                    .unwrap_or_default();
                }
                text.push_str("\n      ],\n");
            }
            (Outputs::Large, _) => {
                text.push_str("      \"image/png\": \"iVBORw0KGgo");
                for _ in 0..60_000 {
                    text.push(char::from(*ALPHABET.get(next() % 64).unwrap_or(&b'A')));
                }
                text.push_str("\\n\",\n");
            }
            (Outputs::Small, _) => {}
        }
        write!(
            text,
            "      \"text/plain\": [\n       \"<Figure size 640x480 with 1 Axes>\"\n      ]\n     }},\n     \"metadata\": {{}},\n     \"output_type\": \"display_data\"\n    }}\n   ],\n   \"source\": [\n    \"frame_{cell} = frame_{before} + 1\\n\",\n    \"plt.plot(frame_{cell}, label=\\\"sales\\\")\\n\",\n    \"plt.show()\"\n   ]\n  }}"
        )
        .unwrap_or_default();
    }
    text.push_str("\n ],\n \"metadata\": {\n  \"kernelspec\": {\n   \"display_name\": \"Python 3\",\n   \"language\": \"python\",\n   \"name\": \"python3\"\n  }\n },\n \"nbformat\": 4,\n \"nbformat_minor\": 5\n}\n");
    text
}

/// CPU time of this thread.
#[cfg(target_os = "linux")]
fn now(_: Instant) -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Time since `start`, where the system is not asked for that of this thread.
#[cfg(not(target_os = "linux"))]
fn now(start: Instant) -> Duration {
    start.elapsed()
}

fn measure(label: &str, texts: &[(String, String)]) {
    let start = Instant::now();
    let bytes: usize = texts.iter().map(|it| it.1.len()).sum();
    let mut best = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        let mut copies = texts.to_vec();
        let began = now(start);
        let mut parsed = Vec::with_capacity(texts.len());
        for (path, text) in copies.drain(..) {
            let mut sources = Sources::default();
            let id = sources.add(path.into(), None, text);
            let notebook = nbc::notebook::parse(&mut sources, id).value;
            parsed.push((sources, notebook));
        }
        let read = now(start);
        for (sources, notebook) in &parsed {
            let graph = notebook.as_ref().map(|it| nbc::graph::analyze(sources, it));
            black_box(&graph);
        }
        let end = now(start);
        let [parse, graph, whole] = &mut best;
        *parse = (*parse).min(read.saturating_sub(began));
        *graph = (*graph).min(end.saturating_sub(read));
        *whole = (*whole).min(end.saturating_sub(began));
    }
    let [parse, graph, whole] = best.map(|it| it.as_secs_f64() * 1e3);
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{label:<40} {megabytes:>9.2} {parse:>9.1} {graph:>9.1} {:>9.1}",
        megabytes / whole * 1e3
    );
}
