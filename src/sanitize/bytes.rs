//! Questions about many bytes at once, asked in a way that the compiler makes vector code of.
//!
//! In: bytes. Out: an answer about all of them. Pictures are most of the bytes of a page, and each question
//! that takes a nanosecond a byte takes longer than reading the file.

/// Bytes that are looked at before the first decision.
const BLOCK: usize = 64;

/// Whether all bytes are as asked; `is_as_asked` must be cheap, since it is asked of a whole block.
pub(crate) fn all(bytes: &[u8], is_as_asked: impl Fn(u8) -> bool) -> bool {
    let whole = |block: &[u8]| block.iter().fold(true, |all, it| all & is_as_asked(*it));
    let blocks = bytes.chunks_exact(BLOCK);
    whole(blocks.remainder()) && blocks.into_iter().all(whole)
}

/// Whether all bytes are of base64, its padding included.
pub(crate) fn are_base64(bytes: &[u8]) -> bool {
    all(bytes, is_base64)
}

fn is_base64(it: u8) -> bool {
    // Letters of both cases at once; `|` and not `||`, which would be a jump.
    ((it | 0x20).wrapping_sub(b'a') < 26)
        | (it.wrapping_sub(b'/') < 11)
        | (it == b'+')
        | (it == b'=')
}

/// The length of the beginning of a text that means the same in markup as it does alone: no markup, no
/// control, nothing beyond ASCII but what is surely no control.
pub(crate) fn plain(text: &str) -> usize {
    let is_plain = |it: u8| {
        // Controls beyond ASCII begin with 0xc2.
        (it >= b' ')
            & (it != b'&')
            & (it != b'<')
            & (it != b'>')
            & (it != b'"')
            & (it != b'\'')
            & (it != 0x7f)
            & (it != 0xc2)
            | (it == b'\n')
            | (it == b'\t')
    };
    let bytes = text.as_bytes();
    let blocks = bytes.chunks_exact(BLOCK);
    let whole = |block: &&[u8]| block.iter().fold(true, |all, it| all & is_plain(*it));
    let start = blocks.take_while(whole).count() * BLOCK;
    let rest = bytes.get(start..).unwrap_or_default();
    // A byte that is not plain begins a character, so the text may be cut before it.
    rest.iter().position(|it| !is_plain(*it)).map_or(bytes.len(), |at| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_told_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
            for at in [0, 1, 63, 64, 100, 129] {
                let mut bytes = vec![b'A'; 130];
                *bytes.get_mut(at).unwrap() = byte;
                assert_eq!(are_base64(&bytes), expected, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn plain_text_ends_before_what_markup_or_a_reader_could_take_otherwise() {
        for character in (0..0x300).chain(0x2020..0x2030).filter_map(char::from_u32) {
            let is_plain = !matches!(character, '&' | '<' | '>' | '"' | '\'')
                && (!character.is_control() || matches!(character, '\t' | '\n'))
                && !('\u{80}'..='\u{bf}').contains(&character);
            for at in [0, 1, 62, 63, 64, 127, 128] {
                let text = format!("{}{character}b", "é".repeat(at / 2) + &"a".repeat(at % 2));
                let expected = if is_plain { text.len() } else { at };
                assert_eq!(plain(&text), expected, "{character:?} at {at}");
            }
        }
    }
}
