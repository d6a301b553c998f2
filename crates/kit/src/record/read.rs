//! Reading a record: types are exact, null is absent, unknown fields are passed over.

use std::{borrow::Cow, fmt, marker::PhantomData};

use reception_core::{
    Error, ErrorKind, Result, Service, ServiceBuilder, ServiceId, ServiceName, Status, limits::MAX_RECORD,
};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::{KIT, MAX_DEPTH, VERSION, field, plain};

/// Reads the record of an instance; its name and id come from its key.
///
/// # Errors
/// Protocol when the bytes are no record of version 1, or over a cap of size or depth.
pub fn decode(name: &ServiceName, id: &ServiceId, bytes: &[u8]) -> Result<Service> {
    if let Some(service) = plain::read(name, id, bytes) {
        return Ok(service);
    }
    decode_slowly(name, id, bytes)
}

/// Reads any record, or says what is wrong with it.
pub(super) fn decode_slowly(name: &ServiceName, id: &ServiceId, bytes: &[u8]) -> Result<Service> {
    read(bytes)
        .and_then(|fields| fields.service(name, id))
        .map_err(|flaw| flaw.on(&format!("record of {name}/{id}")))
}

/// Reads the record of a candidate, which says itself whose it is.
///
/// # Errors
/// As [`decode`], and when the record names no service: other programs stand in elections with values of their own.
pub fn decode_candidate(bytes: &[u8]) -> Result<Service> {
    let service = |fields: Fields<'_>| {
        let Text(name) = fields.required(field::NAME, "a text")?;
        let Text(id) = fields.required(field::ID, "a text")?;
        let of = |wrong: Error| Flaw { text: wrong.context().to_owned(), source: Some(wrong) };
        let name = ServiceName::foreign(&name).map_err(of)?;
        let id = ServiceId::foreign(&id).map_err(of)?;
        fields.service(&name, &id)
    };
    read(bytes).and_then(service).map_err(|flaw| flaw.on("record of a candidate"))
}

/// Why some bytes are no record.
#[derive(Debug)]
pub(super) struct Flaw {
    text: String,
    source: Option<Error>,
}

impl Flaw {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), source: None }
    }

    fn on(self, what: &str) -> Error {
        let error = Error::new(ErrorKind::Protocol, KIT, "decode", format!("{what}: {}", self.text));
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

/// The fields of one record of version 1 as they are written, by key.
#[derive(Debug)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// Splits a record into its fields after every check that does not concern one field alone.
pub(super) fn read(bytes: &[u8]) -> Result<Fields<'_>, Flaw> {
    if bytes.len() > MAX_RECORD {
        return Err(Flaw::new(format!("{} bytes, the limit is {MAX_RECORD}", bytes.len())));
    }
    let text = str::from_utf8(bytes).map_err(|_| Flaw::new("not UTF-8"))?;
    check_depth(text)?;
    let Object(mut fields) =
        object(text).map_err(|error| Flaw::new(format!("not a JSON object ({})", place(&error))))?;
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    if let Some(pair) = fields.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Flaw::new(format!("field {:?} stands twice", short(&pair[0].0))));
    }
    let fields = Fields(fields);
    match fields.optional::<u64>(field::VERSION, "a whole number")? {
        None | Some(VERSION) => Ok(fields),
        Some(other) => Err(Flaw::new(format!("version {other}, this library reads version {VERSION}"))),
    }
}

impl<'a> Fields<'a> {
    /// The fields that version 1 does not know, by key, as they are written.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        const KNOWN: [&str; 7] = [
            field::VERSION,
            field::NAME,
            field::ID,
            field::ADDRESS,
            field::PORT,
            field::STATUS,
            field::ATTRIBUTES,
        ];
        self.0.iter().map(|(key, value)| (&**key, *value)).filter(|(key, _)| !KNOWN.contains(key))
    }

    fn service(&self, name: &ServiceName, id: &ServiceId) -> Result<Service, Flaw> {
        let Text(address) = self.required(field::ADDRESS, "a text")?;
        if address.is_empty() {
            return Err(Flaw::new("field \"address\" is empty"));
        }
        let port = self.optional::<u16>(field::PORT, "a whole number up to 65535")?.unwrap_or_default();
        let status = self.optional::<Text<'_>>(field::STATUS, "a text")?;
        let status = status_of(status.as_ref().map(|Text(status)| &**status));
        let builder = Service::builder_of(name, id, &address, port).status(status);
        self.attributes(builder)?
            .build_foreign()
            .map_err(|error| Flaw { text: error.context().to_owned(), source: Some(error) })
    }

    fn attributes(&self, mut builder: ServiceBuilder) -> Result<ServiceBuilder, Flaw> {
        const WANTED: &str = "an object of texts with each key once";
        let Some(Object(pairs)) = self.optional::<Object<'_, Option<Text<'_>>>>(field::ATTRIBUTES, WANTED)?
        else {
            return Ok(builder);
        };
        if let Some(key) = twice(&pairs) {
            return Err(Flaw::new(format!("attribute {:?} stands twice", short(key))));
        }
        for (key, value) in &pairs {
            if let Some(Text(value)) = value {
                builder = builder.attribute(key, value);
            }
        }
        Ok(builder)
    }

    fn required<T: Deserialize<'a>>(&self, key: &str, wanted: &str) -> Result<T, Flaw> {
        self.optional(key, wanted)?.ok_or_else(|| Flaw::new(format!("field {key:?} is missing")))
    }

    fn optional<T: Deserialize<'a>>(&self, key: &str, wanted: &str) -> Result<Option<T>, Flaw> {
        let Some((_, raw)) = self.0.iter().find(|(have, _)| have == key) else { return Ok(None) };
        serde_json::from_str(raw.get()).map_err(|_| Flaw::new(format!("field {key:?} is not {wanted}")))
    }
}

/// A status that a later release may add is one we cannot judge, and an instance in doubt gets no traffic.
pub(super) fn status_of(text: Option<&str>) -> Status {
    match text {
        None | Some("up") => Status::Up,
        Some("draining") => Status::Draining,
        Some(_) => Status::Down,
    }
}

/// Bounds the nesting before a parser sees it, so that no input decides how deep a stack grows.
fn check_depth(text: &str) -> Result<(), Flaw> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Flaw::new(format!("over {MAX_DEPTH} levels deep")));
        }
    }
    Ok(())
}

/// Where a parser stopped. Its own words would repeat the record's text, of any length.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn short(key: &str) -> String {
    key.chars().take(40).collect()
}

fn object(text: &str) -> serde_json::Result<Object<'_, &RawValue>> {
    serde_json::from_str(text)
}

/// A text that borrows from the record where it holds no escape.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// All pairs of a JSON object in their order, repeated keys included: a map would hide a repetition.
pub(super) struct Object<'a, V>(pub(super) Vec<(Cow<'a, str>, V)>);

/// A key that stands twice.
pub(super) fn twice<'a, V>(pairs: &'a [(Cow<'_, str>, V)]) -> Option<&'a str> {
    if pairs.len() < 2 {
        return None;
    }
    let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Object<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs(PhantomData))
    }
}

struct Pairs<'a, V>(PhantomData<Object<'a, V>>);

impl<'de: 'a, 'a, V: Deserialize<'de>> de::Visitor<'de> for Pairs<'a, V> {
    type Value = Object<'a, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((Text(key), value)) = map.next_entry()? {
            pairs.push((key, value));
        }
        Ok(Object(pairs))
    }
}
