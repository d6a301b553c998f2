//! What strangers may put under our keys: a typed error, never a panic, and the round trip of everything we may write.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use reception_core::{
    ErrorKind, Result, Service, ServiceId, ServiceName, Status,
    limits::{MAX_ATTRIBUTES, MAX_RECORD, MAX_VALUE},
};
use reception_kit::record::{decode, decode_candidate, encode, encode_candidate, encode_over};

fn read(bytes: &[u8]) -> Result<Service> {
    decode(&ServiceName::new("api").unwrap(), &ServiceId::new("i-1").unwrap(), bytes)
}

fn refused(bytes: &[u8]) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
    let error = read(bytes).expect_err(&shown);
    assert_eq!(error.kind(), ErrorKind::Protocol, "{shown}");
    assert!(error.to_string().len() < 512, "an error repeats the record: {shown}");
}

fn with(field: &str, value: &str) -> Vec<u8> {
    format!(r#"{{"v":1,"address":"h1","port":80,"{field}":{value}}}"#).into_bytes()
}

#[test]
fn ten_thousand_levels_are_refused() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let value = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        refused(&with("later", &value));
        refused(&with("attributes", &value));
        refused(value.as_bytes());
    }
    refused("[".repeat(10_000).as_bytes());
    refused(r#"{"a":"#.repeat(10_000).as_bytes());
}

