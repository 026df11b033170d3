//! YAML at the head of a text: front matter of Markdown, the header that jupytext writes.
//!
//! In: YAML. Out: a JSON map. Aliases are not followed, so that a short text cannot stand for a
//! long one.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Map, Value};

/// Deepest nesting that is read; all keys that nbc knows are above it.
const MAX_DEPTH: usize = 32;
/// Longest text that is read as YAML, in bytes: front matter is written by hand.
const MAX_LENGTH: usize = 256 * 1024;

/// Reads a mapping.
///
/// # Errors
/// The reason why the text is no YAML mapping; lowercase, no period.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("it has more than {MAX_LENGTH} bytes"));
    }
    let mut events = Events(Parser::new_from_str(text));
    loop {
        match events.next()? {
            Event::StreamEnd | Event::DocumentEnd => return Ok(Map::new()),
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            event => {
                return match events.value(event, 0)? {
                    Value::Object(map) => Ok(map),
                    Value::Null => Ok(Map::new()),
                    _ => Err("it is not a mapping of names to values".to_owned()),
                };
            }
        }
    }
}

struct Events<'text>(Parser<'text, StrInput<'text>>);

impl<'text> Events<'text> {
    fn next(&mut self) -> Result<Event<'text>, String> {
        match self.0.next() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.info().to_owned()),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn value(&mut self, event: Event<'text>, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("it nests too deeply".to_owned());
        }
        match event {
            Event::Scalar(text, ScalarStyle::Plain, _, _) => Ok(plain(&text)),
            Event::Scalar(text, ..) => Ok(Value::from(text.into_owned())),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => return Ok(Value::Array(items)),
                        event => items.push(self.value(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut map = Map::new();
                loop {
                    let key = match self.next()? {
                        Event::MappingEnd => return Ok(Value::Object(map)),
                        event => self.value(event, depth + 1)?,
                    };
                    let event = self.next()?;
                    let value = self.value(event, depth + 1)?;
                    if let Some(key) = scalar_text(&key) {
                        insert(&mut map, key, value);
                    }
                }
            }
            _ => Ok(Value::Null),
        }
    }
}

/// Options that hide, or keep from running, when they are off.
const HIDING: [&str; 7] = ["echo", "eval", "include", "output", "warning", "enabled", "results"];

/// Adds a value. Of a key that stands twice, tools take the one or the other: mappings and lists count together, and an
/// option that hides is off unless both say the same.
pub(super) fn insert(map: &mut Map<String, Value>, key: String, value: Value) {
    let Some(old) = map.get_mut(&key) else {
        map.insert(key, value);
        return;
    };
    match (old, value) {
        (Value::Object(old), Value::Object(new)) => {
            new.into_iter().for_each(|(key, value)| insert(old, key, value));
        }
        (Value::Array(old), Value::Array(new)) => old.extend(new),
        (old, new) if key == "tags" => {
            let both = [old.take(), new].into_iter().flat_map(|it| match it {
                Value::Array(items) => items,
                one => vec![one],
            });
            *old = both.collect();
        }
        (old, new) if *old == new => {}
        (old, _) if HIDING.contains(&key.as_str()) => *old = Value::Bool(false),
        (old, _) if key == "execute" => {
            *old = serde_json::json!({"echo": false, "eval": false});
        }
        (old, new) => *old = new,
    }
}

/// A scalar without quotes, by the core schema of YAML 1.2.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match text.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => text
                .parse::<f64>()
                .ok()
                .filter(|_| text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)))
                .and_then(serde_json::Number::from_f64)
                .map_or_else(|| Value::from(text), Value::Number),
        },
    }
}

/// A scalar as its author sees it: `title: 2024` is a title.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str) -> Value {
        parse(text).map_or_else(|error| json!({ "error": error }), Value::Object)
    }

    #[test]
    fn nested_values_become_json() {
        assert_eq!(
            check("title: \"A: b\"\nn: 3\nlist: [a, true, null]\nm:\n  k: |\n    x\n    y\n"),
            json!({"title": "A: b", "n": 3, "list": ["a", true, null], "m": {"k": "x\ny\n"}})
        );
        assert_eq!(check(""), json!({}));
    }

    #[test]
    fn an_option_that_stands_twice_is_off() {
        assert_eq!(
            check(
                "t: 1\nt: 2\nexecute: {echo: false}\nexecute: {echo: true, eval: true, eval: true}\ntags: a\ntags: [b]\n"
            ),
            json!({"t": 2, "execute": {"echo": false, "eval": true}, "tags": ["a", "b"]})
        );
        assert_eq!(check("include: true\ninclude: x\n"), json!({"include": false}));
        let off = json!({"execute": {"echo": false, "eval": false}});
        assert_eq!(check("execute: true\nexecute: {echo: true}\n"), off);
    }

    #[test]
    fn an_alias_stands_for_nothing() {
        assert_eq!(check("a: &a [1]\nb: *a\n"), json!({"a": [1], "b": null}));
    }

    #[test]
    fn what_is_no_mapping_is_an_error() {
        assert_eq!(check("- a\n"), json!({"error": "it is not a mapping of names to values"}));
        assert!(check("a: [1\n").get("error").is_some());
        assert!(check(&"[".repeat(10_000)).get("error").is_some());
    }
}
