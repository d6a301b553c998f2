//! Reading many keys: in pages, all at the revision of the first one.

use etcd_client::{GetOptions, GetResponse, KeyValue};
use reception_core::{ErrorKind, Result, ServiceName};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use crate::{
    error::error,
    layout::{end_of, name_of},
    session::{Patience, Position, Session},
};

/// Keys of the first page: at 64 KiB a record this is too much for one message, and the page is then made smaller.
const PAGE: i64 = 1000;
/// Bytes of a page when it is known how large the records are. For every page the server walks over all keys of the range that are left, so
/// a few large pages cost it much less than many small ones.
const BYTES: usize = 2 << 20;
/// Keys of the largest page: those behind the first may be larger than any in it.
const MOST: i64 = 10_000;
/// Services whose page is remembered.
const SERVICES: usize = 1000;
/// How often a list starts over because its revision was compacted under it.
const STARTS: u32 = 3;

/// How many keys make a page of a service, as its last list showed: the next one needs no first page to find out.
///
/// It is as little of a promise as the first page of a list is: a page that has become too large for a message is asked for again in parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page(i64);

impl Default for Page {
    fn default() -> Self {
        Self(PAGE)
    }
}

/// The pages of the services that a client has listed.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<BTreeMap<ServiceName, Page>>);

impl Known {
    pub(crate) fn page(&self, name: &ServiceName) -> Page {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or_default()
    }

    pub(crate) fn learn(&self, name: &ServiceName, page: Page) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if page.0 <= PAGE {
            known.remove(name);
        } else if known.len() < SERVICES || known.contains_key(name) {
            known.insert(name.clone(), page);
        }
    }
}

/// Where a list ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// Of every page.
    pub(crate) at: Position,
    pub(crate) keys: i64,
}

/// Reads all keys under a prefix at one revision.
pub(crate) async fn pages(
    session: &Session,
    operation: &'static str,
    patience: Patience,
    prefix: &str,
    known: &mut Page,
    mut page: impl FnMut(Vec<KeyValue>) + Send,
) -> Result<End> {
    for _ in 0..STARTS {
        // Pages are kept until all are there: those of a revision that is compacted meanwhile are worth nothing.
        let mut read = Vec::new();
        match walk(session, operation, patience, prefix, *known, &mut read).await {
            Ok(end) => {
                *known = Page(fitting(read.iter().flatten()).max(PAGE));
                read.into_iter().for_each(&mut page);
                return Ok(end);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(error(ErrorKind::Unavailable, operation, "the store compacts faster than it can be read"))
}

async fn walk(
    session: &Session,
    operation: &'static str,
    patience: Patience,
    prefix: &str,
    Page(mut size): Page,
    read: &mut Vec<Vec<KeyValue>>,
) -> Result<End> {
    let mut from = prefix.as_bytes().to_vec();
    let mut end: Option<End> = None;
    loop {
        let options = GetOptions::new().with_range(end_of(prefix)).with_limit(size);
        let options = match &end {
            Some(end) => options.with_revision(end.at.revision),
            None => options,
        };
        let mut answer = match session.get(operation, patience, &from, options).await {
            Err(error) if error.kind() == ErrorKind::TooLarge && size > 1 => {
                size = (size / 8).max(1);
                continue;
            }
            answer => answer?,
        };
        let more = answer.more();
        let reached = *end.get_or_insert(first_page(operation, &answer)?);
        let kvs = answer.take_kvs();
        size = size.max(fitting(&kvs));
        let last = kvs.last().map(|kv| kv.key().to_vec());
        read.push(kvs);
        match last {
            Some(mut last) if more => {
                last.push(0);
                from = last;
            }
            _ => return Ok(reached),
        }
    }
}

/// How many keys like these make a page.
fn fitting<'a>(kvs: impl IntoIterator<Item = &'a KeyValue>) -> i64 {
    let add = |(keys, bytes), kv: &KeyValue| (keys + 1, bytes + kv.key().len() + kv.value().len());
    let (keys, bytes) = kvs.into_iter().fold((0_usize, 0_usize), add);
    let mean = (bytes / keys.max(1)).max(64);
    i64::try_from(BYTES / mean).unwrap_or(MOST).min(MOST)
}

fn first_page(operation: &'static str, answer: &GetResponse) -> Result<End> {
    if answer.header().is_none() {
        return Err(error(ErrorKind::Protocol, operation, "an answer without a header"));
    }
    Ok(End { at: Position::of(answer.header()), keys: answer.count() })
}

/// The names of all services: keys alone, and past the rest of a service once its name is known.
pub(crate) async fn names(session: &Session) -> Result<BTreeSet<ServiceName>> {
    const OPERATION: &str = "names";
    let services = session.layout.services();
    let mut from = services.clone().into_bytes();
    let mut found = BTreeSet::new();
    loop {
        let options = GetOptions::new().with_range(end_of(&services)).with_limit(PAGE).with_keys_only();
        let answer = session.get(OPERATION, session.patient(), &from, options).await?;
        let told = answer.kvs().iter().filter_map(|kv| name_of(&services, kv.key()));
        found.extend(told.filter_map(|name| ServiceName::foreign(name).ok()));
        let Some(last) = answer.kvs().last().filter(|_| answer.more()) else { return Ok(found) };
        from = match name_of(&services, last.key()) {
            Some(name) => end_of(&format!("{services}{name}/")),
            None => [last.key(), &[0]].concat(),
        };
    }
}
