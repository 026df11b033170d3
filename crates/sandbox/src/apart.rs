//! Work of nbc itself without a known bound of time, memory or stack, in a child process: a failure of it leaves nbc
//! running.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::interrupt;

/// The hidden first argument that makes `nbc` draw the diagram on its standard input.
pub const DIAGRAM_ARGUMENT: &str = "__diagram";

/// Seconds of CPU that a piece of work may take.
const CPU: u64 = 3;
/// Wall-clock time that a piece of work may take, on a busy machine.
const WALL: Duration = Duration::from_secs(30);
/// Address space of the child, in bytes.
const MEMORY: u64 = 2 << 30;
/// Longest answer, in bytes.
const LONGEST: u64 = 16 << 20;
/// Wall-clock time of all such work of a build, in milliseconds: a page may ask for a thousand drawings.
const ALL: u64 = 60_000;
/// Time spent so far by that work, in milliseconds.
static SPENT: AtomicU64 = AtomicU64::new(0);
/// Interval between two looks at the child.
const POLL: Duration = Duration::from_millis(5);

/// Runs this program in a child, with `input` on its standard input, and gives its answer. `None` when the child does
/// not end in time, or when a build asked for too much such work.
pub fn ask(argument: &str, input: &[u8]) -> Option<Vec<u8>> {
    if SPENT.load(Ordering::Relaxed) >= ALL || interrupt::is_requested() {
        return None;
    }
    let start = Instant::now();
    #[expect(clippy::disallowed_methods, reason = "this is the module that starts processes")]
    let mut command = Command::new(std::env::current_exe().ok()?);
    command.arg(argument).env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    #[cfg(target_os = "linux")]
    super::sandbox::end_with_nbc(&mut command);
    let mut child = command.spawn().ok()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| stdin?.write_all(input).ok());
        let answered = scope.spawn(|| {
            let mut answer = Vec::new();
            stdout?.take(LONGEST + 1).read_to_end(&mut answer).ok()?;
            Some(answer)
        });
        let end = Instant::now() + WALL;
        // The pipes end with the child, and both threads end with the pipes.
        while !answered.is_finished() && Instant::now() < end && !interrupt::is_requested() {
            std::thread::sleep(POLL);
        }
        drop(child.kill());
        drop(asked.join());
        answered.join().ok().flatten()
    });
    let is_whole = child.wait().is_ok_and(|it| it.success());
    let spent = u64::try_from(start.elapsed().as_millis()).unwrap_or(ALL);
    SPENT.fetch_add(spent, Ordering::Relaxed);
    answer.filter(|it| is_whole && !it.is_empty() && it.len() as u64 <= LONGEST)
}

/// The child's side: bounds itself, reads, works, answers.
///
/// # Errors
/// When a bound cannot be set, or a pipe is gone.
pub fn answer(work: impl FnOnce(&str) -> Option<String>) -> io::Result<()> {
    #[cfg(unix)]
    bound()?;
    let mut input = String::new();
    io::stdin().take(LONGEST).read_to_string(&mut input)?;
    io::stdout().write_all(work(&input).unwrap_or_default().as_bytes())
}

#[cfg(unix)]
fn bound() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let limits = [(Resource::Cpu, CPU), (Resource::As, MEMORY), (Resource::Core, 0)];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}
