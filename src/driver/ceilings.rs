//! Bounds of `nbc.toml` to the first one that a foreign file may not ask for.
//!
//! The file lies beside notebooks that somebody else may have written. It may lower every bound, and raise each up to
//! a ceiling; more takes `--trust-config`, or the flag of that bound. The ceilings are here and nowhere else;
//! `docs/security.md` explains them.

use std::num::NonZeroU64;

use camino::Utf8Path;

use super::options::{Goal, Options};
use super::{Failure, limits};
use crate::config::{ByteSize, Config, LimitSettings, ShownSettings, SweepSettings};

const HOUR: u64 = 3600;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Resources of this machine.
#[derive(Debug, Clone, Copy)]
struct Machine {
    memory: u64,
    cores: u64,
}

/// The bounds that a caller asks for, by the table of the file that has them.
struct Asked {
    limits: LimitSettings,
    shown: ShownSettings,
    sweep: SweepSettings,
}

/// One bound of the file.
struct Bound {
    table: &'static str,
    key: String,
    asked: Option<u64>,
    /// Whether a flag replaces the file's value.
    is_overridden: bool,
    most: u64,
    unit: &'static str,
}

/// A bound as a plain number.
trait Amount: Copy {
    /// Behind the number, in messages.
    const UNIT: &'static str;
    fn amount(self) -> u64;
}

impl Amount for ByteSize {
    const UNIT: &'static str = " bytes";
    fn amount(self) -> u64 {
        self.0
    }
}

impl Amount for NonZeroU64 {
    const UNIT: &'static str = "";
    fn amount(self) -> u64 {
        self.get()
    }
}

/// Every bound that the file can set, with its ceiling.
fn bounds(config: &Config, options: &Options, machine: Machine) -> Vec<Bound> {
    fn bound<T: Amount>(
        table: &'static str,
        key: &str,
        (asked, flag): (Option<T>, Option<T>),
        most: u64,
    ) -> Bound {
        Bound {
            table,
            key: key.replace('_', "-"),
            asked: asked.map(T::amount),
            is_overridden: flag.is_some(),
            most,
            unit: T::UNIT,
        }
    }
    let own =
        Asked { limits: options.limits, shown: options.publishing.shown, sweep: options.sweep };
    macro_rules! table {
        ($table:ident: $($key:ident $most:expr),+ $(,)?) => {
            [$(bound(
                stringify!($table),
                stringify!($key),
                (config.$table.$key, own.$table.$key),
                $most,
            )),+]
        };
    }
    let mut all = Vec::new();
    all.extend(table!(limits:
        timeout HOUR,
        cell_timeout HOUR,
        cpu_time HOUR * machine.cores,
        // Never below the default, which is no raise.
        memory (machine.memory / 2).max(limits::MEMORY.0),
        processes 4096.max(16 * machine.cores),
        open_files 16_384,
        disk 8 * GIB,
        file_size 8 * GIB,
        output_size 64 * MIB,
        outputs_size GIB,
        outputs 100_000,
        environment_size 8 * GIB,
    ));
    // About ten times the defaults: what a page weighs is its readers' time.
    all.extend(table!(shown:
        text 16 * MIB,
        lines 100_000,
        rows 50_000,
        markup 128 * MIB,
        pixels 1_500_000_000,
        pictures 256 * MIB,
    ));
    all.extend(table!(sweep:
        max_states 20_000,
        max_values 2_500,
        max_bytes GIB,
        sweep_timeout HOUR,
        state_timeout HOUR,
        jobs 16.max(machine.cores),
    ));
    all
}

impl Bound {
    /// The flag of this bound.
    fn flag(&self) -> String {
        let prefix = if self.table == "shown" { "shown-" } else { "" };
        format!("--{prefix}{}", self.key)
    }
}

