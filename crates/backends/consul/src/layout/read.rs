//! What we read of the catalog, ours and everybody else's.

use std::collections::BTreeMap;

use reception_core::{Result, Service, ServiceId, ServiceName, Status};

use super::{
    ALIAS, Layout, NAMESPACE, NODE_MAINTENANCE, Names, OWNER, RESERVED, STATED, STATUS, SURPLUS,
    is_maintenance,
};
use crate::{
    api::{CheckState, Record, Row},
    error::nonsense,
};

/// A row as our callers see it.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) id: ServiceId,
    pub(crate) service: Result<Service>,
}

/// Reads a row; `None` for what is not ours to show.
pub(crate) fn decode(names: &Names, name: &ServiceName, row: &Row<'_>) -> Option<Decoded> {
    let meta = |key: &str| row.service.meta.as_ref().and_then(|meta| meta.get(key)).map(String::as_str);
    let namespace = meta(NAMESPACE);
    if namespace.is_some_and(|namespace| namespace != names.namespace) {
        return None;
    }
    let own = namespace.is_some() || meta(OWNER).is_some();
    let id: &str = &row.service.id;
    let cut = id.strip_prefix(&names.service(name)).and_then(|rest| rest.strip_prefix(':')).filter(|_| own);
    let id = ServiceId::foreign(cut.unwrap_or(id)).ok()?;
    let service = instance(names, name, &id, row, meta(OWNER).is_some());
    Some(Decoded { id, service })
}

fn instance(names: &Names, name: &ServiceName, id: &ServiceId, row: &Row<'_>, own: bool) -> Result<Service> {
    let wrong = |why: &str| nonsense("list", "reading a record", why);
    let Record { address, port, tags, meta, weights, .. } = &row.service;
    let address = if address.is_empty() { &row.node.address } else { address };
    let port = u16::try_from(*port).map_err(|_| wrong("a port out of range"))?;
    let tags = tags.as_deref().unwrap_or_default();
    let status = status(row.checks.as_deref().unwrap_or_default());
    let status = match meta.as_ref().and_then(|meta| meta.get(STATUS)).map(String::as_str) {
        None => status,
        // It may drain and be dead.
        Some("draining") if status != Status::Down => Status::Draining,
        Some("draining") => Status::Down,
        Some("down") => Status::Down,
        Some(_) => return Err(wrong("a status that nobody knows")),
    };
    if names.layout == Layout::Reception {
        let first = tags.first().ok_or_else(|| wrong("no tag with attributes"))?;
        let attributes: Option<BTreeMap<String, Option<String>>> =
            serde_json::from_str(first).map_err(|_| wrong("a first tag without attributes"))?;
        let attributes = attributes.unwrap_or_default();
        // Go reads null as an empty text.
        let texts =
            attributes.iter().map(|(key, value)| (key.as_str(), value.as_deref().unwrap_or_default()));
        let pairs: Vec<(&str, &str)> = texts.collect();
        return Service::foreign(name, id, address, port, status, &pairs);
    }
    let nothing = BTreeMap::new();
    let meta = meta.as_ref().unwrap_or(&nothing);
    let mut found: Vec<(&str, &str)> = pairs(meta).filter(|(key, _)| !key.starts_with(RESERVED)).collect();
    found.extend(tags.iter().filter_map(|tag| tag.strip_prefix(SURPLUS)?.split_once('=')));
    let joined = tags.join(",");
    let weight = weights.map(|weights| weights.passing.to_string()).filter(|weight| weight != "1");
    // Of ours the attributes say all; of others tags and weight are told as attributes.
    if !own {
        if !joined.is_empty() && !meta.contains_key("tags") {
            found.push(("tags", &joined));
        }
        if let Some(weight) = weight.as_deref().filter(|_| !meta.contains_key("weight")) {
            found.push(("weight", weight));
        }
    }
    Service::foreign(name, id, address, port, status, &found)
}

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// What the checks say: one that fails takes the instance down, maintenance and a warning drain it.
fn status(checks: &[CheckState<'_>]) -> Status {
    // A check that stands for another service fails with its node, too: that says nothing of the process.
    let node = checks.iter().any(|check| check.id == NODE_MAINTENANCE && check.status == "critical");
    let counts =
        |check: &&CheckState<'_>| !(check.id.starts_with(STATED) || node && check.id.starts_with(ALIAS));
    let mut status = Status::Up;
    for check in checks.iter().filter(counts) {
        match &*check.status {
            "passing" => {}
            "critical" if !is_maintenance(&check.id) => return Status::Down,
            _ => status = Status::Draining,
        }
    }
    status
}
