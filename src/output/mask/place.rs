//! Places in a text that tell of a machine, and their replacements.
//!
//! In: the text before a match, the match, and the text after it. Out: the replacement, or a refusal. Looks at a bounded
//! part of the text.

/// Longest path that is looked at, in bytes; bounds the work at each place.
const LONGEST_PATH: usize = 512;
/// Longest name of a user.
const LONGEST_NAME: usize = 64;
/// Kinds of matches in a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trigger {
    /// A path of this host, and what is shown instead.
    Known(usize),
    /// A word that must stand alone.
    Word(usize),
    /// `/home/`: a name follows.
    Home,
    /// `C:\Users\`: a name follows, perhaps with blanks.
    WindowsHome,
    /// `/root/`.
    Root,
    /// `/tmp/`: the next part is as good as random.
    Temporary,
    /// `/var/folders/`: macOS puts two random folders and a `T` before the rest.
    Folders,
    /// `\AppData\Local\Temp\`, behind what became `~`.
    WindowsTemporary,
    /// `site-packages/`: the folders before it are those of the Python installation.
    Packages,
    /// The address of an object.
    Address,
    /// The rest is no text.
    Base64,
}

/// Starts of places, whoever the host is.
pub(super) const TRIGGERS: &[(&str, Trigger)] = &[
    ("/home/", Trigger::Home),
    ("/Users/", Trigger::Home),
    // Homes elsewhere: of immutable and of Solaris-like systems, of a session, on another disk.
    ("/var/home/", Trigger::Home),
    ("/export/home/", Trigger::Home),
    ("/data/home/", Trigger::Home),
    ("/run/user/", Trigger::Home),
    ("/Volumes/", Trigger::Home),
    // Written with two slashes, in JSON, and in HTML.
    ("/home//", Trigger::Home),
    ("/Users//", Trigger::Home),
    ("\\/home\\/", Trigger::Home),
    ("\\/Users\\/", Trigger::Home),
    ("&#47;home&#47;", Trigger::Home),
    ("&#47;Users&#47;", Trigger::Home),
    ("&#x2F;home&#x2F;", Trigger::Home),
    ("&#x2F;Users&#x2F;", Trigger::Home),
    (":\\users\\", Trigger::WindowsHome),
    (":\\\\users\\\\", Trigger::WindowsHome),
    (":/users/", Trigger::WindowsHome),
    (":\\Users\\", Trigger::WindowsHome),
    (":\\\\Users\\\\", Trigger::WindowsHome),
    (":/Users/", Trigger::WindowsHome),
    ("/root/", Trigger::Root),
    ("/tmp/", Trigger::Temporary),
    ("/private/tmp/", Trigger::Temporary),
    ("/var/tmp/", Trigger::Temporary),
    ("/var/folders/", Trigger::Folders),
    ("/private/var/folders/", Trigger::Folders),
    ("~\\AppData\\Local\\Temp\\", Trigger::WindowsTemporary),
    ("~\\\\AppData\\\\Local\\\\Temp\\\\", Trigger::WindowsTemporary),
    ("~/AppData/Local/Temp/", Trigger::WindowsTemporary),
    ("\\AppData\\Local\\Temp\\", Trigger::WindowsTemporary),
    ("\\\\AppData\\\\Local\\\\Temp\\\\", Trigger::WindowsTemporary),
    ("/AppData/Local/Temp/", Trigger::WindowsTemporary),
    ("site-packages/", Trigger::Packages),
    ("dist-packages/", Trigger::Packages),
    ("site-packages\\", Trigger::Packages),
    (" at 0x", Trigger::Address),
    (";base64,", Trigger::Base64),
];

