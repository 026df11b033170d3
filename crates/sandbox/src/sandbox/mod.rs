//! Confinement on Linux: [`Sandbox`] starts a job so that it sees only the paths that the job names.
//!
//! nbc executes itself again as a second stage ([`stage`]), because namespaces must be made by a process with
//! one thread. This file is nbc's side: it starts the stage, watches time and memory, and ends the whole tree.

mod kernel_memory;
mod descriptors;
mod disk;
mod examine;
mod failure;
mod group;
mod identity;
mod in_place;
mod supervisor;
mod landlock;
mod memory;
mod mounts;
mod network;
mod payload;
mod processes;
mod protocol;
mod refusal;
mod running;
mod seccomp;
mod stage;
mod start;
mod system;
mod trees;
mod warm;
mod watch;

use std::io;
use std::process::Command;
use std::sync::{Arc, mpsc};

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::SandboxError;
use crate::job::{Job, Slot};
use crate::layer::{Isolation, Layer};
use crate::relocation::Relocation;
use identity::{check_readable, choose_identity, own_identity};
use protocol::{Identity, Mode};
use refusal::failed;
use running::Shared;
use start::{Launch, start};

pub use examine::examine;
pub use running::{Killer, NetworkWatch, Running};
pub use stage::sandbox_main;
pub use warm::{AttachedSlot, Warm};

/// The confinement of notebook code on this host, with every layer that holds, or does not.
#[derive(Debug, Clone)]
pub struct Sandbox {
    launcher: Utf8PathBuf,
    identity: Identity,
    mode: Mode,
    layers: Vec<Layer>,
    way_out: String,
}

impl Sandbox {
    /// Sets up a sandbox once, to find the layers that this host grants of those that `isolation` asks for.
    ///
    /// # Errors
    /// The first layer that cannot be had, why, and the way out.
    pub fn confined(isolation: Isolation) -> Result<Sandbox, SandboxError> {
        // The link stays right when the file is replaced by an update in the middle of a build.
        Sandbox::confined_with(isolation, Utf8Path::new("/proc/self/exe"))
    }

    /// Like [`Sandbox::confined`], with another executable as the second stage: tests are no `nbc`.
    ///
    /// # Errors
    /// The same as [`Sandbox::confined`].
    pub fn confined_with(
        isolation: Isolation,
        launcher: &Utf8Path,
    ) -> Result<Sandbox, SandboxError> {
        if let Isolation::None(_) = isolation {
            return Sandbox::attempt(launcher, own_identity(), Mode::Bare)
                .map(|it| it.lacking(&Cause::Wish));
        }
        let identity = choose_identity()?;
        let all = Mode::Namespaces { needs_landlock: true };
        let full = match Sandbox::attempt(launcher, identity, all) {
            Err(full) if isolation == Isolation::BestEffort => full,
            result => return result,
        };
        let cause = Cause::of(&full);
        if matches!(&full, SandboxError::LayerRefused { layer, .. } if layer == landlock::NAME) {
            let without = Mode::Namespaces { needs_landlock: false };
            if let Ok(sandbox) = Sandbox::attempt(launcher, identity, without) {
                return Ok(sandbox.lacking(&cause));
            }
        }
        match Sandbox::attempt(launcher, identity, Mode::InPlace) {
            Ok(sandbox) => Ok(sandbox.lacking(&cause)),
            Err(least) => {
                Err(SandboxError::NothingHolds { full: Box::new(full), least: Box::new(least) })
            }
        }
    }

    fn attempt(
        launcher: &Utf8Path,
        identity: Identity,
        mode: Mode,
    ) -> Result<Sandbox, SandboxError> {
        let mut sandbox = Sandbox {
            launcher: launcher.to_owned(),
            identity,
            mode,
            layers: vec![],
            way_out: String::new(),
        };
        let running = sandbox.launch(None, Relocation::nowhere(), Vec::new(), None)?;
        sandbox.layers.clone_from(&running.layers);
        drop(running.wait());
        Ok(sandbox)
    }

    /// Adds the layers that do not hold, each with the reason.
    fn lacking(mut self, cause: &Cause) -> Sandbox {
        self.layers = stage::every_layer()
            .map(|name| {
                let held = self.layers.iter().find(|it| it.name == name).cloned();
                let detail = || match cause {
                    Cause::Wish => "not asked for".to_owned(),
                    Cause::Refusal { layer, reason, .. } if layer == name => reason.clone(),
                    Cause::Refusal { layer, .. } => format!("not used without the {layer}"),
                };
                held.unwrap_or_else(|| Layer {
                    name: name.to_owned(),
                    active: false,
                    detail: detail(),
                })
            })
            .collect();
        if let Cause::Refusal { way_out, .. } = cause {
            self.way_out.clone_from(way_out);
        }
        self
    }

