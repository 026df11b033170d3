//! Answers of interpreters of earlier builds, for keys alone.
//!
//! An interpreter says the same about itself as long as its program and its `pyvenv.cfg` stay as they are. So a build
//! whose runs and pages are all known starts no Python. Nothing is ever started by such an answer: before a build
//! starts any Python, in the sandbox or outside, it asks anew ([`super::Provisioner::confirm`]).

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::interpreter::{Interpreter, InterpreterError};
use crate::cache::{Cache, Key, KeyBuilder, Kind};

/// An interpreter that a build looks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    /// The one of the active environment, else of `PATH`.
    Active,
    /// One of `PATH` that meets a `requires-python`.
    Base(Option<String>),
    /// This program.
    Given(Utf8PathBuf),
}

/// An interpreter, and whether this build asked it.
#[derive(Debug, Clone)]
pub(super) struct KnownInterpreter {
    pub interpreter: Interpreter,
    pub is_asked: bool,
}

impl Question {
    /// Asks the programs.
    pub(super) fn ask(&self) -> Result<Interpreter, InterpreterError> {
        match self {
            Self::Active => Interpreter::active(),
            Self::Base(requires) => Interpreter::base(requires.as_deref()),
            Self::Given(path) => Interpreter::probe(path),
        }
    }

    /// The answer of an earlier build, if every program that could answer is as it was then.
    pub(super) fn recall(&self, cache: &Cache) -> Option<Interpreter> {
        let body = cache.get(Kind::Answer, &self.key()?)?;
        serde_json::from_slice(&body).ok()
    }

    /// Keeps an answer for later builds.
    pub(super) fn keep(&self, cache: &Cache, interpreter: &Interpreter) {
        if let Some(key) = self.key()
            && let Ok(body) = serde_json::to_vec(interpreter)
        {
            cache.put(Kind::Answer, &key, &body);
        }
    }

    /// Key of all programs that could answer; `None` if one of them is a script, which may start anything.
    fn key(&self) -> Option<Key> {
        let programs = match self {
            Self::Active => Interpreter::active_programs(),
            Self::Base(_) => Interpreter::base_programs(),
            Self::Given(path) => vec![Interpreter::located(path)?],
        };
        let mut key = KeyBuilder::new("interpreter").text("question", &format!("{self:?}"));
        for program in programs {
            let Ok(real) = program.canonicalize_utf8() else { continue };
            key = key.text("program", program.as_str()).text("file", &stamp(&real)?);
            is_binary(&real).then_some(())?;
            let configuration = program.parent()?.parent()?.join("pyvenv.cfg");
            key = key.text("pyvenv.cfg", &stamp(&configuration).unwrap_or_default());
        }
        Some(key.end())
    }
}

/// Everything by which the file system tells that a file is the one that it was.
fn stamp(path: &Utf8Path) -> Option<String> {
    let it = std::fs::metadata(path).ok()?;
    let times = [it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec()];
    Some(format!("{path} {} {} {} {times:?}", it.dev(), it.ino(), it.len()))
}

/// True for a program of the machine (ELF).
fn is_binary(path: &Utf8Path) -> bool {
    let mut head = [0; 4];
    File::open(path).and_then(|mut it| it.read_exact(&mut head)).is_ok() && head == *b"\x7fELF"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ByteSize;

    #[test]
    fn an_answer_holds_as_long_as_the_program_does() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(directory.path()).unwrap();
        fs_err::create_dir(folder.join("bin")).unwrap();
        let cache = Cache::below(&folder.join("cache"), ByteSize(1 << 20));
        let program = folder.join("bin/python");
        let question = Question::Given(program.clone());
        let interpreter = Interpreter {
            program: program.clone(),
            version: "3.11.7".to_owned(),
            minor: (3, 11),
            base_prefix: "/usr".into(),
            virtual_environment: None,
            is_final: true,
        };
        // A script may start another program each time.
        fs_err::write(&program, "#!/bin/sh\n").unwrap();
        question.keep(&cache, &interpreter);
        assert_eq!(question.recall(&cache), None);
        fs_err::write(&program, b"\x7fELF 1").unwrap();
        question.keep(&cache, &interpreter);
        assert_eq!(question.recall(&cache).as_ref(), Some(&interpreter));
        assert_eq!(Question::Given(folder.join("bin/python3")).recall(&cache), None);
        fs_err::write(folder.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        assert_eq!(question.recall(&cache), None);
        question.keep(&cache, &interpreter);
        fs_err::write(&program, b"\x7fELF 2").unwrap();
        assert_eq!(question.recall(&cache), None);
    }
}
