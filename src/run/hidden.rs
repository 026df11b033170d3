//! Names in a notebook's folder that do not exist for the run: the one list, which the sandbox's view and the key of
//! the cache both follow.
//!
//! In: a folder, and the `inputs` of its notebook. Out: the paths below it that are hidden. Follows no link.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::process::interrupt;
use crate::source::patterns::{PatternBudget, TooManyPatterns};

/// Names, at every depth and in any case, that hold credentials, what was typed, or a project's history. Nothing but
/// `--read` shows them: `inputs` may have come with the notebook. Written as in `.gitignore`; the reasons are in
/// `docs/security.md`.
pub const CREDENTIALS: [&str; 97] = [
    // Histories of projects, which hold what was deleted, and remotes with passwords.
    ".git",
    ".hg",
    ".svn",
    ".bzr",
    ".jj",
    // Variables with secrets.
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    ".Renviron",
    ".secrets",
    // Logins of hosts, databases and registries.
    ".netrc",
    "_netrc",
    ".pypirc",
    ".npmrc",
    ".yarnrc*",
    ".pgpass",
    "pgpass.conf",
    ".my.cnf",
    ".mylogin.cnf",
    ".git-credentials",
    ".dockercfg",
    ".dockerconfigjson",
    ".htpasswd",
    "htpasswd",
    ".s3cfg",
    ".boto",
    ".databrickscfg",
    "profiles.yml",
    "profiles.yaml",
    "kaggle.json",
    "rclone.conf",
    "kubeconfig*",
    "*.kubeconfig",
    "*.ovpn",
    "credentials*",
    "*credentials.json",
    "secrets.toml",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "*.secret",
    "*.secrets",
    // Tokens of clouds.
    "client_secret*",
    "service-account*",
    "service_account*",
    "*service-account*.json",
    "*service_account*.json",
    "gha-creds-*",
    "token.json",
    "token.pickle",
    "accessTokens.json",
    "msal_token_cache*",
    ".vault-token",
    // State and variables of Terraform.
    "*.tfstate",
    "*.tfstate.*",
    "*.tfvars",
    "*.tfvars.json",
    ".terraform*",
    // Keys and stores of keys.
    "*.pem",
    "*.key",
    "*.p8",
    "*.ppk",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.kdb",
    "*.keychain*",
    "*.keyring",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    // Folders where programs keep such things.
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".kube",
    ".docker",
    ".config",
    ".local",
    ".mozilla",
    ".password-store",
    ".dbt",
    ".kaggle",
    ".huggingface",
    ".snowflake",
    ".snowsql",
    ".oci",
    ".m2",
    // What was typed into shells and interpreters.
    ".*history",
    "*_history",
    ".RData",
    ".ipython",
    ".jupyter",
];

/// Most names in a folder; each must be looked at.
pub const MOST_NAMES: usize = 500_000;
/// Most paths that are hidden; each takes a place in the run's private layer, which has 65,536.
const MOST_HIDDEN: usize = 32_768;

