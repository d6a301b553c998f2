//! What we write to the agent.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use reception_core::{Error, ErrorKind, Result, Service, Status};
use reception_kit::{go_json, record};
use serde::Serialize;
use uuid::Uuid;

use super::{
    HIDDEN, Layout, MOST_META, NAMESPACE, Names, OWNER, STATUS, SURPLUS, liveness_check, owner_mark, span,
    status_check,
};
use crate::{error::error, options::bracketed};

/// Longer than any agent runs: the check of a stated status never lapses.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Failures in a row that an agent takes for a death: one is forgiven.
const FATAL: u8 = 2;

/// How the agent sees that an instance lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// A check of its own that we pass.
    Own(Duration),
    /// As healthy as this service of ours.
    As(String),
    Http {
        url: String,
        asked: Asked,
    },
    Tcp(Asked),
    None,
}

/// How an agent asks by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    /// It had no good answer before the record was lost: it is not up until there is one.
    pub(crate) fails: bool,
}

impl Asked {
    fn apply(self, check: &mut Check) {
        (check.interval, check.timeout) = (Some(span(self.interval)), Some(span(self.timeout)));
        check.failures_before_critical = Some(FATAL);
        if self.fails {
            check.status = "critical";
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    address: &'a str,
    port: u16,
    tags: Vec<String>,
    meta: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<Weights>,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: u16,
    warning: u16,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    #[serde(rename = "CheckID")]
    id: String,
    name: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<&'static str>,
    #[serde(rename = "TTL", skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_service: Option<String>,
    #[serde(rename = "HTTP", skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    #[serde(rename = "TCP", skip_serializing_if = "Option::is_none")]
    tcp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failures_before_critical: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deregister_critical_service_after: Option<String>,
}

/// The text of a status in the meta; Up says nothing.
fn stated(status: Status) -> Option<&'static str> {
    match status {
        Status::Up => None,
        Status::Draining => Some("draining"),
        // A status of a later time is none to use.
        _ => Some("down"),
    }
}

fn body<T: Serialize>(body: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(body).map_err(|_| unwritable())
}

/// The tags and the meta of an instance.
type Parts = (Vec<String>, Vec<(String, String)>);

/// What is written of an instance.
pub(crate) fn instance_parts(names: &Names, service: &Service, mark: &str) -> Result<Parts> {
    let mut meta = BTreeMap::from([(OWNER, mark)]);
    if !names.namespace.is_empty() {
        meta.insert(NAMESPACE, &names.namespace);
    }
    meta.extend(stated(service.status()).map(|status| (STATUS, status)));
    let mut tags = Vec::new();
    if names.layout == Layout::Reception {
        tags.push(as_json(service)?);
    } else {
        let room = MOST_META - meta.len();
        let attribute = service.attribute("tags").unwrap_or_default();
        tags.extend(attribute.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned));
        for (at, (key, value)) in service.attributes().enumerate() {
            if at < room {
                meta.insert(key, value);
            } else {
                tags.push(format!("{SURPLUS}{key}={value}"));
            }
        }
    }
    let meta = meta.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Ok((tags, meta))
}

/// The body that registers an instance.
pub(crate) fn instance(
    names: &Names,
    service: &Service,
    (client, owner): (Uuid, Uuid),
    liveness: &Liveness,
    forget: Duration,
) -> Result<Vec<u8>> {
    // Strict also for what somebody else's record was made of.
    let service = service.to_builder().build()?;
    allowed(names, &service)?;
    // One limit for all stores, by the record that most of them have.
    record::encode(&service)?;
    let (tags, meta) = instance_parts(names, &service, &owner_mark(client, owner))?;
    let weight =
        service.attribute("weight").and_then(|text| text.parse::<u16>().ok()).filter(|weight| *weight > 0);
    let port = service.port().map_or(0, std::num::NonZeroU16::get);
    let mut checks = Vec::new();
    checks.extend(check(&service, owner, liveness, forget)?);
    checks.extend(stated(service.status()).map(|status| Check {
        id: status_check(owner),
        name: "what the instance says of itself",
        status: "critical",
        notes: Some(status),
        ttl: Some(span(FOR_EVER)),
        ..Check::default()
    }));
    body(&Body {
        id: &names.instance(service.name(), service.id()),
        name: &names.service(service.name()),
        address: service.address(),
        port,
        tags,
        meta: meta.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        weights: weight.map(|passing| Weights { passing, warning: 1 }),
        checks,
    })
}

