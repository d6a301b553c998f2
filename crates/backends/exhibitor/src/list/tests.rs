//! Answers as they should be, as they should not, and thousands of broken ones.

use super::*;

fn read(kind: &str, body: &[u8]) -> Result<BTreeSet<String>> {
    Form::of(kind)?.read(body)
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn told(kind: &str, body: &str) -> Vec<String> {
    read(kind, body.as_bytes()).unwrap().into_iter().collect()
}

fn refused(kind: &str, body: &str) -> (ErrorKind, String) {
    let error = read(kind, body.as_bytes()).unwrap_err();
    (error.kind(), error.context().to_owned())
}

#[test]
fn both_forms_tell_the_same() {
    let json = told(JSON, r#"{"servers":["zk1.example","10.0.0.2","fd00::3"],"port":2181}"#);
    assert_eq!(json, ["10.0.0.2:2181", "[fd00::3]:2181", "zk1.example:2181"]);
    let form = "count=3&server0=zk1.example&server1=10.0.0.2&server2=fd00%3A%3A3&port=2181";
    assert_eq!(told(&format!("{FORM}; charset=UTF-8"), form), json);
    assert_eq!(told("APPLICATION/JSON;charset=utf-8", r#"{"servers":["a","a"],"port":1}"#), ["a:1"]);
}

#[test]
fn what_is_no_list_is_told_and_not_repeated() {
    for (kind, body) in [
        (JSON, r#"{"servers":["a"]}"#),
        (JSON, r#"{"servers":null,"port":2181}"#),
        (JSON, r#"{"port":2181}"#),
        (JSON, r#"{"servers":["a"],"port":0}"#),
        (JSON, r#"{"servers":["a"],"port":-5}"#),
        (JSON, r#"{"servers":["a"],"port":99999}"#),
        (JSON, r#"{"servers":["a"],"port":"2181"}"#),
        (JSON, r#"{"servers":["http://evil/"],"port":2181}"#),
        (JSON, r#"{"servers":["a;rm -rf b"],"port":2181}"#),
        (JSON, r#"{"servers":["a,evil"],"port":2181}"#),
        (JSON, r#"{"servers":["user@evil"],"port":2181}"#),
        (JSON, r#"{"servers":["evil/chroot"],"port":2181}"#),
        (JSON, r#"{"servers":["evil:99"],"port":2181}"#),
        (JSON, r#"{"servers":["$(evil)"],"port":2181}"#),
        (JSON, r#"{"servers":[""],"port":2181}"#),
        (JSON, r#"{"servers":["a\nevil"],"port":2181}"#),
        (JSON, r#"{"servers":[1],"port":2181}"#),
        (JSON, "<html>evil</html>"),
        (JSON, ""),
        (JSON, "[[[[[["),
        (JSON, r#"[["a"],2181]"#),
        (JSON, r#"{"servers":"evil","port":2181}"#),
        (JSON, r#"{"servers":["a"],"port":2181,"port":2182}"#),
        (JSON, r#"{"servers":["a"],"port":99999999999999999999999999}"#),
        (JSON, r#"{"servers":["a"],"port":1e999}"#),
        (FORM, "count=1&server0=a&port=2181&port=2182"),
        (FORM, "count=2&server0=a&server0=b&port=2181"),
        (FORM, "count=1&count=1&server0=a&port=2181"),
        (FORM, "count=1&server7=a&port=2181"),
        (FORM, "count=1&server+0=a&port=2181"),
        (FORM, "count=1&server00=a&port=2181"),
        (FORM, "count=2&server0=a&port=2181"),
        (FORM, "count=1000000000&server0=a&port=2181"),
        (FORM, "count=1&server0=a"),
        (FORM, "count=1&server0=a+evil&port=2181"),
        (FORM, "count=1&server0=%FF&port=2181"),
        (FORM, "evil"),
        (FORM, ""),
        ("text/html", r#"{"servers":["a"],"port":2181}"#),
        ("", r#"{"servers":["a"],"port":2181}"#),
    ] {
        let (told, context) = refused(kind, body);
        assert_eq!(told, ErrorKind::Protocol, "{kind} {body}: {context}");
        assert!(!context.contains("evil"), "{context}");
        let whole = format!("{:?}", read(kind, body.as_bytes()));
        assert!(!whole.contains("evil"), "{whole}");
    }
}

#[test]
fn one_host_in_two_spellings_is_one_server() {
    let json = r#"{"servers":["ZK1.example","zk1.EXAMPLE","FD00:0:0::3","[fd00::3]"],"port":2181}"#;
    assert_eq!(told(JSON, json), ["[fd00::3]:2181", "zk1.example:2181"]);
}

#[test]
fn no_servers_may_be_some_later() {
    assert_eq!(refused(JSON, r#"{"servers":[],"port":2181}"#).0, ErrorKind::Unavailable);
    assert_eq!(refused(FORM, "count=0&port=2181").0, ErrorKind::Unavailable);
}

#[test]
fn a_list_that_is_too_long_is_refused_as_a_whole() {
    let of = |count: usize| {
        let hosts: Vec<String> = (0..count).map(|at| format!("\"zk{at}\"")).collect();
        format!("{{\"servers\":[{}],\"port\":2181}}", hosts.join(","))
    };
    assert_eq!(told(JSON, &of(256)).len(), 256);
    assert_eq!(refused(JSON, &of(257)), (ErrorKind::Protocol, "tells 257 servers, more than 256".to_owned()));
    assert_eq!(refused(JSON, &of(10_000)).0, ErrorKind::Protocol);
}

/// Numbers by chance, the same ones each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// What a reader of either form may trip over.
const PIECES: &[&str] = &[
    "\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "&",
    "=",
    "+",
    "%",
    "%0a",
    "%00",
    "null",
    "-1",
    "1e999",
    "0",
    "65536",
    "99999999999999999999",
    "\\u0000",
    "\\ud800",
    "\n",
    "\0",
    "\u{202e}",
    "\u{feff}",
    "servers",
    "port",
    "server0",
    "count",
    "[[[[[[[[",
    "{\"a\":",
    "::1",
    "evil",
    "user@",
    "/",
    "?",
    "#",
    " ",
];

/// Breaks a body in one of many ways.
fn mutated(dice: &mut Dice, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(body.len() + 1);
        let piece = match dice.below(6) {
            0 => dice.of(PIECES).as_bytes().to_vec(),
            1 => dice.of(PIECES).repeat(dice.below(400)).into_bytes(),
            2 => vec![u8::try_from(dice.below(256)).unwrap()],
            3 => body[at..].to_vec(),
            4 => {
                body.truncate(at);
                Vec::new()
            }
            _ => {
                drop(body.drain(at..(at + dice.below(8)).min(body.len())));
                Vec::new()
            }
        };
        let at = at.min(body.len());
        drop(body.splice(at..at, piece));
    }
    body
}

#[test]
fn no_broken_answer_is_more_than_a_list_or_a_short_error() {
    let whole = [
        (JSON, r#"{"servers":["zk1.example","10.0.0.2","fd00::3"],"port":2181}"#),
        (FORM, "count=3&server0=zk1.example&server1=10.0.0.2&server2=fd00%3A%3A3&port=2181"),
    ];
    let (mut dice, mut lists) = (Dice(7), 0);
    for round in 0..20_000 {
        let (kind, body) = whole[round % 2];
        let body = mutated(&mut dice, body.as_bytes());
        let seen = String::from_utf8_lossy(&body).into_owned();
        match read(kind, &body) {
            Ok(servers) => {
                lists += 1;
                assert!((1..=MOST_SERVERS).contains(&servers.len()), "{seen}");
                let plain = |server: &String| {
                    server
                        .rsplit_once(':')
                        .is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
                        && server.bytes().all(|byte| byte.is_ascii_graphic() && !b"@/?#%,\"".contains(&byte))
                };
                assert!(servers.iter().all(plain), "{servers:?} of {seen}");
            }
            Err(error) => {
                let told = format!("{error:?}");
                assert!(told.len() < 300 && !told.contains("evil"), "{told} of {seen}");
            }
        }
    }
    assert!(lists > 100, "{lists} of them were lists: the rest shows nothing of what is let through");
}

#[test]
fn the_worst_of_a_megabyte_costs_little() {
    for piece in [
        "[",
        "{\"a\":",
        "{\"servers\":[",
        "\"\\u0041",
        "1",
        "-",
        "servers=",
        "server0=a&",
        "&",
        "%",
        "%41",
        "x=%41&",
    ] {
        for before in ["", "{\"x\":", "{\"servers\":[\"a\"],\"port\":2181,\"x\":", "count=1&server0="] {
            let body = format!("{before}{}", piece.repeat(MOST_BYTES / piece.len()));
            for kind in [JSON, FORM] {
                assert!(read(kind, body.as_bytes()).is_err(), "{before}{piece}");
            }
        }
    }
}
