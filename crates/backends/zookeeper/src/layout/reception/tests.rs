//! Golden bytes both ways, and what others write; all of it is read from the page.

use reception_core::{ErrorKind, ServiceBuilder, Status};

use super::*;
use crate::layout::page::{blocks, odd_ones, told};

const PAGE: &str = include_str!("../../../../../../docs/wire/reception.md");

fn whose() -> (ServiceName, ServiceId) {
    (ServiceName::new("api").unwrap(), ServiceId::new("i-1").unwrap())
}

fn service(address: &str, port: u16, build: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Service {
    let (name, id) = whose();
    build(Service::builder_of(&name, &id, address, port)).build().unwrap()
}

fn golden(name: &str) -> Service {
    match name {
        "minimal" => service("10.0.0.7", 8080, |plain| plain),
        "attributes" => {
            service("h1.example", 23423, |plain| plain.attribute("zone", "a").attribute("external", "true"))
        }
        "escapes" => service("10.0.0.7", 8080, |plain| {
            plain
                .attribute("a", "<a href=\"x\"> & \\ /")
                .attribute("b", "line\nline\ttab\r\u{1}\u{8}\u{c}")
                .attribute("c", "zürich 🦀\u{2028}\u{2029}")
        }),
        "draining" => service("10.0.0.7", 8080, |plain| plain.status(Status::Draining)),
        "down" => service("10.0.0.7", 8080, |plain| plain.attribute("zone", "a").status(Status::Down)),
        other => panic!("no case {other}"),
    }
}

#[test]
fn the_bytes_of_the_page_are_what_is_written_and_read() {
    let (name, id) = whose();
    for (case, bytes) in blocks(PAGE, "golden") {
        let service = golden(case);
        assert_eq!(String::from_utf8(Reception.encode(&service).unwrap()).unwrap(), bytes, "{case}");
        assert_eq!(Reception.decode(&name, &id, bytes.as_bytes()).unwrap(), service, "{case}");
    }
}

#[test]
fn the_page_says_what_is_read_from_others() {
    let (name, id) = whose();
    for (case, block) in blocks(PAGE, "read") {
        let (bytes, expected) = block.split_once('\n').unwrap();
        let read = Reception.decode(&name, &id, bytes.as_bytes()).expect(case);
        assert_eq!(told(&read), expected, "{case}");
    }
}

#[test]
fn the_page_says_what_is_no_record() {
    let (name, id) = whose();
    for (case, bytes) in blocks(PAGE, "refuse") {
        let error = Reception.decode(&name, &id, bytes.as_bytes()).expect_err(case);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{case}");
    }
    let deep = [b"{\"x\":".as_slice(), &b"[".repeat(10_000)].concat();
    for bytes in [&b""[..], b"\xff\xfe", b"{", b"null", &deep] {
        assert!(Reception.decode(&name, &id, bytes).is_err());
    }
}

#[test]
fn names_are_read_by_the_rules_of_the_go_library() {
    let mark = "6c8b0f4e1d2a49b79d3e5f60718293a4";
    let id = ServiceId::foreign("i-1").unwrap();
    let made = format!("{}0000000012", Reception.prefix(&id, mark));
    assert_eq!(made, format!("_c_{mark}-i-1-0000000012"));
    assert_eq!(Reception.child(&made), Child::Instance { id, number: 12 });
    let odd = [
        "_c_6c8b0f4e-1d2a-49b7-9d3e-5f60718293a4-latch-0000000012".to_owned(),
        format!("_c_{mark}-i-1-000000001x"),
        format!("_c_{mark}-i-1-00000000012"),
        format!("_c_{mark}-i-1--000000012"),
        format!("_c_{mark}-i-1-2147483648"),
        format!("_c_{mark}--0000000012"),
        format!("_c_{mark}-0000000012"),
        format!("_c_{}-i-1-0000000012", &mark[1..]),
        format!("_c_{}é-i-1-0000000012", &mark[2..]),
    ];
    odd_ones(&Reception, &odd.each_ref().map(String::as_str));
}
