//! Speed of each phase after the run: a notebook with stored outputs in memory to a verified site in memory.
//!
//! `cargo bench --bench phases [-- GROUP]`
//!
//! `small` has one plot, one table, one drawing and one text, `large` a hundred times that. Phases use all cores
//! where they can; the whole program, its CPU time and its memory are what `stored.py` measures.

#![expect(clippy::expect_used, reason = "a benchmark may stop where its input is wrong")]

use std::collections::BTreeMap;
use std::hint::black_box;

use base64::Engine as _;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nbc::emit::{self, Layout, Provenance};
use nbc::notebook::Notebook;
use nbc::output::{self, Interactivity, OutputPosition, RenderedCell, Shown};
use nbc::render::{self, Block, Document, Look, Page, Templates};
use nbc::run::stored::{STORED_ENGINE, stored};
use nbc::sanitize::{SafeCss, UntrustedHtml, html, svg};
use nbc::site::{Integrity, SitePath};
use nbc::source::{Sources, Span};
use nbc::{graph, notebook, verify};

/// The allocator of `nbc`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [(&str, usize); 2] = [("small", 1), ("large", 100)];

criterion_group!(phases, read, sanitize, outputs, lay_out, assemble, check);
criterion_main!(phases);

/// An output of `matplotlib`, 120 kB of it; only the header is that of a picture.
fn plot() -> String {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0".to_vec();
    let mut state = 1_u32;
    bytes.resize_with(90_000, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn table(rows: usize) -> String {
    let row = |at| format!("<tr>\n<th>{at}</th>\n<td>{}.5</td>\n<td>north</td>\n</tr>\n", at * 7);
    let rows: String = (0..rows).map(row).collect();
    format!(
        "<style scoped>.dataframe th {{ color: red }}</style><table border=\"1\" class=\"dataframe\">{rows}</table>"
    )
}

fn drawing(shapes: usize) -> String {
    let shape = |at| format!("<path d=\"M {at} 0 L 3 {at}\" style=\"stroke: #1f77b4\"/>");
    let shapes: String = (0..shapes).map(shape).collect();
    format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\">{shapes}</svg>")
}

/// The text of a notebook with so many cells of each kind.
fn stored_notebook(times: usize) -> String {
    let show = |mime: &str, text: &str| {
        let data = serde_json::json!({ mime: text });
        serde_json::json!({ "output_type": "display_data", "metadata": {}, "data": data })
    };
    let text = "epoch 7: loss 0.25, a line of a log\n".repeat(200);
    let outputs = [
        show("image/png", &plot()),
        show("text/html", &table(60)),
        show("image/svg+xml", &drawing(300)),
        serde_json::json!({ "output_type": "stream", "name": "stdout", "text": text }),
    ];
    let all = outputs.iter().cycle().take(outputs.len() * times).enumerate();
    let cells = all.map(|(at, output)| {
        let source = format!("value_{at} = {at}\nvalue_{at}");
        serde_json::json!({ "cell_type": "code", "metadata": {}, "source": source,
            "execution_count": at, "outputs": [output] })
    });
    let cells: Vec<_> = cells.collect();
    serde_json::json!({ "cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4 })
        .to_string()
}

fn parsed(sources: &mut Sources, text: String) -> Notebook {
    let source = sources.add("bench.ipynb".into(), None, text);
    notebook::parse(sources, source).value.expect("the text is a notebook")
}

fn rendered(notebook: &Notebook) -> Vec<(u32, RenderedCell)> {
    let (record, _) = stored(notebook);
    let one = |(id, run): (&notebook::CellId, _)| {
        let scope = format!("c{}", id.0 + 1);
        let place = OutputPosition { span: Span::new(notebook.source, 0, 0), scope: &scope };
        (id.0 + 1, output::cell(run, &place, &Shown::default(), &Interactivity::default()).value)
    };
    record.cells.iter().map(one).collect()
}

fn document(cells: Vec<(u32, RenderedCell)>) -> Document {
    let block = |(number, cell): (u32, RenderedCell)| Block {
        id: format!("cell-{number}"),
        kind: "code",
        name: None,
        code: None,
        scroll: None,
        slot: None,
        outputs: cell.outputs,
        charts: cell.charts,
    };
    Document {
        path: SitePath::new("bench.html").expect("a plain name is a path"),
        title: "Benchmark".to_owned(),
        print_title: true,
        title_cell: 0,
        description: None,
        print_description: false,
        authors: Vec::new(),
        date: None,
        language: "en".to_owned(),
        source: None,
        file_name: "bench.ipynb".to_owned(),
        width: None,
        notes: Vec::new(),
        graph: None,
        outline: Vec::new(),
        blocks: cells.into_iter().map(block).collect(),
        runtimes: Vec::new(),
        files: Vec::new(),
        states: None,
    }
}

fn look(overrides: &BTreeMap<String, String>) -> Look<'_> {
    Look {
        title: "Benchmark".to_owned(),
        site_name: String::new(),
        description: None,
        language: "en".to_owned(),
        templates: Templates::new(overrides).expect("nbc's own templates are valid"),
        theme: SafeCss::default(),
        base_url: None,
        has_files: false,
    }
}

fn page(times: usize, look: &Look<'_>) -> Page {
    let notebook = parsed(&mut Sources::default(), stored_notebook(times));
    render::page(document(rendered(&notebook)), &render::Ways::default(), look)
        .expect("the page can be laid out")
}

fn provenance(page: &Page) -> Provenance {
    Provenance {
        path: page.path.clone(),
        title: page.title.clone(),
        source: page.file_name.clone(),
        source_integrity: Integrity::of(b""),
        engine: STORED_ENGINE.to_owned(),
        python: String::new(),
        packages: Vec::new(),
        lock: None,
        isolation: Vec::new(),
        granted: nbc::run::record::Granted::default(),
    }
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    for (size, times) in SIZES {
        let text = stored_notebook(times);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("source and parse, {size}"), |bench| {
            bench.iter_batched(
                || text.clone(),
                |text| {
                    let mut sources = Sources::default();
                    parsed(&mut sources, text);
                    sources
                },
                BatchSize::LargeInput,
            );
        });
        let mut sources = Sources::default();
        let notebook = parsed(&mut sources, text);
        group.bench_function(format!("stored outputs, {size}"), |bench| {
            bench.iter(|| stored(black_box(&notebook)));
        });
        group.bench_function(format!("graph, {size}"), |bench| {
            bench.iter(|| graph::analyze(&sources, black_box(&notebook)));
        });
    }
}

fn sanitize(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sanitize");
    for (size, times) in SIZES {
        let styles: String =
            (0..times * 20).map(|at| format!("<p style=\"color: #{at:06}\">a</p>")).collect();
        for (kind, text) in [("html", table(60 * times)), ("css", styles)] {
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(format!("{kind}, {size}"), |bench| {
                bench.iter(|| html(&UntrustedHtml::new(text.clone()), "c1"));
            });
        }
        let text = drawing(300 * times);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("svg, {size}"), |bench| {
            bench.iter(|| svg::image(&UntrustedHtml::new(text.clone()), "a drawing"));
        });
    }
}

