//! The programs that draw charts: which files nbc takes, from where, and how they are told apart from others.
//!
//! They are not part of nbc's repository. Each comes out of a wheel of the package index, pinned by the wheel's
//! digest, and is taken only if its own digest is in the list below, or in `trust.runtimes` of `nbc.toml`.

use std::collections::BTreeSet;

use super::Kind;
use crate::site::Integrity;
use crate::site::runtimes::{BOKEH, PLOTLY, Published, VEGA};

/// A program that draws charts, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    kind: Kind,
    version: String,
    text: String,
    integrity: Integrity,
}

impl Runtime {
    /// Which charts it draws.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The version of the Python package that carries it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The runtime that an environment itself has of a kind, if these are the bytes of its file, and nbc knows them or
    /// the author trusts their digest.
    pub fn of_environment(
        kind: Kind,
        version: &str,
        file: &[u8],
        trusted: &BTreeSet<String>,
    ) -> Option<Self> {
        let integrity = Integrity::of(file);
        let is_known = |it: &KnownRuntime| it.kind == kind && it.integrity == integrity.as_str();
        if file_of(kind).is_none()
            || !trusted.contains(integrity.as_str()) && !KNOWN.iter().any(is_known)
        {
            return None;
        }
        let text = std::str::from_utf8(file).ok()?.to_owned();
        Some(Self { kind, version: version.to_owned(), text, integrity })
    }

    /// Whether it draws what this version of its library wrote.
    pub fn fits(&self, made_by: Option<&str>) -> bool {
        fits(self.kind, &self.version, made_by)
    }

    /// The script.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Digest of [`Runtime::text`].
    pub fn integrity(&self) -> &Integrity {
        &self.integrity
    }
}

/// Origin of a runtime's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A file of the package, by its path below the folder of packages.
    File(&'static str),
    /// Output of this Python program on descriptor 3, its length first; it runs in the sandbox, where the
    /// package is installed.
    Printed(&'static str),
}

/// A runtime that nbc knows.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownRuntime {
    /// Which charts it draws.
    pub kind: Kind,
    /// The script in pages: the file with the scripts around it.
    published: &'static Published,
    /// Requirement that installs it.
    pub requirement: &'static str,
    /// Its origin once that is installed.
    pub origin: Origin,
    /// SHA-384 of the file, as in Subresource Integrity.
    pub integrity: &'static str,
    /// Scripts around the file: libraries hide what `assets/charts/` calls.
    around: (&'static str, &'static str),
}

impl KnownRuntime {
    /// Version of the Python package.
    pub fn version(&self) -> &'static str {
        self.published.version
    }

    /// Whether it comes before another one of its kind in the list, which is newest first.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let place = |it: &Self| KNOWN.iter().position(|known| known == it);
        place(self) < place(other)
    }

    /// The runtime, if these are the bytes of its file.
    pub fn runtime(&'static self, file: &[u8]) -> Option<Runtime> {
        if Integrity::of(file).as_str() != self.integrity {
            return None;
        }
        let file = std::str::from_utf8(file).ok()?;
        let (before, after) = self.around;
        let text = format!("{before}{file}{after}");
        let integrity = Integrity::of(text.as_bytes());
        Some(Runtime { kind: self.kind, version: self.version().to_owned(), text, integrity })
    }
}

/// The runtime for a chart. `made_by` is the version of the library that made it, where that is known.
///
/// BokehJS reads only what the Bokeh of the same minor version wrote; plotly.js reads figures of its own
/// major version best; Vega reads them all.
pub fn known(kind: Kind, made_by: Option<&str>) -> Option<&'static KnownRuntime> {
    let parts = |version: &'static str| -> Vec<&'static str> { version.split('.').collect() };
    let compared = match kind {
        Kind::Bokeh => 2,
        Kind::Plotly => 1,
        Kind::Vega => 0,
    };
    let mut all = KNOWN.iter().filter(|it| it.kind == kind);
    let Some(made_by) = made_by else { return all.next() };
    let wanted: Vec<&str> = made_by.split('.').take(compared).collect();
    let found = all.clone().find(|it| {
        let own = parts(it.version());
        own.get(..compared) == Some(wanted.as_slice())
    });
    match kind {
        Kind::Bokeh => found,
        Kind::Plotly | Kind::Vega => found.or_else(|| all.next()),
    }
}

/// Whether the runtime of a version draws what another version of its library wrote: BokehJS needs the same minor
/// version.
pub fn fits(kind: Kind, version: &str, made_by: Option<&str>) -> bool {
    let minor = |it: &str| it.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    kind != Kind::Bokeh || made_by.is_none_or(|made_by| minor(made_by) == minor(version))
}

/// Path of a kind's runtime in its package, below a folder of packages.
pub fn file_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Plotly => Some(PLOTLY_FILE),
        Kind::Bokeh => Some(BOKEH_FILE),
        // It is a text in a module, which would have to run.
        Kind::Vega => None,
    }
}

/// Vega, Vega-Lite and the interpreter of expressions as one script.
const PRINT_VEGA: &str = "\
import socket, struct, vl_convert
script = vl_convert.javascript_bundle().encode()
socket.socket(fileno=3).sendall(struct.pack('<I', len(script)) + script)
";

const PLOTLY_FILE: &str = "plotly/package_data/plotly.min.js";
const BOKEH_FILE: &str = "bokeh/server/static/js/bokeh.min.js";

/// A file that pages hold as it is.
const fn whole(
    kind: Kind,
    origin: &'static str,
    published: &'static Published,
    requirement: &'static str,
) -> KnownRuntime {
    let (origin, integrity) = (Origin::File(origin), published.integrity);
    KnownRuntime { kind, published, requirement, origin, integrity, around: ("", "") }
}