/// Refuses what an agent would refuse, and what would be read back as something else.
fn allowed(names: &Names, service: &Service) -> Result<()> {
    let wrong = |why: &str| error(ErrorKind::InvalidInstance, "register", format!("{}: {why}", service.id()));
    if service.address().parse::<IpAddr>().is_ok_and(|address| address.is_unspecified()) {
        return Err(wrong("an address that stands for all of a host is none that others can reach"));
    }
    let tags = service.attribute("tags").unwrap_or_default();
    if names.layout == Layout::Native && tags.split(',').any(|tag| tag.trim().starts_with(SURPLUS)) {
        return Err(wrong(&format!("tags that begin with {SURPLUS:?} are attributes")));
    }
    Ok(())
}

/// Attributes as the Go library of this name wrote them.
fn as_json(service: &Service) -> Result<String> {
    let attributes: BTreeMap<&str, &str> = service.attributes().collect();
    let written = go_json::to_vec(&(!attributes.is_empty()).then_some(attributes));
    written.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(unwritable)
}

fn unwritable() -> Error {
    error(ErrorKind::Internal, "register", "a record that cannot be written")
}

fn check(service: &Service, owner: Uuid, liveness: &Liveness, forget: Duration) -> Result<Option<Check>> {
    let mut check = Check {
        id: liveness_check(owner, matches!(liveness, Liveness::As(_))),
        name: "the process lives",
        status: "passing",
        deregister_critical_service_after: Some(span(forget)),
        ..Check::default()
    };
    match liveness {
        Liveness::None => return Ok(None),
        Liveness::Own(ttl) => check.ttl = Some(span(*ttl)),
        Liveness::As(other) => check.alias_service = Some(other.clone()),
        Liveness::Http { url, asked } => {
            check.http = Some(url.clone());
            asked.apply(&mut check);
        }
        Liveness::Tcp(asked) => {
            let port = service.port().ok_or_else(|| {
                let text = format!("{} has no port, which check=tcp connects to", service.id());
                error(ErrorKind::InvalidInstance, "register", text)
            })?;
            check.tcp = Some(format!("{}:{port}", bracketed(service.address())));
            asked.apply(&mut check);
        }
    }
    Ok(Some(check))
}

/// A service of our own, that carries one check and nothing else.
pub(crate) fn session_service(
    names: &Names,
    id: &str,
    check_id: &str,
    ttl: Duration,
    forget: Duration,
) -> Result<Vec<u8>> {
    let mut meta = BTreeMap::new();
    if !names.namespace.is_empty() {
        meta.insert(NAMESPACE, names.namespace.as_str());
    }
    let check = Check {
        id: check_id.to_owned(),
        name: "the process lives",
        status: "passing",
        ttl: Some(span(ttl)),
        deregister_critical_service_after: Some(span(forget)),
        ..Check::default()
    };
    let (address, tags, weights, checks) = ("", Vec::new(), None, vec![check]);
    body(&Body { id, name: HIDDEN, address, port: 0, tags, meta, weights, checks })
}

/// A check that is written apart from its service, whose id has another name there.
#[derive(Debug, Serialize)]
struct Apart<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    #[serde(rename = "Name")]
    name: &'static str,
    #[serde(rename = "ServiceID")]
    service: &'a str,
    #[serde(rename = "Status")]
    status: &'static str,
    #[serde(rename = "TTL", skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
    #[serde(rename = "AliasService", skip_serializing_if = "Option::is_none")]
    alias_service: Option<&'a str>,
}

/// A check of such a service that stands for a moment.
pub(crate) fn wake_check(service: &str, id: &str) -> Result<Vec<u8>> {
    let (name, ttl) = ("stands for a moment", Some(span(FOR_EVER)));
    body(&Apart { id, name, service, status: "passing", ttl, alias_service: None })
}

/// A check by which a service is as healthy as `other`. Nothing is forgotten by it: the service may be somebody else's.
pub(crate) fn alias_check(service: &str, id: &str, other: &str) -> Result<Vec<u8>> {
    let (name, alias_service) = ("the process lives", Some(other));
    body(&Apart { id, name, service, status: "passing", ttl: None, alias_service })
}
