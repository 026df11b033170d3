//! What commands that make environments share: the sandbox, the environments in it, and what to say of them.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::args::{IsolationLevel, Runtime};
use super::command::counted;
use super::printer::Printer;
use super::progress::Progress;
use super::{Failure, cache_folder};
use crate::charts::{self, Known, Origin};
use crate::config::{Config, IsolationSetting};
use crate::environment::{
    Choice, Confinement, Environment, EnvironmentError, PackageName, Provisioner, cached_runtime,
};
use crate::notebook::Notebook;
use crate::process::{Isolation, Limits, Sandbox, SandboxError, Trusted};

/// Makes environments one after the other; what they share is made when the first one needs it.
pub(super) struct Preparation {
    choice: Choice,
    isolation: Isolation,
    buildable: BTreeSet<String>,
    sandbox: Option<Sandbox>,
    provisioner: Option<Provisioner>,
    /// Notebooks whose packages no lock pins.
    unlocked: Vec<Utf8PathBuf>,
    /// Packages that were built from source.
    built: BTreeSet<String>,
}

impl Preparation {
    /// As flags and configuration decide.
    pub(super) fn new(arguments: &Runtime, config: &Config) -> Result<Self, Failure> {
        let choice = match arguments.interpreter().or(config.python.as_ref()) {
            Some(path) => Choice::Given(path.clone()),
            None => Choice::FromNotebook,
        };
        let isolation = isolation(arguments, config)?;
        let buildable =
            buildable(&arguments.allow_build, !matches!(isolation, Isolation::None(_)))?;
        Ok(Self {
            choice,
            isolation,
            buildable,
            sandbox: None,
            provisioner: None,
            unlocked: Vec::new(),
            built: BTreeSet::new(),
        })
    }

    /// The sandbox of all notebooks; says which layers hold when it is made.
    pub(super) fn sandbox(&mut self, progress: &Progress) -> Result<&Sandbox, Failure> {
        let sandbox = match self.sandbox.take() {
            Some(sandbox) => sandbox,
            None => {
                let sandbox = Sandbox::confined(self.isolation).map_err(refused)?;
                report_layers(&sandbox, self.isolation, progress);
                sandbox
            }
        };
        Ok(self.sandbox.insert(sandbox))
    }

    /// The environment of the notebook at `path`.
    pub(super) fn environment(
        &mut self,
        notebook: &Notebook,
        path: &Utf8Path,
        limits: &Limits,
        progress: &Progress,
    ) -> Result<Environment, Failure> {
        let absolute = camino::absolute_utf8(path)?;
        let failed = |error: EnvironmentError| Failure {
            message: format!("{path}: {error}"),
            help: error.help(),
        };
        let provisioner = self.provisioner().map_err(failed)?;
        let buildable = self.buildable.clone();
        let sandbox = self.sandbox(progress)?;
        let confinement = Confinement { sandbox, limits, buildable: &buildable };
        let made = provisioner.provision(notebook, &absolute, confinement);
        self.provisioner = Some(provisioner);
        let environment = made.map_err(failed)?;
        self.built.extend(environment.built.iter().cloned());
        if environment.unlocked.is_some() {
            self.unlocked.push(path.to_owned());
        }
        Ok(environment)
    }

    /// What draws charts of a kind.
    pub(super) fn runtime(
        &mut self,
        known: &'static Known,
        limits: &Limits,
        progress: &Progress,
    ) -> Result<charts::Runtime, Failure> {
        let cache = cache_folder();
        if let Some(runtime) = cached_runtime(known, &cache) {
            return Ok(runtime);
        }
        progress.step(&format!("fetching what draws charts of {}", known.kind.title()));
        let provisioner = self.provisioner()?;
        let buildable = BTreeSet::new();
        let sandbox = match known.origin {
            Origin::File(_) => None,
            Origin::Printed(_) => Some(self.sandbox(progress)?),
        };
        let confinement =
            sandbox.map(|sandbox| Confinement { sandbox, limits, buildable: &buildable });
        let made = provisioner.runtime(known, &cache, confinement);
        self.provisioner = Some(provisioner);
        made.map_err(|error| Failure { help: error.help(), message: error.to_string() })
    }

