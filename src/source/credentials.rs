//! Names of files and folders that hold credentials.
//!
//! In: a name. Out: whether it is one of the list. Looks at no file.

use std::borrow::Cow;

use camino::Utf8Path;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Names, at every depth and in any case, that hold credentials, what was typed, or a project's history. Nothing but
/// `--read` shows them: `inputs` may have come with the notebook. Written as in `.gitignore`; those with a `*` that do
/// not begin with a dot are names of files only, and of no program. The reasons are in `docs/security.md`.
pub const CREDENTIALS: &[&str] = &[
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
    ".flaskenv",
    ".Renviron",
    ".secret*",
    // Logins of hosts, databases and registries.
    ".netrc",
    "_netrc",
    "netrc",
    ".authinfo*",
    ".pypirc",
    ".pip",
    "pip.conf",
    "pip.ini",
    ".condarc",
    ".npmrc",
    ".yarnrc*",
    ".pgpass",
    "pgpass",
    "pgpass.conf",
    ".my.cnf",
    ".mylogin.cnf",
    ".git-credentials",
    ".dockercfg",
    ".dockerconfigjson",
    "auth.json",
    ".htpasswd",
    "htpasswd",
    ".s3cfg",
    ".boto",
    ".databrickscfg",
    "profiles.yml",
    "profiles.yaml",
    "kaggle.json",
    "rclone.conf",
    ".rclone.conf",
    "config.local",
    "kubeconfig*",
    "*.kubeconfig",
    "*.ovpn",
    "*.publishsettings",
    ".credentials*",
    "credentials*",
    "credentials",
    "*credentials.json",
    "*credentials.csv",
    "secrets",
    "secrets.d",
    "secret.toml",
    "secret.ini",
    "secret.txt",
    "secret.json",
    "secret.yaml",
    "secret.yml",
    "secrets.toml",
    "secrets.ini",
    "secrets.txt",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "vault.yml",
    "vault.yaml",
    "*.secret",
    "*.secrets",
    ".passw*",
    "password.txt",
    "passwords.txt",
    // Tokens of clouds.
    "client_secret*",
    "service-account*",
    "service_account*",
    "*service-account*.json",
    "*service_account*.json",
    "gha-creds-*",
    "rootkey.csv",
    "*accessKeys.csv",
    "azureauth.json",
    ".token*",
    "token",
    "token.txt",
    "token.json",
    "token.pickle",
    "hf_token",
    "api_key.txt",
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
    "keyrings",
    "secring.gpg",
    "wallet.dat",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*_ed25519",
    "deploy_key",
    "deploy_rsa",
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
    // Sessions of displays and browsers.
    ".Xauthority",
    ".ICEauthority",
    ".cookies*",
    "cookies.txt",
    // Histories of shells and interpreters.
    ".*history",
    "*_history",
    ".RData",
    ".ipython",
    ".jupyter",
];

/// Ends of the names of copies that editors and people leave beside a file.
const COPIES: [&str; 9] =
    ["~", ".bak", ".backup", ".orig", ".old", ".local", ".save", ".swp", ".copy"];
/// Files with code and text, which a name with a `*` does not mean.
const CODE: [&str; 4] = ["py", "ipynb", "md", "qmd"];

/// Tells names that hold credentials.
#[derive(Debug)]
pub struct Credentials {
    /// Names of files and folders.
    exact: Gitignore,
    /// Names of files that are no code.
    wide: Gitignore,
}

impl Credentials {
    /// Those of [`CREDENTIALS`].
    ///
    /// # Errors
    /// When one of the patterns is none, which a test rules out.
    pub fn new() -> Result<Self, ignore::Error> {
        Self::with(&[])
    }

    /// Those of [`CREDENTIALS`] and others; what begins with `!` is none.
    ///
    /// # Errors
    /// When one of the patterns is none.
    pub fn with(others: &[&str]) -> Result<Self, ignore::Error> {
        let list = |is_of_list: fn(&str) -> bool| {
            let mut builder = GitignoreBuilder::new("");
            builder.case_insensitive(true)?;
            for pattern in CREDENTIALS.iter().filter(|it| is_of_list(it)).chain(others) {
                builder.add_line(None, pattern)?;
            }
            builder.build()
        };
        Ok(Self { exact: list(|it| !is_wide(it))?, wide: list(is_wide)? })
    }

    /// Whether a path has such a name, or is a copy of a file with one. The folders above it are not asked.
    #[must_use]
    pub fn hold(&self, path: &Utf8Path, is_folder: bool) -> bool {
        let mut path = Cow::Borrowed(path);
        loop {
            if self.matches(&path, is_folder) {
                return true;
            }
            let Some(shorter) = COPIES.iter().find_map(|it| path.as_str().strip_suffix(it)) else {
                return false;
            };
            path = Cow::Owned(shorter.into());
        }
    }

    fn matches(&self, path: &Utf8Path, is_folder: bool) -> bool {
        let is_code = path.extension().is_some_and(|it| CODE.contains(&it));
        self.exact.matched(path, is_folder).is_ignore()
            || !is_folder && !is_code && self.wide.matched(path, false).is_ignore()
    }
}

/// Whether a pattern means many names, which may be those of honest folders and of programs.
fn is_wide(pattern: &str) -> bool {
    pattern.contains('*') && !pattern.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(name: &str, is_folder: bool) -> bool {
        Credentials::new().unwrap().hold(Utf8Path::new(name), is_folder)
    }

    #[test]
    fn copies_and_gaps_are_credentials() {
        for name in [
            "secrets.toml~",
            "secrets.toml.bak",
            "a/.netrc.orig.old",
            "server.key.save",
            "kaggle.json.local",
            "rootkey.csv",
            "bob_accessKeys.csv",
            "new_user_credentials.csv",
            "azureauth.json",
            "x.publishsettings",
            "pip.conf",
            "pip.ini",
            "auth.json",
            "netrc",
            "pgpass",
            "deploy_key",
            "deploy_rsa",
            "github_ed25519",
            "secrets.ini",
            "secret.json",
            "vault.yml",
            "token",
            "token.txt",
            "hf_token",
            "API_KEY.txt",
            "password.txt",
            "passwords.txt",
            "cookies.txt",
            "secring.gpg",
            "wallet.dat",
            ".dvc/config.local",
            ".condarc",
            ".authinfo.gpg",
            ".Xauthority",
            ".rclone.conf",
        ] {
            assert!(hold(name, false), "{name}");
        }
        for name in
            ["secrets", "secrets.d", ".env", ".secrets", "credentials", ".pip", ".terraform.d"]
        {
            assert!(hold(name, true), "{name}");
        }
    }

    #[test]
    fn a_wide_name_means_files_and_no_code() {
        for name in ["service_account_demo.py", "credentials_utils.py", "client_secret_notes.md"] {
            assert!(!hold(name, false), "{name}");
        }
        for name in ["order_history", "credentials_of_artists", "x.key"] {
            assert!(!hold(name, true), "{name}");
        }
        for name in ["psql_history", "credentials_prod", "client_secret_1.json", "x.key"] {
            assert!(hold(name, false), "{name}");
        }
    }

    #[test]
    fn each_name_is_in_the_docs() {
        let text = include_str!("../../docs/security.md");
        for name in CREDENTIALS {
            assert!(text.contains(&format!("`{name}`")), "{name}");
        }
    }
}