const fn plotly(published: &'static Published, requirement: &'static str) -> KnownRuntime {
    whole(Kind::Plotly, PLOTLY_FILE, published, requirement)
}

const fn bokeh(published: &'static Published, requirement: &'static str) -> KnownRuntime {
    whole(Kind::Bokeh, BOKEH_FILE, published, requirement)
}

/// Newest first of each kind. Digests were taken from the wheels of PyPI in November 2026.
const KNOWN: &[KnownRuntime] = &[
    KnownRuntime {
        kind: Kind::Vega,
        published: &VEGA[0],
        requirement: "vl-convert-python==1.9.0.post1",
        origin: Origin::Printed(PRINT_VEGA),
        integrity: "sha384-I3BgFpCU1SkfKGlWMM0T7SeBj/phzaLPtM5jRL98w1UaTWzN4FlDtUo879nIXVLW",
        // The bundle keeps the three to itself, under these names.
        around: (
            "(() => {",
            ";window.vega = mod12; window.vegaLite = mod13; window.vegaExpression = h27;})();",
        ),
    },
    plotly(
        &PLOTLY[0],
        "plotly==7.1.0 --hash=sha256:dbb7fa18afce40d0a8e80d1bf162eceb3faa0ce5a77fe741ad09a74cf78f53f3",
    ),
    plotly(
        &PLOTLY[1],
        "plotly==6.9.0 --hash=sha256:36bebe2f1bb13884774fe61689c329071446f6ce4a8927fb1f0d6fb24f581236",
    ),
    plotly(
        &PLOTLY[2],
        "plotly==5.24.1 --hash=sha256:f67073a1e637eb0dc3e46324d9d51e2fe76e9727c892dde64ddf1e1b51f29089",
    ),
    bokeh(
        &BOKEH[0],
        "bokeh==3.9.2 --hash=sha256:448e07d5ee78231f5bdece3be020024bb98696c0d6b127e0e2df0b8ba8fa9765",
    ),
    bokeh(
        &BOKEH[1],
        "bokeh==3.8.2 --hash=sha256:5e2c0d84f75acb25d60efb9e4d2f434a791c4639b47d685534194c4e07bd0111",
    ),
    bokeh(
        &BOKEH[2],
        "bokeh==3.7.3 --hash=sha256:b0e79dd737f088865212e4fdcb0f3b95d087f0f088bf8ca186a300ab1641e2c7",
    ),
    bokeh(
        &BOKEH[3],
        "bokeh==3.6.3 --hash=sha256:1c219e2afe1405e6ada212071ac3bee91c95acfd1aa6d620eb6f61a751407747",
    ),
    bokeh(
        &BOKEH[4],
        "bokeh==3.5.2 --hash=sha256:2be7bc1484a961c496294c8725c47f21129191cb6b3fa45f953cc97ae075bc4b",
    ),
    bokeh(
        &BOKEH[5],
        "bokeh==3.4.3 --hash=sha256:c6f33817f866fc67fbeb5df79cd13a8bb592c05c591f3fd7f4f22b824f7afa01",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn version(kind: Kind, made_by: Option<&str>) -> Option<&'static str> {
        known(kind, made_by).map(KnownRuntime::version)
    }

    #[test]
    fn a_runtime_fits_the_library_that_made_the_chart() {
        assert_eq!(version(Kind::Bokeh, Some("3.7.0")), Some("3.7.3"));
        assert_eq!(version(Kind::Bokeh, Some("2.4.3")), None);
        assert_eq!(version(Kind::Plotly, Some("5.9.0")), Some("5.24.1"));
        assert_eq!(version(Kind::Plotly, Some("4.1")), Some("7.1.0"));
        assert_eq!(version(Kind::Plotly, None), Some("7.1.0"));
        assert_eq!(version(Kind::Vega, None), Some("1.9.0.post1"));
    }

    #[test]
    fn a_file_of_an_environment_is_taken_by_its_digest_only() {
        let file = b"window.Bokeh = {}";
        let of = |kind, trusted: &BTreeSet<String>| {
            Runtime::of_environment(kind, "3.3.4", file, trusted)
        };
        assert_eq!(of(Kind::Bokeh, &BTreeSet::new()), None);
        let trusted = BTreeSet::from([Integrity::of(file).as_str().to_owned()]);
        assert_eq!(of(Kind::Vega, &trusted), None);
        let taken = of(Kind::Bokeh, &trusted).unwrap();
        assert_eq!(taken.text(), "window.Bokeh = {}");
        assert!(taken.fits(Some("3.3.0")) && !taken.fits(Some("3.4.0")));
    }

    #[test]
    fn the_list_is_newest_first_of_each_kind() {
        let parts = |it: &KnownRuntime| -> Vec<u32> {
            it.version().split('.').filter_map(|part| part.parse().ok()).collect()
        };
        for (before, after) in KNOWN.iter().zip(KNOWN.iter().skip(1)) {
            let is_ordered = before.kind != after.kind || parts(before) > parts(after);
            assert!(is_ordered && before.is_newer_than(after), "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_is_installed_is_what_pages_may_hold() {
        for it in KNOWN {
            assert!(it.requirement.contains(&format!("=={}", it.version())), "{it:?}");
        }
        assert_eq!(KNOWN.len(), VEGA.len() + PLOTLY.len() + BOKEH.len());
    }

    #[test]
    fn another_file_is_no_runtime() {
        assert_eq!(known(Kind::Plotly, None).and_then(|it| it.runtime(b"alert(1)")), None);
    }
}
