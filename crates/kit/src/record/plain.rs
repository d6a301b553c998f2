//! Reading a record of the usual form in one pass: what a list of thousands is made of.
//!
//! Whatever is not of that form (an unknown field, an escape, a null, any fault) is left to `read.rs`, which judges it. Both agree on all that
//! is read here.

use std::borrow::Cow;

use reception_core::{Service, ServiceId, ServiceName, limits::MAX_RECORD};
use serde::Deserialize;

use super::{
    VERSION,
    read::{Object, status_of, twice},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    v: u64,
    address: &'a str,
    #[serde(default)]
    port: u16,
    #[serde(default)]
    status: Option<&'a str>,
    #[serde(borrow, default)]
    attributes: Option<Object<'a, &'a str>>,
}

pub(super) fn read(name: &ServiceName, id: &ServiceId, bytes: &[u8]) -> Option<Service> {
    // The derived reader would take an array of the fields' values as well.
    if bytes.len() > MAX_RECORD || !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let plain: Plain<'_> = serde_json::from_slice(bytes).ok()?;
    if plain.v != VERSION || plain.address.is_empty() {
        return None;
    }
    let Object(pairs) = plain.attributes.unwrap_or(Object(Vec::new()));
    // A key with an escape may be one that stands there without it, too.
    if pairs.iter().any(|(key, _)| matches!(key, Cow::Owned(_))) || twice(&pairs).is_some() {
        return None;
    }
    let mut builder =
        Service::builder_of(name, id, plain.address, plain.port).status(status_of(plain.status));
    for (key, value) in &pairs {
        builder = builder.attribute(key, value);
    }
    builder.build_foreign().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{encode, read::decode_slowly};

    const USUAL: &[&str] = &[
        r#"{"v":1,"address":"10.0.0.7","port":8080}"#,
        r#"{"v":1,"address":"h1"}"#,
        r#"{"address":"h1","v":1,"port":0}"#,
        r#"{"v":1,"address":"h1","port":1,"status":"draining","attributes":{}}"#,
        r#"{"v":1,"address":"h1","status":"later","attributes":{"b":"2","a":"1"}}"#,
        r#" {"v":1,"address":"h1","status":null,"attributes":null} "#,
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
        let (name, id) = whose();
        let service = Service::builder_of(&name, &id, "::1", 80).attribute("zone", "a").build().unwrap();
        assert_eq!(read(&name, &id, &encode(&service).unwrap()), Some(service));
    }
}
