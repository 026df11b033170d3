//! Every flag has an option, and every list of flags is one of flags that exist.

use clap::builder::Resettable;
use clap::{ArgAction, CommandFactory as _, FromArgMatches as _};

use super::{Cli, Command, OF_PAGES};
use crate::driver::Options;

/// Flags that change nothing of a build: places of results, and how it is told.
const OF_THE_COMMAND: [&str; 6] = ["inputs", "output", "format", "timings", "color", "help"];

/// The command line without the variables of this process.
fn parser() -> clap::Command {
    Cli::command().mut_subcommands(|it| it.mut_args(|flag| flag.env(Resettable::Reset)))
}

fn options(arguments: &[&str]) -> Options {
    let matches = parser().try_get_matches_from(arguments).expect("arguments");
    match Cli::from_arg_matches(&matches).expect("a command line").command {
        Command::Build(it) => it.options(),
        Command::Prepare(it) => it.options(),
        Command::Check(it) => it.options(),
        Command::Render(it) => it.options(),
        _ => unreachable!(),
    }
}

/// A value that a flag takes and that is not its default.
fn value(flag: &clap::Arg) -> String {
    let named = flag.get_possible_values();
    if let Some(last) = named.last() {
        return last.get_name().to_owned();
    }
    match flag.get_id().as_str() {
        "state" => "a=1".to_owned(),
        "allow_net" => "example.org".to_owned(),
        "secret" => "NAME=file".to_owned(),
        "allow_island" => "html".to_owned(),
        "trust_runtime" => format!("sha384-{}", "A".repeat(64)),
        _ => "7".to_owned(),
    }
}

#[test]
fn every_flag_reaches_the_options() {
    let cli = parser();
    for (command, places) in [
        ("build", &["a.py"][..]),
        ("prepare", &["a.py"]),
        ("check", &["a.py"]),
        ("render", &["a.py", "a.json"]),
    ] {
        let plain: Vec<&str> = ["nbc", command].into_iter().chain(places.iter().copied()).collect();
        let default = format!("{:?}", options(&plain));
        let mut flags = 0;
        for flag in cli.find_subcommand(command).expect("a command").get_arguments() {
            let Some(long) = flag.get_long() else { continue };
            if OF_THE_COMMAND.contains(&flag.get_id().as_str()) {
                continue;
            }
            let mut text = format!("--{long}");
            if !matches!(flag.get_action(), ArgAction::SetTrue) {
                text = format!("{text}={}", value(flag));
            }
            let given: Vec<&str> = plain.iter().copied().chain([text.as_str()]).collect();
            assert_ne!(format!("{:?}", options(&given)), default, "{command} {text}");
            flags += 1;
        }
        assert!(flags > 0, "{command}");
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn flags_that_are_hidden_from_a_list_of_states_exist() {
    let command = Cli::command();
    let build = command.find_subcommand("build").expect("a command");
    for hidden in OF_PAGES {
        assert!(build.get_arguments().any(|it| it.get_id() == hidden), "{hidden}");
    }
}
