//! What an Exhibitor answers: the servers, as JSON or as a form. Nothing in it is trusted.

use std::{collections::BTreeSet, net::Ipv6Addr};

use percent_encoding::percent_decode_str;
use reception_core::{DialUrl, Error, ErrorKind, Result};
use serde::Deserialize;

use crate::error::unfound;

/// The most bytes of an answer.
pub(crate) const MOST_BYTES: usize = 1 << 20;
/// The most servers of an answer.
const MOST_SERVERS: usize = 256;

#[derive(Deserialize)]
struct Answer {
    servers: Vec<String>,
    port: i64,
}

/// The servers that a body of this type tells, each `host:port`.
///
/// # Errors
///
/// Protocol for anything that is no such list, Unavailable for a list without servers.
pub(crate) fn read(kind: &str, body: &[u8]) -> Result<BTreeSet<String>> {
    let plain = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (hosts, port) = match plain.as_str() {
        "application/json" => json(body)?,
        "application/x-www-form-urlencoded" => form(body)?,
        "" => return Err(wrong("answered without a type of content")),
        _ => return Err(wrong("answered neither JSON nor a form")),
    };
    servers(&hosts, port)
}

fn wrong(context: &str) -> Error {
    unfound(ErrorKind::Protocol, context)
}

fn json(body: &[u8]) -> Result<(Vec<String>, i64)> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|cause| wrong("answered JSON that is no list of servers").with_source(cause))?;
    Ok((answer.servers, answer.port))
}

fn form(body: &[u8]) -> Result<(Vec<String>, i64)> {
    let broken = || wrong("answered a form that is no list of servers");
    let text = std::str::from_utf8(body).map_err(|_| broken())?;
    let (mut count, mut port, mut hosts) = (None, None, Vec::new());
    for pair in text.trim().split('&') {
        let (key, value) = pair.split_once('=').ok_or_else(broken)?;
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8().map_err(|_| broken())?.into_owned();
        match key {
            "count" => count = Some(value.parse::<u64>().map_err(|_| broken())?),
            "port" => port = Some(value.parse::<i64>().map_err(|_| broken())?),
            key if key.strip_prefix("server").is_some_and(|at| at.parse::<u32>().is_ok()) => {
                hosts.push(value);
            }
            _ => {}
        }
    }
    let (Some(count), Some(port)) = (count, port) else { return Err(broken()) };
    // Else a part of the list would pass as all of it.
    if count != hosts.len() as u64 {
        return Err(wrong("answered a form whose count is not that of its servers"));
    }
    Ok((hosts, port))
}

fn servers(hosts: &[String], port: i64) -> Result<BTreeSet<String>> {
    if hosts.len() > MOST_SERVERS {
        return Err(wrong(&format!("tells {} servers, more than {MOST_SERVERS}", hosts.len())));
    }
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| wrong("tells a port that is not in 1-65535"))?;
    if hosts.is_empty() {
        return Err(unfound(ErrorKind::Unavailable, "tells no servers"));
    }
    hosts.iter().enumerate().map(|(at, host)| server(at, host, port)).collect()
}

/// A host with the port, if it is a host and nothing else. What it is instead is not repeated.
fn server(at: usize, host: &str, port: u16) -> Result<String> {
    let bare = host.parse::<Ipv6Addr>().is_ok();
    let whole = if bare { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    // The rules of hosts are those of dial URLs.
    let url: Option<DialUrl> = format!("zk://{whole}").parse().ok();
    match url {
        Some(url) if url.hosts() == [whole.as_str()] && url.path().is_empty() => Ok(whole),
        _ => Err(wrong(&format!("tells a server, number {}, that is no host", at + 1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        }
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
        assert_eq!(
            refused(JSON, &of(257)),
            (ErrorKind::Protocol, "tells 257 servers, more than 256".to_owned())
        );
        assert_eq!(refused(JSON, &of(10_000)).0, ErrorKind::Protocol);
    }
}
