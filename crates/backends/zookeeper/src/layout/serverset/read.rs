//! Reading a member: its main endpoint is required, of the rest whatever can be understood.

use std::collections::BTreeMap;

use reception_core::{Error, ErrorKind, Result, Service, ServiceId, ServiceName, Status, limits::MAX_RECORD};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{endpoint_text, field};
use crate::error::error;

#[derive(Deserialize)]
struct Endpoint {
    host: String,
    port: u16,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(rename = "serviceEndpoint")]
    main: Endpoint,
    #[serde(borrow, default, rename = "additionalEndpoints")]
    others: Loose<'a>,
    #[serde(borrow, default)]
    status: Loose<'a>,
    #[serde(borrow, default)]
    shard: Loose<'a>,
    #[serde(borrow, default)]
    metadata: Loose<'a>,
}

/// A field that is passed over when it is not what it should be.
#[derive(Clone, Copy, Default)]
struct Loose<'a>(Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(Some(raw)))
    }
}

impl<'a> Loose<'a> {
    fn read<T: Deserialize<'a>>(self) -> Option<T> {
        serde_json::from_str(self.0?.get()).ok()
    }

    /// The entries that are what they should be.
    fn entries<T: Deserialize<'a>>(self) -> Vec<(String, T)> {
        let all: BTreeMap<String, &'a RawValue> = self.read().unwrap_or_default();
        let each = all.into_iter();
        each.filter_map(|(key, raw)| Some((key, serde_json::from_str(raw.get()).ok()?))).collect()
    }
}

pub(super) fn read(name: &ServiceName, id: &ServiceId, bytes: &[u8]) -> Result<Service> {
    let flaw = |what: String| error(ErrorKind::Protocol, "decode", format!("member {id} of {name}: {what}"));
    if bytes.len() > MAX_RECORD {
        return Err(flaw(format!("{} bytes, the limit is {MAX_RECORD}", bytes.len())));
    }
    // The derived reader would take an array of the fields' values as well.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(flaw("not a JSON object".to_owned()));
    }
    let record: Record<'_> = serde_json::from_slice(bytes).map_err(|wrong| {
        flaw(format!("no object with a main endpoint (line {}, column {})", wrong.line(), wrong.column()))
    })?;
    build(name, id, &record).map_err(|wrong| flaw(wrong.context().to_owned()))
}

fn build(name: &ServiceName, member: &ServiceId, record: &Record<'_>) -> Result<Service, Error> {
    if record.main.host.is_empty() {
        return Err(error(ErrorKind::Protocol, "decode", "its main endpoint has no host"));
    }
    let metadata: Vec<(String, String)> = record.metadata.entries();
    let own = metadata.iter().find(|(key, _)| key == field::ID);
    let own = own.and_then(|(_, text)| ServiceId::foreign(text).ok());
    let id = own.as_ref().unwrap_or(member);
    let mut builder = Service::builder_of(name, id, &record.main.host, record.main.port);
    for (key, value) in metadata.iter().filter(|(key, _)| key != field::ID) {
        builder = builder.attribute(key, value);
    }
    for (key, Endpoint { host, port }) in record.others.entries() {
        builder = builder.attribute(&format!("{}{key}", field::ENDPOINT), &endpoint_text(&host, port));
    }
    if let Some(shard) = record.shard.read::<i64>() {
        builder = builder.attribute(field::SHARD, &shard.to_string());
    }
    let status = match record.status.read::<String>().as_deref() {
        Some("ALIVE") => Status::Up,
        Some("STOPPING") => Status::Draining,
        // Everybody else passes over what is not ALIVE, odd and absent ones too.
        _ => Status::Down,
    };
    builder.status(status).build_foreign()
}
