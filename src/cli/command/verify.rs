//! `nbc verify`: phase 10 on a folder.

use crate::cli::Exit;
use crate::cli::args::{FindingFormat, Verify};
use crate::cli::printer::Printer;
use crate::diagnostic::one_line;
use crate::driver::{Failure, counted};
use crate::verify::{self, Expected, Finding};

pub(in crate::cli) fn run(arguments: &Verify, printer: Printer) -> Result<Exit, Failure> {
    let Some(folder) = arguments.folder.as_ref().filter(|_| !arguments.print_scripts) else {
        for (name, digest) in verify::own_scripts() {
            printer.result(&format!("{digest} {name}\n"));
        }
        return Ok(Exit::Done);
    };
    let digests = arguments.allow_script.iter().chain(&arguments.trust_runtime);
    let expected = Expected::default()
        .with_scripts(digests.map(|it| it.as_str().to_owned()))
        .with_manifest(arguments.manifest_digest.as_ref().map(|it| it.as_str().to_owned()))
        .with_base_url(arguments.base_url.as_ref().map(|it| it.as_str().to_owned()))
        .with_files(arguments.allow_file.iter().cloned())
        .with_islands(arguments.allow_island);
    let findings = verify::verify_folder(folder, &expected)?;
    if arguments.format == FindingFormat::Json {
        printer.json(&(serde_json::to_string_pretty(&as_json(&findings))? + "\n"));
    } else {
        for finding in &findings {
            printer.result(&format!("{}\n", text(finding)));
        }
        match findings.len() {
            0 => printer.line(&format!("{folder}: every rule holds")),
            number => printer.line(&format!("{folder}: {}", counted(number, "finding"))),
        }
    }
    Ok(if findings.is_empty() { Exit::Done } else { Exit::Findings })
}

/// `report.html:3: [inline-handler] …`
pub(in crate::cli) fn text(finding: &Finding) -> String {
    let file = one_line(&finding.file);
    let message = one_line(&finding.message);
    format!("{file}:{}: [{}] {message}", finding.line, finding.rule.slug())
}

fn as_json(findings: &[Finding]) -> serde_json::Value {
    findings
        .iter()
        .map(|it| {
            serde_json::json!({
                "file": it.file, "line": it.line, "rule": it.rule.slug(), "message": it.message,
            })
        })
        .collect()
}
