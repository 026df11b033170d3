//! A confined process, and the handles that other threads have of it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Signal;

use super::super::network::Proxy;
use crate::job::{Ended, Outcome};
use crate::layer::Layer;
use crate::network::Traffic;
use crate::relocation::Relocation;

/// A confined process. Dropping it kills the whole tree.
#[derive(Debug)]
pub struct Running {
    pub(super) channel: UnixStream,
    pub(super) layers: Vec<Layer>,
    pub(super) relocation: Relocation,
    pub(super) shared: Arc<Shared>,
    pub(super) supervisor: Option<JoinHandle<Option<Ended>>>,
}

impl Running {
    /// This end of the private socket that the program holds as descriptor 3.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn channel(&self) -> io::Result<UnixStream> {
        self.channel.try_clone()
    }

    /// The layers of this process, those that hold and those that do not.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// A map from paths of the job to paths of this process.
    #[must_use]
    pub fn relocation(&self) -> &Relocation {
        &self.relocation
    }

    /// Kills the whole tree; [`Running::wait`] tells the rest.
    pub fn kill(&self) {
        self.shared.kill();
    }

    /// A handle that can kill the tree from another thread.
    #[must_use]
    pub fn killer(&self) -> Killer {
        Killer { shared: Arc::clone(&self.shared) }
    }

    /// A view of the process's requests on the network, that outlives it.
    #[must_use]
    pub fn watch_network(&self) -> NetworkWatch {
        NetworkWatch { shared: Arc::clone(&self.shared) }
    }

    /// Waits until nothing of the tree is left.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let ended = self.supervisor.take().and_then(|it| it.join().ok()).flatten();
        ended.unwrap_or_else(|| Ended {
            outcome: Outcome::Killed,
            console: vec![],
            cpu: Duration::ZERO,
            memory: 0,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            self.shared.kill();
            drop(supervisor.join());
        }
    }
}

/// Kills a [`Running`] from another thread; does nothing once it has ended.
#[derive(Debug, Clone)]
pub struct Killer {
    shared: Arc<Shared>,
}

impl Killer {
    /// Lets the tree take more time than its limits say.
    pub fn allow(&self, wall: Duration, cpu: Duration) {
        for (extra, more) in self.shared.extra.iter().zip([wall, cpu]) {
            let more = u64::try_from(more.as_millis()).unwrap_or(u64::MAX);
            extra.store(more, Ordering::SeqCst);
        }
    }

    /// Kills the whole tree.
    pub fn kill(&self) {
        self.shared.kill();
    }
}

/// Lists the requests of a [`Running`] on the network.
#[derive(Debug, Clone)]
pub struct NetworkWatch {
    shared: Arc<Shared>,
}

impl NetworkWatch {
    /// Requests of the run so far; empty when it has no network.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.proxy.get().map(Proxy::traffic).unwrap_or_default()
    }
}

/// State shared by the supervisor and the handles.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The first process inside. A descriptor, because its number may be that of another process by then.
    pub(super) first: OnceLock<OwnedFd>,
    /// The socket of a stage without namespaces: it ends the tree when the socket closes.
    pub(super) control: OnceLock<UnixStream>,
    /// The socket on which the first process of a warm sandbox receives orders.
    pub(super) orders: OnceLock<UnixStream>,
    pub(super) killed: AtomicBool,
    /// Milliseconds that it may take beyond its limits: by the clock, and of CPU time.
    extra: [AtomicU64; 2],
    /// The proxy between the run and the hosts that it may reach.
    pub(super) proxy: OnceLock<Proxy>,
}

impl Shared {
    /// Time beyond the limits: by the clock, and of CPU.
    pub(super) fn extra(&self) -> [Duration; 2] {
        self.extra.each_ref().map(|it| Duration::from_millis(it.load(Ordering::SeqCst)))
    }

    pub(super) fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        self.end_network();
        self.end_tree();
    }

    pub(super) fn end_network(&self) {
        if let Some(proxy) = self.proxy.get() {
            proxy.stop();
        }
    }

    pub(super) fn end_tree(&self) {
        // The call fails only if the process is gone already.
        if let Some(control) = self.control.get() {
            let _ = control.shutdown(std::net::Shutdown::Both);
        } else if let Some(first) = self.first.get() {
            let _ = rustix::process::pidfd_send_signal(first, Signal::KILL);
        }
    }
}
