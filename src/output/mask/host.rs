//! The host of a build: its names, nbc's folder, and variables that look secret.
//!
//! In: the environment of nbc's own process. Out: [`Host`]. Never read for a run that could not see the host.

use crate::secret::Secret;

/// Names of hosts and users that tell nothing, or are words of everybody's language.
const COMMON_NAMES: &[&str] = &[
    "admin",
    "administrator",
    "app",
    "appuser",
    "build",
    "builder",
    "buildkite",
    "circleci",
    "codespace",
    "container",
    "debian",
    "default",
    "docker",
    "fedora",
    "gitlab",
    "gitlab-runner",
    "gitpod",
    "guest",
    "home",
    "host",
    "jenkins",
    "jovyan",
    "jupyter",
    "laptop",
    "local",
    "localhost",
    "machine",
    "main",
    "nobody",
    "node",
    "notebook",
    "python",
    "root",
    "runner",
    "server",
    "test",
    "ubuntu",
    "user",
    "vagrant",
    "vscode",
    "work",
    "worker",
    "workspace",
];

/// Names of this host, and secrets of its environment.
#[derive(Debug, Default)]
pub struct Host {
    /// Names of the host and of its user, each with the word that is shown instead.
    pub names: Vec<(String, &'static str)>,
    /// The folder that nbc works in.
    pub workspace: Option<String>,
    /// Variables that look secret.
    pub secrets: Vec<(String, Secret)>,
}

impl Host {
    /// This host, from the environment of nbc's own process.
    pub fn this() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let user = ["USER", "LOGNAME", "USERNAME", "SUDO_USER"].into_iter().filter_map(variable);
        let host = ["HOSTNAME", "COMPUTERNAME"].into_iter().filter_map(variable);
        let host = host.chain(fs_err::read_to_string("/proc/sys/kernel/hostname").ok());
        let users = user.map(|it| (it.trim().to_owned(), "user"));
        let names = host.map(|it| (it.trim().to_owned(), "host")).chain(users);
        let workspace = std::env::current_dir().ok().and_then(|it| it.to_str().map(str::to_owned));
        let secrets = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            let is_secret = sounds_secret(&name) && value.len() >= 8;
            is_secret.then(|| (name, Secret::new(value)))
        });
        Self { names: names.collect(), workspace, secrets: secrets.collect() }
    }
}

/// Whether the value of a variable of this name is none of a reader's business.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    const PARTS: &[&str] =
        &["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY"];
    // `KEYBOARD` and `MONKEY` hold a key only as a word does.
    let has_word = name.split('_').any(|it| matches!(it, "KEY" | "KEYS" | "PASS" | "PWD" | "PAT"));
    let is_folder = matches!(name.as_str(), "PWD" | "OLDPWD") || name.starts_with("TOKENIZERS");
    !is_folder && (has_word || PARTS.iter().any(|it| name.contains(it)))
}

/// Whether a name tells nothing about this host.
pub(super) fn is_common(name: &str) -> bool {
    COMMON_NAMES.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_tell_whether_their_values_are_secret() {
        assert!(sounds_secret("AWS_SECRET_ACCESS_KEY") && sounds_secret("GITHUB_TOKEN"));
        assert!(!sounds_secret("KEYBOARD") && !sounds_secret("PWD") && !sounds_secret("MONKEY"));
    }
}
