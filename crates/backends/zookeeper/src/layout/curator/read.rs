//! Reading a record: numbers may be texts, nulls are absent, unknown fields are passed over.

use reception_core::{Error, ErrorKind, Result, Service, ServiceId, ServiceName, Status, limits::MAX_RECORD};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Curator, Payload, field,
    payload::{Texts, texts},
    uri_spec::UriSpec,
};
use crate::error::error;

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    address: Raw<'a>,
    #[serde(borrow, default)]
    port: Raw<'a>,
    #[serde(borrow, default, rename = "sslPort")]
    ssl_port: Raw<'a>,
    #[serde(borrow, default)]
    payload: Raw<'a>,
    #[serde(borrow, default, rename = "registrationTimeUTC")]
    registered: Raw<'a>,
    #[serde(borrow, default, rename = "uriSpec")]
    uri_spec: Raw<'a>,
    #[serde(borrow, default)]
    enabled: Raw<'a>,
}

/// A field as it is written; unlike an option it tells null from absent.
#[derive(Clone, Copy, Default)]
struct Raw<'a>(Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(Some(raw)))
    }
}

impl<'a> Raw<'a> {
    fn present(self) -> Option<&'a RawValue> {
        self.0.filter(|raw| raw.get() != "null")
    }

    /// A whole number, also one that is written as a text.
    fn number(self) -> Option<i64> {
        let text = self.present()?.get();
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).trim().parse().ok()
    }

    fn port(self, name: &str) -> Result<u16> {
        if self.present().is_none() {
            return Ok(0);
        }
        let port = self.number().and_then(|number| u16::try_from(number).ok());
        port.ok_or_else(|| odd(format!("field {name:?} is not a port")))
    }
}

pub(super) fn read(curator: &Curator, name: &ServiceName, id: &ServiceId, bytes: &[u8]) -> Result<Service> {
    let flaw = |what: String| error(ErrorKind::Protocol, "decode", format!("record of {name}/{id}: {what}"));
    if bytes.len() > MAX_RECORD {
        return Err(flaw(format!("{} bytes, the limit is {MAX_RECORD}", bytes.len())));
    }
    // The derived reader would take an array of the fields' values as well.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(flaw("not a JSON object".to_owned()));
    }
    let record: Record<'_> = serde_json::from_slice(bytes).map_err(|wrong| {
        flaw(format!("not a JSON object (line {}, column {})", wrong.line(), wrong.column()))
    })?;
    build(curator, name, id, &record).map_err(|wrong| flaw(wrong.context().to_owned()))
}

fn build(curator: &Curator, name: &ServiceName, id: &ServiceId, record: &Record<'_>) -> Result<Service> {
    let address = record.address.present().and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let Some(address) = address.filter(|address| !address.is_empty()) else {
        return Err(odd("field \"address\" is not a text"));
    };
    let mut builder = Service::builder_of(name, id, &address, record.port.port("port")?);
    let ssl_port = record.ssl_port.port("sslPort")?;
    if ssl_port != 0 {
        builder = builder.attribute(field::SSL_PORT, &ssl_port.to_string());
    }
    if let Some(time) = record.registered.number().filter(|time| *time != 0) {
        builder = builder.attribute(field::REGISTERED, &time.to_string());
    }
    let spec = record.uri_spec.present().and_then(|raw| serde_json::from_str::<UriSpec>(raw.get()).ok());
    if let Some(spec) = spec {
        builder = builder.attribute(field::URI_SPEC, &spec.text());
    }
    let mut down = false;
    if let Some(payload) = record.payload.present() {
        match texts(payload, &curator.class).filter(|_| curator.payload != Payload::String) {
            Some(Texts(pairs)) => {
                for (key, value) in &pairs {
                    if key == field::STATUS {
                        down = value == field::DOWN;
                    } else {
                        builder = builder.attribute(key, value);
                    }
                }
            }
            None => builder = builder.attribute(field::PAYLOAD, &raw_or_text(curator, payload)),
        }
    }
    let status = match record.enabled.0.map(RawValue::get) {
        None | Some("true") => Status::Up,
        Some(_) if down => Status::Down,
        Some(_) => Status::Draining,
    };
    builder.status(status).build_foreign()
}

/// A payload of texts is read as what it says, any other one as it is written.
fn raw_or_text(curator: &Curator, payload: &RawValue) -> String {
    let text = match curator.payload {
        Payload::String => serde_json::from_str(payload.get()).ok(),
        _ => None,
    };
    text.unwrap_or_else(|| payload.get().to_owned())
}

fn odd(what: impl Into<String>) -> Error {
    error(ErrorKind::Protocol, "decode", what)
}
