//! Go's record: three fields, written as Go's encoder writes them and read as its decoder reads them.

use std::{borrow::Cow, fmt};

use reception_core::{Error, ErrorKind, Result, Service, ServiceId, ServiceName, Status, limits::MAX_RECORD};
use reception_kit::go_json;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};

use crate::error::error;

/// What the format has no field for; no attribute of a user has this prefix.
const STATUS: &str = "reception-status";
const DRAINING: &str = "draining";
const DOWN: &str = "down";

#[derive(Serialize)]
struct Written<'a> {
    address: &'a str,
    port: u16,
    attributes: Option<Pairs<'a>>,
}

struct Pairs<'a>(Vec<(&'a str, &'a str)>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

pub(super) fn write(service: &Service) -> Result<Vec<u8>> {
    const OPERATION: &str = "encode";
    let service = service.to_builder().build()?;
    let mut pairs: Vec<_> = service.attributes().collect();
    match service.status() {
        Status::Up => {}
        Status::Draining => pairs.push((STATUS, DRAINING)),
        _ => pairs.push((STATUS, DOWN)),
    }
    pairs.sort_unstable();
    let record = Written {
        address: service.address(),
        port: service.port().map_or(0, std::num::NonZeroU16::get),
        attributes: (!pairs.is_empty()).then_some(Pairs(pairs)),
    };
    let bytes = go_json::to_vec(&record).map_err(|wrong| {
        error(ErrorKind::Internal, OPERATION, "a record cannot be written").with_source(wrong)
    })?;
    if bytes.len() > MAX_RECORD {
        let text = format!("a record of {} bytes, the limit is {MAX_RECORD}", bytes.len());
        return Err(error(ErrorKind::TooLarge, OPERATION, text));
    }
    Ok(bytes)
}

pub(super) fn read(name: &ServiceName, id: &ServiceId, bytes: &[u8]) -> Result<Service> {
    let flaw = |what: String| error(ErrorKind::Protocol, "decode", format!("record of {name}/{id}: {what}"));
    if bytes.len() > MAX_RECORD {
        return Err(flaw(format!("{} bytes, the limit is {MAX_RECORD}", bytes.len())));
    }
    let record: Record<'_> = serde_json::from_slice(bytes).map_err(|wrong| {
        flaw(format!("not an object of its fields (line {}, column {})", wrong.line(), wrong.column()))
    })?;
    build(name, id, &record).map_err(|wrong| flaw(wrong.context().to_owned()))
}

fn build(name: &ServiceName, id: &ServiceId, record: &Record<'_>) -> Result<Service, Error> {
    let mut builder = Service::builder_of(name, id, &record.address, record.port);
    for (key, value) in &record.attributes {
        builder = match (key.as_ref(), value.as_ref()) {
            (STATUS, DRAINING) => builder.status(Status::Draining),
            (STATUS, _) => builder.status(Status::Down),
            (key, value) => builder.attribute(key, value),
        };
    }
    builder.build_foreign()
}

/// A record as Go's decoder takes it: keys in any case, unknown ones passed over, a wrong type no record.
#[derive(Default)]
struct Record<'a> {
    address: Cow<'a, str>,
    port: u16,
    attributes: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an address")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
        let (mut address, mut port, mut attributes) = (None, None, None);
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            let twice = if key.eq_ignore_ascii_case("address") {
                address.replace(map.next_value::<Option<Text<'de>>>()?).is_some()
            } else if key.eq_ignore_ascii_case("port") {
                port.replace(map.next_value::<Option<u16>>()?).is_some()
            } else if key.eq_ignore_ascii_case("attributes") {
                attributes.replace(map.next_value::<Option<Attributes<'de>>>()?).is_some()
            } else {
                map.next_value::<IgnoredAny>()?;
                false
            };
            if twice {
                return Err(A::Error::custom("a field stands twice"));
            }
        }
        let Some(Text(address)) = address.flatten() else { return Err(A::Error::missing_field("address")) };
        let Attributes(attributes) = attributes.flatten().unwrap_or_default();
        Ok(Record { address, port: port.flatten().unwrap_or_default(), attributes })
    }
}

/// The attributes; Go reads null as an empty text.
#[derive(Default)]
struct Attributes<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Attributes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes<'de>, A::Error> {
                let mut pairs: Vec<(Cow<'de, str>, Cow<'de, str>)> = Vec::new();
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, Option<Text<'de>>>()? {
                    pairs.push((key, value.map_or(Cow::Borrowed(""), |Text(value)| value)));
                }
                Ok(Attributes(pairs))
            }
        }

        deserializer.deserialize_map(Texts)
    }
}
