//! Memory that the values of a JSON text would take, estimated from its bytes before any value is built.

/// Most bytes that the values of one notebook file may take; 2,000,000 numbers in lists take half.
pub const MOST_OF_NOTEBOOK: u64 = 256 << 20;

/// An estimate of the memory that the values of a text take beyond the text itself.
///
/// Twenty-one megabytes of `{"":0},` are two gigabytes of values, so the length of a text bounds
/// nothing. Broken JSON gets some number, too: its reader refuses it later.
pub fn weight(json: &[u8]) -> u64 {
    // An object is a node of a B-tree, which has room for eleven members however few it has.
    const OBJECT: u64 = 640;
    // A list has room for four values at least.
    const LIST: u64 = 128;
    // Lists grow by doubling, nodes are half full.
    const ITEM: u64 = 64;
    // A key is an allocation of its own.
    const KEY: u64 = 32;
    let mut sum = 0;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += 1;
        sum += match byte {
            b'{' => OBJECT,
            b'[' => LIST,
            b',' => ITEM,
            b':' => KEY,
            b'"' => {
                // Pictures are strings of megabytes.
                loop {
                    let rest = json.get(at..).unwrap_or_default();
                    let Some(next) = memchr::memchr2(b'\\', b'"', rest) else { return sum };
                    at += next + 1;
                    if rest.get(next) == Some(&b'"') {
                        break;
                    }
                    at += 1;
                }
                0
            }
            _ => 0,
        };
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_outside_of_strings_counts() {
        assert_eq!(weight(br#""[[[{,\"[,:""#), 0);
        assert_eq!(weight(br#"{"a\\":[1,2]}"#), 640 + 32 + 128 + 64);
        assert_eq!(weight(br#""never closed [[[\"#), 0);
    }

    #[test]
    fn small_objects_weigh_as_much_as_they_take() {
        let bomb = r#"{"":0},"#.repeat(1_000_000);
        assert!(weight(bomb.as_bytes()) > 600 << 20);
    }
}
