//! `scheme://[user[:secret]@]h1[:p],h2[:p],[v6]:p/namespace?key=value`: a URL with several hosts, which the usual parsers refuse.
//!
//! What is wrong is told by its place, not by repeating it: a mistyped URL may hold a secret anywhere.

use std::{fmt, str::FromStr};

use percent_encoding::percent_decode_str;

use super::{
    config,
    option::{Opt, OptionSpec},
    value::OptionValue,
};
use crate::{
    address,
    error::{Error, Result},
    limits::{MAX_FOREIGN, MAX_NAME},
    name::{RULE, ServiceName},
    secret::Secret,
};

/// A parsed dial URL. `Debug` and `Display` hide the secret and the values of all options.
#[derive(Clone, PartialEq, Eq)]
pub struct DialUrl {
    scheme: String,
    user: Option<(String, Option<Secret>)>,
    hosts: Vec<String>,
    path: String,
    options: Vec<(String, Secret)>,
}

impl DialUrl {
    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The hosts as written, with their ports; IPv6 in brackets.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The path with its leading slash, percent signs decoded; empty when there is none.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path as a namespace: its segments joined by single slashes, none at the ends; empty when there is none.
    ///
    /// # Errors
    /// Config when a segment is no name (law L15).
    pub fn namespace(&self) -> Result<String> {
        let segments: Vec<&str> = self.path.split('/').filter(|segment| !segment.is_empty()).collect();
        if let Some(at) = segments.iter().position(|segment| ServiceName::new(segment).is_err()) {
            return Err(config(format!(
                "segment {} of the namespace is no name: {RULE}, at most {MAX_NAME}",
                at + 1
            )));
        }
        Ok(segments.join("/"))
    }

    /// The user and, where given, the secret.
    #[must_use]
    pub fn user(&self) -> Option<(&str, Option<&Secret>)> {
        self.user.as_ref().map(|(user, secret)| (user.as_str(), secret.as_ref()))
    }

    /// The keys of the options given.
    pub fn options(&self) -> impl Iterator<Item = &str> + '_ {
        self.options.iter().map(|(key, _)| key.as_str())
    }

    /// The value of an option, else its default, else none.
    ///
    /// # Errors
    /// Config when the value is not one of its kind.
    pub fn get<T: OptionValue>(&self, option: &Opt<T>) -> Result<Option<T>> {
        let spec = option.spec();
        let given = self.options.iter().find(|(key, _)| key == spec.key()).map(|(_, value)| value.expose());
        given.or(spec.default()).map(|text| option.read(text)).transpose()
    }

    /// Checks the options given against those that a backend knows.
    ///
    /// # Errors
    /// Config for an unknown option, with the nearest known one, and for a half-given pair.
    pub fn check(&self, known: &[OptionSpec]) -> Result<()> {
        for key in self.options() {
            let Some(spec) = known.iter().find(|spec| spec.key() == key) else {
                return Err(unknown(key, known));
            };
            if let Some(missing) =
                spec.requires().iter().find(|needed| !self.options().any(|key| key == **needed))
            {
                return Err(config(format!("option \"{key}\" needs \"{missing}\"")));
            }
        }
        Ok(())
    }
}

fn unknown(key: &str, known: &[OptionSpec]) -> Error {
    // Of two that are as near the one declared first is meant: a table begins with what is used most.
    let nearest =
        known.iter().map(|spec| (distance(key, spec.key()), spec.key())).min_by_key(|(steps, _)| *steps);
    // A third of the letters may differ; beyond that a guess does not help.
    let guess = nearest.filter(|(steps, near)| *steps <= near.len().max(3) / 3);
    let guess = guess.map_or_else(String::new, |(_, near)| format!(", did you mean \"{near}\"?"));
    let list = known.iter().map(OptionSpec::key).collect::<Vec<_>>().join(", ");
    let list = if list.is_empty() { "this backend has none".to_owned() } else { format!("options: {list}") };
    config(format!("unknown option \"{key}\"{guess} ({list})"))
}

/// The number of letters to insert, delete or replace.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

const NO_SCHEME: &str = "a dial URL begins with a scheme, as etcd://127.0.0.1:2379 does: a letter, then letters, digits, '+', '-', '.'";