    /// Pictures of Vega charts that have none.
    pub(super) fn draw(
        &mut self,
        charts: &[serde_json::Value],
        limits: &Limits,
        progress: &Progress,
    ) -> Result<Vec<Option<String>>, Failure> {
        let provisioner = self.provisioner()?;
        let buildable = BTreeSet::new();
        let sandbox = self.sandbox(progress)?;
        let confinement = Confinement { sandbox, limits, buildable: &buildable };
        let made = provisioner.draw(charts, confinement);
        self.provisioner = Some(provisioner);
        Ok(made?)
    }

    /// Taken, to be put back after its use.
    fn provisioner(&mut self) -> Result<Provisioner, EnvironmentError> {
        match self.provisioner.take() {
            Some(provisioner) => Ok(provisioner),
            None => Provisioner::new(self.choice.clone(), &cache_folder()),
        }
    }

    /// Says once what holds for environments that were made.
    pub(super) fn warn(&self, printer: Printer) {
        self.warn_of_unlocked(printer);
        if !self.built.is_empty() {
            let names = self.built.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>();
            printer.warning(&format!(
                "built from source in the sandbox, as `--allow-build` says: {}; what is in these packages \
                 is what their build code wrote here",
                names.join(", ")
            ));
        }
    }

    /// Another day may give other packages.
    fn warn_of_unlocked(&self, printer: Printer) {
        let Some(first) = self.unlocked.first() else { return };
        let others = match self.unlocked.len() - 1 {
            0 => String::new(),
            number => format!(" and {}", counted(number, "other notebook")),
        };
        printer.warning(&format!(
            "no lock pins all packages of `{first}`{others}: another machine, or another day, may get others"
        ));
        printer.help("pin them with `nbc lock`, and commit the files that it writes");
    }
}

/// A layer that cannot be had, with every way out.
fn refused(error: SandboxError) -> Failure {
    match error {
        SandboxError::LayerRefused { layer, step, way_out, source } => Failure {
            message: format!(
                "the `{layer}` layer of the sandbox cannot be had here: {step} failed: {source}"
            ),
            help: Some(format!(
                "{way_out}\n`nbc doctor` shows every layer; `--isolation best-effort` takes what this machine \
                 gives"
            )),
        },
        other => other.into(),
    }
}

/// A reader of the log must not believe in a layer that is not there.
fn report_layers(sandbox: &Sandbox, isolation: Isolation, progress: &Progress) {
    let names = |active| -> Vec<&str> {
        let layers = sandbox.layers().iter().filter(|it| it.active == active);
        layers.map(|it| it.name.as_str()).collect()
    };
    progress.line(&format!("isolation: {}", names(true).join(", ")));
    let missing = names(false);
    if missing.is_empty() {
        return;
    }
    if let Isolation::None(_) = isolation {
        let text = "notebooks run without isolation, with all that you may do; only limits hold";
        progress.warning(text);
    } else {
        let missing = missing.join(", ");
        progress.warning(&format!("not every layer of isolation holds; missing: {missing}"));
        progress.help(sandbox.way_out());
    }
}

/// The packages that may be built, for which there must be a sandbox.
pub(super) fn buildable(
    packages: &[PackageName],
    has_sandbox: bool,
) -> Result<BTreeSet<String>, Failure> {
    if !packages.is_empty() && !has_sandbox {
        return Err(Failure {
            message: "`--allow-build` needs a sandbox, and `--isolation none` has none".to_owned(),
            help: Some(
                "nbc runs build code of packages inside only; without the sandbox, install them yourself \
                 and name the environment with `--python PATH`"
                    .to_owned(),
            ),
        });
    }
    Ok(packages.iter().map(|it| it.normalized().to_owned()).collect())
}

fn isolation(arguments: &Runtime, config: &Config) -> Result<Isolation, Failure> {
    let asked = arguments.isolation.unwrap_or(match config.isolation {
        Some(IsolationSetting::BestEffort) => IsolationLevel::BestEffort,
        Some(IsolationSetting::Strict) | None => IsolationLevel::Strict,
    });
    match asked {
        IsolationLevel::Strict => Ok(Isolation::Strict),
        IsolationLevel::BestEffort => Ok(Isolation::BestEffort),
        IsolationLevel::None if arguments.trust_notebooks => {
            Ok(Isolation::None(Trusted::by_request_of_the_user()))
        }
        IsolationLevel::None => Err(Failure {
            message: "without isolation, notebooks may read and change whatever you may".to_owned(),
            help: Some(
                "if you trust every one of them, add `--trust-notebooks`; `nbc doctor` shows what \
                 this machine can give instead"
                    .to_owned(),
            ),
        }),
    }
}
