//! Golden bytes both ways, what others write, and paths; all of it is read from the page.

use std::{collections::BTreeSet, fmt::Write as _};

use reception_core::{ErrorKind, Service, ServiceBuilder, Status};

use super::*;
use crate::{
    api::{CheckState, Row},
    http::Path,
};

const PAGE: &str = include_str!("../../../../../docs/wire/consul.md");
const CLIENT: Uuid = Uuid::from_u128(1);
const OWNER: Uuid = Uuid::from_u128(2);
const TTL: Duration = Duration::from_secs(10);
const FORGET: Duration = Duration::from_secs(60);

/// The blocks of one kind, by name.
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

/// An instance as the page tells it.
fn told(service: &Service) -> String {
    let port = service.port().map_or(0, std::num::NonZeroU16::get);
    let mut told = format!("{} {} {port} {:?}", service.id(), service.address(), service.status());
    for (key, value) in service.attributes() {
        write!(told, " {key}={value}").unwrap();
    }
    told
}

fn service(address: &str, port: u16, build: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Service {
    build(Service::builder("api", address, port).id("i-1")).build().unwrap()
}

/// The cases of the page, in code.
fn golden(case: &str) -> (Names, Service, Liveness) {
    let asked = Asked { interval: Duration::from_secs(5), timeout: Duration::from_secs(2), fails: false };
    let minimal = || service("10.0.0.7", 8080, |plain| plain);
    let (mut namespace, mut liveness) = ("", Liveness::Own(TTL));
    let built = match case {
        "minimal" | "reception-none" => minimal(),
        "attributes" => {
            namespace = "eu/prod";
            service("h1.example", 23423, |plain| {
                plain.attribute("zone", "a").attribute("weight", "3").attribute("tags", "v2, green")
            })
        }
        "alias" => {
            liveness = Liveness::As(format!("reception-{}-anchor", CLIENT.simple()));
            minimal()
        }
        "draining" => service("10.0.0.7", 8080, |plain| plain.status(Status::Draining)),
        "down" => service("10.0.0.7", 8080, |plain| plain.status(Status::Down)),
        "http" => {
            let url = format!("http://127.0.0.1:40001/health/{}", OWNER.simple());
            liveness = Liveness::Http { url, asked };
            minimal()
        }
        "tcp" => {
            liveness = Liveness::Tcp(asked);
            service("fd00::7", 8080, |plain| plain)
        }
        "none" => {
            liveness = Liveness::None;
            minimal()
        }
        "reception-attributes" => {
            service("h1.example", 23423, |plain| plain.attribute("zone", "a").attribute("external", "true"))
        }
        "reception-escapes" => {
            namespace = "eu/prod";
            service("10.0.0.7", 8080, |plain| {
                plain
                    .attribute("a", "<a href=\"x\"> & \\ /")
                    .attribute("b", "line\nline\ttab\r\u{1}\u{8}\u{c}")
                    .attribute("c", "zürich 🦀\u{2028}\u{2029}")
            })
        }
        "reception-draining" => {
            service("10.0.0.7", 8080, |plain| plain.attribute("zone", "a").status(Status::Draining))
        }
        other => panic!("no case {other}"),
    };
    let layout = if case.starts_with("reception-") { Layout::Reception } else { Layout::Native };
    (Names::new(namespace, layout), built, liveness)
}

/// What an agent answers of what was registered with this body.
fn answered(body: &str) -> String {
    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
    let checks = body.as_object_mut().unwrap().remove("Checks").unwrap();
    serde_json::json!({ "Node": { "Node": "n1", "Address": "10.0.0.9" }, "Service": body, "Checks": checks })
        .to_string()
}

#[test]
fn the_bodies_of_the_page_are_what_is_written_and_read() {
    for (case, page) in blocks("golden") {
        let (names, service, liveness) = golden(case);
        let body = instance(&names, &service, (CLIENT, OWNER), &liveness, FORGET).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), page, "{case}");
        let row = answered(page);
        let read = decode(&names, service.name(), &serde_json::from_str(&row).unwrap()).expect(case);
        assert_eq!(read.service.unwrap(), service, "{case}");
    }
    let body = session_service(
        &Names::new("eu/prod", Layout::Native),
        &format!("reception-{}-anchor", CLIENT.simple()),
        &format!("reception-anchor-{}", CLIENT.simple()),
        TTL,
        FORGET,
    );
    assert_eq!(blocks("session"), [("anchor", String::from_utf8(body.unwrap()).unwrap().as_str())]);
}

