//! An independent look at markup: own reading of tags, no shared code, no allow-list of the sanitizer.

/// Elements that must never be in an output.
const FORBIDDEN: &[&str] = &[
    "script",
    "style",
    "iframe",
    "object",
    "embed",
    "link",
    "meta",
    "base",
    "form",
    "template",
    "noscript",
    "foreignobject",
    "animate",
    "set",
    "annotation-xml",
    "frame",
    "applet",
    "portal",
    "title",
    "xmp",
    "plaintext",
    "source",
    "track",
    "data",
    "html",
    "body",
];

/// Checks markup of an output.
pub(crate) fn markup(html: &str) -> Result<(), String> {
    let mut rest = html;
    let mut depth = 0i64;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let is_end = rest.starts_with('/');
        let name: String = rest
            .trim_start_matches('/')
            .chars()
            .take_while(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | ':'))
            .collect();
        if name.is_empty() {
            return Err(format!("a `<` that starts no tag: {}", head(rest)));
        }
        let lower = name.to_ascii_lowercase();
        if FORBIDDEN.contains(&lower.as_str()) {
            return Err(format!("element `{name}`"));
        }
        rest = &rest[name.len() + usize::from(is_end)..];
        let is_void =
            matches!(lower.as_str(), "br" | "hr" | "img" | "input" | "wbr" | "col" | "area");
        depth += if is_end { -1 } else { i64::from(!is_void) };
        if depth < 0 {
            return Err(format!("`</{name}>` closes what is not its own"));
        }
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            }
            let Some((attribute, after)) = rest.split_once("=\"") else {
                return Err(format!("attributes that can't be read: {}", head(rest)));
            };
            let Some((value, after)) = after.split_once('"') else {
                return Err(format!("value without end: {}", head(after)));
            };
            check(&lower, attribute, &value.to_ascii_lowercase())?;
            rest = after;
        }
    }
    if depth == 0 { Ok(()) } else { Err(format!("{depth} elements are not closed")) }
}

fn check(element: &str, name: &str, value: &str) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("`{name}` of `{element}`: {why}: {}", head(value)));
    let legal = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | ':');
    if name.is_empty() || !name.chars().all(legal) {
        return refuse("name");
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("on")
        || ["style", "srcdoc", "srcset", "action", "formaction", "name", "background", "ping"]
            .contains(&lower.as_str())
            && !(lower == "name" && element == "details" && value.starts_with("o-c1-"))
    {
        return refuse("attribute");
    }
    if ["javascript:", "vbscript:"].iter().any(|it| value.contains(it))
        // Names and places in the page run nothing.
        && !["title", "alt", "class", "id"].contains(&lower.as_str())
        && !value.starts_with('#')
    {
        return refuse("scheme");
    }
    match lower.as_str() {
        "src" if matches!(element, "audio" | "video") => {
            let known = ["data:audio/", "data:video/"].iter().any(|it| value.starts_with(it));
            if known && value.contains(";base64,") { Ok(()) } else { refuse("media") }
        }
        "src" if !value.starts_with("data:image/") => refuse("address"),
        "href" | "xlink:href" if element == "a" => {
            // A download of nbc's: `verify` asks for the attribute beside it.
            let files = [
                "data:application/octet-stream;base64,",
                "data:application/pdf;base64,",
                "data:text/csv;base64,",
                "data:text/plain;base64,",
            ];
            if files.iter().any(|it| value.starts_with(it)) {
                return Ok(());
            }
            let known = ["http://", "https://", "mailto:", "tel:", "#"];
            // Behind a `#`, a colon ends no scheme.
            let file = value.split('#').next().unwrap_or("");
            let relative = !file.contains(':') && !value.starts_with("//");
            if relative || known.iter().any(|it| value.starts_with(it)) {
                Ok(())
            } else {
                refuse("link")
            }
        }
        "href" | "xlink:href" if element == "image" && value.starts_with("data:image/") => Ok(()),
        "href" | "xlink:href" if !value.starts_with("#o-c1") => refuse("reference"),
        "id" if !value.starts_with("o-c1-") => refuse("id"),
        "class"
            if value.split(' ').any(|it| {
                !["x-", "s-", "nbc-", "ansi-"].iter().any(|ours| it.starts_with(ours))
            }) =>
        {
            refuse("class")
        }
        "title" | "alt" | "aria-label" | "value" | "placeholder" | "class" | "id" => Ok(()),
        _ if value.replace("url(#o-", "").contains("url(") => refuse("url"),
        _ => Ok(()),
    }
}

/// Checks rules of an output.
pub(crate) fn rules(css: &str) -> Result<(), String> {
    let lower = css.to_ascii_lowercase();
    for bad in [
        "</",
        "@import",
        "@font-face",
        "expression(",
        "javascript:",
        "\\",
        "{position:fixed",
        ";position:fixed",
        "image-set(",
        "src(",
        "attr(",
    ] {
        if lower.contains(bad) {
            return Err(format!("`{bad}` in {}", head(css)));
        }
    }
    if lower.replace("url(#o-", "").contains("url(") {
        return Err(format!("url in {}", head(css)));
    }
    // A condition may hold line breaks; what begins with it ends at its brace.
    let mut is_inside = false;
    for line in css.lines().filter(|it| !it.is_empty() && *it != "}") {
        let was_inside = is_inside;
        is_inside = (line.starts_with('@') || was_inside) && !line.contains('{');
        if was_inside {
            continue;
        }
        if !line.starts_with(".nbc-out-c1")
            && !line.starts_with("@media")
            && !line.starts_with("@supports")
        {
            return Err(format!("rule for elsewhere: {line}"));
        }
        let selectors = line.split('{').next().unwrap_or("");
        let mut depth = 0;
        for (at, character) in selectors.char_indices() {
            match character {
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                ',' if depth == 0
                    && !line.starts_with('@')
                    && !selectors[at + 1..].starts_with(".nbc-out-c1") =>
                {
                    return Err(format!("selector for elsewhere: {line}"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn head(text: &str) -> String {
    text.chars().take(80).collect()
}
