//! Reading a record of the usual form in one pass, without a parser's detours: what a list of thousands is made of.
//!
//! Whatever is not of that form (an unknown field, an escape, a null, a line break, any fault) is left to `read.rs`, which judges it.
//! Both agree on all that is read here.

use reception_core::{Service, ServiceId, ServiceName, limits::MAX_RECORD};

use super::{VERSION, field, read::status_of};

/// How a record of ours begins, and what follows. The same pieces in any other order, or with blanks, are read one by one.
const BEGIN: &str = r#"{"v":1,"address":"#;
const PORT: &str = r#","port":"#;
const ATTRIBUTES: &str = r#","attributes":"#;

pub(super) fn read(name: &ServiceName, id: &ServiceId, bytes: &[u8]) -> Option<Service> {
    if bytes.len() > MAX_RECORD {
        return None;
    }
    // In one go, so that no text is searched for it.
    if bytes.iter().fold(false, |odd, byte| odd | (*byte == b'\\') | (*byte < b' ')) {
        return None;
    }
    let mut rest = Rest { text: str::from_utf8(bytes).ok()?, at: 0 };
    let fields = rest.fields()?;
    if !rest.end() || fields.version? != VERSION || fields.address?.is_empty() {
        return None;
    }
    let port = u16::try_from(fields.port.unwrap_or_default()).ok()?;
    let mut attributes = fields.attributes.unwrap_or_default();
    if !attributes.is_sorted_by(|left, right| left.0 < right.0) {
        attributes.sort_unstable();
        if attributes.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return None;
        }
    }
    Service::foreign(name, id, fields.address?, port, status_of(fields.status), &attributes).ok()
}

/// What stands in a record, each field at most once.
#[derive(Default)]
struct Fields<'a> {
    version: Option<u64>,
    address: Option<&'a str>,
    port: Option<u64>,
    status: Option<&'a str>,
    attributes: Option<Vec<(&'a str, &'a str)>>,
}

