//! Letters of mathematical alphabets.
//!
//! MathML Core knows no `mathvariant` but `normal`, so the letters themselves are those of the alphabet (Unicode's
//! Mathematical Alphanumeric Symbols, and the letters that were encoded before that block). Words keep their letters,
//! for search and for reading aloud; a class gives them their look.

/// Puts letters of alphabets in the place of `mathvariant`.
pub(super) fn with_letters(markup: &str) -> String {
    const ATTRIBUTE: &str = " mathvariant=\"";
    if !markup.contains(ATTRIBUTE) {
        return markup.to_owned();
    }
    let mut out = String::with_capacity(markup.len());
    let mut rest = markup;
    while let Some((before, after)) = rest.split_once(ATTRIBUTE) {
        let Some((variant, after)) = after.split_once('"') else { break };
        out.push_str(before);
        rest = after;
        let is_text = before.rsplit_once('<').is_some_and(|(_, it)| it.starts_with("mtext"));
        match (variant, is_text) {
            ("normal", _) => out.push_str(" mathvariant=\"normal\""),
            (_, true) => {
                let words = variant.split('-').map(|it| format!("math-{it}"));
                out.push_str(&format!(" class=\"{}\"", words.collect::<Vec<_>>().join(" ")));
            }
            (_, false) => {
                let (tag, after) = rest.split_once('>').unwrap_or((rest, ""));
                let (text, after) = after
                    .split_at_checked(after.find('<').unwrap_or(after.len()))
                    .unwrap_or((after, ""));
                out.push_str(tag);
                out.push('>');
                push_letters(&mut out, text, variant);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Appends text in an alphabet; character references stay.
fn push_letters(out: &mut String, text: &str, variant: &str) {
    let mut in_reference = false;
    for character in text.chars() {
        in_reference = match character {
            '&' => true,
            ';' => false,
            _ => in_reference,
        };
        out.push(if in_reference { character } else { letter(character, variant) });
    }
}

/// The letter of an alphabet; those that it does not have stay.
fn letter(character: char, variant: &str) -> char {
    if let Some(early) = encoded_early(character, variant) {
        return early;
    }
    // First capital, first digit, first capital Greek letter of the block.
    let (letters, digits, greek) = match variant {
        "bold" => (0x1d400, Some(0x1d7ce), Some(0x1d6a8)),
        "italic" => (0x1d434, None, Some(0x1d6e2)),
        "bold-italic" => (0x1d468, None, Some(0x1d71c)),
        "script" => (0x1d49c, None, None),
        "bold-script" => (0x1d4d0, None, None),
        "fraktur" => (0x1d504, None, None),
        "double-struck" => (0x1d538, Some(0x1d7d8), None),
        "bold-fraktur" => (0x1d56c, None, None),
        "sans-serif" => (0x1d5a0, Some(0x1d7e2), None),
        "bold-sans-serif" => (0x1d5d4, Some(0x1d7ec), Some(0x1d756)),
        "sans-serif-italic" => (0x1d608, None, None),
        "sans-serif-bold-italic" => (0x1d63c, None, Some(0x1d790)),
        "monospace" => (0x1d670, Some(0x1d7f6), None),
        _ => return character,
    };
    let code = u32::from(character);
    let place = match character {
        'A'..='Z' => Some(letters + code - u32::from('A')),
        'a'..='z' => Some(letters + 26 + code - u32::from('a')),
        '0'..='9' => digits.map(|it| it + code - u32::from('0')),
        'Α'..='Ω' => greek.map(|it| it + code - u32::from('Α')),
        'α'..='ω' => greek.map(|it| it + 26 + code - u32::from('α')),
        _ => None,
    };
    place.and_then(char::from_u32).unwrap_or(character)
}

/// Letters that have their place outside of the block.
fn encoded_early(character: char, variant: &str) -> Option<char> {
    let (from, to) = match variant {
        "italic" => ("h", "ℎ"),
        "script" => ("BEFHILMRego", "ℬℰℱℋℐℒℳℛℯℊℴ"),
        "fraktur" => ("CHIRZ", "ℭℌℑℜℨ"),
        "double-struck" => ("CHNPQRZ", "ℂℍℕℙℚℝℤ"),
        _ => return None,
    };
    from.chars().zip(to.chars()).find(|(it, _)| *it == character).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_the_alphabet() {
        for (variant, text, expected) in [
            ("double-struck", "ERk1", "𝔼ℝ𝕜𝟙"),
            ("bold", "Xy0Ωβ", "𝐗𝐲𝟎𝛀𝛃"),
            ("script", "AL", "𝒜ℒ"),
            ("fraktur", "gC", "𝔤ℭ"),
            ("monospace", "a-&lt;b", "𝚊-&lt;𝚋"),
            ("unknown", "a", "a"),
        ] {
            let markup = format!("<mi mathvariant=\"{variant}\">{text}</mi>");
            assert_eq!(with_letters(&markup), format!("<mi>{expected}</mi>"));
        }
    }

    #[test]
    fn words_keep_their_letters() {
        let markup = "<mtext mathvariant=\"bold-italic\">a</mtext><mi mathvariant=\"normal\">b</mi><mi>c</mi>";
        let expected = "<mtext class=\"math-bold math-italic\">a</mtext><mi mathvariant=\"normal\">b</mi><mi>c</mi>";
        assert_eq!(with_letters(markup), expected);
    }
}
