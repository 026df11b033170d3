//! The rules of a site: one variant a rule, with the text that `nbc verify --help` prints.

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $variant:ident = $number:literal $slug:literal,)*) => {
        /// A rule that every written site keeps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $($(#[doc = $doc])* $variant,)* }

        impl Rule {
            /// All rules in order.
            pub const ALL: &[Rule] = &[$(Rule::$variant,)*];

            /// Stable number, from 1; never reused.
            pub fn number(self) -> u8 {
                match self { $(Rule::$variant => $number,)* }
            }

            /// Stable name, such as `script-hash`.
            pub fn slug(self) -> &'static str {
                match self { $(Rule::$variant => $slug,)* }
            }

            /// Requirement of the rule. One line.
            pub fn description(self) -> &'static str {
                match self { $(Rule::$variant => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

rules! {
    /// File names hold letters, digits and `-_.~` alone, differ in more than case, and hide nothing.
    SafePath = 1 "safe-path",
    /// Only checked pages are documents: no file of another kind that a browser would run.
    PassiveFile = 2 "passive-file",
    /// `manifest.json` is there and has the known form.
    Manifest = 3 "manifest",
    /// The manifest lists every file with its size and digest, and no other.
    ListedFile = 4 "listed-file",
    /// A file under `assets/` carries the hash of its content in its name.
    HashedName = 5 "hashed-name",
    /// A page is UTF-8, well nested, and can be read in one way only.
    Markup = 6 "markup",
    /// A page has one policy, right after `<meta charset="utf-8">`.
    PolicyPlace = 7 "policy-place",
    /// The policy allows nothing but what it names by hash, `data:` images, and the site's own files.
    PolicyStrength = 8 "policy-strength",
    /// Every script is in the policy by hash.
    ScriptHash = 9 "script-hash",
    /// Every style is allowed by the policy.
    StyleHash = 10 "style-hash",
    /// Every hash in the policy is of something on the page.
    UnusedHash = 11 "unused-hash",
    /// Every external script and stylesheet has an `integrity` that matches its file.
    Integrity = 12 "integrity",
    /// No `on…` attribute.
    InlineHandler = 13 "inline-handler",
    /// No `style` attribute.
    StyleAttribute = 14 "style-attribute",
    /// No address that runs code or opens a document of its own: `javascript:`, `data:` and the like.
    ActiveAddress = 15 "active-address",
    /// Nothing is loaded from another origin.
    ForeignLoad = 16 "foreign-load",
    /// No element that loads, frames, submits or rewrites: `<base>`, `<object>`, `<animate>`…
    ForbiddenElement = 17 "forbidden-element",
    /// No `<meta http-equiv>` but the policy.
    MetaDirective = 18 "meta-directive",
    /// Styles load nothing but `data:` images and fonts, and files of the site.
    StyleAddress = 19 "style-address",
    /// A page of the `single` layout needs no other file.
    SelfContained = 20 "self-contained",
    /// Relative addresses lead to files of the site, and fragments to elements of their pages.
    BrokenLink = 21 "broken-link",
    /// A link that opens a window does not hand it over: `rel="noopener"`.
    LinkOpener = 22 "link-opener",
    /// Code of a notebook runs only in sandboxed frames of files below `islands/`, which load nothing.
    Island = 23 "island",
    /// Contents for other values of a page's inputs are data of the known shape, whose markup keeps these rules.
    States = 24 "states",
    /// The data of a chart belong to a figure of the page, and name neither code nor anything to load.
    Charts = 25 "charts",
    /// Every script is nbc's own, of this version, or a known program for charts; islands have their own rules.
    KnownScript = 26 "known-script",
    /// The address that a page states as its own lies below the `base-url` of the site.
    OwnAddress = 27 "own-address",
    /// Nothing opens over a page, asks for a password, or speaks to a screen reader unasked.
    Overlay = 28 "overlay",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_up_and_slugs_differ() {
        let slugs: std::collections::BTreeSet<_> = Rule::ALL.iter().map(|it| it.slug()).collect();
        assert_eq!(slugs.len(), Rule::ALL.len());
        for (index, rule) in Rule::ALL.iter().enumerate() {
            assert_eq!(usize::from(rule.number()), index + 1);
            assert!(rule.description().ends_with(['.', '…']), "{rule:?}");
        }
    }
}
