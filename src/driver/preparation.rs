//! Parts shared by commands that make environments: the sandbox, the environments in it, and messages about them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use camino::Utf8PathBuf;

use super::events::{Events, Warning, counted};
use super::inputs::Input;
use super::options::{Options, isolation};
use super::{Failure, cache_folder};
use crate::cache::{Cache, Trees};
use crate::charts::{self, KnownRuntime, Origin};
use crate::config::Config;
use crate::environment::{
    Beside, Choice, Confinement, ENVIRONMENT_SIZE, Environment, EnvironmentError, PackageName,
    Provisioner, cached_runtime,
};
use crate::interrupt::Cancel;
use crate::notebook::Notebook;
use crate::process::{Isolation, Limits, OnDemand, Sandbox, SandboxError};

/// Makes environments; what they share is made when the first one needs it. Several notebooks may ask at once.
pub struct Preparation {
    choice: Choice,
    buildable: BTreeSet<String>,
    sandbox: OnDemand,
    /// The user's own.
    cache: Utf8PathBuf,
    /// Most bytes that the packages of an environment unpack to.
    largest: u64,
    is_reported: AtomicBool,
    entries: Option<Arc<Cache>>,
    keeps_runs: bool,
    trees: Arc<Trees>,
    provisioner: OnceLock<Provisioner>,
    found: Mutex<Found>,
    cancel: Cancel,
}

/// Facts that are reported at the end.
#[derive(Default)]
struct Found {
    /// Notebooks whose packages no lock pins.
    unlocked: BTreeSet<Utf8PathBuf>,
    /// Packages that were built from source.
    built: BTreeSet<String>,
}

impl Preparation {
    /// Preparation by options and configuration; `entries` hold results of earlier builds.
    pub(super) fn new(
        options: &Options,
        config: &Config,
        entries: Option<Arc<Cache>>,
        keeps_runs: bool,
        trees: Arc<Trees>,
    ) -> Result<Self, Failure> {
        let choice = match options.runtime.python.as_ref().or(config.python.as_ref()) {
            Some(path) => Choice::Given(path.clone()),
            None => Choice::FromNotebook,
        };
        let isolation = isolation(&options.runtime, config)?;
        let limits = options.limits.or(config.limits);
        let buildable =
            buildable(&options.runtime.allow_build, !matches!(isolation, Isolation::None(_)))?;
        let cache = cache_folder()?;
        Ok(Self {
            choice,
            buildable,
            sandbox: OnDemand::new(isolation, Some(cache.clone())),
            cache,
            largest: limits.environment_size.map_or(ENVIRONMENT_SIZE, |it| it.0),
            is_reported: AtomicBool::new(false),
            entries,
            keeps_runs,
            trees,
            provisioner: OnceLock::new(),
            found: Mutex::default(),
            cancel: options.cancel.clone(),
        })
    }

    /// The sandbox of all notebooks; says which layers hold when it is made. The interpreters were asked before.
    pub(super) fn sandbox(&self, events: &dyn Events) -> Result<&Sandbox, Failure> {
        if let Some(provisioner) = self.provisioner.get() {
            provisioner.confirm()?;
        }
        let sandbox = self.sandbox.get().map_err(refused)?;
        if !self.is_reported.swap(true, Ordering::SeqCst) {
            report_layers(sandbox, self.sandbox.isolation(), events);
        }
        Ok(sandbox)
    }

    /// How much of the confinement there must be.
    pub(super) fn isolation(&self) -> Isolation {
        self.sandbox.isolation()
    }

