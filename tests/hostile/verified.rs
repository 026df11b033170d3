//! The verdict of `nbc verify` on a page that holds an output.

use std::collections::BTreeMap;

use nbc::verify::{Expected, Rule, verify_files};

/// The verdict of `nbc verify` on a page with these outputs, apart from faults of the page itself: the manifest is
/// missing, and so are the files that links lead to.
pub(crate) fn verified(html: &str, css: &str) -> Result<(), String> {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">\n\
         <title>A</title>\n<style>{css}</style>\n</head>\n\
         <body><main><section><div><div>{html}</div></div></section></main></body>\n</html>\n"
    );
    let files = BTreeMap::from([("a.html".to_owned(), page.into_bytes())]);
    let of_page = [
        Rule::ForeignLoad,
        Rule::StyleAddress,
        Rule::ActiveAddress,
        Rule::Markup,
        Rule::InlineHandler,
        Rule::StyleAttribute,
        Rule::ForbiddenElement,
        Rule::MetaDirective,
        Rule::LinkOpener,
        Rule::SelfContained,
        Rule::States,
        Rule::Overlay,
    ];
    let found = verify_files(&files, &Expected::default())
        .into_iter()
        .filter(|it| of_page.contains(&it.rule));
    let found = found.map(|it| it.to_string()).collect::<Vec<_>>().join("\n");
    if found.is_empty() { Ok(()) } else { Err(found) }
}
