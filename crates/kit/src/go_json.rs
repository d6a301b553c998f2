//! JSON with the escapes of Go's encoder, for formats that Go programs wrote first.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

struct Go;

impl Formatter for Go {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, from) = rest.split_at(at);
            let mut characters = from.chars();
            let escaped = characters.next().map_or(0, u32::from);
            write!(writer, "{plain}\\u{escaped:04x}")?;
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            // Go wrote these two by number for a long time.
            CharEscape::Backspace => writer.write_all(b"\\u0008"),
            CharEscape::FormFeed => writer.write_all(b"\\u000c"),
            other => CompactFormatter.write_char_escape(writer, other),
        }
    }
}

/// Writes a value; `<`, `>`, `&`, U+2028 and U+2029 are escaped, `\b` and `\f` by number.
///
/// # Errors
///
/// What the value itself says when it cannot be written.
pub fn to_vec(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Go))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_go_does() {
        let text = "<a href=\"x\"> & \\ / \u{8}\u{c}\n\u{1} zürich \u{2028}\u{2029}";
        let written = String::from_utf8(to_vec(&text).unwrap()).unwrap();
        let golden = "\"\\u003ca href=\\\"x\\\"\\u003e \\u0026 \\\\ / \\u0008\\u000c\\n\\u0001 zürich \\u2028\\u2029\"";
        assert_eq!(written, golden);
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
