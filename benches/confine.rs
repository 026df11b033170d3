//! Runs one program in nbc's sandbox: to try a probe by hand, and to measure the start.
//!
//! `confine [--read HOST[:INSIDE]] [--overlay HOST[:INSIDE]] [--folder INSIDE] [--memory MIB] [--seconds N]
//! [--repeat N] [--isolation LEVEL] PROGRAM [ARGUMENT…]`

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a tool for the terminal, which measures a plain start as well"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nbc::process::{
    Access, Isolation, Job, Limits, Mount, Openings, Outcome, STAGE_ARGUMENT, Sandbox, Trusted,
    sandbox_main,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // It executes itself again as the second stage, as nbc does.
    if std::env::args().nth(1).is_some_and(|it| it == STAGE_ARGUMENT) {
        return Ok(u8::try_from(sandbox_main()).unwrap_or(u8::MAX).into());
    }
    let mut repeat = 1_usize;
    let mut isolation = Isolation::Strict;
    let mut job = Job {
        program: "".into(),
        arguments: vec![],
        environment: BTreeMap::from([
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ("HOME".to_owned(), "/tmp".to_owned()),
        ]),
        mounts: vec![],
        working_folder: "/tmp".into(),
        limits: Limits {
            wall: Duration::from_secs(60),
            cpu: Duration::from_secs(120),
            open_files: 1024,
            file_size: 256 << 20,
            memory: 2 << 30,
            processes: 512,
            temporary: 256 << 20,
            console: 1 << 20,
        },
        openings: Openings::default(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or("a flag lacks its value");
        match argument.as_str() {
            "--read" => job.mounts.push(mount(&value()?, Access::ReadOnly)),
            "--overlay" => job.mounts.push(mount(&value()?, Access::Overlay)),
            "--folder" => job.working_folder = value()?.into(),
            "--memory" => job.limits.memory = value()?.parse::<u64>()? << 20,
            "--seconds" => job.limits.wall = Duration::from_secs(value()?.parse()?),
            "--isolation" => {
                isolation = match value()?.as_str() {
                    "strict" => Isolation::Strict,
                    "best-effort" => Isolation::BestEffort,
                    "none" => Isolation::None(Trusted::by_request_of_the_user()),
                    _ => return Err("no such level".into()),
                };
            }
            "--repeat" => repeat = value()?.parse()?,
            _ => {
                job.program = argument.into();
                job.arguments = arguments.by_ref().collect();
            }
        }
    }

    let start = Instant::now();
    let sandbox = Sandbox::confined(isolation)?;
    if repeat > 1 {
        println!("finding out that it works: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
        return measure(&sandbox, &job, repeat);
    }
    for layer in sandbox.layers() {
        eprintln!(
            "{}: {} {}",
            layer.name,
            if layer.active { "holds" } else { "missing" },
            layer.detail
        );
    }
    let ended = sandbox.start(&job)?.wait();
    std::io::stdout().write_all(&ended.console)?;
    eprintln!(
        "{:?} after {:.2} s, {:.2} s of CPU time",
        ended.outcome,
        start.elapsed().as_secs_f64(),
        ended.cpu.as_secs_f64()
    );
    Ok(if ended.outcome == Outcome::Exited(0) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn mount(text: &str, access: Access) -> Mount {
    let (host, inside) = text.split_once(':').unwrap_or((text, text));
    Mount { host: host.into(), inside: inside.into(), access }
}

/// Prints the median of both kinds of start, taken by turns so that a busy machine is unfair to neither.
fn measure(sandbox: &Sandbox, job: &Job, repeat: usize) -> Result<ExitCode, Box<dyn Error>> {
    let (mut plain, mut confined) = (vec![], vec![]);
    for _ in 0..repeat {
        let start = Instant::now();
        Command::new(&job.program)
            .args(&job.arguments)
            .env_clear()
            .envs(&job.environment)
            .stdout(Stdio::null())
            .status()?;
        plain.push(start.elapsed());
        let start = Instant::now();
        let _ended = sandbox.start(job)?.wait();
        confined.push(start.elapsed());
    }
    plain.sort();
    confined.sort();
    let median =
        |times: &[Duration]| times.get(times.len() / 2).map_or(0.0, |it| it.as_secs_f64() * 1e3);
    let (plain, confined) = (median(&plain), median(&confined));
    println!(
        "plain {plain:.1} ms, confined {confined:.1} ms, overhead {:.1} ms (median of {repeat})",
        confined - plain
    );
    Ok(ExitCode::SUCCESS)
}