/// A record and how far it is read. A piece that is not of the usual form is `None`, and then nothing more is asked.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn fields(&mut self) -> Option<Fields<'a>> {
        let mut fields = Fields::default();
        let begun = self.literal(BEGIN);
        if begun {
            fields.version = Some(VERSION);
            fields.address = Some(self.text()?);
            if self.literal(PORT) {
                fields.port = Some(self.number()?);
            }
            if self.literal(ATTRIBUTES) {
                fields.attributes = Some(self.texts()?);
            }
        }
        self.object(begun, |rest, key| match key {
            field::VERSION => once(&mut fields.version, rest.number()?),
            field::ADDRESS => once(&mut fields.address, rest.text()?),
            field::PORT => once(&mut fields.port, rest.number()?),
            field::STATUS => once(&mut fields.status, rest.text()?),
            field::ATTRIBUTES => once(&mut fields.attributes, rest.texts()?),
            _ => None,
        })?;
        Some(fields)
    }

    fn texts(&mut self) -> Option<Vec<(&'a str, &'a str)>> {
        let mut texts = Vec::new();
        self.object(false, |rest, key| {
            texts.push((key, rest.text()?));
            Some(())
        })?;
        Some(texts)
    }

    /// An object whose values are read one by one, from its beginning or from behind a value.
    fn object(&mut self, begun: bool, mut value: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        if !begun {
            self.expect(b'{')?;
            if self.take(b'}') {
                return Some(());
            }
        } else if !self.take(b',') {
            return self.expect(b'}');
        }
        loop {
            let key = self.text()?;
            self.expect(b':')?;
            value(self, key)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// A text; the record has no escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let mut left = self.text.as_bytes().get(self.at..)?.iter();
        let end = self.at + left.position(|byte| *byte == b'"')?;
        let text = self.text.get(self.at..end)?;
        self.at = end + 1;
        Some(text)
    }

    /// A whole number as JSON writes it. What may follow and make it another one is no comma and no brace.
    fn number(&mut self) -> Option<u64> {
        self.blanks();
        let begin = self.at;
        let mut number = 0_u64;
        while let Some(byte @ b'0'..=b'9') = self.next() {
            number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            self.at += 1;
        }
        let zeros = self.text.as_bytes().get(begin) == Some(&b'0');
        let digits = self.at - begin;
        (digits == 1 || digits > 1 && !zeros).then_some(number)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let there = self.next() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn literal(&mut self, literal: &str) -> bool {
        let there =
            self.text.as_bytes().get(self.at..).is_some_and(|left| left.starts_with(literal.as_bytes()));
        self.at += if there { literal.len() } else { 0 };
        there
    }

    fn blanks(&mut self) {
        while self.next() == Some(b' ') {
            self.at += 1;
        }
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn end(&mut self) -> bool {
        self.blanks();
        self.at == self.text.len()
    }
}

/// Sets a field; the second time it is left to who can say so.
fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample, sample::Index};

    use super::*;
    use crate::record::{encode, read::decode_slowly};

    const USUAL: &[&str] = &[
        r#"{"v":1,"address":"10.0.0.7","port":8080}"#,
        r#"{"v":1,"address":"h1"}"#,
        r#"{"address":"h1","v":1,"port":0}"#,
        r#"{"v":1,"address":"h1","port":1,"status":"draining","attributes":{}}"#,
        r#"{"v":1,"address":"h1","status":"later","attributes":{"b":"2","a":"1"}}"#,
        " { \"v\" : 1 ,  \"address\":\"h1\" , \"attributes\" : { \"b\" : \"\" , \"a\":\"é, } \" } }  ",
        r#"{"v":1,"address":"h1","port":65535,"attributes":{"":"x"}}"#,
    ];
    const ODD: &[&str] = &[
        "",
        "{}",
        "[]",
        r#"[1,"h1",80,null,null]"#,
        r#"{"v":1}"#,
        r#"{"v":2,"address":"h1"}"#,
        r#"{"address":"h1"}"#,
        r#"{"v":1,"address":""}"#,
        r#"{"v":1,"address":null}"#,
        r#"{"v":1,"address":"h\u0031"}"#,
        r#"{"v":1,"address":"h1","port":70000}"#,
        r#"{"v":1,"address":"h1","port":null}"#,
        r#"{"v":1,"address":"h1","port":1,"port":1}"#,
        r#"{"v":1,"address":"h1","later":[[1]]}"#,
        r#"{"v":1,"address":"h1","attributes":{"a":"1","a":"1"}}"#,
        r#"{"v":1,"address":"h1","attributes":{"a":null}}"#,
        r#"{"v":1,"address":"h1","attributes":{"\u0061":"1"}}"#,
        r#"{"v":1,"address":"h1","attributes":{"a":1}}"#,
        r#"{"v":1,"address":"h1"} x"#,
        r#"{"v":1,"address":"h1","status":null}"#,
        r#"{"v":1,"address":"h1","attributes":null}"#,
        r#"{"v":1,"address":"h1","port":080}"#,
        r#"{"v":1,"address":"h1","port":80.0}"#,
        r#"{"v":1,"address":"h1","port":8e1}"#,
        r#"{"v":1,"address":"h1","port":-1}"#,
        r#"{"v":1,"address":"h1","port":}"#,
        r#"{"v":1,"address":"h1","port":99999999999999999999}"#,
        r#"{"v":1,"address":"h1",}"#,
        r#"{"v":1,"address":"h1","attributes":{"a":"1",}}"#,
        r#"{"v":1,"address":"h1""#,
        r#"{"v":1 "address":"h1"}"#,
        r#"{"v":01,"address":"h1"}"#,
        "{\"v\":1,\"address\":\"h\n1\"}",
        "{\"v\":1,\n\"address\":\"h1\"}",
        "{\"v\":1,\u{a0}\"address\":\"h1\"}",
    ];

    fn whose() -> (ServiceName, ServiceId) {
        (ServiceName::new("api").unwrap(), ServiceId::new("i").unwrap())
    }

    #[test]
    fn the_short_way_and_the_long_way_read_the_same() {
        let (name, id) = whose();
        for text in USUAL {
            let short = read(&name, &id, text.as_bytes()).expect(text);
            assert_eq!(short, decode_slowly(&name, &id, text.as_bytes()).expect(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_usual_is_left_to_the_long_way() {
        let (name, id) = whose();
        for text in ODD {
            assert_eq!(read(&name, &id, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_we_write_is_usual() {
        let key = |key: &str| format!(",\"{key}\":");
        assert_eq!(BEGIN, format!("{{\"{}\":{VERSION}{}", field::VERSION, key(field::ADDRESS)));
        assert_eq!((PORT, ATTRIBUTES), (&*key(field::PORT), &*key(field::ATTRIBUTES)));
        let (name, id) = whose();
        let service = Service::builder_of(&name, &id, "::1", 80).attribute("zone", "a").build().unwrap();
        assert_eq!(read(&name, &id, &encode(&service).unwrap()), Some(service));
    }
    proptest! {
        #[test]
        fn whatever_is_read_here_is_read_the_same_the_long_way(
            which in 0..USUAL.len(), cuts in vec((any::<Index>(), sample::select(PIECES)), 0..4),
        ) {
            let mut text = USUAL[which].to_owned();
            for (at, piece) in cuts {
                let places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
                let Some(at) = places.get(at.index(places.len().max(1))) else { continue };
                let end = text[*at..].chars().next().map_or(*at, |letter| at + letter.len_utf8());
                text.replace_range(*at..end, piece);
            }
            let (name, id) = whose();
            if let Some(short) = read(&name, &id, text.as_bytes()) {
                prop_assert_eq!(short, decode_slowly(&name, &id, text.as_bytes()).expect(&text), "{}", text);
            }
        }
    }

    /// What takes the place of a letter.
    const PIECES: &[&str] = &[
        "",
        " ",
        "\"",
        "\\",
        "{",
        "}",
        ",",
        ":",
        "0",
        "1",
        "a",
        "\n",
        "é",
        "null",
        "\"a\":\"1\",",
        "\"port\":2,",
    ];
}