#[test]
fn brackets_in_a_text_are_no_levels() {
    let text = format!("\"{}\\\"{{\"", "[".repeat(1000));
    let service = read(&with("attributes", &format!(r#"{{"k":{text}}}"#))).unwrap();
    assert_eq!(service.attribute("k").map(str::len), Some(1002));
}

#[test]
fn over_the_size_cap_is_refused() {
    refused(&with("later", &format!("\"{}\"", "x".repeat(1 << 20))));
    refused(&vec![b' '; 1 << 20]);
    refused(&vec![0; MAX_RECORD + 1]);
    let mut padded = with("later", "1");
    padded.resize(MAX_RECORD, b' ');
    assert!(read(&padded).is_ok());
    padded.push(b' ');
    refused(&padded);
}

#[test]
fn what_is_not_text_is_refused() {
    refused(b"");
    refused(b"\x01");
    refused(b"\xff\xfe");
    refused(b"\xef\xbb\xbf{\"address\":\"h1\"}");
    refused(b"{\"v\":1,\"address\":\"\xc3\x28\",\"port\":80}");
    refused(&with("later", "NaN"));
    refused(&with("later", "Infinity"));
}

#[test]
fn a_hostile_key_or_address_is_not_repeated() {
    let key = "k".repeat(30_000);
    refused(format!(r#"{{"address":"h1","{key}":1,"{key}":2}}"#).as_bytes());
    refused(format!(r#"{{"address":"{key}"}}"#).as_bytes());
    refused(format!(r#"{{"address":"h1","port":"{key}"}}"#).as_bytes());
    refused(format!(r#"{{"address":"h1","attributes":{{"{key}":1,"a":"{key}"}}}}"#).as_bytes());
}

#[test]
fn a_record_over_the_limit_is_not_written() {
    let full = (0..MAX_ATTRIBUTES).fold(Service::builder("api", "h1", 80), |builder, at| {
        builder.attribute(&format!("k{at}"), &"\u{1}".repeat(MAX_VALUE))
    });
    assert_eq!(encode(&full.build().unwrap()).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_foreign_value_is_not_written() {
    let kind = |service: Service| encode(&service).unwrap_err().kind();
    let foreign = |name: &str, port| Service::builder(name, "h1", port).id("a:1");
    assert_eq!(kind(foreign("a/b", 1).build_foreign().unwrap()), ErrorKind::InvalidName);
    assert_eq!(kind(foreign("api", 0).id("a").build_foreign().unwrap()), ErrorKind::InvalidInstance);
}

#[test]
fn kept_fields_never_keep_a_live_instance_out() {
    let service = Service::builder("api", "h1.example", 80).id("i-1").attribute("zone", "a").build().unwrap();
    let mut previous = with("later", &format!("\"{}\"", "x".repeat(MAX_RECORD - 60)));
    previous.resize(MAX_RECORD, b' ');
    assert!(read(&previous).is_ok());
    assert_eq!(encode_over(&service, &previous).unwrap(), encode(&service).unwrap());
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Up), Just(Status::Draining), Just(Status::Down)]
}

/// Any instance that the limits let us write.
fn service() -> impl Strategy<Value = Service> {
    let address = prop_oneof!["[a-z]{1,9}(\\.[a-z]{1,9}){0,3}", Just("fd00::7".to_owned())];
    let value = any::<String>()
        .prop_filter("within the limits", |text| text.len() <= MAX_VALUE && !text.contains('\0'));
    let attributes = prop::collection::vec(("[A-Za-z0-9_-]{1,20}", value), 0..12);
    ("[a-z]{1,9}", "[A-Za-z0-9_-]{1,40}", address, 1_u16.., status(), attributes).prop_filter_map(
        "within the limits",
        |(name, id, address, port, status, attributes)| {
            let builder = Service::builder(&name, &address, port).id(&id).status(status);
            let add = |builder: reception_core::ServiceBuilder, (key, value): &(String, String)| {
                builder.attribute(key, value)
            };
            attributes.iter().fold(builder, add).build().ok()
        },
    )
}

fn json(depth: u32) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(depth, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(service in service()) {
        let bytes = encode(&service).unwrap();
        prop_assert_eq!(&decode(service.name(), service.id(), &bytes).unwrap(), &service);
        prop_assert_eq!(encode(&service.to_builder().build().unwrap()).unwrap(), bytes);
        prop_assert_eq!(decode_candidate(&encode_candidate(&service).unwrap()).unwrap(), service);
    }

    #[test]
    fn only_what_json_demands_is_escaped(service in service()) {
        let text = String::from_utf8(encode(&service).unwrap()).unwrap();
        for (_, value) in service.attributes() {
            let plain: String = value.chars().filter(|c| *c >= ' ' && *c != '"' && *c != '\\').collect();
            let quoted = format!("\"{value}\"");
            prop_assert!(plain != value || text.contains(&quoted));
        }
    }

    #[test]
    fn an_update_reads_as_the_new_instance_and_keeps_the_rest(
        service in service(),
        later in prop::collection::btree_map("x-[a-z\"\\\\\u{e9}]{1,6}", json(6), 0..6),
    ) {
        let mut previous = serde_json::Map::new();
        previous.insert("address".to_owned(), "old".into());
        previous.extend(later.clone());
        let bytes = encode_over(&service, &serde_json::to_vec(&previous).unwrap()).unwrap();
        prop_assert_eq!(&decode(service.name(), service.id(), &bytes).unwrap(), &service);
        let now: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
        for (key, value) in &later {
            prop_assert_eq!(now.get(key), Some(value));
        }
        prop_assert_eq!(encode_over(&service, &bytes).unwrap(), bytes);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = read(&bytes) {
            prop_assert_eq!(error.kind(), ErrorKind::Protocol);
        }
    }

    #[test]
    fn any_json_is_read_or_refused(value in json(4), field in "(v|address|port|status|attributes|later)") {
        let mut record = serde_json::json!({"v": 1, "address": "h1", "port": 80});
        record[field] = value;
        for outcome in [read(record.to_string().as_bytes()), decode_candidate(record.to_string().as_bytes())] {
            if let Err(error) = outcome {
                prop_assert_eq!(error.kind(), ErrorKind::Protocol);
            }
        }
    }

    #[test]
    fn a_record_cut_or_changed_anywhere_is_read_or_refused(service in service(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&service).unwrap();
        prop_assert!(read(&bytes[..at.index(bytes.len())]).is_err());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Err(error) = read(&bytes) {
            prop_assert_eq!(error.kind(), ErrorKind::Protocol);
        }
    }
}
