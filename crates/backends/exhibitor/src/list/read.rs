//! The two forms of an answer, taken apart: hosts and a port, whatever they are.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use reception_core::{Error, Result};
use serde::Deserialize;

use super::wrong;

#[derive(Deserialize)]
struct Answer {
    servers: Vec<String>,
    port: i64,
}

pub(super) fn json(body: &[u8]) -> Result<(Vec<String>, i64)> {
    // The derived reader would take an array of the fields' values as well.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(wrong("answered JSON that is no list of servers: it is no object"));
    }
    // What the library says of the flaw may repeat what stands there, as long as that is.
    let answer: Answer = serde_json::from_slice(body).map_err(|flaw| {
        let (line, column) = (flaw.line(), flaw.column());
        wrong(&format!("answered JSON that is no list of servers: see line {line}, column {column}"))
    })?;
    Ok((answer.servers, answer.port))
}

pub(super) fn pairs(body: &[u8]) -> Result<(Vec<String>, i64)> {
    let text = std::str::from_utf8(body).map_err(|_| broken())?;
    let (mut count, mut port, mut hosts) = (None, None, BTreeMap::new());
    for pair in text.trim().split('&') {
        let (key, value) = pair.split_once('=').ok_or_else(broken)?;
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8().map_err(|_| broken())?.into_owned();
        let number = || value.parse::<i64>().map_err(|_| broken());
        let twice = match (key, place(key)) {
            ("count", _) => count.replace(number()?).is_some(),
            ("port", _) => port.replace(number()?).is_some(),
            (_, Some(at)) => hosts.insert(at, value).is_some(),
            _ => false,
        };
        if twice {
            return Err(wrong("answered a form in which a field stands twice"));
        }
    }
    let (Some(count), Some(port)) = (count, port) else { return Err(broken()) };
    // Else a part of the list would pass as all of it.
    if !hosts.keys().copied().eq(0..count) {
        return Err(wrong("answered a form whose count is not that of its servers"));
    }
    Ok((hosts.into_values().collect(), port))
}

fn broken() -> Error {
    wrong("answered a form that is no list of servers")
}

/// Where a server stands in the list, by the key that Exhibitor gives it.
fn place(key: &str) -> Option<i64> {
    let digits = key.strip_prefix("server")?;
    digits.parse().ok().filter(|at: &i64| at.to_string() == digits)
}
