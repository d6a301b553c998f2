//! Writing a record: the nine fields in Curator's order, nulls included.

use reception_core::{Error, ErrorKind, Result, Service, Status, limits::MAX_RECORD};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Curator, Payload, field,
    payload::{map, texts},
    uri_spec::UriSpec,
};
use crate::error::error;

const OPERATION: &str = "encode";
/// What every release of Curator reads, and what an ephemeral instance is there.
const KIND: &str = "DYNAMIC";

#[derive(Serialize)]
struct Record<'a> {
    name: &'a str,
    id: &'a str,
    address: &'a str,
    port: Option<u16>,
    #[serde(rename = "sslPort")]
    ssl_port: Option<u16>,
    payload: Option<Box<RawValue>>,
    #[serde(rename = "registrationTimeUTC")]
    registered: i64,
    #[serde(rename = "serviceType")]
    kind: &'static str,
    #[serde(rename = "uriSpec")]
    uri_spec: Option<UriSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

/// The attributes by where they go.
#[derive(Default)]
struct Parts<'a> {
    ssl_port: Option<u16>,
    registered: i64,
    uri_spec: Option<UriSpec>,
    payload: Option<&'a str>,
    others: Vec<(&'a str, &'a str)>,
}

pub(super) fn write(curator: &Curator, service: &Service) -> Result<Vec<u8>> {
    // A payload that somebody else wrote may be longer than a value of ours.
    service.to_builder().without(field::PAYLOAD).build()?;
    let parts = Parts::of(service);
    let record = Record {
        name: service.name().as_str(),
        id: service.id().as_str(),
        address: service.address(),
        port: service.port().map(std::num::NonZeroU16::get),
        ssl_port: parts.ssl_port,
        payload: payload(curator, &parts, service.status())?,
        registered: parts.registered,
        kind: KIND,
        uri_spec: parts.uri_spec,
        enabled: (service.status() != Status::Up).then_some(false),
    };
    let bytes = serde_json::to_vec(&record).map_err(unwritable)?;
    if bytes.len() > MAX_RECORD {
        let text = format!("a record of {} bytes, the limit is {MAX_RECORD}", bytes.len());
        return Err(error(ErrorKind::TooLarge, OPERATION, text));
    }
    Ok(bytes)
}

fn unwritable(wrong: serde_json::Error) -> Error {
    error(ErrorKind::Internal, OPERATION, "a record cannot be written").with_source(wrong)
}

impl<'a> Parts<'a> {
    /// An attribute whose text does not fit its field goes to the payload, where it reads back as it is.
    fn of(service: &'a Service) -> Self {
        let mut parts = Self::default();
        for (key, value) in service.attributes() {
            let taken = match key {
                field::SSL_PORT => parts.take_port(value),
                field::REGISTERED => parts.take_time(value),
                field::URI_SPEC => parts.take_spec(value),
                field::PAYLOAD => {
                    parts.payload = Some(value);
                    true
                }
                _ => false,
            };
            if !taken {
                parts.others.push((key, value));
            }
        }
        parts
    }

    fn take_port(&mut self, value: &str) -> bool {
        self.ssl_port = value.parse().ok().filter(|port: &u16| *port != 0 && port.to_string() == value);
        self.ssl_port.is_some()
    }

    fn take_time(&mut self, value: &str) -> bool {
        let time = value.parse().ok().filter(|time: &i64| *time != 0 && time.to_string() == value);
        self.registered = time.unwrap_or_default();
        time.is_some()
    }

    fn take_spec(&mut self, value: &str) -> bool {
        self.uri_spec = UriSpec::parse(value).filter(|spec| spec.text() == value);
        self.uri_spec.is_some()
    }
}

fn payload(curator: &Curator, parts: &Parts<'_>, status: Status) -> Result<Option<Box<RawValue>>> {
    match curator.payload {
        Payload::Map => whole(curator, parts, status),
        Payload::String => {
            only(parts)?;
            parts.payload.map(serde_json::value::to_raw_value).transpose().map_err(unwritable)
        }
        Payload::None => {
            only(parts)?;
            match parts.payload {
                Some(_) => Err(refused(field::PAYLOAD, "no payload")),
                None => Ok(None),
            }
        }
    }
}

/// A map of the attributes; a payload of another program that stands alone is written as it was read.
fn whole(curator: &Curator, parts: &Parts<'_>, status: Status) -> Result<Option<Box<RawValue>>> {
    let mut pairs = parts.others.clone();
    if status == Status::Down {
        pairs.push((field::STATUS, field::DOWN));
    }
    if let Some(text) = parts.payload {
        let raw = serde_json::from_str::<&RawValue>(text).ok().filter(|raw| raw.get() == text);
        let foreign = raw.filter(|raw| text != "null" && texts(raw, &curator.class).is_none());
        match foreign {
            Some(raw) if pairs.is_empty() => return Ok(Some(raw.to_owned())),
            _ => pairs.push((field::PAYLOAD, text)),
        }
    }
    if pairs.is_empty() {
        return Ok(None);
    }
    pairs.sort_unstable();
    map(&curator.class, &pairs).map(Some).map_err(unwritable)
}

fn only(parts: &Parts<'_>) -> Result<()> {
    match parts.others.first() {
        Some((key, _)) => Err(refused(key, "no map as the payload")),
        None => Ok(()),
    }
}

fn refused(key: &str, why: &str) -> Error {
    let text = format!("attribute {key:?} has no place: this layout writes {why}");
    error(ErrorKind::InvalidInstance, OPERATION, text)
}
