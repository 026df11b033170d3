//! Pictures of Vega charts that a notebook stores without one, drawn in the sandbox by vl-convert.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Duration;

use camino::Utf8Path;
use serde_json::Value;

use super::confined::{Confinement, Task, number, taken};
use super::install::{InstallError, install};
use super::{
    EnvironmentError, INSIDE, Provisioner, Requirements, VEGA_CONVERTER, identity, read_only,
    system_mounts,
};
use crate::cache::{KeyBuilder, Kind};

const PROGRAM: &str =
    concat!(include_str!("../../runner/nbc_runner/charts.py"), include_str!("draw.py"));
/// Longest that the charts of a notebook may take.
const DRAWING: Duration = Duration::from_secs(120);
/// Longest picture, in bytes.
const LONGEST: u32 = 8 << 20;

impl Provisioner {
    /// Draws charts, each given as `[language, major version, specification]`. One that cannot be drawn, or
    /// not in time, gives none.
    ///
    /// # Errors
    /// When there is no interpreter, or no vl-convert for it.
    pub fn draw(
        &self,
        charts: &[Value],
        confinement: Confinement<'_>,
    ) -> Result<Vec<Option<String>>, EnvironmentError> {
        let interpreter = self.own_interpreter()?;
        self.cache.open()?;
        let requirements = Requirements::engine(VEGA_CONVERTER);
        let ready = &|| self.confirm();
        let installed = install(&self.cache, &requirements, &interpreter, confinement, ready)?;
        let key = self.runs().and_then(|entries| {
            let own = identity::of_interpreter(entries, &self.trees, &interpreter)?;
            let key =
                KeyBuilder::new("pictures").value("interpreter", &own).text("program", PROGRAM);
            let key = key.text("lock", &installed.lock.digest).value("charts", &charts);
            Some((entries, key.end()))
        });
        let known = key.as_ref().and_then(|(entries, key)| entries.get(Kind::Picture, key));
        if let Some(known) = known.and_then(|it| serde_json::from_slice(&it).ok()) {
            return Ok(known);
        }
        self.confirm()?;
        let mut mounts = system_mounts(&interpreter);
        mounts.push(read_only(&installed.folder, Utf8Path::new(INSIDE)));
        let task = Task {
            program: Utf8Path::new(INSIDE).join("bin/python"),
            arguments: ["-I", "-c", PROGRAM].map(str::to_owned).to_vec(),
            environment: BTreeMap::from([("LC_ALL".to_owned(), "C.UTF-8".to_owned())]),
            mounts,
            time_limit: DRAWING,
        };
        let question = serde_json::to_vec(charts).map_err(|error| failed(&error.to_string()))?;
        let mut drawn: Vec<Option<String>> = Vec::new();
        let converse = |channel: &mut dyn Read| {
            for _ in charts {
                let length = number(channel)?;
                if length > LONGEST {
                    return Err(io::Error::other("a picture is too long"));
                }
                let picture = String::from_utf8(taken(channel, length)?).ok();
                drawn.push(picture.filter(|it| !it.is_empty()));
            }
            Ok(())
        };
        let asked = confinement.ask(task, &question, converse, |reason| failed(&reason));
        drawn.resize(charts.len(), None);
        if let (Ok(()), Some((entries, key))) = (&asked, &key)
            && let Ok(body) = serde_json::to_vec(&drawn)
        {
            entries.put(Kind::Picture, key, &body);
        }
        match asked {
            // A chart that kills the drawing costs those after it.
            Ok(()) | Err(InstallError::Runtime { .. }) => Ok(drawn),
            Err(error) => Err(error.into()),
        }
    }
}

fn failed(reason: &str) -> InstallError {
    let reason = reason.to_owned();
    InstallError::Runtime { name: "vl-convert", version: "1.9.0.post1", reason }
}