/// Why a folder cannot be shown in part.
#[derive(Debug, thiserror::Error)]
pub enum HiddenError {
    /// A pattern is none.
    #[error("the `inputs` pattern `{pattern}` is not valid: {source}")]
    Pattern {
        /// As the author wrote it.
        pattern: String,
        /// What is wrong with it.
        source: ignore::Error,
    },
    /// The list of patterns is too long.
    #[error("`inputs` cannot be used: {0}; {help}", help = TooManyPatterns::HELP)]
    TooManyPatterns(#[from] TooManyPatterns),
    /// Patterns that are valid each for itself cannot be used together.
    #[error("the patterns of `inputs` cannot be used together: {0}")]
    Patterns(ignore::Error),
    /// The user asked nbc to stop.
    #[error("nbc was stopped while it looked through `{path}`")]
    Interrupted {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// It holds too much.
    #[error(
        "`{path}` holds more than {MOST_NAMES} files, or more than {MOST_HIDDEN} that are hidden: too many to show a \
         part of it"
    )]
    TooMany {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// A part of it cannot be looked at, and so not be hidden.
    #[error("`{path}` cannot be looked through")]
    Unreadable {
        /// The folder.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a notebook lists of its own folder.
#[derive(Debug)]
pub struct Listed<'a> {
    /// Name of the notebook's file.
    pub notebook: &'a str,
    patterns: Gitignore,
    /// Those that spell a name with a dot.
    dotted: Gitignore,
}

impl<'a> Listed<'a> {
    /// Reads the patterns.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn new(notebook: &'a str, patterns: &[String]) -> Result<Self, HiddenError> {
        let mut budget = PatternBudget::of_list();
        patterns.iter().try_for_each(|it| budget.take(it))?;
        let patterns = patterns.iter().map(String::as_str);
        let spells_dot =
            |it: &&str| it.starts_with('!') || it.split('/').any(|it| it.starts_with('.'));
        let dotted = matcher(patterns.clone().filter(spells_dot), false)?;
        Ok(Self { notebook, patterns: matcher(patterns, false)?, dotted })
    }

    /// Whether a pattern names a path. Below a name with a dot counts only one that spells such a name, so that `*`
    /// does not show what tools hide.
    fn holds(&self, path: &Utf8Path, is_folder: bool, is_in_dot: bool) -> bool {
        let patterns = if is_in_dot { &self.dotted } else { &self.patterns };
        patterns.matched_path_or_any_parents(path, is_folder).is_ignore()
    }
}

fn matcher<'a>(
    patterns: impl Iterator<Item = &'a str>,
    is_any_case: bool,
) -> Result<Gitignore, HiddenError> {
    let mut builder = GitignoreBuilder::new("");
    let refused =
        |pattern: &str, source| HiddenError::Pattern { pattern: pattern.to_owned(), source };
    builder.case_insensitive(is_any_case).map_err(HiddenError::Patterns)?;
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(|it| refused(pattern, it))?;
    }
    builder.build().map_err(HiddenError::Patterns)
}

/// The paths below a folder, relative to it and sorted, that are hidden from the run; a folder of which nothing is seen
/// is named as a whole. `own` are paths that nbc makes.
///
/// # Errors
/// When the folder holds too much, or cannot be read; see [`HiddenError`].
pub fn below(
    folder: &Utf8Path,
    own: &[Utf8PathBuf],
    listed: Option<&Listed<'_>>,
) -> Result<Vec<Utf8PathBuf>, HiddenError> {
    let credentials = matcher(CREDENTIALS.into_iter(), true)?;
    let mut walk = Walk { folder, own, listed, credentials, names: 0, hidden: Vec::new() };
    walk.below(Utf8Path::new(""), false)?;
    let mut hidden = walk.hidden;
    hidden.sort();
    Ok(hidden)
}

struct Walk<'a> {
    folder: &'a Utf8Path,
    own: &'a [Utf8PathBuf],
    listed: Option<&'a Listed<'a>>,
    credentials: Gitignore,
    names: usize,
    hidden: Vec<Utf8PathBuf>,
}

