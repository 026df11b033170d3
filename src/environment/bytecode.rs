//! Byte-compilation, in the sandbox: imports without bytecode cost three times as much, and compiling is a
//! reading of foreign files by a large program. The bytecode comes back over the channel, so that nothing
//! inside can write to the host.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Duration;

use camino::{Utf8Component, Utf8Path};

use super::{INSIDE, InstallError, Interpreter, read_only, system_mounts};
use crate::process::{Job, Limits, Openings, Sandbox, interrupt};

const PROGRAM: &str = include_str!("compile.py");
/// Longest that it may take.
const TIME_LIMIT: Duration = Duration::from_secs(1200);
/// Least memory: the default of a notebook may have been made smaller.
const LEAST_MEMORY: u64 = 1 << 30;
/// Longest path of a module, in bytes.
const LONGEST_PATH: u32 = 4096;
/// Most bytecode of a module, and of all of them.
const LARGEST_MODULE: u32 = 64 << 20;
const LARGEST: u64 = 4 << 30;

/// Where packages are looked at by other than their own code, and within what bounds.
#[derive(Debug, Clone, Copy)]
pub struct Confinement<'a> {
    /// The sandbox.
    pub sandbox: &'a Sandbox,
    /// Bounds of a run.
    pub limits: &'a Limits,
}

/// Adds bytecode to the environment in `folder`.
pub(super) fn compile(
    folder: &Utf8Path,
    interpreter: &Interpreter,
    confinement: Confinement<'_>,
) -> Result<(), InstallError> {
    let mut limits = confinement.limits.clone();
    limits.wall = TIME_LIMIT;
    limits.cpu = limits.cpu.max(TIME_LIMIT);
    limits.memory = limits.memory.max(LEAST_MEMORY);
    let mut mounts = system_mounts(interpreter);
    mounts.push(read_only(folder, Utf8Path::new(INSIDE)));
    let job = Job {
        program: Utf8Path::new(INSIDE).join("bin/python"),
        // `-S`: no `.pth` file runs, so that bytecode is a function of the source alone.
        arguments: ["-I", "-S", "-c", PROGRAM, "/env/lib", "/tmp"].map(str::to_owned).to_vec(),
        environment: BTreeMap::from([("LC_ALL".to_owned(), "C.UTF-8".to_owned())]),
        mounts,
        working_folder: "/tmp".into(),
        limits,
        openings: Openings::default(),
    };
    let failed = |reason: String| InstallError::Compilation { reason };
    let running = confinement.sandbox.start(&job).map_err(|error| failed(error.to_string()))?;
    let channel = running.channel().map_err(|error| failed(error.to_string()))?;
    let wait = Some(Duration::from_millis(100));
    channel.set_read_timeout(wait).map_err(|error| failed(error.to_string()))?;
    let received = receive(&mut Patient(channel), &folder.join("lib"));
    if received.is_err() {
        running.kill();
    }
    let ended = running.wait();
    if interrupt::is_requested() {
        return Err(InstallError::Interrupted);
    }
    received.map_err(|error| {
        let said = String::from_utf8_lossy(&ended.console);
        failed(format!("{error} ({:?}) {}", ended.outcome, said.trim()).trim().to_owned())
    })
}

/// Reads through the pauses of the other side, until an interrupt.
struct Patient<R>(R);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(bytes) {
                Err(error)
                    if [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut]
                        .contains(&error.kind())
                        && !interrupt::is_requested() => {}
                other => return other,
            }
        }
    }
}

/// Writes the records of [`PROGRAM`] below `folder`. They are hostile: each is bytecode of a module that is
/// there, or it is refused.
fn receive(channel: &mut impl Read, folder: &Utf8Path) -> io::Result<()> {
    let mut total = 0;
    loop {
        let (length, size) = (number(channel)?, number(channel)?);
        if length == 0 {
            return Ok(());
        }
        total += u64::from(size);
        if length > LONGEST_PATH || size > LARGEST_MODULE || total > LARGEST {
            return Err(io::Error::other("too much bytecode"));
        }
        let path = String::from_utf8(taken(channel, length)?).map_err(io::Error::other)?;
        let bytecode = taken(channel, size)?;
        let path = Utf8Path::new(&path);
        if !is_bytecode(path, folder) {
            return Err(io::Error::other(format!("`{path}` is no bytecode of a package")));
        }
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        // A wheel may bring a file of that name, which may share its bytes with the installer's cache.
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs_err::write(&path, bytecode)?,
        }
    }
}

/// Whether a path below `folder` is `…/__pycache__/module.tag.pyc`, beside a `…/module.py`.
fn is_bytecode(path: &Utf8Path, folder: &Utf8Path) -> bool {
    let is_plain = path.components().all(|it| matches!(it, Utf8Component::Normal(_)));
    let module = || {
        let cache = path.parent().filter(|it| it.file_name() == Some("__pycache__"))?;
        let name = path.file_name()?.strip_suffix(".pyc")?.rsplit_once('.')?.0;
        Some(folder.join(cache.parent()?).join(format!("{name}.py")))
    };
    is_plain && module().is_some_and(|it| it.is_file())
}

fn number(channel: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    channel.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn taken(channel: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    channel.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() == length as usize {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str, data: &[u8]) -> Vec<u8> {
        let lengths = [path.len() as u32, data.len() as u32].map(u32::to_le_bytes).concat();
        [lengths.as_slice(), path.as_bytes(), data].concat()
    }

    #[test]
    fn only_bytecode_beside_its_source_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap();
        fs_err::create_dir(folder.join("pkg")).unwrap();
        fs_err::write(folder.join("pkg/m.py"), "").unwrap();
        fs_err::write(folder.join("m.py"), "").unwrap();
        let end = record("", b"");
        let good = [record("pkg/__pycache__/m.cpython-311.pyc", b"x"), end.clone()].concat();
        receive(&mut good.as_slice(), folder).unwrap();
        let written = fs_err::read(folder.join("pkg/__pycache__/m.cpython-311.pyc")).unwrap();
        assert_eq!(written, b"x");
        for bad in [
            "pkg/m.py",
            "pkg/m.pyc",
            "pkg/__pycache__/m.pyc",
            "pkg/__pycache__/other.cpython-311.pyc",
            "pkg/../__pycache__/m.cpython-311.pyc",
            "/__pycache__/m.cpython-311.pyc",
            "x.pth",
        ] {
            let bytes = [record(bad, b"x"), end.clone()].concat();
            assert!(receive(&mut bytes.as_slice(), folder).is_err(), "{bad}");
        }
        assert!(receive(&mut [].as_slice(), folder).is_err(), "an end without its mark");
        let flood = [8_u32.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
        assert!(receive(&mut flood.as_slice(), folder).is_err());
    }
}