    /// Advice on the layers that do not hold; empty when all hold, or when the user asked for none.
    #[must_use]
    pub fn way_out(&self) -> &str {
        &self.way_out
    }

    /// The layers, those that hold and those that do not.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Whether runs see the host's own files, as a user that owns none of them.
    #[must_use]
    pub fn is_other_user_on_host(&self) -> bool {
        self.mode.is_on_host() && matches!(self.identity, Identity::Switched { .. })
    }

    /// Starts a job, and comes back when its program runs.
    ///
    /// # Errors
    /// A mount or the program differs from the job's description, or the host refuses a layer that it granted
    /// before.
    pub fn start(&self, job: &Job) -> Result<Running, SandboxError> {
        let relocation = self.relocate(job)?;
        self.launch(Some(relocation.job(job)), relocation, Vec::new(), None)
    }

    fn relocate(&self, job: &Job) -> Result<Relocation, SandboxError> {
        if !self.mode.is_on_host() {
            return Ok(Relocation::nowhere());
        }
        for (wish, is_asked_for) in [
            ("--allow-net", !job.openings.hosts.is_empty()),
            ("--secret", !job.openings.files.is_empty()),
        ] {
            if is_asked_for {
                return Err(SandboxError::NeedsNamespaces { wish });
            }
        }
        let relocation =
            Relocation::onto_host(job).map_err(failed("finding a place for temporary files"))?;
        if let Identity::Switched { .. } = self.identity {
            for mount in &job.mounts {
                check_readable(&mount.host)?;
            }
        }
        Ok(relocation)
    }

    fn launch(
        &self,
        job: Option<Job>,
        relocation: Relocation,
        slots: Vec<Slot>,
        reports: Option<mpsc::Sender<watch::SlotReport>>,
    ) -> Result<Running, SandboxError> {
        let shared = Arc::new(Shared::default());
        let (say, hear) = mpsc::channel();
        let mut sandbox = self.clone();
        sandbox.identity = self.identity.of_next_run();
        let temporary = relocation.temporary().map(Utf8Path::to_owned);
        let shared_there = Arc::clone(&shared);
        // The kernel ends the second stage with the thread that started it, so that thread has to wait for it.
        let supervisor = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                let job = job.as_ref();
                let (launcher, identity, mode) =
                    (&*sandbox.launcher, sandbox.identity, sandbox.mode);
                let temporary_there = temporary.as_deref();
                let launch =
                    Launch { launcher, identity, mode, job, slots, temporary: temporary_there };
                match start(launch, &shared_there) {
                    Err(error) => {
                        shared_there.end_network();
                        drop(say.send(Err(error)));
                        None
                    }
                    Ok((stage, channel, layers)) => {
                        drop(say.send(Ok((channel, layers))));
                        let limits = job.map(|it| &it.limits);
                        let reports = reports.as_ref();
                        let ended =
                            watch::supervise(stage, limits, temporary, &shared_there, reports);
                        shared_there.end_network();
                        Some(ended)
                    }
                }
            })
            .map_err(failed("starting a thread"))?;
        let gone = || failed("its thread ended")(io::ErrorKind::BrokenPipe.into());
        let (channel, mut layers) = hear.recv().map_err(|_| gone())??;
        layers.extend(self.layers.iter().filter(|it| !it.active).cloned());
        Ok(Running { channel, layers, relocation, shared, supervisor: Some(supervisor) })
    }
}

/// Reasons why layers do not hold.
enum Cause {
    /// The user wants none.
    Wish,
    /// The host refuses one of them.
    Refusal { layer: String, reason: String, way_out: String },
}

impl Cause {
    fn of(error: &SandboxError) -> Cause {
        match error {
            SandboxError::LayerRefused { layer, step, way_out, source } => Cause::Refusal {
                layer: layer.clone(),
                reason: format!("{step} failed: {source}"),
                way_out: way_out.clone(),
            },
            other => Cause::Refusal {
                layer: String::new(),
                reason: String::new(),
                way_out: other.to_string(),
            },
        }
    }
}

/// Has the kernel end a tool when nbc is gone, however that came about.
pub(super) fn end_with_nbc(command: &mut Command) {
    system::before_exec(command, payload::die_with_parent);
}
