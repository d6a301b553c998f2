//! Golden bytes both ways, what others write and weights; all of it is read from the page.

use reception_core::{ErrorKind, ServiceBuilder, Status};
use serde_json::{Map, Value};

use super::*;
use crate::layout::page::{blocks, odd_ones, told};

const PAGE: &str = include_str!("../../../../../../docs/wire/serverset.md");
const MEMBER_12: &str = "member_0000000012";

fn layout() -> Serverset {
    Serverset::default()
}

fn read(bytes: &[u8]) -> Result<Service> {
    let node = ServiceId::foreign(MEMBER_12).unwrap();
    layout().decode(&ServiceName::new("api").unwrap(), &node, bytes)
}

fn service(build: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Service {
    build(Service::builder("api", "10.0.0.7", 8080).id("i-1")).build().unwrap()
}

fn golden(name: &str) -> Service {
    match name {
        "minimal" => service(|plain| plain),
        "full" => service(|plain| {
            plain
                .attribute("endpoint-admin", "10.0.0.7:9990")
                .attribute("endpoint-v6", "[fd00::7]:9991")
                .attribute("shard", "0")
                .attribute("zone", "a")
        }),
        "draining" => service(|plain| plain.status(Status::Draining)),
        "down" => service(|plain| plain.status(Status::Down)),
        "unfit" => service(|plain| {
            plain.attribute("endpoint-admin", "10.0.0.7").attribute("shard", "007").attribute("weight", "3")
        }),
        other => panic!("no case {other}"),
    }
}

#[test]
fn the_bytes_of_the_page_are_what_is_written_and_read() {
    for (case, bytes) in blocks(PAGE, "golden") {
        let service = golden(case);
        assert_eq!(String::from_utf8(layout().encode(&service).unwrap()).unwrap(), bytes, "{case}");
        assert_eq!(read(bytes.as_bytes()).unwrap(), service, "{case}");
    }
}

#[test]
fn the_page_says_what_is_read_from_others() {
    for (case, block) in blocks(PAGE, "read") {
        let (bytes, expected) = block.split_once('\n').unwrap();
        let read = read(bytes.as_bytes()).expect(case);
        assert_eq!(format!("{} {}", read.id(), told(&read)), expected, "{case}");
    }
}

#[test]
fn the_page_says_what_is_no_member() {
    for (case, bytes) in blocks(PAGE, "refuse") {
        assert_eq!(read(bytes.as_bytes()).expect_err(case).kind(), ErrorKind::Protocol, "{case}");
    }
    let deep = [b"{\"x\":".as_slice(), &b"[".repeat(10_000)].concat();
    for bytes in [&b""[..], b"\x01", b"\xff\xfe", b"{", b"null", &deep] {
        assert!(read(bytes).is_err());
    }
}

/// Reads a member as the strictest of the others do: every field they need, of the type they need, in their order, and nothing else.
fn strict(bytes: &[u8]) -> Map<String, Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let Value::Object(member) = serde_json::from_str(text).unwrap() else { panic!("no object: {text}") };
    let known = ["serviceEndpoint", "additionalEndpoints", "status", "shard", "metadata"];
    assert!(member.keys().all(|key| known.contains(&key.as_str())), "{text}");
    let order: Vec<_> =
        ["{\"serviceEndpoint\":{", "},\"additionalEndpoints\":{", "},\"status\":\"", ",\"metadata\":{"]
            .iter()
            .map(|key| text.find(key).expect("a field"))
            .collect();
    assert!(order.is_sorted(), "{text}");
    let endpoint = |value: &Value| {
        let endpoint = value.as_object().unwrap();
        assert_eq!(endpoint.len(), 2);
        assert!(!endpoint["host"].as_str().unwrap().is_empty());
        assert!((1..=65535).contains(&endpoint["port"].as_u64().unwrap()));
    };
    endpoint(&member["serviceEndpoint"]);
    member["additionalEndpoints"].as_object().unwrap().values().for_each(endpoint);
    let statuses = ["DEAD", "STARTING", "ALIVE", "STOPPING", "STOPPED", "WARNING"];
    assert!(statuses.contains(&member["status"].as_str().unwrap()));
    assert!(member.get("shard").is_none_or(Value::is_i64));
    let texts = |metadata: &Value| metadata.as_object().unwrap().values().all(Value::is_string);
    assert!(member.get("metadata").is_none_or(texts));
    member
}

#[test]
fn a_strict_reader_takes_every_member_that_is_written() {
    let every = [
        golden("minimal"),
        golden("full"),
        golden("draining"),
        golden("down"),
        golden("unfit"),
        service(|plain| plain.address("fd00::7").attribute("shard", "-1").attribute("endpoint-", "h:1")),
        service(|plain| plain.attribute("payload", "{\"a\":[1]}").attribute("endpoint-x", "h:0")),
    ];
    for service in every {
        let bytes = layout().encode(&service).unwrap();
        let member = strict(&bytes);
        let alive = service.status() == Status::Up;
        assert_eq!(member["status"] == "ALIVE", alive, "others use what is up alone");
        assert_eq!(read(&bytes).unwrap(), service);
    }
}

#[test]
fn weights_are_read_as_the_page_says() {
    let (_, block) = blocks(PAGE, "read").into_iter().find(|(name, _)| *name == "finagle").unwrap();
    let member = read(block.split_once('\n').unwrap().0.as_bytes()).unwrap();
    for (case, block) in blocks(PAGE, "vector") {
        let (record, expected) = block.split_once('\n').unwrap();
        assert!(layout().weighs(record.as_bytes()), "{case}");
        let weighed = layout().weigh(member.clone(), MEMBER_12, &[record.as_bytes()]);
        let told = format!("{:?} {}", weighed.status(), weighed.attribute("weight").unwrap_or("-"));
        assert_eq!(told, expected, "{case}");
    }
    assert!(!layout().weighs(b"not weights"));
}

#[test]
fn names_are_read_by_the_rules_of_serversets() {
    let id = ServiceId::foreign(MEMBER_12).unwrap();
    assert_eq!(layout().child(MEMBER_12), Child::Instance { id, number: 12 });
    assert_eq!(layout().child("vector_0000000001"), Child::Weights);
    let odd =
        ["member_", "member_000000001x", "member_00000000012", "member_-000000012", "member_2147483648"];
    odd_ones(&layout(), &odd);
}

#[test]
fn the_preset_stands_where_go_serversets_looks() {
    assert_eq!(layout().base("twitter/prod"), "/twitter/prod");
    assert_eq!(layout().discovery(true).base("prod"), "/discovery/prod");
}
