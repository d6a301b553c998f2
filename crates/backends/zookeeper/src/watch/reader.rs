//! Reading many nodes in few requests.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reception_core::{Error, ErrorKind, Moment, Result, ServiceName};
use reception_kit::signal;
use zookeeper_client as zk;

use crate::{
    error::{NAME, error, native},
    session::Session,
};

/// Nodes read by one request.
const PATHS: usize = 500;
/// Bytes of the paths in one request: the server closes the connection on one of 1 MiB, and others choose their names.
const BYTES: usize = 512 * 1024;
/// Requests under way at a time.
const ABREAST: usize = 4;

/// What was found at a path.
#[derive(Debug)]
pub(crate) enum Found {
    Record {
        data: Vec<u8>,
        stat: zk::Stat,
    },
    /// It is there, and our rights do not cover it.
    Denied,
    Nothing,
}

impl Found {
    /// What stands there, for who cannot do without reading it.
    pub(crate) fn needed(self, operation: &'static str, path: &str) -> Result<Option<(Vec<u8>, zk::Stat)>> {
        match self {
            Self::Record { data, stat } => Ok(Some((data, stat))),
            Self::Denied => Err(native(operation, &format!("reading {path}"), zk::Error::NoAuth)),
            Self::Nothing => Ok(None),
        }
    }
}

/// Says Denied when nothing of what is there may be read.
pub(crate) fn readable(operation: &'static str, folder: &str, found: &[(String, Found)]) -> Result<()> {
    let any = found.iter().any(|(_, record)| matches!(record, Found::Denied));
    if any && !found.iter().any(|(_, record)| matches!(record, Found::Record { .. })) {
        return Err(denied(operation, folder));
    }
    Ok(())
}

/// Nothing of what is there may be read.
pub(crate) fn denied(operation: &'static str, folder: &str) -> Error {
    native(operation, &format!("reading under {folder}"), zk::Error::NoAuth)
}

/// The names of a folder's children; none when there is no folder. `fresh`: as of now, not as of what this server knows.
pub(crate) async fn children(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
    folder: &str,
    fresh: bool,
) -> Result<Vec<String>> {
    let look = |client: zk::Client| {
        let folder = folder.to_owned();
        async move {
            // Sent together, carried out in order.
            let synced = fresh.then(|| client.sync(&folder));
            let listed = client.list_children(&folder);
            if let Some(synced) = synced {
                match synced.await {
                    Ok(()) | Err(zk::Error::NoNode) => {}
                    Err(wrong) => return Err(wrong),
                }
            }
            match listed.await {
                Err(zk::Error::NoNode) => Ok(Vec::new()),
                listed => listed,
            }
        }
    };
    session.read(operation, until, &format!("listing {folder}"), look).await
}

/// Cuts names into pages, each of which fits into one request.
fn pages(folder: &str, names: Vec<String>) -> Vec<Vec<String>> {
    let mut pages: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for name in names {
        // A path, and what the protocol puts before it.
        let more = folder.len() + name.len() + 16;
        match pages.last_mut().filter(|page| page.len() < PATHS && bytes + more <= BYTES) {
            Some(page) => {
                bytes += more;
                page.push(name);
            }
            None => {
                bytes = more;
                pages.push(vec![name]);
            }
        }
    }
    pages
}

/// Reads children of a folder, each with what was found there.
pub(crate) async fn read_all(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
    folder: &str,
    children: Vec<String>,
) -> Result<Vec<(String, Found)>> {
    read_all_as(session, operation, until, folder, children, |child, found| (child, found)).await
}

