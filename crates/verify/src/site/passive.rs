//! Names of downloads, and the kinds of files that start no program when they are opened. `verify` refuses others.

use std::borrow::Cow;

/// Extensions, in lowercase. Kinds with macros or scripts (`docm`, `html`, `svg`) are none of them; `.py` is
/// there since readers may get the notebook.
pub const PASSIVE: [&str; 123] = [
    "7z",
    "arrow",
    "avif",
    "avro",
    "bed",
    "bib",
    "bin",
    "bmp",
    "bz2",
    "csv",
    "dat",
    "db",
    "dbf",
    "docx",
    "dta",
    "duckdb",
    "epub",
    "fa",
    "fasta",
    "fastq",
    "feather",
    "fits",
    "flac",
    "geojson",
    "gff",
    "gguf",
    "gif",
    "glb",
    "gltf",
    "gpkg",
    "gpx",
    "gz",
    "h5",
    "hdf",
    "hdf5",
    "heic",
    "ico",
    "ics",
    "ipynb",
    "jl",
    "jpeg",
    "jpg",
    "json",
    "jsonl",
    "kml",
    "las",
    "laz",
    "log",
    "m4a",
    "m4v",
    "markdown",
    "mat",
    "md",
    "mid",
    "mov",
    "mp3",
    "mp4",
    "nc",
    "nc4",
    "ndjson",
    "npy",
    "npz",
    "obj",
    "odp",
    "ods",
    "odt",
    "oga",
    "ogg",
    "ogv",
    "onnx",
    "opus",
    "orc",
    "otf",
    "parquet",
    "pdb",
    "pdf",
    "ply",
    "png",
    "po",
    "pptx",
    "prj",
    "pt",
    "pth",
    "py",
    "qmd",
    "r",
    "rds",
    "rst",
    "safetensors",
    "sav",
    "shp",
    "shx",
    "sql",
    "sqlite",
    "sqlite3",
    "srt",
    "stl",
    "tar",
    "tex",
    "text",
    "tgz",
    "tif",
    "tiff",
    "toml",
    "topojson",
    "tsv",
    "ttf",
    "txt",
    "vcf",
    "vtt",
    "wav",
    "webm",
    "webp",
    "woff",
    "woff2",
    "xlsx",
    "xml",
    "xz",
    "yaml",
    "yml",
    "zarr",
    "zip",
    "zst",
];

/// The name of a download, with `.bin` behind it unless it is known that opening the file starts no program.
/// Characters that file systems refuse, or that turn or hide what is beside them, are `_`.
pub fn download_name(name: &str) -> Cow<'_, str> {
    // Windows drops dots and blanks at the end.
    let kept = name.trim_end_matches(|it: char| it == '.' || it.is_whitespace());
    let kind = kept.rsplit_once('.').map(|(_, kind)| kind.to_ascii_lowercase());
    let is_passive = kind.is_none_or(|it| PASSIVE.contains(&it.as_str()));
    if is_passive && kept == name && name.chars().all(is_plain) {
        return name.into();
    }
    let plain: String = kept.chars().map(|it| if is_plain(it) { it } else { '_' }).collect();
    if is_passive { plain.into() } else { format!("{plain}.bin").into() }
}

fn is_plain(it: char) -> bool {
    let is_hidden = matches!(it, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
    let is_blank = it.is_whitespace() && it != ' ';
    !is_hidden && !is_blank && !it.is_control() && !"/\\:*?\"<>|%".contains(it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_that_may_start_a_program_gets_another_name() {
        for (name, saved) in [
            ("a.exe", "a.exe.bin"),
            ("b.LNK. ", "b.LNK.bin"),
            ("c.csv", "c.csv"),
            ("d.html", "d.html.bin"),
            ("e.settingcontent-ms", "e.settingcontent-ms.bin"),
            ("é.XLSX", "é.XLSX"),
            ("f\u{202e}vsc.exe", "f_vsc.exe.bin"),
            ("g/h.csv", "g_h.csv"),
            ("what's new!.py", "what's new!.py"),
            ("no extension", "no extension"),
        ] {
            assert_eq!(download_name(name), saved);
        }
    }
}
