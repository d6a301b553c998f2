//! Round trips and what others write; the golden bytes are read from the page about them.

use std::fmt::Write as _;

use reception_core::{ErrorKind, ServiceBuilder, Status};

use super::*;

const PAGE: &str = include_str!("../../../../../../docs/wire/curator.md");

fn whose() -> (ServiceName, ServiceId) {
    (ServiceName::new("api").unwrap(), ServiceId::new("i-1").unwrap())
}

fn blocks(kind: &str) -> Vec<(&'static str, &'static str)> {
    let open = format!("```{kind} ");
    let mut found = Vec::new();
    for piece in PAGE.split(open.as_str()).skip(1) {
        let (name, rest) = piece.split_once('\n').unwrap();
        found.push((name.trim(), rest.split_once("\n```").unwrap().0));
    }
    assert!(!found.is_empty(), "no block {kind}");
    found
}

fn service(build: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Service {
    let (name, id) = whose();
    build(Service::builder_of(&name, &id, "10.0.0.7", 8080)).build().unwrap()
}

fn golden(name: &str) -> (Curator, Service) {
    let map = Curator::default();
    match name {
        "minimal" => (map, service(|plain| plain)),
        "attributes" => (map, service(|plain| plain.attribute("zone", "eu-1a").attribute("weight", "3"))),
        "well-known" => (
            map,
            service(|plain| {
                plain
                    .attribute("registered-at", "1700000000000")
                    .attribute("ssl-port", "8443")
                    .attribute("uri-spec", "{scheme}://{address}")
            }),
        ),
        "draining" => (map, service(|plain| plain.status(Status::Draining))),
        "down" => (map, service(|plain| plain.status(Status::Down))),
        "foreign-payload" => (map, service(|plain| plain.attribute("payload", r#"["java.lang.Long",7]"#))),
        "string" => {
            (map.payload(Payload::String), service(|plain| plain.attribute("payload", "blue \"green\"")))
        }
        "class" => (map.class("java.util.HashMap"), service(|plain| plain.attribute("zone", "a"))),
        other => panic!("no case {other}"),
    }
}

#[test]
fn the_bytes_of_the_page_are_what_is_written_and_read() {
    for (name, bytes) in blocks("golden") {
        let (curator, service) = golden(name);
        let written = curator.encode(&service).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), bytes, "{name}");
        let (of, id) = whose();
        assert_eq!(curator.decode(&of, &id, bytes.as_bytes()).unwrap(), service, "{name}");
    }
}

#[test]
fn the_page_says_what_is_read_from_others() {
    let (name, id) = whose();
    for (what, block) in blocks("read") {
        let (bytes, expected) = block.split_once('\n').unwrap();
        let read = Curator::default().decode(&name, &id, bytes.as_bytes()).expect(what);
        let port = read.port().map_or(0, std::num::NonZeroU16::get);
        let mut told = format!("{} {port} {:?}", read.address(), read.status());
        for (key, value) in read.attributes() {
            write!(told, " {key}={value}").unwrap();
        }
        assert_eq!(told, expected, "{what}");
    }
}

#[test]
fn the_page_says_what_is_no_record() {
    let (name, id) = whose();
    for (what, bytes) in blocks("refuse") {
        let error = Curator::default().decode(&name, &id, bytes.as_bytes()).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{what}");
    }
}

#[test]
fn hostile_bytes_are_refused_without_harm() {
    let (name, id) = whose();
    let deep = [b"{\"payload\":".as_slice(), &b"[".repeat(60_000)].concat();
    let large = [b"{\"address\":\"h\",\"x\":\"".as_slice(), &b"y".repeat(70_000), b"\"}"].concat();
    for bytes in [&b""[..], b"\xff\xfe", b"{", b"[]", b"null", &deep, &large] {
        assert!(Curator::default().decode(&name, &id, bytes).is_err());
    }
}

#[test]
fn what_does_not_fit_its_field_reads_back_all_the_same() {
    let (name, id) = whose();
    let curator = Curator::default();
    for (key, value) in [
        ("ssl-port", "none"),
        ("ssl-port", "08443"),
        ("ssl-port", "70000"),
        ("registered-at", "yesterday"),
        ("registered-at", "0"),
        ("uri-spec", "{open"),
        ("uri-spec", "{ a }"),
        ("payload", "null"),
        ("payload", " 5"),
        ("payload", "blue"),
        ("payload", r#"{"a":"b"}"#),
        ("payload", "5"),
    ] {
        for more in [false, true] {
            let service = service(|plain| {
                let plain = plain.attribute(key, value);
                if more { plain.attribute("zone", "a").status(Status::Down) } else { plain }
            });
            let bytes = curator.encode(&service).unwrap();
            assert_eq!(curator.decode(&name, &id, &bytes).unwrap(), service, "{key}={value}");
        }
    }
}

#[test]
fn an_attribute_without_a_place_is_refused() {
    for payload in [Payload::None, Payload::String] {
        let curator = Curator::default().payload(payload);
        let refused = curator.encode(&service(|plain| plain.attribute("zone", "a"))).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInstance);
    }
    let curator = Curator::default().payload(Payload::None);
    assert!(curator.encode(&service(|plain| plain.attribute("payload", "x"))).is_err());
    assert!(curator.encode(&service(|plain| plain.attribute("ssl-port", "8443"))).is_ok());
}

#[test]
fn a_long_payload_of_another_program_is_written_back() {
    let (name, id) = whose();
    let curator = Curator::default();
    let payload = format!("[\"java.util.ArrayList\",[\"{}\"]]", "x".repeat(2000));
    let bytes = format!(r#"{{"name":"api","id":"i-1","address":"h1","port":1,"payload":{payload}}}"#);
    let read = curator.decode(&name, &id, bytes.as_bytes()).unwrap();
    assert_eq!(read.attribute("payload"), Some(payload.as_str()));
    let written = String::from_utf8(curator.encode(&read).unwrap()).unwrap();
    assert!(written.contains(&payload), "{written}");
}
