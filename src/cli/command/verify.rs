//! `nbc verify`: phase 10 on a folder.

use crate::cli::Exit;
use crate::cli::printer::Printer;
use crate::driver::Failure;
use crate::verify::command::Arguments;

pub(in crate::cli) fn run(arguments: &Arguments, printer: Printer) -> Result<Exit, Failure> {
    let answer = arguments.answer()?;
    printer.document(&answer.result);
    if let Some(remark) = &answer.remark {
        printer.line(remark);
    }
    Ok(if answer.has_findings { Exit::Findings } else { Exit::Done })
}
