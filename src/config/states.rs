//! Values of inputs that pages have, and bounds of the runs that compute them.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use super::ByteSize;

/// Values of one input that an author names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Samples {
    /// `every 5`: every fifth value of a row, or steps of five.
    Every(String),
    /// Just these.
    These(Vec<serde_json::Value>),
}

impl Samples {
    /// Reads the table `states` of a file: values by the variable of the input, `form.part` for a part.
    /// A value that is neither a list of plain values nor `every N` is left out.
    pub fn read(table: &toml::Table) -> BTreeMap<String, Self> {
        let mut samples = BTreeMap::new();
        for (name, value) in table {
            if let toml::Value::Table(parts) = value {
                let parts = Self::read(parts).into_iter();
                samples.extend(parts.map(|(part, it)| (format!("{name}.{part}"), it)));
            } else if let Some(it) = Self::of(value) {
                samples.insert(name.clone(), it);
            }
        }
        samples
    }

    /// Names of what [`Self::read`] leaves out.
    pub fn left_out(table: &toml::Table) -> Vec<String> {
        let mut names = Vec::new();
        for (name, value) in table {
            match value {
                toml::Value::Table(parts) => {
                    let parts = Self::left_out(parts).into_iter();
                    names.extend(parts.map(|part| format!("{name}.{part}")));
                }
                other if Self::of(other).is_none() => names.push(name.clone()),
                _ => {}
            }
        }
        names
    }

    fn of(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::String(text) => {
                let step: f64 = text.strip_prefix("every ")?.parse().ok()?;
                (step.is_finite() && step > 0.0).then(|| Self::Every(text.clone()))
            }
            toml::Value::Array(items) => {
                let items = items.iter().map(|it| match it {
                    // A date of TOML is a table to JSON.
                    toml::Value::Datetime(date) => Some(serde_json::Value::from(date.to_string())),
                    other => serde_json::to_value(other).ok(),
                });
                Some(Self::These(items.collect::<Option<Vec<_>>>()?))
            }
            _ => None,
        }
    }
}

/// Reads the table `states` of `nbc.toml`, where what cannot be read is an error.
pub(super) fn samples<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Samples>, D::Error> {
    let table = toml::Table::deserialize(deserializer)?;
    match Samples::left_out(&table).first() {
        None => Ok(Samples::read(&table)),
        Some(name) => Err(serde::de::Error::custom(format!("`states.{name}`: {SAMPLES_ARE}"))),
    }
}

/// Values that an author may write.
pub const SAMPLES_ARE: &str =
    "the values of an input are a list, such as `[0, 0.5, 1]`, or a text such as `\"every 5\"`";

/// Bounds of the states of a notebook; what is not set has its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SweepSettings {
    /// States of one notebook; beyond, values of inputs are left out [default: 2000]
    pub max_states: Option<NonZeroU64>,
    /// Values of one input [default: 250]
    pub max_values: Option<NonZeroU64>,
    /// Outputs of all states of a notebook, such as 64MiB [default: 256MiB]
    pub max_bytes: Option<ByteSize>,
    /// Longest time that all states of a notebook may take [default: 600]
    pub sweep_timeout: Option<NonZeroU64>,
    /// Longest time that one state may take [default: 60]
    pub state_timeout: Option<NonZeroU64>,
    /// Notebooks, and states of a notebook, that run at the same time [default: one a core]
    pub jobs: Option<NonZeroU64>,
}

impl SweepSettings {
    /// These settings, and those of `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            max_states: self.max_states.or(other.max_states),
            max_values: self.max_values.or(other.max_values),
            max_bytes: self.max_bytes.or(other.max_bytes),
            sweep_timeout: self.sweep_timeout.or(other.sweep_timeout),
            state_timeout: self.state_timeout.or(other.state_timeout),
            jobs: self.jobs.or(other.jobs),
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn values_are_lists_or_steps_also_of_parts() {
        let text = "alpha = [0, 0.5]\nn = \"every 5\"\nday = [2024-01-31]\nform.x = [1]\nodd = 3";
        let table: toml::Table = text.parse().unwrap();
        let read = Samples::read(&table);
        assert_eq!(read.keys().collect::<Vec<_>>(), ["alpha", "day", "form.x", "n"]);
        assert_eq!(read.get("day").unwrap(), &Samples::These(vec!["2024-01-31".into()]));
        assert_eq!(read.get("n").unwrap(), &Samples::Every("every 5".to_owned()));
    }
}
