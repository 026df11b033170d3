//! `nbc cache`: what earlier builds found out.

use serde_json::json;

use crate::cache::{Cache, DEFAULT_SIZE, Usage};
use crate::cli::Exit;
use crate::cli::args::{CacheCommand, ReportFormat};
use crate::cli::printer::Printer;
use crate::diagnostic::one_line;
use crate::driver::{Failure, cache_folder, counted};

pub(in crate::cli) fn run(command: &CacheCommand, printer: Printer) -> Result<Exit, Failure> {
    if let CacheCommand::Why(arguments) = command {
        return super::why::run(arguments, printer);
    }
    let cache = Cache::below(&cache_folder()?, DEFAULT_SIZE);
    match command {
        CacheCommand::Stats { format } => stats(&cache, *format, printer),
        CacheCommand::Clear => clear(&cache, printer),
        CacheCommand::Verify | CacheCommand::Why(_) => verify(&cache, printer),
    }
}

fn size(usage: Usage) -> String {
    let entries = usize::try_from(usage.entries).unwrap_or(usize::MAX);
    let entries = match entries {
        1 => "1 entry".to_owned(),
        several => format!("{several} entries"),
    };
    format!("{entries}, {}", indicatif::BinaryBytes(usage.bytes))
}

fn stats(cache: &Cache, format: ReportFormat, printer: Printer) -> Result<Exit, Failure> {
    let all = cache.usage();
    match format {
        ReportFormat::Json => {
            let kinds: serde_json::Map<String, serde_json::Value> = all
                .into_iter()
                .map(|(kind, it)| {
                    let usage = json!({ "entries": it.entries, "bytes": it.bytes });
                    (kind.name().to_owned(), usage)
                })
                .collect();
            let report = json!({ "folder": cache.folder(), "kinds": kinds });
            printer.json(&format!("{report:#}\n"));
        }
        ReportFormat::Text => {
            printer.result(&format!("{}\n", cache.folder()));
            for (kind, usage) in all {
                printer.result(&format!("{:<14}{}\n", kind.name(), size(usage)));
            }
        }
    }
    Ok(Exit::Done)
}

fn clear(cache: &Cache, printer: Printer) -> Result<Exit, Failure> {
    printer.line(&format!("removed {}", size(cache.clear()?)));
    Ok(Exit::Done)
}

fn verify(cache: &Cache, printer: Printer) -> Result<Exit, Failure> {
    let (whole, damaged) = cache.verify()?;
    for (path, reason) in &damaged {
        printer.result(&format!("{}\n", one_line(&format!("{path}: {reason}"))));
    }
    let whole = usize::try_from(whole).unwrap_or(usize::MAX);
    let number = counted(damaged.len(), "file");
    printer.line(&format!(
        "{} whole, {number} damaged or foreign",
        counted(whole, "entry").replace("entrys", "entries")
    ));
    if damaged.is_empty() {
        return Ok(Exit::Done);
    }
    printer.help("builds pass over them; `nbc cache clear` removes everything");
    Ok(Exit::Findings)
}
