//! The address of a site.

use std::str::FromStr;

use serde::Deserialize;

/// Address of the published site: absolute, ends with `/`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The address, with its `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-._~:/[]%".contains(it);
        match rest {
            Some(rest)
                if rest.chars().all(is_plain) && !rest.is_empty() && !rest.starts_with('/') =>
            {
                Ok(Self(format!("{}/", text.trim_end_matches('/'))))
            }
            _ => Err(format!(
                "`{text}` is no address of a site, such as `https://example.org/notebooks/`"
            )),
        }
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
