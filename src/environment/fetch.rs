//! The source archive of a package that has no wheel, fetched and not run.

use super::install::InstallError;
use super::installer::{Installer, Program, cache_error, read, without_credentials};
use super::names::normalized;
use super::source::{Fetched, LARGEST, Source};
use camino::Utf8Path;

/// Fetches a source archive, with the code of the interpreter's own pip.
const FETCH: &str = include_str!("source/fetch.py");
/// The index of uv when nothing names one.
const DEFAULT_INDEX: &str = "https://pypi.org/simple";

impl Installer<'_> {
    /// Fetches the source archive of a package: the newest that fits, or the one with a digest. Runs none of
    /// it: no tool is asked for metadata, which may be made by the package's code.
    pub(super) fn fetch(
        &self,
        package: &str,
        specifiers: &str,
        digest: Option<&str>,
    ) -> Result<Fetched, InstallError> {
        #[derive(serde::Deserialize)]
        struct Told {
            version: String,
            url: String,
            sha256: String,
            file: String,
        }
        let failed = |reason: String| InstallError::Build { package: package.to_owned(), reason };
        let folder = self.folder.join(format!("source-{package}"));
        fs_err::create_dir(&folder).map_err(cache_error(&folder))?;
        let fetch = self.base_python().args(["-c", FETCH, package, specifiers]);
        let most = LARGEST.to_string();
        let fetch = fetch.args([digest.unwrap_or_default(), folder.as_str(), &most]);
        let fetch = match &self.program {
            // uv takes indexes from its own settings, not from those of pip.
            Program::Uv(uv) => fetch.env("NBC_INDEXES", self.uv_indexes(uv, package)?.join("\n")),
            Program::Pip => fetch,
        };
        let output = self.run(fetch, package)?;
        if !output.status.success() {
            if let Some(error) = self.refused_way(&format!("`{package}`")) {
                return Err(error);
            }
            let said = without_credentials(&String::from_utf8_lossy(&output.stderr));
            let last = said.trim().lines().next_back().unwrap_or_default();
            let last = match last.split_once("No module named 'pip") {
                Some(_) => "fetching it takes pip, which this Python does not have",
                None => last,
            };
            return Err(failed(format!("its source cannot be fetched: {last}")));
        }
        let told: Told = serde_json::from_str(&read(&folder.join("fetched.json"))?)
            .map_err(|error| failed(error.to_string()))?;
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.!+".contains(it);
        if !told.version.chars().all(is_plain) {
            return Err(failed(format!("`{}` is no version", told.version.escape_debug())));
        }
        let Told { version, url, sha256: digest, file } = told;
        let source = Source { name: normalized(package), version, digest };
        Ok(Fetched { source, url, archive: folder.join(file) })
    }

    /// The indexes of uv's settings, the first that is asked first.
    fn uv_indexes(&self, uv: &Utf8Path, package: &str) -> Result<Vec<String>, InstallError> {
        let nothing = self.folder.join("nothing.txt");
        fs_err::write(&nothing, "").map_err(cache_error(&nothing))?;
        let options = ["pip", "compile", "--emit-index-url", "--no-header", "--python"];
        let asked = self.uv(uv).args(options).arg(self.interpreter.program.as_str());
        let output = asked.arg(nothing.as_str()).run()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // Another index than the user's may have another package of that name.
        if !output.status.success() || text.lines().any(|it| it.trim() == "--no-index") {
            let reason = "uv tells no index to fetch its source from".to_owned();
            return Err(InstallError::Build { package: package.to_owned(), reason });
        }
        let of = |option: &str| -> Vec<String> {
            let found = text.lines().filter_map(|it| it.strip_prefix(option)?.strip_prefix(' '));
            found.map(|it| it.trim().to_owned()).collect()
        };
        let mut indexes = of("--extra-index-url");
        match of("--index-url") {
            default if !default.is_empty() => indexes.extend(default),
            _ => indexes.push(DEFAULT_INDEX.to_owned()),
        }
        Ok(indexes)
    }
}
