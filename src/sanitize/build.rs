//! Markup that nbc makes itself: the second way to [`SafeHtml`].
//!
//! In: names from nbc's source code (they are `&'static str`), values and text from anywhere.
//! Out: markup in which values can't leave their quotes and text can't become markup.

use super::{SafeHtml, policy};

impl SafeHtml {
    /// An element. Names must be literals of nbc's; a name that could run code makes an empty
    /// piece. Values are escaped; addresses that are no link and no image data are left out.
    #[expect(clippy::needless_pass_by_value, reason = "pieces are built inside out and used once")]
    pub fn element(
        name: &'static str,
        attributes: &[(&'static str, &str)],
        children: SafeHtml,
    ) -> SafeHtml {
        let forbidden = ["script", "style", "iframe", "object", "embed", "base", "meta", "link"];
        if forbidden.contains(&name) {
            return SafeHtml::default();
        }
        let mut out = format!("<{name}");
        for (attribute, value) in attributes {
            let is_handler = attribute.starts_with("on") || *attribute == "style";
            let is_address = matches!(*attribute, "href" | "src");
            // Text for people may start as it likes; nothing else of nbc's has a scheme.
            let is_text = matches!(
                *attribute,
                "alt" | "title" | "value" | "placeholder" | "class" | "id" | "for" | "role"
            ) || attribute.starts_with("aria-")
                || attribute.starts_with("data-");
            if is_handler
                || is_address && !is_address_allowed(name, attribute, value)
                || !is_address && !is_text && policy::has_scheme(value)
            {
                continue;
            }
            out.push(' ');
            out.push_str(attribute);
            out.push_str("=\"");
            out.push_str(SafeHtml::text(value).as_str());
            out.push('"');
        }
        out.push('>');
        if !policy::VOID.contains(&name) {
            out.push_str(children.as_str());
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        }
        SafeHtml(out)
    }

    /// A `div` with a class.
    pub fn div(class: &str, children: SafeHtml) -> SafeHtml {
        Self::element("div", &[("class", class)], children)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_address_allowed(name: &str, attribute: &str, value: &str) -> bool {
    policy::value(name, attribute, value).is_some()
}