fn read(layout: Layout, case: &str, row: &str) -> Option<(ServiceId, reception_core::Result<Service>)> {
    let row: Row<'_> = serde_json::from_str(row).expect(case);
    let name = ServiceName::new("web").unwrap();
    decode(&Names::new("", layout), &name, &row).map(|decoded| (decoded.id, decoded.service))
}

#[test]
fn the_page_says_what_is_read_from_others() {
    for (kind, layout) in [("read", Layout::Native), ("read-reception", Layout::Reception)] {
        for (case, block) in blocks(kind) {
            let (row, expected) = block.split_once('\n').unwrap();
            let (id, service) = read(layout, case, row).expect(case);
            let service = service.expect(case);
            assert_eq!((told(&service).as_str(), service.id()), (expected, &id), "{case}");
        }
    }
}

#[test]
fn the_page_says_what_is_not_shown_and_what_is_not_readable() {
    for (case, row) in blocks("hidden") {
        assert!(read(Layout::Native, case, row).is_none(), "{case}");
    }
    for (kind, layout) in [("refuse", Layout::Native), ("refuse-reception", Layout::Reception)] {
        for (case, row) in blocks(kind) {
            let (_, service) = read(layout, case, row).expect(case);
            assert_eq!(service.expect_err(case).kind(), reception_core::ErrorKind::Protocol, "{case}");
        }
    }
    let deep = "[".repeat(10_000);
    let row =
        serde_json::json!({ "Node": {}, "Service": { "ID": "x", "Tags": [format!("{{\"a\":{deep}")] } });
    assert!(read(Layout::Reception, "deep", &row.to_string()).unwrap().1.is_err());
}

fn paths(service: &str, node: &str, id: &str, check: &str) -> Vec<String> {
    let paths = [
        Path::of("agent/health/service/id").then(id).with("format", "json"),
        Path::of("agent/service/deregister").then(id),
        Path::of("agent/check/pass").then(check),
        Path::of("health/service").then(service).flag("consistent"),
        Path::of("catalog/node-services").then(node),
    ];
    paths.iter().map(|path| path.target(&[])).collect()
}

#[test]
fn paths_are_those_of_the_page() {
    let page = blocks("paths");
    let (api, one) = (ServiceName::new("api").unwrap(), ServiceId::new("one").unwrap());
    let names = Names::new("eu/prod", Layout::Native);
    let check = liveness_check(OWNER, false);
    let mut ours = paths(&names.service(&api), "n1", &names.instance(&api, &one), &check);
    let lock = names.lock(&ElectionName::new("reaper").unwrap());
    ours.push(Path::of("kv").key(&lock).flag("consistent").target(&[]));
    ours.push(Path::of("kv").key(&names.domain()).with("cas", "0").target(&[]));
    assert_eq!(page[0], ("ours", ours.join("\n").as_str()));
    let mut others = paths("web&x=y", "n 1", "a/b?c#d%2Fé ü", "service:web-1");
    others[1] = paths("", "", "../../agent/leave", "").remove(1);
    assert_eq!(page[1], ("others", others.join("\n").as_str()));
}

#[test]
fn no_key_has_to_be_escaped() {
    let longest = "n".repeat(63);
    let parts = ["a", "A.b-c_9", "x.json", "x.sh", "9", longest.as_str()];
    let mut keys = BTreeSet::new();
    for part in parts {
        for namespace in [String::new(), part.to_owned(), format!("{part}/{part}"), format!("/{part}/")] {
            let names = Names::new(&namespace, Layout::Native);
            keys.insert(names.domain());
            keys.insert(names.lock(&ElectionName::new(part).unwrap()));
        }
    }
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        assert!(key.chars().all(plain) && !key.contains("..") && !key.contains("//"), "{key}");
        assert!(!key.starts_with('/') && [".lock", ".domain"].iter().any(|end| key.ends_with(end)), "{key}");
        assert_eq!(Path::of("kv").key(&key).target(&[]), format!("/v1/kv/{key}"));
    }
}