/// The same, each taken as it comes: while the next ones are on their way, what came is looked at and its bytes are freed.
pub(crate) async fn read_all_as<T: Send>(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
    folder: &str,
    children: Vec<String>,
    take: impl Fn(String, Found) -> T + Send + Sync,
) -> Result<Vec<T>> {
    if children.len() <= 1 {
        let mut taken = Vec::new();
        for child in children {
            let record = read_one(session, operation, until, &format!("{folder}/{child}")).await?;
            taken.push(take(child, record));
        }
        return Ok(taken);
    }
    let take = &take;
    let read = pages(folder, children).into_iter().map(|page| async move {
        let found = read_page(session, operation, until, folder, page).await?;
        Ok::<Vec<T>, Error>(found.into_iter().map(|(child, record)| take(child, record)).collect())
    });
    let read: Vec<Vec<T>> = stream::iter(read).buffered(ABREAST).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

pub(crate) async fn read_one(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
    path: &str,
) -> Result<Found> {
    let look = |client: zk::Client| {
        let path = path.to_owned();
        async move {
            match client.get_data(&path).await {
                Ok((data, stat)) => Ok(Found::Record { data, stat }),
                Err(zk::Error::NoNode) => Ok(Found::Nothing),
                Err(zk::Error::NoAuth) => Ok(Found::Denied),
                Err(wrong) => Err(wrong),
            }
        }
    };
    session.read(operation, until, &format!("reading {path}"), look).await
}

async fn read_page(
    session: &Arc<Session>,
    operation: &'static str,
    until: Moment,
    folder: &str,
    page: Vec<String>,
) -> Result<Vec<(String, Found)>> {
    let look = |client: zk::Client| {
        let paths: Vec<String> = page.iter().map(|child| format!("{folder}/{child}")).collect();
        async move {
            let mut reader = client.new_multi_reader();
            for path in &paths {
                reader.add_get_data(path)?;
            }
            let answer = reader.commit();
            answer.await
        }
    };
    let what = format!("reading under {folder}");
    let answers = session.read(operation, until, &what, look).await?;
    if answers.len() != page.len() {
        return Err(error(ErrorKind::Protocol, operation, format!("{what}: answers are missing")));
    }
    let found = |answer| match answer {
        zk::MultiReadResult::Data { data, stat } => Ok(Found::Record { data, stat }),
        zk::MultiReadResult::Error { err: zk::Error::NoNode } => Ok(Found::Nothing),
        zk::MultiReadResult::Error { err: zk::Error::NoAuth } => Ok(Found::Denied),
        zk::MultiReadResult::Error { err } => Err(native(operation, &what, err)),
        _ => Err(error(ErrorKind::Protocol, operation, format!("{what}: an answer of another kind"))),
    };
    page.into_iter().zip(answers).map(|(child, answer)| Ok((child, found(answer)?))).collect()
}

/// The services that have instances; one whose folder may not be read is left out and counted.
pub(crate) async fn names(session: &Arc<Session>) -> Result<BTreeSet<ServiceName>> {
    const OPERATION: &str = "names";
    let until = session.until();
    let base = session.paths.base().to_owned();
    let mut folders = children(session, OPERATION, until, &base, true).await?;
    folders.retain(|folder| ServiceName::foreign(folder).is_ok());
    let (mut names, mut read, mut refused) = (BTreeSet::new(), 0, 0);
    for page in &pages(&base, folders) {
        let look = |client: zk::Client| {
            let paths: Vec<String> = page.iter().map(|name| format!("{base}/{name}")).collect();
            async move {
                let mut reader = client.new_multi_reader();
                for path in &paths {
                    reader.add_get_children(path)?;
                }
                let answer = reader.commit();
                answer.await
            }
        };
        let what = format!("listing under {base}");
        let answers = session.read(OPERATION, until, &what, look).await?;
        for (name, answer) in page.iter().zip(answers) {
            match answer {
                // An empty folder stays for a while, and is swept away by the server.
                zk::MultiReadResult::Children { children } => {
                    read += 1;
                    names.extend(ServiceName::foreign(name).ok().filter(|_| !children.is_empty()));
                }
                zk::MultiReadResult::Error { err: zk::Error::NoNode } => {}
                zk::MultiReadResult::Error { err: zk::Error::NoAuth } => refused += 1,
                zk::MultiReadResult::Error { err } => return Err(native(OPERATION, &what, err)),
                _ => {
                    return Err(error(
                        ErrorKind::Protocol,
                        OPERATION,
                        format!("{what}: an answer of another kind"),
                    ));
                }
            }
        }
    }
    if refused > 0 {
        // Nothing that may be read is not nothing.
        if read == 0 {
            return Err(denied(OPERATION, &base));
        }
        signal::unreadable(NAME, &base, refused);
    }
    Ok(names)
}