impl Walk<'_> {
    /// Adds what is hidden below a folder; tells whether anything there is seen.
    fn below(&mut self, folder: &Utf8Path, is_in_dot: bool) -> Result<bool, HiddenError> {
        let path = self.folder.join(folder);
        let entries = match path.read_dir_utf8() {
            Ok(entries) => entries,
            // What nbc may not read, the run may not either.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(HiddenError::Unreadable { path, source }),
        };
        let mut is_seen = false;
        for entry in entries.flatten() {
            if interrupt::is_requested() {
                return Err(HiddenError::Interrupted { path: self.folder.to_owned() });
            }
            self.names += 1;
            if self.names > MOST_NAMES || self.hidden.len() > MOST_HIDDEN {
                return Err(HiddenError::TooMany { path: self.folder.to_owned() });
            }
            let path = folder.join(entry.file_name());
            let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
            let before = self.hidden.len();
            let is_shown = self.is_shown(&path, is_folder, is_in_dot)?;
            if !is_shown {
                self.hidden.truncate(before);
                self.hidden.push(path);
            }
            is_seen |= is_shown;
        }
        Ok(is_seen)
    }

    fn is_shown(
        &mut self,
        path: &Utf8Path,
        is_folder: bool,
        is_in_dot: bool,
    ) -> Result<bool, HiddenError> {
        if self.listed.is_some_and(|it| path == it.notebook) {
            return Ok(true);
        }
        let is_credential = self.credentials.matched(path, is_folder).is_ignore();
        if is_credential || self.own.iter().any(|it| it == path) {
            return Ok(false);
        }
        let is_in_dot = is_in_dot || path.file_name().is_some_and(|it| it.starts_with('.'));
        let Some(listed) = self.listed else {
            if !is_in_dot && is_folder {
                self.below(path, false)?;
            }
            return Ok(!is_in_dot);
        };
        if !is_folder {
            return Ok(listed.holds(path, false, is_in_dot));
        }
        let has_seen = self.below(path, is_in_dot)?;
        Ok(has_seen || listed.holds(path, true, is_in_dot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(names: &[&str], inputs: Option<&[&str]>) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for name in names {
            fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs_err::write(root.join(name), "").unwrap();
        }
        let patterns = inputs.unwrap_or_default().iter().map(|it| (*it).to_owned());
        let patterns: Vec<String> = patterns.collect();
        let listed = inputs.map(|_| Listed::new("nb.py", &patterns).unwrap());
        let found = below(root, &[], listed.as_ref()).unwrap();
        found.into_iter().map(Utf8PathBuf::into_string).collect()
    }

    #[test]
    fn credentials_and_names_with_a_dot_are_hidden_at_every_depth() {
        let bad = [
            "a/.x/y",
            "a/b/.dvc",
            "a/server.pem",
            "a/b/c/tls.KEY",
            "id_rsa",
            "a/id_ed25519.pub",
            "a/secrets.toml",
            "dbt/profiles.yml",
            "a/credentials.json",
            "Credentials",
            "a/.Renviron",
            "a/.python_history",
            "psql_history",
            "a/vault.kdbx",
            "a/x.tfstate",
            "a/x.tfstate.backup",
            "gha-creds-0f.json",
            "a/prod.env",
            "my-service-account-1.json",
            "a/release.jks",
            "a/id.p12",
        ];
        for name in bad {
            let found = hidden(&["nb.py", "a/data.csv", name], None);
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(name.starts_with(found.first().unwrap().as_str()), "{name}: {found:?}");
            // `inputs` may be foreign; only dots that are no credentials can be had by them.
            let found = hidden(&["nb.py", name], Some(&["*", "**/*", name]));
            assert_eq!(
                found.is_empty(),
                name.contains(".x/") || name.contains(".dvc"),
                "{name}: {found:?}"
            );
        }
        let good = [
            "nb.py",
            "a/keys.csv",
            "a/monkey",
            "a/environment.yml",
            "b/tokenizer.json",
            "a/history.csv",
        ];
        assert!(hidden(&good, None).is_empty());
    }

    #[test]
    fn inputs_show_a_name_with_a_dot_only_where_they_spell_the_dot() {
        let names = [".app/a.csv", ".app/b.txt", "x/.app/c.csv", "nb.py"];
        assert_eq!(hidden(&names, Some(&["*"])), [".app", "x/.app"]);
        assert_eq!(hidden(&names, Some(&["*", "/.app/*.csv"])), [".app/b.txt", "x/.app"]);
        assert!(hidden(&names, Some(&[".app", "x"])).is_empty());
    }

    #[test]
    fn each_name_is_in_the_docs() {
        let text = include_str!("../../docs/security.md");
        for name in CREDENTIALS {
            assert!(text.contains(&format!("`{name}`")), "{name}");
        }
    }
}