#[test]
fn a_full_meta_goes_on_in_the_tags_and_comes_back() {
    let names = Names::new("eu/prod", Layout::Native);
    let full = |plain: ServiceBuilder| {
        let keys = 0..reception_core::limits::MAX_ATTRIBUTES;
        keys.fold(plain.status(Status::Down), |built, at| built.attribute(&format!("k{at:02}"), "a=b,c"))
    };
    let service = service("10.0.0.7", 8080, full);
    let (tags, meta) = instance_parts(&names, &service, "mark").unwrap();
    assert!(meta.len() == MOST_META && !tags.is_empty());
    let body = instance(&names, &service, (CLIENT, OWNER), &Liveness::None, FORGET).unwrap();
    let row = answered(&String::from_utf8(body).unwrap());
    let row: Row<'_> = serde_json::from_str(&row).unwrap();
    assert!(row.checks.iter().flatten().all(|CheckState { id, .. }| id.starts_with(STATED)));
    assert_eq!(decode(&names, service.name(), &row).unwrap().service.unwrap(), service);
}

#[test]
fn what_an_agent_refuses_or_a_reader_would_take_for_something_else_is_not_written() {
    let refused = |service: &Service, layout| {
        let names = Names::new("eu/prod", layout);
        let written = instance(&names, service, (CLIENT, OWNER), &Liveness::None, FORGET);
        written.err().map(|error| error.kind())
    };
    let tagged =
        |tags: &str| service("10.0.0.7", 8080, |plain| plain.attribute("zone", "a").attribute("tags", tags));
    for tags in ["reception-attribute:zone=evil", "v2, reception-attribute:x"] {
        assert_eq!(refused(&tagged(tags), Layout::Native), Some(ErrorKind::InvalidInstance), "{tags}");
        // There tags are an attribute like any other.
        assert_eq!(refused(&tagged(tags), Layout::Reception), None, "{tags}");
    }
    assert_eq!(refused(&tagged("v2,x-reception-attribute:x"), Layout::Native), None);
    for address in ["0.0.0.0", "::"] {
        let nowhere = service(address, 8080, |plain| plain);
        assert_eq!(refused(&nowhere, Layout::Native), Some(ErrorKind::InvalidInstance), "{address}");
    }
}

#[test]
fn everything_has_its_place() {
    let (name, id) = (ServiceName::new("api").unwrap(), ServiceId::new("one").unwrap());
    let election = ElectionName::new("reaper").unwrap();
    let plain = Names::new("", Layout::Native);
    assert_eq!((plain.service(&name), plain.instance(&name, &id)), ("api".to_owned(), "api:one".to_owned()));
    assert_eq!(
        (plain.lock(&election), plain.domain()),
        ("reaper/.lock".to_owned(), "reception/.domain".to_owned())
    );
    let names = Names::new("eu/prod", Layout::Native);
    assert_eq!(names.instance(&name, &id), "eu-prod-api:one");
    assert_eq!(
        (names.lock(&election), names.domain()),
        ("eu/prod/reaper/.lock".to_owned(), "eu/prod/.domain".to_owned())
    );
    assert_eq!(names.known_as("eu-prod-api"), Some(name));
    assert_eq!((names.known_as("api"), plain.known_as(HIDDEN)), (None, None));
}

#[test]
fn a_check_tells_its_owner() {
    let owner = Uuid::from_u128(7);
    assert_eq!(owner_of_check(&liveness_check(owner, false)), Some(owner));
    assert_eq!(owner_of_check(&liveness_check(owner, true)), Some(owner));
    assert_eq!(owner_of_check(&status_check(owner)), None);
    assert_eq!(owner_of_check("service:web"), None);
    assert_eq!(owner_of_mark(&owner_mark(CLIENT, owner)), Some(owner));
    assert_eq!(owner_of_mark("x-y"), None);
}
