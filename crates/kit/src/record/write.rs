//! Writing a record: one order of fields, attributes by key, no blank, no escape that JSON does not need.

use reception_core::{Error, ErrorKind, Result, Service, Status, limits::MAX_RECORD};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::{KIT, VERSION, field, read};

/// The bytes of an instance, the same for equal instances.
///
/// # Errors
/// InvalidName, InvalidInstance or TooLarge when a field breaks a limit of what we write (law L15); TooLarge when the record has more than
/// 64 KiB.
pub fn encode(service: &Service) -> Result<Vec<u8>> {
    write(service, Owner::Key, &[])
}

/// The bytes of an instance in place of `previous`, its owner's own record, whose unknown fields stay.
///
/// Nothing is kept from bytes that [`decode`](super::decode) would not take apart, a newer version among them, nor when the record would
/// grow over 64 KiB with what is kept: a live instance comes first.
///
/// # Errors
/// As [`encode`].
pub fn encode_over(service: &Service, previous: &[u8]) -> Result<Vec<u8>> {
    let Ok(fields) = read::read(previous) else { return encode(service) };
    let unknown: Vec<_> = fields.unknown().collect();
    match write(service, Owner::Key, &unknown) {
        Err(error) if error.kind() == ErrorKind::TooLarge => encode(service),
        outcome => outcome,
    }
}

/// The bytes of a candidate: those of an instance with its name and id, which a candidate's key does not hold.
///
/// # Errors
/// As [`encode`].
pub fn encode_candidate(service: &Service) -> Result<Vec<u8>> {
    write(service, Owner::Record, &[])
}

/// Where name and id stand.
#[derive(Clone, Copy, PartialEq)]
enum Owner {
    Key,
    Record,
}

type Unknown<'a> = (&'a str, &'a RawValue);

fn write(service: &Service, owner: Owner, unknown: &[Unknown<'_>]) -> Result<Vec<u8>> {
    let service = &service.to_builder().build()?;
    let status = status_text(service.status())?;
    let failed = |error: serde_json::Error| {
        Error::new(ErrorKind::Internal, KIT, "encode", "a record cannot be written").with_source(error)
    };
    let bytes = serde_json::to_vec(&Record { service, owner, status, unknown }).map_err(failed)?;
    if bytes.len() > MAX_RECORD {
        let context = format!("a record of {} bytes, the limit is {MAX_RECORD}", bytes.len());
        return Err(Error::new(ErrorKind::TooLarge, KIT, "encode", context));
    }
    Ok(bytes)
}

/// None for Up, which is what a record without the field says.
fn status_text(status: Status) -> Result<Option<&'static str>> {
    match status {
        Status::Up => Ok(None),
        Status::Draining => Ok(Some("draining")),
        Status::Down => Ok(Some("down")),
        other => Err(Error::new(ErrorKind::Internal, KIT, "encode", format!("status {other:?} has no text"))),
    }
}

struct Record<'a> {
    service: &'a Service,
    owner: Owner,
    status: Option<&'static str>,
    unknown: &'a [Unknown<'a>],
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let service = self.service;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(field::VERSION, &VERSION)?;
        if self.owner == Owner::Record {
            map.serialize_entry(field::NAME, service.name().as_str())?;
            map.serialize_entry(field::ID, service.id().as_str())?;
        }
        map.serialize_entry(field::ADDRESS, service.address())?;
        if let Some(port) = service.port() {
            map.serialize_entry(field::PORT, &port.get())?;
        }
        if let Some(status) = self.status {
            map.serialize_entry(field::STATUS, status)?;
        }
        if service.attributes().next().is_some() {
            map.serialize_entry(field::ATTRIBUTES, &Attributes(service))?;
        }
        for (key, value) in self.unknown {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

struct Attributes<'a>(&'a Service);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.attributes())
    }
}
