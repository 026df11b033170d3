//! Paths of a [`Job`] without a file system view of its own: `/nb` becomes the notebook's folder on the host.

use std::hash::{BuildHasher, RandomState};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::job::Job;

/// Maps paths of a job to paths on the host. Dropping it removes the private temporary folder.
#[derive(Debug, Default)]
pub struct Relocation {
    /// Path inside, path on the host; the longest path inside comes first.
    places: Vec<(Utf8PathBuf, Utf8PathBuf)>,
    temporary: Option<Utf8PathBuf>,
}

impl Drop for Relocation {
    fn drop(&mut self) {
        if let Some(folder) = &self.temporary {
            // The second stage, which made it, has removed it already, unless it was killed.
            drop(fs_err::remove_dir_all(folder));
        }
    }
}

impl Relocation {
    /// The map of a run with a view of its own: every path stays the same.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// Every mount lies at its place on the host, and `/tmp` in a folder that is to be made: by the second
    /// stage, which removes it even if nbc is killed meanwhile.
    ///
    /// # Errors
    /// There is no folder for temporary files.
    pub fn onto_host(job: &Job) -> io::Result<Self> {
        let parent = Utf8PathBuf::from_path_buf(std::env::temp_dir().canonicalize()?)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidFilename))?;
        // Nobody else may guess the name, and make the folder first.
        let folder = parent.join(format!("nbc-run-{:016x}", RandomState::new().hash_one(())));
        let mounts = job.mounts.iter().map(|it| (it.inside.clone(), it.host.clone()));
        let mut places: Vec<_> = mounts.chain([("/tmp".into(), folder.clone())]).collect();
        places.sort_by_key(|(inside, _)| std::cmp::Reverse(inside.as_str().len()));
        Ok(Self { places, temporary: Some(folder) })
    }

    /// The private temporary folder, where the host's own view is used.
    #[must_use]
    pub fn temporary(&self) -> Option<&Utf8Path> {
        self.temporary.as_deref()
    }

    /// The path on the host for a path of the job.
    #[must_use]
    pub fn path(&self, inside: &Utf8Path) -> Utf8PathBuf {
        let place =
            self.places.iter().find_map(|(from, to)| Some((inside.strip_prefix(from).ok()?, to)));
        match place {
            Some((rest, to)) if rest.as_str().is_empty() => to.clone(),
            Some((rest, to)) => to.join(rest),
            None => inside.to_owned(),
        }
    }

    /// The job with its paths on the host: program, arguments, environment, working folder.
    #[must_use]
    pub fn job(&self, job: &Job) -> Job {
        let mut moved = job.clone();
        if self.places.is_empty() {
            return moved;
        }
        let text = |text: &str| self.path(Utf8Path::new(text)).into_string();
        moved.program = self.path(&job.program);
        moved.working_folder = self.path(&job.working_folder);
        moved.arguments = job.arguments.iter().map(|it| text(it)).collect();
        for value in moved.environment.values_mut() {
            *value = value.split(':').map(text).collect::<Vec<_>>().join(":");
        }
        moved
    }

    /// Paths of the host that the run can see, each with the path that a page shows instead; the longest
    /// first.
    #[must_use]
    pub fn masks(&self) -> Vec<(String, String)> {
        let mut masks: Vec<_> = self
            .places
            .iter()
            .filter(|(inside, host)| inside != host)
            .map(|(inside, host)| (host.to_string(), inside.to_string()))
            .collect();
        masks.sort_by_key(|(host, _)| std::cmp::Reverse(host.len()));
        masks
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::job::{Access, Limits, Mount, Openings};

    fn job() -> Job {
        let mount = |host: &str, inside: &str| Mount {
            host: host.into(),
            inside: inside.into(),
            access: Access::ReadOnly,
        };
        Job {
            program: "/env/bin/python".into(),
            arguments: vec!["-s".to_owned(), "/runner/main.py".to_owned()],
            environment: BTreeMap::from([("PATH".to_owned(), "/env/bin:/usr/bin".to_owned())]),
            mounts: vec![
                mount("/cache/e", "/env"),
                mount("/home/a/nb", "/nb"),
                mount("/cache/r", "/runner"),
            ],
            working_folder: "/nb".into(),
            limits: Limits {
                wall: Duration::ZERO,
                cpu: Duration::ZERO,
                memory: 0,
                processes: 0,
                open_files: 0,
                file_size: 0,
                temporary: 0,
                console: 0,
            },
            openings: Openings::default(),
        }
    }

    #[test]
    fn paths_of_a_job_become_paths_of_the_host() {
        let relocation = Relocation::onto_host(&job()).expect("a temporary folder");
        let moved = relocation.job(&job());
        assert_eq!(moved.program, "/cache/e/bin/python");
        assert_eq!(moved.arguments, ["-s", "/cache/r/main.py"]);
        assert_eq!(moved.working_folder, "/home/a/nb");
        assert_eq!(
            moved.environment.get("PATH").map(String::as_str),
            Some("/cache/e/bin:/usr/bin")
        );
        assert_eq!(relocation.path(Utf8Path::new("/nbx")), "/nbx");
        let shown = relocation.masks();
        assert!(shown.contains(&("/home/a/nb".to_owned(), "/nb".to_owned())));
    }

    #[test]
    fn a_run_with_its_own_view_moves_nothing() {
        let moved = Relocation::nowhere().job(&job());
        assert_eq!(
            (moved.program.as_str(), moved.working_folder.as_str()),
            ("/env/bin/python", "/nb")
        );
    }
}
