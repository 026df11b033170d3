//! Speed of the sanitizer: markup in memory to safe markup and rules, on one core.
//!
//! `cargo bench --bench sanitize [-- [--write FOLDER] [FILE…]]`
//!
//! Without arguments, measures generated outputs; three of a kind show that the cost grows with the
//! size. Files are measured each by itself. `--write` writes the generated outputs, so that
//! `sanitize_peers.py` can give the same ones to other sanitizers. The figures are CPU time of this
//! thread, the best of several rounds.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints its figures and reads files given by hand"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use nbc::sanitize::{UntrustedHtml, html};

/// The allocator of `nbc`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let mut inputs: Vec<(String, String)> = Vec::new();
    let mut write = None;
    let mut arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    while let Some(argument) = arguments.next() {
        if argument == "--write" {
            write = arguments.next();
        } else {
            let text = std::fs::read_to_string(&argument)?;
            inputs.push((argument, text));
        }
    }
    if inputs.is_empty() {
        inputs = generated();
    }
    println!("{:<40} {:>9} {:>9} {:>9}", "", "MB", "ms", "MB/s");
    for (name, text) in inputs {
        if let Some(folder) = &write {
            std::fs::create_dir_all(folder)?;
            std::fs::write(format!("{folder}/{name}"), &text)?;
        }
        measure(&name, &text);
    }
    Ok(())
}

/// Names of files, and outputs as libraries write them.
fn generated() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for rows in [1_000, 10_000, 30_000] {
        all.push((format!("table_{rows}.html"), table(rows)));
    }
    for rows in [300, 3_000, 10_000] {
        all.push((format!("styled_{rows}.html"), styled(rows)));
    }
    for points in [1_000, 10_000, 30_000] {
        all.push((format!("figure_{points}.html"), figure(points)));
    }
    for count in [1_000, 10_000, 30_000] {
        all.push((format!("divs_{count}.html"), divs(count)));
    }
    for count in [1_000, 10_000, 30_000] {
        all.push((format!("text_{count}.html"), prose(count)));
    }
    all
}

/// Numbers that are the same on every machine.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 12
    }

    fn decimal(&mut self) -> f64 {
        f64::from(self.next()) / 1_000.0
    }
}

/// A data frame of pandas.
fn table(rows: usize) -> String {
    let mut numbers = Numbers(1);
    let mut text = String::from(
        "<div>\n<style scoped>\n    .dataframe tbody tr th:only-of-type {\n        vertical-align: middle;\n    }\n\n    .dataframe tbody tr th {\n        vertical-align: top;\n    }\n\n    .dataframe thead th {\n        text-align: right;\n    }\n</style>\n<table border=\"1\" class=\"dataframe\">\n  <thead>\n    <tr style=\"text-align: right;\">\n      <th></th>\n      <th>city</th>\n      <th>month</th>\n      <th>mean</th>\n      <th>maximum</th>\n    </tr>\n  </thead>\n  <tbody>\n",
    );
    for row in 0..rows {
        let city = ["Zürich", "Sevilla", "Tromsø", "Johnson &amp; Sons"];
        let city = city.get(row % 4).copied().unwrap_or_default();
        writeln!(
            text,
            "    <tr>\n      <th>{row}</th>\n      <td>{city}</td>\n      <td>2024-{:02}-01</td>\n      <td>{:.3}</td>\n      <td>{:.3}</td>\n    </tr>",
            row % 12 + 1,
            numbers.decimal(),
            numbers.decimal()
        )
        .unwrap_or_default();
    }
    write!(text, "  </tbody>\n</table>\n<p>{rows} rows × 4 columns</p>\n</div>")
        .unwrap_or_default();
    text
}

