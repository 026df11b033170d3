//! Bytes that a PDF file holds as text: ASCII85 and hexadecimal digits (ISO 32000-1, sections 7.4.2 and 7.4.3).

/// The bytes that a stream stands for; `None` when it is neither.
pub(super) fn bytes(stream: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memmem::find(stream, b"endstream")?;
    let text = stream.get(..end)?.trim_ascii();
    match text.strip_suffix(b"~>") {
        Some(digits) => of_85(digits.strip_prefix(b"<~").unwrap_or(digits)),
        None => of_16(text.strip_suffix(b">")?),
    }
}

fn of_16(digits: &[u8]) -> Option<Vec<u8>> {
    let digits = digits.iter().filter(|it| !it.is_ascii_whitespace());
    let digits = digits.map(|it| char::from(*it).to_digit(16).and_then(|it| u8::try_from(it).ok()));
    let digits = digits.collect::<Option<Vec<u8>>>()?;
    // A missing last digit is zero.
    let pair = |it: &[u8]| it.first().map_or(0, |it| it << 4) | it.get(1).copied().unwrap_or(0);
    Some(digits.chunks(2).map(pair).collect())
}

fn of_85(digits: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(digits.len() / 5 * 4);
    let mut group = Vec::with_capacity(5);
    for digit in digits.iter().filter(|it| !it.is_ascii_whitespace()) {
        match digit {
            b'z' if group.is_empty() => out.extend([0; 4]),
            b'!'..=b'u' => group.push(digit - b'!'),
            _ => return None,
        }
        if group.len() == 5 {
            out.extend(quartet(&group)?);
            group.clear();
        }
    }
    if !group.is_empty() {
        let length = group.len() - 1;
        group.resize(5, 84);
        out.extend(quartet(&group)?.get(..length)?);
    }
    Some(out)
}

fn quartet(group: &[u8]) -> Option<[u8; 4]> {
    let value = group.iter().fold(0_u64, |value, it| value * 85 + u64::from(*it));
    u32::try_from(value).ok().map(u32::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_for_bytes() {
        for (stream, found) in [
            (&b"87cURD]i,\"Ebo80~>\nendstream"[..], Some(&b"Hello World!"[..])),
            (b"<~z87cUR~>endstream", Some(b"\0\0\0\0Hell")),
            (b"48 65 6C6c6>\r\nendstream", Some(b"Hell`")),
            (b"48 6g>endstream", None),
            (b"uuuuu~>endstream", None),
            (b"87cUR~>", None),
            (b"plain endstream", None),
        ] {
            assert_eq!(bytes(stream).as_deref(), found, "{}", stream.escape_ascii());
        }
    }
}
