//! Pins to a folder of packages.

use camino::Utf8Path;

use super::Requirements;
use super::contents::{Contents, EnvironmentFault};
use super::install::{InstallError, Lock};
use super::installer::{Installer, Program, cache_error, refused};
use super::pep508::{Requirement, shown_name};
use super::source::{Built, Source};

impl Installer<'_> {
    /// Installs pinned wheels into a new virtual environment, in one step: a later one would start the
    /// environment's own interpreter.
    pub(super) fn make_environment(
        &self,
        folder: &Utf8Path,
        lock: &Lock,
        wheels: &[(Source, Built)],
        requirements: &Requirements,
    ) -> Result<(), InstallError> {
        let list = self.folder.join("lock.txt");
        let text = lock.installable(wheels);
        for line in text.lines().filter(|it| !it.is_empty()) {
            Requirement::parse(line).map_err(|reason| {
                let name = line.split([' ', '=', '[']).next().and_then(shown_name);
                let said = format!("the line of `{}` {reason}", name.unwrap_or("a package"));
                refused("installing", requirements, &said)
            })?;
        }
        self.check_addresses(text.lines(), requirements)?;
        fs_err::write(&list, text).map_err(cache_error(&list))?;
        let python = folder.join("bin/python");
        let options =
            ["install", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--quiet"];
        let make = match &self.program {
            Program::Uv(uv) => self.uv(uv).args(["venv", "--quiet", "--no-project"]).args([
                "--python",
                self.interpreter.program.as_str(),
                folder.as_str(),
            ]),
            Program::Pip => {
                self.base_python().args(["-m", "venv", "--without-pip", folder.as_str()])
            }
        };
        self.accepted("installing", requirements, make.run()?)?;
        if lock.is_empty() {
            return Ok(());
        }
        // Both flags that keep bytecode out are there because the user's settings may say otherwise, and
        // compiling would start the environment's interpreter when its packages are there.
        let install = match &self.program {
            Program::Uv(uv) => self.uv(uv).arg("pip").args(options).args([
                "--no-compile-bytecode",
                "--python",
                python.as_str(),
            ]),
            Program::Pip => self
                .base_python()
                .args(["-m", "pip", "--python", python.as_str()])
                .args(options)
                .args(["--no-compile", "--no-input"]),
        };
        let install = install.args(["-r", list.as_str()]).args(self.links());
        let before = Contents::of(folder).map_err(cache_error(folder))?;
        let output = self.run(install, &requirements.origin)?;
        self.accepted("installing", requirements, output)?;
        before.check(folder, self.largest).map_err(|unfit| match unfit {
            EnvironmentFault::TooLarge => self.too_large(&requirements.origin),
            EnvironmentFault::Unread(source) => cache_error(folder)(source),
            EnvironmentFault::Foreign(path, reason) => {
                let path = path.to_string_lossy();
                refused("installing", requirements, &format!("`{}` {reason}", path.escape_debug()))
            }
        })
    }
}
