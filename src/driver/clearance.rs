//! A run's record to one that may be shown: without values of secrets, and without names and paths of the machine.

use super::allowed::Allowed;
use super::exposure;
use super::told_errors::{self, ErrorRules};
use crate::diagnostic::Diagnostic;
use crate::notebook::Notebook;
use crate::output::mask::Masks;
use crate::run::RunRecord;
use crate::run::record::{Facts, RawOutput, StreamName};
use crate::secret::Scanner;

/// Something of a run that was looked through. Only [`clear`] makes one, and pages are made of nothing else.
#[derive(Debug)]
pub(super) struct Cleared<T>(T);

impl<T> Cleared<T> {
    pub(super) fn get(&self) -> &T {
        &self.0
    }
}

impl Cleared<RunRecord> {
    /// Notes how it ran.
    pub(super) fn with_facts(mut self, facts: Facts) -> Self {
        self.0.facts = Some(facts);
        self
    }

    /// Notes the digest of the notebook that ran, for a record that is kept.
    pub(super) fn of_source(mut self, digest: String) -> Self {
        self.0.source = Some(digest);
        self
    }
}

/// Rules that decide whether a record may be shown.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    /// Values that nbc was given.
    pub(super) scanner: &'a Scanner,
    /// Texts that look like secrets and are none.
    pub(super) allowed: &'a Allowed,
    /// Names and paths of the machine.
    pub(super) masks: &'a Masks,
    /// Errors that readers may see.
    pub(super) errors: ErrorRules,
}

/// Looks through a record, and takes the machine's names and paths out of it. `None` when it holds a secret.
pub(super) fn clear(
    mut record: RunRecord,
    notebook: &Notebook,
    rules: Rules<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Cleared<RunRecord>> {
    let mut exposed = exposure::in_record(&mut record, notebook, rules.scanner);
    exposed.extend(exposure::leaks_in_record(&mut record, notebook, rules.allowed));
    told_errors::tell(&mut record, notebook, rules.errors);
    leave_out_warnings(&mut record, notebook);
    let masked = rules.masks.record(&mut record);
    diagnostics.extend(exposure::masked(notebook, masked));
    let is_clear = exposed.is_empty();
    diagnostics.extend(exposed);
    is_clear.then_some(Cleared(record))
}

/// Takes out what cells wrote to standard error whose author does not want warnings shown.
fn leave_out_warnings(record: &mut RunRecord, notebook: &Notebook) {
    for (id, run) in record.runs_mut() {
        if notebook.cell(id).is_some_and(|it| it.options.hide_warnings) {
            let is_warning =
                |it: &RawOutput| matches!(it, RawOutput::Stream { name: StreamName::Stderr, .. });
            run.outputs.retain(|it| !is_warning(it));
        }
    }
}
