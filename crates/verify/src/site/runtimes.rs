//! Programs that draw charts, as pages hold them: the list of those that nbc takes.
//!
//! The texts are not part of nbc; `charts` tells where each comes from.

/// A program that draws charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Version of the Python package that carries it.
    pub version: &'static str,
    /// SHA-384 of the script in pages, as in Subresource Integrity.
    pub integrity: &'static str,
}

const fn published(version: &'static str, integrity: &'static str) -> Published {
    Published { version, integrity }
}

/// Vega, Vega-Lite and their interpreter of expressions, in one script. Newest first.
pub const VEGA: [Published; 1] = [published(
    "1.9.0.post1",
    "sha384-tkYAaSCIlsLBN0Tsko90EnWzNl4EajzSeug/NZ9a89rrEVgROM9gPf/e4lRUnyap",
)];

/// plotly.js. Newest first.
pub const PLOTLY: [Published; 3] = [
    published("7.1.0", "sha384-AFNp2MtSm5/oZbEs/J19F/Ah57MEiVsoed8nE3fq2Wnccdl1u/EkyJ9XKKU8rt7+"),
    published("6.9.0", "sha384-l4G4qURPwALv583BKlynU/4LiUx0rk9jcTX58Aq+Jc+jgWb52zeH2geZkSS3UPPs"),
    published("5.24.1", "sha384-cCVCZkAjYNxaYKbM8lsArLznDF/SvMFr1jcZrvOpSTCa0W40ZAdLzHCEulnUa5i7"),
];

/// BokehJS. Newest first.
pub const BOKEH: [Published; 6] = [
    published("3.9.2", "sha384-g9DMRTbu324z8DCTVTliqGx5fbK+SywwPXdNdCUvpyEcNgorUiK1U1lJV7Uf3ESB"),
    published("3.8.2", "sha384-h7wtBoK5iznDV0b4jPa52TrfZBMmhtxXTXcOvbqpfGlVlDelvhmcqjKCMiXE6hxA"),
    published("3.7.3", "sha384-f9OMx2EWGS0hozkLpVyaUV4XzoSXVv/1pxjZMv+WoU1pbtDYTGIsEimplL09JcpG"),
    published("3.6.3", "sha384-mAMcsTD3asCCtwlFrTGsdKLfEjuR3/ys2QEJvfNCesw02EQNmSzoUHh29Vvbyprp"),
    published("3.5.2", "sha384-/sa/uW5BDn/iqyJ5rd5nlHhUwZE9dujbQ+cr4z0+chrUNCQFBsQ+OCMt8PmclAOd"),
    published("3.4.3", "sha384-iZMsTZ8nVRnkY8DSDSf0PvN4GRB7TofhSu3EvLU1ojzcTTScJpwSYmMlqO7cqocI"),
];

/// Whether a script in a page, by its digest, is one of them.
pub fn is_published(digest: &str) -> bool {
    [VEGA.as_slice(), &PLOTLY, &BOKEH].into_iter().flatten().any(|it| it.integrity == digest)
}
