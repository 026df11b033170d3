//! Messages between nbc and the second stage, over a socket that the payload never holds.
//!
//! Both ends are our own code, so a malformed message is an error of the transport and no diagnostic.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use camino::Utf8PathBuf;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::job::{Job, Openings, Slot};
use crate::layer::{Examined, Layer};
use crate::secret::Secret;

/// Most bytes of a message: environments and argument lists are shorter.
const LONGEST: usize = 8 * 1024 * 1024;

/// The user and group of the payload, as it sees itself.
pub(super) const INSIDE_ID: u32 = 1000;

/// The user on the host that the payload runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Identity {
    /// The user who runs nbc: mapped as it is, no other is available.
    Own { uid: u32, gid: u32 },
    /// An id that nobody uses, because nbc runs as the host's root.
    Switched { id: u32 },
}

/// Layers that the second stage makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mode {
    /// Namespaces with a view of their own, seccomp, and Landlock as far as it is needed.
    Namespaces { needs_landlock: bool },
    /// The host's own view, behind Landlock and seccomp.
    InPlace,
    /// The host's own view, and limits only.
    Bare,
}

impl Mode {
    /// Whether the payload sees the host's own files, at their own paths.
    pub(super) fn is_on_host(self) -> bool {
        matches!(self, Mode::InPlace | Mode::Bare)
    }
}

/// Orders of nbc to the second stage.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Sets up a job; without one, the set-up ends where a program would start.
    SetUp {
        identity: Identity,
        mode: Mode,
        /// The only folder of a payload without namespaces that it may write to; gone at the end.
        temporary: Option<Utf8PathBuf>,
        job: Option<Box<Job>>,
        secrets: Revealed,
        /// Slots of a warm process; the first process stays to attach them one after the other: see `supervisor.rs`.
        slots: Vec<Slot>,
    },
    /// Tries each layer by itself.
    Examine,
    /// The user namespace has its id maps.
    Mapped,
    /// nbc holds a descriptor of the sandbox's first process, so nothing can outlive it.
    Go,
    /// Attaches this slot.
    Enter { slot: usize },
    /// Ends everything but the payload itself, and detaches the slot.
    Clear,
}

/// Secrets on their way to the run: the only form in which they are ever written down.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Revealed {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

impl std::fmt::Debug for Revealed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Revealed")
    }
}

impl Revealed {
    pub(super) fn of(openings: &Openings) -> Self {
        let encode = |secrets: &BTreeMap<String, Secret>| {
            let pairs = secrets.iter();
            pairs.map(|(name, it)| (name.clone(), BASE64.encode(it.reveal()))).collect()
        };
        Self { variables: encode(&openings.variables), files: encode(&openings.files) }
    }

    pub(super) fn hide_in(self, openings: &mut Openings) -> io::Result<()> {
        let decode = |texts: BTreeMap<String, String>| -> io::Result<BTreeMap<String, Secret>> {
            let pairs = texts.into_iter();
            pairs
                .map(|(name, it)| {
                    Ok((name, Secret::new(BASE64.decode(it).map_err(io::Error::other)?)))
                })
                .collect()
        };
        openings.variables = decode(self.variables)?;
        openings.files = decode(self.files)?;
        Ok(())
    }
}

/// The part that failed, so that nbc can name the layer and the way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Subject {
    /// A layer of isolation.
    Layer(String),
    /// A mount of the job.
    Mount(String),
    /// The program.
    Program,
}

/// Reports of the second stage to nbc.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The namespaces exist; the id maps are missing.
    Unshared,
    /// The first process of the sandbox, as the host numbers it.
    First { pid: i32 },
    /// A listening socket of the run's network follows.
    Listening,
    /// The program runs.
    Ready { layers: Vec<Layer> },
    /// The set-up stopped here.
    Failed { subject: Subject, step: String, errno: i32 },
    /// The program ended, with this wait status.
    Ended { status: i32, cpu_micros: u64 },
    /// The slot is attached.
    Entered,
    /// Nothing is left but the payload itself.
    Cleared,
    /// The result for each layer.
    Examined { layers: Vec<Examined> },
}

/// Writes one message.
pub(super) fn send<T: Serialize>(mut stream: &UnixStream, message: &T) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&body);
    stream.write_all(&frame)
}

/// Reads one message; the end of the stream is an error, because both ends know when to stop.
pub(super) fn receive<T: DeserializeOwned>(mut stream: &UnixStream) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
    if length > LONGEST {
        return Err(io::Error::other("a message of the second stage is too long"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let (here, there) = UnixStream::pair().expect("sockets");
        send(&here, &Report::First { pid: 7 }).expect("sent");
        assert!(matches!(receive(&there), Ok(Report::First { pid: 7 })));
    }

    #[test]
    fn a_length_beyond_reason_is_refused_before_it_is_allocated() {
        let (mut here, there) = UnixStream::pair().expect("sockets");
        here.write_all(&u32::MAX.to_le_bytes()).expect("sent");
        assert!(receive::<Report>(&there).is_err());
    }
}
