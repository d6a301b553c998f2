//! The bytes of `docs/wire/record.md`, taken from the page itself.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use reception_core::{ErrorKind, Service, ServiceBuilder, Status};
use reception_kit::record::{decode, decode_candidate, encode, encode_candidate, encode_over};

const PAGE: &str = include_str!("../../../docs/wire/record.md");

/// The lines of every fenced block with this word, each with what stands behind the word.
fn blocks(word: &str) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut found = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let (first, rest) = info.split_once(' ').unwrap_or((info, ""));
        if first == word {
            found.push((rest, body));
        }
    }
    assert!(!found.is_empty(), "the page has no block {word:?}");
    found
}

fn lines(word: &str) -> Vec<&'static str> {
    blocks(word).into_iter().flat_map(|(_, body)| body).collect()
}

const NAMES: [&str; 5] = ["minimal", "draining", "well-known", "escapes", "candidate"];

/// The services that the page names, in code.
fn service(name: &str) -> Service {
    let base = |address: &str, port: u16| Service::builder("api", address, port).id("i-1");
    let minimal = || base("10.0.0.7", 8080);
    let builder: ServiceBuilder = match name {
        "minimal" | "candidate" => minimal(),
        "down" => minimal().status(Status::Down),
        "no-port" => minimal().port(0),
        "draining" => {
            base("[fd00::7]", 8080).status(Status::Draining).attribute("zone", "a").attribute("weight", "0.5")
        }
        "well-known" => base("h1.example", 8080)
            .status(Status::Down)
            .attribute("ssl-port", "8443")
            .attribute("uri-spec", "{scheme}://{address}:{port}/v1")
            .attribute("payload", r#"{"build":"7f2c"}"#)
            .attribute("weight", "3")
            .attribute("zone", "eu-west-1a")
            .attribute("shard", "0")
            .attribute("endpoint-admin", "h1.example:9990")
            .attribute("registered-at", "1700000000000"),
        "escapes" => {
            base("10.0.0.7", 1).attribute("a", "z\u{fc}rich \u{1f980}").attribute("A", "\"\\/\n\u{1}<>&")
        }
        other => panic!("no service {other:?}"),
    };
    if name == "no-port" { builder.build_foreign().unwrap() } else { builder.build().unwrap() }
}

fn read(bytes: &[u8]) -> reception_core::Result<Service> {
    let like = service("minimal");
    decode(like.name(), like.id(), bytes)
}

fn text(bytes: reception_core::Result<Vec<u8>>) -> String {
    String::from_utf8(bytes.unwrap()).unwrap()
}

#[test]
fn each_golden_record_is_written_as_on_the_page_and_reads_back() {
    let golden = blocks("golden");
    let names: BTreeSet<_> = golden.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, BTreeSet::from(NAMES), "page and test must name the same records");
    for (name, body) in golden {
        let [line] = body[..] else { panic!("{name}: one line each") };
        let wanted = service(name);
        if name == "candidate" {
            assert_eq!(text(encode_candidate(&wanted)), line);
            assert_eq!(decode_candidate(line.as_bytes()).unwrap(), wanted);
        } else {
            assert_eq!(text(encode(&wanted)), line);
            assert_eq!(read(line.as_bytes()).unwrap(), wanted);
        }
    }
}

#[test]
fn a_tolerant_reader_accepts_what_the_page_says() {
    for line in lines("read") {
        let (name, bytes) = line.split_once(" <= ").unwrap();
        assert_eq!(read(bytes.as_bytes()).unwrap(), service(name), "{line}");
    }
}

#[test]
fn every_other_form_is_refused_with_kind_protocol() {
    for line in lines("refuse") {
        let error = read(line.as_bytes()).expect_err(line);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{line}");
    }
}

#[test]
fn an_update_keeps_the_unknown_fields_of_what_stood_there() {
    let all = lines("over");
    assert_eq!(all.len() % 3, 0, "three lines each");
    for case in all.chunks(3) {
        assert_eq!(text(encode_over(&service(case[1]), case[0].as_bytes())), case[2], "over {}", case[0]);
    }
}

#[test]
fn a_record_of_an_instance_is_no_candidate() {
    let record = encode(&service("minimal")).unwrap();
    assert_eq!(decode_candidate(&record).unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(decode_candidate(b"host-1").unwrap_err().kind(), ErrorKind::Protocol);
}

#[test]
fn an_error_names_the_record_and_the_field() {
    let error = read(br#"{"v":1,"address":"10.0.0.7","port":"8080"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "decode on kit: record of api/i-1: field \"port\" is not a whole number up to 65535 (protocol)"
    );
}