fn outputs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outputs");
    for (size, times) in SIZES {
        let text = stored_notebook(times);
        group.throughput(Throughput::Bytes(text.len() as u64));
        let notebook = parsed(&mut Sources::default(), text);
        group.bench_function(size, |bench| bench.iter(|| rendered(black_box(&notebook))));
    }
}

fn lay_out(criterion: &mut Criterion) {
    let overrides = BTreeMap::new();
    let look = look(&overrides);
    let mut group = criterion.benchmark_group("render page");
    for (size, times) in SIZES {
        let notebook = parsed(&mut Sources::default(), stored_notebook(times));
        group.bench_function(size, |bench| {
            bench.iter_batched(
                || document(rendered(&notebook)),
                |document| render::page(document, &render::Ways::default(), &look),
                BatchSize::LargeInput,
            );
        });
    }
}

fn assemble(criterion: &mut Criterion) {
    let overrides = BTreeMap::new();
    let look = look(&overrides);
    let mut group = criterion.benchmark_group("emit");
    for (size, times) in SIZES {
        group.bench_function(size, |bench| {
            bench.iter_batched(
                || page(times, &look),
                |page| {
                    let provenance = [provenance(&page)];
                    emit::assemble(
                        vec![page.into()],
                        Vec::new(),
                        &provenance,
                        (Layout::Single, None),
                        &look,
                        None,
                    )
                },
                BatchSize::LargeInput,
            );
        });
    }
}

fn check(criterion: &mut Criterion) {
    let overrides = BTreeMap::new();
    let look = look(&overrides);
    let mut group = criterion.benchmark_group("verify");
    for (size, times) in SIZES {
        let page = page(times, &look);
        let provenance = [provenance(&page)];
        let expected = verify::Expected::default();
        let (site, _) = emit::assemble(
            vec![page.into()],
            Vec::new(),
            &provenance,
            (Layout::Single, None),
            &look,
            None,
        )
        .expect("the page fits");
        let files: BTreeMap<String, Vec<u8>> =
            site.files().map(|it| (it.path().as_str().to_owned(), it.bytes().to_vec())).collect();
        group.throughput(Throughput::Bytes(files.values().map(|it| it.len() as u64).sum()));
        assert_eq!(verify::verify_files(&files, &expected), [], "the page keeps its promises");
        group.bench_function(size, |bench| {
            bench.iter(|| verify::verify_files(black_box(&files), &expected));
        });
    }
}
