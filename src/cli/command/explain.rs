//! `nbc explain`: what a diagnostic code means.

use crate::cli::Exit;
use crate::cli::args::Explain;
use crate::cli::printer::Printer;
use crate::diagnostic::Code;
use crate::driver::Failure;

pub(in crate::cli) fn run(arguments: &Explain, printer: Printer) -> Result<Exit, Failure> {
    let Some(wanted) = &arguments.code else {
        for code in Code::ALL {
            printer.result(&format!("{} {}\n", code.number(), code.slug()));
        }
        return Ok(Exit::Done);
    };
    let Some(code) = Code::find(wanted) else {
        return Err(Failure {
            message: format!("there is no code `{wanted}`"),
            help: Some("`nbc explain` lists all codes".to_owned()),
        });
    };
    printer.result(&format!(
        "{} {}\n\n{}",
        code.number(),
        code.slug(),
        trimmed(code.explanation())
    ));
    Ok(Exit::Done)
}

/// Doc comments begin each line with a space.
fn trimmed(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim())).collect()
}
