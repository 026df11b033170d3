//! `nbc build`: notebooks to a site.

use crate::cli::anchor::DigestFile;
use crate::cli::args::{Build, Format};
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::unchanged::{Dependencies, LastBuild};
use crate::cli::{Exit, print_failure};
use crate::driver::{
    self, Compiled, Failure, Goal, NotPublished, Project, Published, Timings, counted,
};
use crate::interrupt::Cancel;
use crate::publish::Destination;
use crate::verify::command::line;

pub(in crate::cli) fn run(arguments: &Build, printer: Printer) -> Result<Exit, Failure> {
    Cancel::current().on_signals()?;
    let progress = Progress::new(printer, arguments.timings);
    let project = Project::open_for(Goal::Site, &arguments.inputs, arguments.options(), &progress)?;
    let last = LastBuild::of(arguments, &project, printer);
    let repeated = last.as_ref().and_then(|it| it.repeat(&project, printer));
    if let Some((pages, manifest)) = repeated {
        if let Some(file) = digest_file(arguments)? {
            file.keep(&manifest)?;
        }
        say_done(arguments, printer, || {
            let (pages, folder) = (counted(pages, "page"), &arguments.output);
            vec![
                format!("nothing has changed: {pages} in {folder} as the last build left them"),
                format!("manifest digest: {manifest}"),
            ]
        });
        tell_timings(arguments, project.timings(), printer);
        return Ok(Exit::Done);
    }
    let destination = driver::claim(&arguments.output)?;
    let digest_file = digest_file(arguments)?;
    let folder = destination.folder().to_owned();
    let compiled = project.compile(&destination, &progress);
    progress.finish();
    let Some(compiled) = compiled? else {
        printer.warning(&format!("interrupted; `{folder}` is as it was"));
        return Ok(Exit::Interrupted);
    };
    // Only findings about the notebooks are remembered, not those about this build.
    Printer::remember();
    tell(&compiled, arguments.format, printer);
    let errors = compiled.errors();
    if !compiled.is_publishable() {
        printer.error(&format!(
            "nothing was published: {} in {}; `{folder}` is as it was",
            counted(errors, "error"),
            counted(compiled.notebooks(), "notebook"),
        ));
        let is_at_fault = compiled.failures().is_empty();
        return Ok(if is_at_fault { Exit::Findings } else { Exit::Failed });
    }
    let dependencies = last.as_ref().map(|_| Dependencies::of(&project, &compiled));
    let Some(published) = publish(compiled, destination, printer)? else {
        return Ok(Exit::Failed);
    };
    if let Some(file) = digest_file {
        file.keep(&published.manifest)?;
    }
    if let (Some(last), Some(dependencies), 0) = (last, dependencies, errors) {
        last.keep(dependencies, Printer::remembered(), &published);
    }
    say_done(arguments, printer, || {
        let (pages, changed) = (counted(published.pages, "page"), published.changed);
        vec![
            format!("built {pages} into {folder}: {} new or changed", counted(changed, "file")),
            format!("manifest digest: {}", published.manifest),
        ]
    });
    tell_timings(arguments, project.timings(), printer);
    Ok(if errors == 0 { Exit::Done } else { Exit::Findings })
}

fn digest_file(arguments: &Build) -> Result<Option<DigestFile>, Failure> {
    let file = arguments.digest_file.as_deref();
    file.map(|it| DigestFile::claim(it, &arguments.output)).transpose()
}

/// Prints what was found.
pub(super) fn tell(compiled: &Compiled<'_>, format: Format, printer: Printer) {
    for warning in compiled.warnings() {
        printer.warning(&warning.message);
        warning.help.iter().for_each(|it| printer.help(it));
    }
    compiled.failures().iter().for_each(|it| print_failure(it, printer));
    let format = match format {
        Format::Full if compiled.shows_secret() => Format::Concise,
        format => format,
    };
    printer.diagnostics(compiled.findings(), compiled.sources(), format);
}

/// Publishes pages. `None` when the site does not pass verification, which is told.
pub(super) fn publish(
    compiled: Compiled<'_>,
    destination: Destination,
    printer: Printer,
) -> Result<Option<Published>, Failure> {
    match compiled.publish(destination) {
        Ok(published) => {
            published.left.iter().for_each(|it| printer.warning(&it.to_string()));
            Ok(Some(published))
        }
        Err(NotPublished::Failed(failure)) => Err(failure),
        Err(unverified @ NotPublished::Unverified { .. }) => {
            if let NotPublished::Unverified { findings, .. } = &unverified {
                findings.iter().for_each(|it| printer.line(&line(it)));
            }
            print_failure(&unverified.into(), printer);
            Ok(None)
        }
    }
}

/// Says what was done, unless other programs read the findings.
fn say_done(arguments: &Build, printer: Printer, lines: impl FnOnce() -> Vec<String>) {
    if !arguments.format.is_for_machines() {
        lines().iter().for_each(|it| printer.line(it));
    }
}

/// Prints the time spent in each phase, for people or for programs.
fn tell_timings(arguments: &Build, timings: &Timings, printer: Printer) {
    if arguments.timings {
        let is_json = arguments.format == Format::Json;
        printer.line(&if is_json { timings.json() } else { timings.table() });
    }
}
