//! The file of an island: its policy, nbc's script, and what the notebook wrote as data.

use std::fmt::Write as _;

use serde_json::Value;

use super::IslandKind;
use crate::sanitize::SafeHtml;
use crate::site::Integrity;
use crate::site::scripts::ISLAND;

const STYLE: &str = "html{background:#fff;color:#111;color-scheme:light;font:1rem/1.5 system-ui,sans-serif}body{margin:0}";

/// The text of the file. Its policy names only the scripts of this file; pages have policies of their own.
pub(super) fn text(kind: IslandKind, digests: &[Integrity], data: &Value) -> String {
    let scripts: Vec<String> = digests.iter().map(|it| format!("'{}'", it.as_str())).collect();
    let style = Integrity::of(STYLE.as_bytes());
    let mut json = String::new();
    for character in data.to_string().chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(json, "\\u{:04x}", u32::from(character));
            }
            other => json.push(other),
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; \
         style-src '{}'; img-src data:; font-src data:; connect-src 'none'; frame-src 'none'; \
         worker-src 'none'; base-uri 'none'; form-action 'none'; object-src 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<p>This file is a part of a page, and shows nothing by itself.</p>\n\
         <script type=\"application/json\" id=\"island\">{json}</script>\n\
         <script>{ISLAND}</script>\n</body>\n</html>\n",
        scripts.join(" "),
        style.as_str(),
        SafeHtml::text(kind.title()).as_str(),
    )
}

/// The largest height in pixels that rules and styles state.
pub(super) fn tallest(html: &str, styles: &[String]) -> Option<u32> {
    let texts = std::iter::once(html).chain(styles.iter().map(String::as_str));
    let heights = texts.flat_map(|text| {
        text.match_indices("height:").filter_map(move |(at, word)| {
            let value = text.get(at + word.len()..)?.trim_start();
            let digits = value.find(|it: char| !it.is_ascii_digit())?;
            let (number, rest) = value.split_at(digits);
            rest.starts_with("px").then(|| number.parse::<u32>().ok())?
        })
    });
    heights.filter(|it| (80..=1200).contains(it)).max().map(|it| it + 24)
}