/// Writes the replacement of a match to `out`; returns how many bytes of the text after it are replaced, too. `None`
/// refuses the match.
pub(super) fn replace(
    trigger: Trigger,
    matched: &str,
    out: &mut String,
    after: &str,
    shown: &[String],
) -> Option<usize> {
    match trigger {
        Trigger::Base64 => base64(matched, out, after),
        Trigger::Address => address(matched, out, after),
        Trigger::Known(at) => {
            if after.starts_with(is_of_name) {
                return None;
            }
            out.push_str(shown.get(at)?);
            Some(0)
        }
        Trigger::Word(at) => {
            let is_of_word = |it: char| it.is_alphanumeric() || it == '_' || it == '-';
            if out.ends_with(is_of_word) || after.starts_with(is_of_word) {
                return None;
            }
            out.push_str(shown.get(at)?);
            Some(0)
        }
        Trigger::Home => home(matched, out, after),
        Trigger::WindowsHome => windows_home(out, after),
        Trigger::Root => {
            if !begins_path(out) || !after.starts_with(is_of_name) {
                return None;
            }
            out.push_str("~/");
            Some(0)
        }
        Trigger::Temporary => temporary(out, after),
        Trigger::Folders => macos_temporary(out, after),
        Trigger::WindowsTemporary => windows_temporary(matched, out, after),
        Trigger::Packages => packages(matched, out),
    }
}

/// Keeps base64, in which words of other triggers may occur.
fn base64(matched: &str, out: &mut String, after: &str) -> Option<usize> {
    out.push_str(matched);
    let data = after.get(..base64_length(after))?;
    out.push_str(data);
    Some(data.len())
}

/// Hides the digits of an object's address.
fn address(matched: &str, out: &mut String, after: &str) -> Option<usize> {
    let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
    let tail = after.get(digits..)?;
    let ends = tail.starts_with('>') || tail.starts_with("&gt;");
    if !(6..=16).contains(&digits) || !ends {
        return None;
    }
    out.push_str(matched);
    out.push('…');
    Some(digits)
}

/// Writes `~` in place of a home folder.
fn home(matched: &str, out: &mut String, after: &str) -> Option<usize> {
    let name = name_length(after);
    // A disk of Windows, as other systems on the same machine see it.
    let disk = if matched == "/Users/" { mounted_disk(out) } else { out.len() };
    if !out.get(..disk).is_some_and(begins_path) || name == 0 {
        return None;
    }
    out.truncate(disk);
    out.push('~');
    Some(name)
}

/// Writes `~` in place of a home folder of Windows, with its drive.
fn windows_home(out: &mut String, after: &str) -> Option<usize> {
    let drive = out.chars().next_back().filter(char::is_ascii_alphabetic)?;
    let before = out.get(..out.len() - drive.len_utf8()).unwrap_or_default();
    // `\\?\` lifts the limit of a path's length.
    let before = before.strip_suffix(r"\\?\").unwrap_or(before);
    let name = windows_name_length(after);
    let is_file = before.ends_with("file:///");
    if !is_file && before.ends_with(is_of_path) || name == 0 {
        return None;
    }
    out.pop();
    out.push('~');
    Some(name)
}

/// Writes `…` in place of a temporary folder's name.
fn temporary(out: &mut String, after: &str) -> Option<usize> {
    let part = part_length(after);
    if !begins_path(out) || part == 0 {
        return None;
    }
    out.push('…');
    Some(part + kernel_file(after, part))
}

/// Writes `…` in place of a temporary folder of macOS.
fn macos_temporary(out: &mut String, after: &str) -> Option<usize> {
    let mut length = part_length(after);
    if !begins_path(out) || length == 0 {
        return None;
    }
    // The second random folder, `T`, and what lies in it.
    for _ in 0..3 {
        length += next_part(after, length);
    }
    out.push('…');
    Some(length + kernel_file(after, length))
}

/// Writes `…` in place of a temporary folder of Windows, below a home that is masked.
fn windows_temporary(matched: &str, out: &mut String, after: &str) -> Option<usize> {
    // The home before it was masked a moment ago, or in an earlier pass.
    if !matched.starts_with('~') {
        out.truncate(out.strip_suffix('~')?.len());
    }
    let part = part_length(after);
    out.push('…');
    Some(part + kernel_file(after, part))
}

/// Removes the folders before `site-packages`.
fn packages(matched: &str, out: &mut String) -> Option<usize> {
    let start = path_start(out);
    let before = out.get(start..)?;
    let is_rooted = before.starts_with(['/', '~', '…']) || before.as_bytes().get(1) == Some(&b':');
    if !is_rooted || before.starts_with("//") {
        return None;
    }
    out.truncate(start);
    out.push_str(matched);
    Some(0)
}

pub(super) fn is_base64_byte(it: u8) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'=')
}