    /// The environment of a notebook.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn environment(
        &self,
        notebook: &Notebook,
        input: &Input,
        limits: &Limits,
        events: &dyn Events,
    ) -> Result<Environment, Failure> {
        self.cancel.during(|| self.make(notebook, input, limits, events))
    }

    fn make(
        &self,
        notebook: &Notebook,
        input: &Input,
        limits: &Limits,
        events: &dyn Events,
    ) -> Result<Environment, Failure> {
        let path = &input.path;
        let absolute = camino::absolute_utf8(path)?;
        let root = input.folder().map(camino::absolute_utf8).transpose()?;
        let beside = Beside::new(&absolute, root.as_deref());
        let failed = |error: EnvironmentError| Failure {
            message: format!("{path}: {error}"),
            help: error.help(),
        };
        let provisioner = self.provisioner().map_err(failed)?;
        let say = |text: &str| events.step(&format!("{path}: {text}"));
        let made = provisioner.provision(notebook, beside, self.confinement(limits, &say));
        let environment = match made {
            Ok(environment) => environment,
            Err(error) => {
                // A sandbox that cannot be had is a better reason than what could not be done without it.
                self.sandbox.get().map_err(refused)?;
                return Err(failed(error));
            }
        };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.built.extend(environment.built.iter().cloned());
        if environment.unlocked.is_some() {
            found.unlocked.insert(path.clone());
        }
        Ok(environment)
    }

    /// The program that draws charts of a kind.
    pub(super) fn runtime(
        &self,
        known: &'static KnownRuntime,
        limits: &Limits,
        events: &dyn Events,
    ) -> Result<charts::Runtime, Failure> {
        let cache = self.cache.as_path();
        if let Some(runtime) = cached_runtime(known, cache) {
            return Ok(runtime);
        }
        events.step(&format!("fetching what draws charts of {}", known.kind.title()));
        let provisioner = self.provisioner()?;
        let say = |text: &str| events.step(text);
        let confinement = match known.origin {
            Origin::File(_) => None,
            Origin::Printed(_) => {
                self.sandbox(events)?;
                Some(Confinement { buildable: &NONE, ..self.confinement(limits, &say) })
            }
        };
        let made = provisioner.runtime(known, cache, confinement);
        made.map_err(|error| Failure { help: error.help(), message: error.to_string() })
    }

    /// Pictures of Vega charts that have none.
    pub(super) fn draw(
        &self,
        charts: &[serde_json::Value],
        limits: &Limits,
        events: &dyn Events,
    ) -> Result<Vec<Option<String>>, Failure> {
        let say = |text: &str| events.step(text);
        let confinement = Confinement { buildable: &NONE, ..self.confinement(limits, &say) };
        Ok(self.provisioner()?.draw(charts, confinement)?)
    }

    fn confinement<'a>(
        &'a self,
        limits: &'a Limits,
        say: &'a (dyn Fn(&str) + Sync),
    ) -> Confinement<'a> {
        Confinement { sandbox: &self.sandbox, limits, buildable: &self.buildable, say }
    }

    fn provisioner(&self) -> Result<&Provisioner, EnvironmentError> {
        if let Some(made) = self.provisioner.get() {
            return Ok(made);
        }
        let (entries, trees) = (self.entries.clone(), Arc::clone(&self.trees));
        let (choice, keeps_runs) = (self.choice.clone(), self.keeps_runs);
        let made =
            Provisioner::new(choice, (&self.cache, self.largest), entries, keeps_runs, trees)?;
        Ok(self.provisioner.get_or_init(|| made))
    }

    /// Packages that nbc did not install, each list of folders with what it comes to.
    pub(super) fn folders(&self) -> Vec<(Vec<Utf8PathBuf>, Option<String>)> {
        self.provisioner.get().map(Provisioner::folders).unwrap_or_default()
    }

    /// Warnings about the environments that were made.
    pub fn warnings(&self) -> Vec<Warning> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut warnings: Vec<Warning> = unlocked(&found.unlocked).into_iter().collect();
        if !found.built.is_empty() {
            let names = found.built.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>();
            let message = format!(
                "built from source in the sandbox, as `--allow-build` says: {}; what is in these packages \
                 is what their build code wrote here",
                names.join(", ")
            );
            warnings.push(Warning::new(message, None));
        }
        warnings
    }
}

/// No package may be built.
static NONE: BTreeSet<String> = BTreeSet::new();

/// Another day may give other packages.
fn unlocked(unlocked: &BTreeSet<Utf8PathBuf>) -> Option<Warning> {
    let first = unlocked.first()?;
    let others = match unlocked.len() - 1 {
        0 => String::new(),
        number => format!(" and {}", counted(number, "other notebook")),
    };
    let message = format!(
        "no lock pins all packages of `{first}`{others}: another machine, or another day, may get others"
    );
    let help = "pin them with `nbc lock`, and commit the files that it writes";
    Some(Warning::new(message, Some(help)))
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
fn report_layers(sandbox: &Sandbox, isolation: Isolation, events: &dyn Events) {
    let names = |active| -> Vec<&str> {
        let layers = sandbox.layers().iter().filter(|it| it.active == active);
        layers.map(|it| it.name.as_str()).collect()
    };
    events.line(&format!("isolation: {}", names(true).join(", ")));
    let missing = names(false);
    if missing.is_empty() {
        return;
    }
    if let Isolation::None(_) = isolation {
        let text = "notebooks run without isolation, with all that you may do; only limits hold";
        events.warning(text);
    } else {
        let missing = missing.join(", ");
        events.warning(&format!("not every layer of isolation holds; missing: {missing}"));
        events.help(sandbox.way_out());
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