impl FromStr for DialUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once(':').ok_or_else(|| config(NO_SCHEME))?;
        let scheme = scheme.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !scheme.starts_with(|first: char| first.is_ascii_lowercase()) || !scheme.bytes().all(plain) {
            return Err(config(NO_SCHEME));
        }
        if !rest.is_empty() && !rest.starts_with(['/', '?', '#']) {
            return Err(config(
                "after the scheme come \"//\" and a host, a path that starts with '/', or options",
            ));
        }
        if rest.contains('#') {
            return Err(config("a dial URL has no fragment: write '#' as %23"));
        }
        if rest.chars().any(|letter| letter.is_control() || letter == ' ') {
            return Err(config("a dial URL has no spaces and no control characters: percent-encode them"));
        }
        let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.find('/').map_or((rest, ""), |at| rest.split_at(at)),
            None => ("", rest),
        };
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(parse_user(user)?), hosts),
            None => (None, authority),
        };
        if user.is_some() && hosts.is_empty() {
            return Err(config("a user without a host"));
        }
        let path = decode(path).ok_or_else(|| config("the path does not decode to UTF-8"))?;
        if path.contains('@') {
            // Else a secret with an unescaped slash would pass as a path, and be printed as one.
            return Err(config("the path holds '@': percent-encode the slashes of a user or secret"));
        }
        if path.chars().any(char::is_control) || path.len() > MAX_FOREIGN {
            return Err(config("the path holds a control character or is over 1 KiB"));
        }
        Ok(Self { scheme, user, hosts: parse_hosts(hosts)?, path, options: parse_options(query)? })
    }
}

fn decode(text: &str) -> Option<String> {
    // A percent sign that does not start a code is a mistake, and the usual decoder lets it through.
    let codes = text
        .split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()));
    codes.then(|| percent_decode_str(text).decode_utf8().ok().map(Into::into)).flatten()
}

fn parse_user(text: &str) -> Result<(String, Option<Secret>)> {
    let bad = || config("the user or secret before '@' does not decode to UTF-8: percent-encode it");
    let (user, secret) = text.split_once(':').map_or((text, None), |(user, secret)| (user, Some(secret)));
    let user = decode(user).ok_or_else(bad)?;
    if user.is_empty() {
        return Err(config("the user before '@' is empty"));
    }
    let secret = secret.map(|secret| decode(secret).map(Secret::new).ok_or_else(bad)).transpose()?;
    Ok((user, secret))
}

fn parse_hosts(text: &str) -> Result<Vec<String>> {
    let mut hosts: Vec<String> = Vec::new();
    if text.is_empty() {
        return Ok(hosts);
    }
    for (at, host) in text.split(',').enumerate() {
        let wrong = |what: &str| Err(config(format!("host {} {what}", at + 1)));
        let (name, port) = match host.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((inside, after)) if address::is_ipv6(inside) => (inside, after),
                _ => return wrong("is no IPv6 address in brackets"),
            },
            None => host.find(':').map_or((host, ""), |colon| host.split_at(colon)),
        };
        if name.is_empty() {
            return wrong("is empty");
        }
        if !host.starts_with('[') && host.matches(':').count() > 1 {
            return wrong("has several colons: an IPv6 address stands in brackets");
        }
        if !host.starts_with('[') && !address::is_host(name) {
            return wrong("is no host name and no IP address");
        }
        let port_is_good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        if !port_is_good {
            return wrong("has a port that is not in 1-65535");
        }
        if hosts.iter().any(|earlier| earlier.eq_ignore_ascii_case(host)) {
            return wrong("stands twice");
        }
        hosts.push(host.to_owned());
    }
    Ok(hosts)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn parse_options(query: &str) -> Result<Vec<(String, Secret)>> {
    let mut options: Vec<(String, Secret)> = Vec::new();
    for (at, pair) in query.split('&').enumerate().filter(|(_, pair)| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if key.is_empty() || key.len() > 32 || !key.bytes().all(plain) {
            return Err(config(format!(
                "option {} has a name that is not lower-case letters, digits and '_'",
                at + 1
            )));
        }
        if options.iter().any(|(earlier, _)| earlier == key) {
            return Err(config(format!("option \"{key}\" is given twice")));
        }
        let value =
            decode(value).ok_or_else(|| config(format!("option \"{key}\" does not decode to UTF-8")))?;
        options.push((key.to_owned(), Secret::new(value)));
    }
    Ok(options)
}

impl fmt::Display for DialUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, user, hosts, path, options } = self;
        write!(f, "{scheme}:")?;
        if !hosts.is_empty() {
            f.write_str("//")?;
        }
        match user {
            Some((user, Some(_))) => write!(f, "{user}:***@")?,
            Some((user, None)) => write!(f, "{user}@")?,
            None => {}
        }
        write!(f, "{}{path}", hosts.join(","))?;
        for (at, (key, _)) in options.iter().enumerate() {
            write!(f, "{}{key}=***", if at == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for DialUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DialUrl({self})")
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for DialUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
