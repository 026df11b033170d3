//! One build, from a project to a published site: no command line, no terminal.
//!
//! [`Project::open`] finds the notebooks and merges [`Options`] with `nbc.toml`; [`Project::compile`] runs what has to
//! run, several notebooks at once, and makes their pages; [`Compiled::publish`] lays out the site, proves it, and puts
//! it in place. [`Project::render`] makes the page of a recorded run in the same way. A [`Cancel`] of the options stops
//! them from another thread, each build apart.
//!
//! ```no_run
//! use nbc::driver::{self, Failure, Options, Project};
//! use nbc::run::Unobserved;
//!
//! fn publish() -> Result<(), Failure> {
//!     let options = Options { title: Some("Reports".to_owned()), ..Options::default() };
//!     let project = Project::open(&["notebooks".into()], options)?;
//!     let destination = driver::claim("site".into())?;
//!     let Some(compiled) = project.compile(&destination, &Unobserved)? else { return Ok(()) };
//!     for finding in compiled.findings() {
//!         eprintln!("{}", finding.message);
//!     }
//!     if compiled.is_publishable() {
//!         compiled.publish(destination)?;
//!     }
//!     Ok(())
//! }
//! ```

use camino::Utf8PathBuf;

use crate::cache;

mod allowed;
mod analysis;
mod anchors;
mod basis;
mod ceilings;
mod clearance;
mod code;
mod compiled;
mod document;
mod events;
mod exposure;
mod failure;
mod failures;
mod grants;
mod ignored;
mod inputs;
mod last_site;
mod left_out;
mod limits;
mod linked_files;
mod links;
mod locked_pictures;
mod looks;
mod named_pictures;
mod offered;
mod options;
mod package_builder;
mod page;
mod page_key;
mod pairs;
mod preparation;
mod project;
mod quarto;
mod remote;
mod rendering;
mod runtimes;
mod schedule;
mod states;
mod texts;
mod timings;
mod told_errors;
mod trust;
mod unit;
mod unmatched;
mod why;
mod workers;

pub use crate::interrupt::Cancel;
pub use analysis::{Analyzed, analyze_all};
pub use compiled::{Compiled, NotPublished, Published, claim};
pub use events::{Events, Warning, counted};
pub use failure::Failure;
pub use grants::{SecretFile, SecretFileError};
pub use inputs::{Input, InputError};
pub use locked_pictures::PictureReport;
pub use options::{Goal, IsolationLevel, Memory, Options, Publishing, Runtime};
pub use package_builder::PackageBuilder;
pub(crate) use page_key::host_key;
pub use preparation::Preparation;
pub use project::{Checked, ListedStates, Project, folder_of};
pub use states::{ChosenValue, Listed};
pub(crate) use texts::Digests;
pub use timings::Timings;
pub use trust::{AllowedIsland, AllowedIslandError};
pub use why::{Part, Verdict, Why, why};

/// The folder of the cache, which is the user's own: whoever could write to it would decide what is run.
pub(crate) fn cache_folder() -> Result<Utf8PathBuf, cache::CacheFolderError> {
    cache::claim(&cache::locate()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::run::Unobserved;

    #[test]
    fn two_builds_are_stopped_apart() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(folder.path().to_owned()).unwrap();
        let stored = r#"{"cells": [{"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "1",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "one"}]}],
            "metadata": {}, "nbformat": 4, "nbformat_minor": 4}"#;
        fs_err::write(root.join("a.ipynb"), stored).unwrap();
        let opened = |cancel: &Cancel| {
            let options = Options { cancel: cancel.clone(), ..Options::default() };
            Project::open(&[root.join("a.ipynb")], options)
        };
        let built = |name: &str, project: &Project| {
            let destination = claim(&root.join(name)).unwrap();
            let compiled = project.compile(&destination, &Unobserved).unwrap()?;
            assert!(compiled.is_publishable());
            compiled.publish(destination).ok()
        };
        let (one, other) = (Cancel::default(), Cancel::default());
        let both = Barrier::new(2);
        std::thread::scope(|scope| {
            let stopped = scope.spawn(|| {
                let project = opened(&one).unwrap();
                one.cancel();
                both.wait();
                built("one", &project).is_none()
            });
            let project = opened(&other).unwrap();
            both.wait();
            assert!(built("other", &project).is_some());
            assert!(stopped.join().unwrap());
        });
        assert!(root.join("other/a.html").is_file() && !root.join("one").exists());
        assert!(built("one", &opened(&Cancel::default()).unwrap()).is_some());
    }
}
