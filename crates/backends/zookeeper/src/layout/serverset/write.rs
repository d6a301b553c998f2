//! Writing a member: the fields that every reader needs, `additionalEndpoints` also when it is empty.

use std::collections::BTreeMap;

use reception_core::{ErrorKind, Result, Service, Status, limits::MAX_RECORD};
use serde::Serialize;

use super::{endpoint, field};
use crate::error::error;

const OPERATION: &str = "encode";

#[derive(Serialize)]
struct Endpoint<'a> {
    host: &'a str,
    port: u16,
}

#[derive(Serialize)]
struct Record<'a> {
    #[serde(rename = "serviceEndpoint")]
    main: Endpoint<'a>,
    #[serde(rename = "additionalEndpoints")]
    others: BTreeMap<&'a str, Endpoint<'a>>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<i32>,
    metadata: BTreeMap<&'a str, &'a str>,
}

pub(super) fn write(service: &Service) -> Result<Vec<u8>> {
    let service = service.to_builder().build()?;
    let port = service.port().map_or(0, std::num::NonZeroU16::get);
    let mut record = Record {
        main: Endpoint { host: service.address(), port },
        others: BTreeMap::new(),
        status: status(service.status()),
        shard: None,
        metadata: BTreeMap::from([(field::ID, service.id().as_str())]),
    };
    for (key, value) in service.attributes() {
        // What does not fit its field reads back from the metadata as it is.
        if !record.take_endpoint(key, value) && !record.take_shard(key, value) {
            record.metadata.insert(key, value);
        }
    }
    let bytes = serde_json::to_vec(&record).map_err(|wrong| {
        error(ErrorKind::Internal, OPERATION, "a record cannot be written").with_source(wrong)
    })?;
    if bytes.len() > MAX_RECORD {
        let text = format!("a record of {} bytes, the limit is {MAX_RECORD}", bytes.len());
        return Err(error(ErrorKind::TooLarge, OPERATION, text));
    }
    Ok(bytes)
}

impl<'a> Record<'a> {
    fn take_endpoint(&mut self, key: &'a str, value: &'a str) -> bool {
        let name = key.strip_prefix(field::ENDPOINT).filter(|name| !name.is_empty());
        let Some((name, (host, port))) = name.zip(endpoint(value)) else { return false };
        self.others.insert(name, Endpoint { host, port });
        true
    }

    fn take_shard(&mut self, key: &str, value: &str) -> bool {
        let shard = value.parse().ok().filter(|shard: &i32| *shard >= 0 && shard.to_string() == value);
        let fits = key == field::SHARD && shard.is_some();
        if fits {
            self.shard = shard;
        }
        fits
    }
}

/// Readers use a member that is ALIVE and no other.
fn status(status: Status) -> &'static str {
    match status {
        Status::Up => "ALIVE",
        Status::Draining => "STOPPING",
        _ => "DEAD",
    }
}