/// Refuses a file that asks for more than it may.
pub(super) fn check(
    config: &Config,
    options: &Options,
    folder: &Utf8Path,
    goal: Goal,
) -> Result<(), Failure> {
    if options.trust_config {
        return Ok(());
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let machine = Machine { memory: limits::whole_memory(), cores };
    let asked = Config {
        limits: if goal.has_runs() { config.limits } else { LimitSettings::default() },
        sweep: if goal.has_runs() && goal.has_pages() {
            config.sweep
        } else {
            SweepSettings::default()
        },
        shown: if goal.has_pages() { config.shown } else { ShownSettings::default() },
        lines: config.lines.clone(),
        ..Config::default()
    };
    match refusal(&asked, options, machine, &folder.join("nbc.toml")) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

fn refusal(
    config: &Config,
    options: &Options,
    machine: Machine,
    path: &Utf8Path,
) -> Option<Failure> {
    let exceeds = |it: &Bound| !it.is_overridden && it.asked.is_some_and(|asked| asked > it.most);
    let bound = bounds(config, options, machine).into_iter().find(exceeds)?;
    let Bound { table, key, asked, most, unit, .. } = &bound;
    let name = format!("{table}.{key}");
    // A key may have an older name.
    let line = config.lines.get(&name).or_else(|| config.lines.get(&format!("{table}.max-{key}")));
    let line = line.map(|it| format!(":{it}")).unwrap_or_default();
    let asked = asked.unwrap_or_default();
    Some(Failure {
        message: format!(
            "`{path}{line}`: `{key}` in `[{table}]` asks for {asked}{unit}, and a file may ask for {most} at most"
        ),
        help: Some(format!(
            "grant it with `{}`, or everything that the file asks for with `--trust-config`; read the file first if \
             others wrote it",
            bound.flag()
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine { memory: 64 << 30, cores: 4 };

    fn said(text: &str, options: &Options) -> Option<String> {
        let config = Config::parse(text).unwrap();
        let failure = refusal(&config, options, MACHINE, Utf8Path::new("nbc.toml"))?;
        Some(format!("{} {}", failure.message, failure.help.unwrap_or_default()))
    }

    /// Names that a table of the file may have, from the error about one that it may not.
    fn keys(table: &str) -> Vec<String> {
        let text =
            if table.is_empty() { "zzz = 1".to_owned() } else { format!("[{table}]\nzzz = 1") };
        let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
        let names = error.split("expected one of").nth(1).unwrap();
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_bound_of_the_file_has_a_ceiling() {
        let bounds = bounds(&Config::default(), &Options::default(), MACHINE);
        for table in ["limits", "shown", "sweep"] {
            for key in keys(table).into_iter().filter(|it| it != "max-rows") {
                assert!(
                    bounds.iter().any(|it| it.table == table && it.key == key),
                    "{table}.{key}"
                );
            }
        }
        for Bound { table, key, most, unit, .. } in bounds {
            let value = |it: u64| if unit.is_empty() { it.to_string() } else { format!("'{it}'") };
            let text = |it| format!("title = 'x'\n[{table}]\n{key} = {}\n", value(it));
            assert_eq!(said(&text(most), &Options::default()), None, "{key}");
            let message = said(&text(most + 1), &Options::default()).unwrap();
            assert!(message.contains("nbc.toml:3`"), "{message}");
            assert!(message.contains(&format!("`{key}` in `[{table}]`")), "{message}");
            assert!(message.contains("--trust-config") && message.contains(&key), "{message}");
        }
    }

    #[test]
    fn a_flag_replaces_what_the_file_asks_for() {
        let memory = Some(ByteSize(1 << 30));
        let limits = LimitSettings { memory, ..LimitSettings::default() };
        let options = Options { limits, ..Options::default() };
        let text = "limits = { memory = '900GiB' }";
        assert!(said(text, &Options::default()).unwrap().contains("nbc.toml:1`"));
        assert_eq!(said(text, &options), None);
        assert!(said("limits.memory = '900GiB'\nlimits.timeout = 604800", &options).is_some());
    }

    #[test]
    fn every_key_of_the_file_is_in_the_table_of_what_it_may_loosen() {
        let text = include_str!("../../docs/security.md");
        let (_, table) = text.split_once("### What `nbc.toml` may ask for").unwrap();
        let (table, _) = table.split_once("\n## ").unwrap();
        let mut names = keys("");
        for table in ["limits", "shown", "sweep"] {
            names.extend(keys(table));
        }
        for name in names.into_iter().filter(|it| it != "max-rows") {
            assert!(table.contains(&format!("`{name}`")), "{name}");
        }
    }
}
