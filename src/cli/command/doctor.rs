//! `nbc doctor`: what this machine gives to confine notebooks, each layer tried for real.

use serde::{Serialize, Serializer};

use crate::cli::Exit;
use crate::cli::args::{Doctor, ReportFormat};
use crate::cli::printer::Printer;
use crate::driver::Failure;
use crate::process::{self, Examined, Isolation, LayerRefusal, Sandbox, SandboxError};

/// The report of `nbc doctor`.
#[derive(Serialize)]
struct Report {
    nbc: &'static str,
    system: &'static str,
    architecture: &'static str,
    /// Each layer, tried by itself.
    #[serde(serialize_with = "with_answers")]
    layers: Vec<Examined>,
    levels: Vec<Level>,
}

/// Says for programs in one word whether a layer is there.
fn with_answers<S: Serializer>(layers: &[Examined], to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Answer<'a> {
        name: &'a str,
        available: bool,
        #[serde(flatten)]
        refusal: &'a Option<LayerRefusal>,
    }
    to.collect_seq(layers.iter().map(|it| Answer {
        name: &it.name,
        available: it.refusal.is_none(),
        refusal: &it.refusal,
    }))
}

/// Whether a build can have a level of isolation.
#[derive(Serialize)]
struct Level {
    name: &'static str,
    available: bool,
    /// The part that does not hold, or the reason why it cannot be had.
    detail: String,
}

pub(in crate::cli) fn run(arguments: &Doctor, printer: Printer) -> Result<Exit, Failure> {
    let report = Report {
        nbc: env!("CARGO_PKG_VERSION"),
        system: std::env::consts::OS,
        architecture: std::env::consts::ARCH,
        layers: process::examine()?,
        levels: vec![
            level("strict", Sandbox::confined(Isolation::Strict)),
            level("best-effort", Sandbox::confined(Isolation::BestEffort)),
        ],
    };
    match arguments.format {
        ReportFormat::Text => printer.result(&text(&report)),
        ReportFormat::Json => {
            printer.json(&(serde_json::to_string_pretty(&report)? + "\n"));
        }
    }
    let is_strict_available = report.levels.first().is_some_and(|it| it.available);
    Ok(if is_strict_available { Exit::Done } else { Exit::Findings })
}

fn level(name: &'static str, result: Result<Sandbox, SandboxError>) -> Level {
    match result {
        Ok(sandbox) => {
            let missing: Vec<&str> = sandbox
                .layers()
                .iter()
                .filter(|it| !it.active)
                .map(|it| it.name.as_str())
                .collect();
            let detail = if missing.is_empty() {
                String::new()
            } else {
                format!("without {}", missing.join(", "))
            };
            Level { name, available: true, detail }
        }
        Err(error) => Level { name, available: false, detail: shortly(&error) },
    }
}

/// The ways out stand at the end of the report, once.
fn shortly(error: &SandboxError) -> String {
    match error {
        SandboxError::LayerRefused { layer, step, .. } => {
            format!("the layer `{layer}` is refused ({step})")
        }
        SandboxError::NothingHolds { full, least } => {
            format!("{}; without namespaces, {}", shortly(full), shortly(least))
        }
        other => other.to_string(),
    }
}

fn text(report: &Report) -> String {
    let names = report.layers.iter().map(|it| it.name.len());
    let levels = report.levels.iter().map(|it| it.name.len() + LEVEL.len());
    let width = names.chain(levels).max().unwrap_or(0);
    let mut text = format!("nbc {} on {} ({})\n\n", report.nbc, report.system, report.architecture);
    for layer in &report.layers {
        let reason = layer.refusal.as_ref().map_or("", |it| &it.reason);
        text.push_str(&row(&layer.name, layer.refusal.is_none(), reason, width));
    }
    text.push('\n');
    for level in &report.levels {
        text.push_str(&row(
            &format!("{LEVEL}{}", level.name),
            level.available,
            &level.detail,
            width,
        ));
    }
    for layer in &report.layers {
        if let Some(way_out) = layer.refusal.as_ref().and_then(|it| it.way_out.as_ref()) {
            text.push_str(&format!("\n{}: {way_out}\n", layer.name));
        }
    }
    text
}

const LEVEL: &str = "--isolation ";

fn row(name: &str, is_there: bool, detail: &str, width: usize) -> String {
    let answer = if is_there { "yes" } else { "no" };
    format!("{}\n", format!("{name:width$}  {answer:3}  {detail}").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_layer_tells_why_and_how_to_get_it() {
        let layer = |name: &str, refusal: Option<(&str, &str)>| Examined {
            name: name.to_owned(),
            refusal: refusal.map(|(reason, way_out)| LayerRefusal {
                reason: reason.to_owned(),
                way_out: Some(way_out.to_owned()),
            }),
        };
        let level =
            |name, available, detail: &str| Level { name, available, detail: detail.to_owned() };
        let report = Report {
            nbc: "1",
            system: "linux",
            architecture: "x86_64",
            layers: vec![
                layer("seccomp", None),
                layer("landlock", Some(("not supported", "enable it"))),
            ],
            levels: vec![
                level("strict", false, "landlock is refused"),
                level("best-effort", true, "without landlock"),
            ],
        };
        let expected = "\
nbc 1 on linux (x86_64)

seccomp                  yes
landlock                 no   not supported

--isolation strict       no   landlock is refused
--isolation best-effort  yes  without landlock

landlock: enable it
";
        assert_eq!(text(&report), expected);
    }
}
