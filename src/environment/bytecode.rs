//! Byte-compilation, in the sandbox: imports without bytecode cost three times as much, and compiling is a
//! reading of foreign files by a large program. The bytecode comes back over the channel, so that nothing
//! inside can write to the host.

use std::collections::BTreeMap;
use std::io::{self, Read};

use camino::{Utf8Component, Utf8Path};

use super::confined::{Confinement, TIME_LIMIT, Task, number, taken};
use super::{INSIDE, InstallError, Interpreter, read_only, system_mounts};

const PROGRAM: &str = include_str!("compile.py");
/// Longest path of a module, in bytes.
const LONGEST_PATH: u32 = 4096;
/// Most bytecode of a module, and of all of them.
const LARGEST_MODULE: u32 = 64 << 20;
const LARGEST: u64 = 4 << 30;

/// Adds bytecode to the environment in `folder`.
pub(super) fn compile(
    folder: &Utf8Path,
    interpreter: &Interpreter,
    confinement: Confinement<'_>,
) -> Result<(), InstallError> {
    let mut mounts = system_mounts(interpreter);
    mounts.push(read_only(folder, Utf8Path::new(INSIDE)));
    let task = Task {
        program: Utf8Path::new(INSIDE).join("bin/python"),
        // `-S`: no `.pth` file runs, so that bytecode is a function of the source alone.
        arguments: ["-I", "-S", "-c", PROGRAM, "/env/lib", "/tmp"].map(str::to_owned).to_vec(),
        environment: BTreeMap::from([("LC_ALL".to_owned(), "C.UTF-8".to_owned())]),
        mounts,
        time_limit: TIME_LIMIT,
    };
    let receive = |channel: &mut dyn Read| receive(channel, &folder.join("lib"));
    confinement.ask(task, &[], receive, |reason| InstallError::Compilation { reason })
}

/// Writes the records of [`PROGRAM`] below `folder`. They are hostile: each is bytecode of a module that is
/// there, or it is refused.
fn receive(channel: &mut (impl Read + ?Sized), folder: &Utf8Path) -> io::Result<()> {
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