/// A data frame through pandas' Styler: an id and two classes for each cell, rules for many.
fn styled(rows: usize) -> String {
    let mut numbers = Numbers(2);
    let mut text = String::from("<style type=\"text/css\">\n");
    for row in 0..rows.min(2_000) {
        writeln!(
            text,
            "#T_5f2a1_row{row}_col1 {{\n  background-color: #{:06x};\n  color: #000000;\n}}",
            numbers.next() & 0x00ff_ffff
        )
        .unwrap_or_default();
    }
    text.push_str("</style>\n<table id=\"T_5f2a1\">\n  <thead>\n    <tr>\n      <th class=\"blank level0\" >&nbsp;</th>\n      <th id=\"T_5f2a1_level0_col0\" class=\"col_heading level0 col0\" >city</th>\n      <th id=\"T_5f2a1_level0_col1\" class=\"col_heading level0 col1\" >mean</th>\n    </tr>\n  </thead>\n  <tbody>\n");
    for row in 0..rows {
        writeln!(
            text,
            "    <tr>\n      <th id=\"T_5f2a1_level0_row{row}\" class=\"row_heading level0 row{row}\" >{row}</th>\n      <td id=\"T_5f2a1_row{row}_col0\" class=\"data row{row} col0\" >Sevilla</td>\n      <td id=\"T_5f2a1_row{row}_col1\" class=\"data row{row} col1\" >{:.6}</td>\n    </tr>",
            numbers.decimal()
        )
        .unwrap_or_default();
    }
    text.push_str("  </tbody>\n</table>\n");
    text
}

/// A scatter plot as matplotlib writes SVG: one `use` for each point, and a line through all.
fn figure(points: usize) -> String {
    let mut numbers = Numbers(3);
    let mut text = String::from(
        "<svg xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"460.8pt\" height=\"345.6pt\" viewBox=\"0 0 460.8 345.6\" xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\">\n <defs>\n  <style type=\"text/css\">*{stroke-linejoin: round; stroke-linecap: butt}</style>\n  <clipPath id=\"p1\">\n   <rect x=\"57.6\" y=\"41.472\" width=\"357.12\" height=\"266.112\"/>\n  </clipPath>\n  <path id=\"m1\" d=\"M 0 3 \nC 0.795609 3 1.55874 2.683901 2.12132 2.12132 \nz\n\" style=\"stroke: #1f77b4\"/>\n </defs>\n <g id=\"figure_1\">\n  <g id=\"line2d_1\">\n   <path d=\"M 73 300 \n",
    );
    for _ in 0..points {
        writeln!(text, "L {:.6} {:.6} ", numbers.decimal(), numbers.decimal()).unwrap_or_default();
    }
    text.push_str("\" clip-path=\"url(#p1)\" style=\"fill: none; stroke: #1f77b4; stroke-width: 1.5; stroke-linecap: square\"/>\n  </g>\n  <g clip-path=\"url(#p1)\">\n");
    for _ in 0..points {
        writeln!(
            text,
            "   <use xlink:href=\"#m1\" x=\"{:.6}\" y=\"{:.6}\" style=\"fill: #1f77b4; stroke: #1f77b4\"/>",
            numbers.decimal(),
            numbers.decimal()
        )
        .unwrap_or_default();
    }
    text.push_str("  </g>\n </g>\n</svg>\n");
    text
}

/// Cards as report libraries nest them, each with styles of its own.
fn divs(count: usize) -> String {
    let mut numbers = Numbers(4);
    let mut text = String::new();
    for card in 0..count {
        writeln!(
            text,
            "<div class=\"card\" style=\"padding: 4px; border: 1px solid #ccc\"><div class='head'><b>Card {card}</b></div><div class='body'><span style='color: rgb({},0,0)'>{}</span><br><a href=\"https://example.org/{card}?a=1&amp;b=2\" target=\"_blank\">more</a></div></div>",
            numbers.next() % 256,
            numbers.next()
        )
        .unwrap_or_default();
    }
    text
}

/// Paragraphs with little markup.
fn prose(count: usize) -> String {
    let mut text = String::new();
    for paragraph in 0..count {
        writeln!(
            text,
            "<p>Paragraph {paragraph} tells of the <em>weather</em> in Zürich &amp; Sevilla, of what was measured there between 1991 and 2020, and of the numbers that <strong>differ</strong> most from the years before; see <code>table_{paragraph}</code>.</p>"
        )
        .unwrap_or_default();
    }
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

fn measure(name: &str, text: &str) {
    let start = Instant::now();
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let raw = UntrustedHtml::new(text.to_owned());
        let began = now(start);
        let result = html(&raw, "c1");
        best = best.min(now(start).saturating_sub(began));
        assert!(!result.html.as_str().is_empty(), "{name} became nothing");
        assert!(!result.html.as_str().contains("too large"), "{name} is too large");
        black_box(&result);
    }
    let seconds = best.as_secs_f64();
    let megabytes = text.len() as f64 / 1e6;
    let name = name.rsplit('/').next().unwrap_or(name);
    println!("{name:<40} {megabytes:>9.2} {:>9.1} {:>9.1}", seconds * 1e3, megabytes / seconds);
}
