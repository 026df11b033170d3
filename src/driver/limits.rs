//! Settings of limits to the bounds of a run: every default, and what no run can do with.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use super::Failure;
use crate::config::{ByteSize, LimitSettings, Samples, SweepSettings};
use crate::process::Limits;
use crate::run::{Bounds, OutputLimits, SweepPlan};

const TIME: Duration = Duration::from_secs(600);
/// Longest time that can be asked for: a week.
const LONGEST: u64 = 604_800;
/// Memory that ten data-science libraries need, with room to spare.
pub(super) const MEMORY: ByteSize = ByteSize(2 << 30);
/// Least that Python and an engine start with.
const LEAST_MEMORY: ByteSize = ByteSize(64 << 20);
const DISK: ByteSize = ByteSize(1 << 30);
const OPEN_FILES: u32 = 1024;
const STATES: u64 = 2000;
const VALUES: u64 = 250;
const STATES_SIZE: ByteSize = ByteSize(256 << 20);
const STATE_TIME: Duration = Duration::from_secs(60);
/// Console text is for the build log, whose reader wants the end of it.
const CONSOLE: u64 = 64 * 1024;
/// Least with which Python and its thread pools start.
const LEAST_PROCESSES: u32 = 16;
/// The runner moves its own descriptors above a hundred.
const LEAST_FILES: u32 = 128;
/// A page with more would be one that nobody waits for.
const MOST_STATES: u64 = 100_000;
const MOST_JOBS: u64 = 256;
/// The runner's own notice has to fit.
const LEAST_OUTPUT: u64 = 1024;

/// The bounds of a run.
pub(super) fn bounds(settings: LimitSettings) -> Result<Bounds, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let wall = time("--timeout", settings.timeout)?.unwrap_or(TIME);
    let memory = settings.memory.unwrap_or(MEMORY);
    if memory < LEAST_MEMORY {
        return Err(Failure {
            message: "no notebook runs in so little memory".to_owned(),
            help: Some(format!(
                "the least is {}MiB, the default {}GiB",
                LEAST_MEMORY.0 >> 20,
                MEMORY.0 >> 30
            )),
        });
    }
    let disk = settings.disk.unwrap_or(DISK).0;
    // Numerical libraries start a thread a core, each in several pools.
    let processes =
        number("--processes", settings.processes, LEAST_PROCESSES, 512.max(16 * cores))?;
    let defaults = OutputLimits::default();
    let size = |flag, size: Option<ByteSize>, default| match size {
        Some(ByteSize(bytes)) if bytes < LEAST_OUTPUT => Err(too_little(flag, "1KiB")),
        Some(ByteSize(bytes)) => Ok(bytes),
        None => Ok(default),
    };
    let outputs = settings.outputs.map(|it| usize::try_from(it.get()).unwrap_or(usize::MAX));
    Ok(Bounds {
        process: Limits {
            wall,
            cpu: time("--cpu-time", settings.cpu_time)?.unwrap_or(wall * cores),
            memory: memory.0,
            processes,
            open_files: number("--open-files", settings.open_files, LEAST_FILES, OPEN_FILES)?,
            file_size: settings.file_size.map_or(disk, |it| it.0),
            temporary: disk,
            console: CONSOLE,
        },
        cell: time("--cell-timeout", settings.cell_timeout)?.unwrap_or(wall),
        outputs: OutputLimits {
            output_bytes: size("--output-size", settings.output_size, defaults.output_bytes)?,
            total_bytes: size("--outputs-size", settings.outputs_size, defaults.total_bytes)?,
            outputs: outputs.unwrap_or(defaults.outputs),
            ..defaults
        },
        sweep: None,
    })
}

/// Runs at the same time: one a core, unless something else is asked for.
pub(super) fn jobs(settings: SweepSettings) -> usize {
    let asked = settings.jobs.map(|it| it.get().min(MOST_JOBS) as usize);
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// How many notebooks may run at once, for there is memory for no more.
pub(super) fn runs_at_once(whole: Option<u64>, bounds: &Bounds) -> usize {
    let whole = whole.unwrap_or_else(machine_memory);
    usize::try_from(whole / bounds.process.memory.max(1)).unwrap_or(usize::MAX).max(1)
}

/// Three quarters of what the machine has.
fn machine_memory() -> u64 {
    whole_memory() / 4 * 3
}

/// Memory of the machine; where it does not say, enough for two notebooks.
pub(super) fn whole_memory() -> u64 {
    let text = fs_err::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|it| it.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|it| it.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.map_or(3 * MEMORY.0, |it| it * 1024)
}

/// The bounds of a sweep.
pub(super) fn sweep(
    settings: SweepSettings,
    bounds: &Bounds,
    samples: BTreeMap<String, Samples>,
) -> Result<SweepPlan, Failure> {
    let number = |asked: Option<NonZeroU64>, default: u64| asked.map_or(default, NonZeroU64::get);
    Ok(SweepPlan {
        most_states: number(settings.max_states, STATES).min(MOST_STATES),
        most_values: number(settings.max_values, VALUES).min(MOST_STATES),
        most_bytes: settings.max_bytes.unwrap_or(STATES_SIZE).0,
        time: time("--sweep-timeout", settings.sweep_timeout)?.unwrap_or(TIME),
        state_time: time("--state-timeout", settings.state_timeout)?.unwrap_or(STATE_TIME),
        run_time: bounds.process.wall,
        memory: bounds.process.memory,
        jobs: u32::try_from(jobs(settings)).unwrap_or(1),
        is_dry: false,
        samples,
    })
}

fn time(flag: &str, seconds: Option<NonZeroU64>) -> Result<Option<Duration>, Failure> {
    let Some(seconds) = seconds else { return Ok(None) };
    if seconds.get() > LONGEST {
        return Err(Failure {
            message: format!("`{flag} {seconds}` is longer than a week"),
            help: Some(format!("the most is {LONGEST}")),
        });
    }
    Ok(Some(Duration::from_secs(seconds.get())))
}

fn number(flag: &str, asked: Option<NonZeroU64>, least: u32, default: u32) -> Result<u32, Failure> {
    let Some(asked) = asked else { return Ok(default) };
    let asked = u32::try_from(asked.get()).unwrap_or(u32::MAX);
    if asked < least { Err(too_little(flag, &least.to_string())) } else { Ok(asked) }
}

fn too_little(flag: &str, least: &str) -> Failure {
    Failure {
        message: format!("no notebook runs with so little for `{flag}`"),
        help: Some(format!("the least is {least}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_follows_from_what_is() {
        let asked = LimitSettings {
            timeout: NonZeroU64::new(60),
            disk: Some(ByteSize(5 << 20)),
            ..LimitSettings::default()
        };
        let bounds = bounds(asked).ok().unwrap();
        assert_eq!(bounds.cell, Duration::from_secs(60));
        assert_eq!(bounds.process.file_size, 5 << 20);
        assert!(bounds.process.cpu >= bounds.process.wall);
    }

    #[test]
    fn a_limit_that_no_run_survives_is_refused() {
        let few = LimitSettings { processes: NonZeroU64::new(1), ..LimitSettings::default() };
        let long =
            LimitSettings { timeout: NonZeroU64::new(LONGEST + 1), ..LimitSettings::default() };
        let small = LimitSettings { memory: Some(ByteSize(1)), ..LimitSettings::default() };
        for settings in [few, long, small] {
            assert!(bounds(settings).is_err(), "{settings:?}");
        }
    }
}