/// How much of a text is base64; wrapped lines count while they are long.
fn base64_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let run = |from: usize| bytes.iter().skip(from).take_while(|it| is_base64_byte(**it)).count();
    let mut end = run(0);
    while let Some(b'\n') = bytes.get(end) {
        let line = run(end + 1);
        if line < 48 {
            break;
        }
        end += 1 + line;
    }
    end
}

fn is_of_path(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '/' | '~' | '%' | '+' | '\\')
}

fn is_of_name(it: char) -> bool {
    it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '@' | '+' | '%' | '$')
}

/// Whether an absolute path may begin behind this text: not in an address, nor within another path.
fn begins_path(before: &str) -> bool {
    let glued = ["file://", "...", "\\n", "\\t", "-I", "-L"];
    glued.iter().any(|it| before.ends_with(it)) || !before.ends_with(is_of_path)
}

/// Length of the text before `/mnt/c`, `/cygdrive/c` or `/c`, if it ends with one of these; its own length otherwise.
fn mounted_disk(before: &str) -> usize {
    let mut letters = before.chars();
    let is_letter = letters.next_back().is_some_and(|it| it.is_ascii_alphabetic());
    let Some(rest) = letters.as_str().strip_suffix('/').filter(|_| is_letter) else {
        return before.len();
    };
    rest.strip_suffix("/mnt").or_else(|| rest.strip_suffix("/cygdrive")).unwrap_or(rest).len()
}

/// Length of a name of a user.
fn name_length(text: &str) -> usize {
    let end = text.char_indices().find(|(at, it)| *at > LONGEST_NAME || !is_of_name(*it));
    let name = text.get(..end.map_or(text.len(), |it| it.0)).unwrap_or_default();
    // A sentence may end with a path; a folder's name is no dot.
    name.trim_end_matches('.').len()
}

fn windows_name_length(text: &str) -> usize {
    let is_plain = |it: char| {
        !matches!(it, '"' | '<' | '>' | '|' | ':' | '*' | '?' | '\n' | '\r' | '&' | '\'')
    };
    let end = text
        .char_indices()
        .find(|(at, it)| *at > LONGEST_NAME || matches!(it, '\\' | '/') || !is_plain(*it));
    match end {
        // A name may hold blanks; a folder follows then.
        Some((at, '\\' | '/')) => at,
        _ => name_length(text),
    }
}

/// Length of a part of a path.
fn part_length(text: &str) -> usize {
    let end = text.char_indices().find(|(at, it)| *at > LONGEST_PATH || !is_of_name(*it));
    let part = text.get(..end.map_or(text.len(), |it| it.0)).unwrap_or_default();
    part.trim_end_matches('.').len()
}

/// Length of the next part with its separator.
fn next_part(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let Some(part) = rest.strip_prefix(['/', '\\']) else { return 0 };
    match part_length(part) {
        0 => 0,
        length => 1 + length,
    }
}

/// Length of the file name of a cell: IPython runs each as a file of its own, `ipykernel_123/456.py`.
fn kernel_file(text: &str, length: usize) -> usize {
    let folder = text.get(..length).unwrap_or_default();
    if !folder.contains("ipykernel_") {
        return 0;
    }
    let rest = text.get(length..).unwrap_or_default();
    let name = rest.trim_start_matches(['/', '\\']);
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let is_file = digits > 0 && name.get(digits..).is_some_and(|it| it.starts_with(".py"));
    if is_file { rest.len() - name.len() + digits + 3 } else { 0 }
}

/// Start of the path that a text ends with.
fn path_start(text: &str) -> usize {
    let mut start = text.len();
    for (at, it) in text.char_indices().rev() {
        if !(is_of_path(it) || matches!(it, '@' | '…')) || text.len() - at > LONGEST_PATH {
            break;
        }
        start = at;
    }
    // A drive is one letter.
    let is_rooted =
        text.get(start..).is_some_and(|it| it.starts_with(['\\', '/']) && !it.starts_with("//"));
    let mut before =
        text.get(..start).and_then(|it| it.strip_suffix(':')).unwrap_or_default().chars();
    let is_drive = before.next_back().is_some_and(|it| it.is_ascii_alphabetic())
        && !before.next_back().is_some_and(is_of_path);
    if is_rooted && is_drive { start - 2 } else { start }
}
