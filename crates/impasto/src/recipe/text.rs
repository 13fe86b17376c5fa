//! The text of a recipe's file, in whichever of the usual ways it was saved.

/// Bytes that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not text in UTF-8 or UTF-16")]
pub struct NoText;

/// The text in a file's bytes: UTF-8, or UTF-16 as PowerShell writes it, with a byte order mark or without, which goes.
///
/// Without a mark UTF-16 is known by the zero beside the first letter: JSON begins with one of ASCII's (RFC 4627, 3).
///
/// ```
/// use impasto::recipe::text_from_bytes;
/// assert_eq!(text_from_bytes(b"\xef\xbb\xbf{}").unwrap(), "{}");
/// assert_eq!(text_from_bytes(b"\xff\xfe{\0}\0").unwrap(), "{}");
/// assert!(text_from_bytes(b"\xff{}").is_err());
/// ```
///
/// # Errors
/// [`NoText`] where it is neither.
pub fn text_from_bytes(bytes: &[u8]) -> Result<String, NoText> {
    match bytes {
        [0xef, 0xbb, 0xbf, text @ ..] => from_utf8(text),
        [0xff, 0xfe, text @ ..] => from_utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => from_utf16(text, u16::from_be_bytes),
        [1..=0x7f, 0, ..] => from_utf16(bytes, u16::from_le_bytes),
        [0, 1..=0x7f, ..] => from_utf16(bytes, u16::from_be_bytes),
        text => from_utf8(text),
    }
}

fn from_utf8(text: &[u8]) -> Result<String, NoText> {
    std::str::from_utf8(text).map(str::to_owned).map_err(|_| NoText)
}

fn from_utf16(text: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NoText> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(NoText);
    }
    String::from_utf16(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<u16>>()).map_err(|_| NoText)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_in_every_way() {
        let text = "{\"seed\": 7, \"content\": \"Möwe 🐦.jpg\"}\r\n";
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let ways = [
            text.as_bytes().to_vec(),
            [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat(),
            [&[0xff, 0xfe], &little[..]].concat(),
            [&[0xfe, 0xff], &big[..]].concat(),
            little,
            big,
        ];
        for way in ways {
            assert_eq!(text_from_bytes(&way), Ok(text.to_owned()), "{:x?}", &way[..4]);
        }
        // An odd byte, half a pair, a byte that begins nothing.
        for wrong in [&b"\xff\xfe{\0}"[..], b"\xff\xfe\0\xd8", b"{\"\xe4\"}"] {
            assert_eq!(text_from_bytes(wrong), Err(NoText), "{wrong:x?}");
        }
        assert_eq!(text_from_bytes(b""), Ok(String::new()));
    }
}
