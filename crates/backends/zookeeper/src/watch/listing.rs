//! Reading a service once, without a watch.

use std::sync::Arc;

use reception_core::{Result, ServiceName, Snapshot};

use super::{
    DENIED, Found, children,
    node::{Node, numbered, sorted, understood},
    reader::{denied, read_all_as},
};
use crate::{error::native, session::Session};

/// Reads all instances of a service, of any status.
pub(crate) async fn list(session: &Arc<Session>, name: &ServiceName) -> Result<Snapshot> {
    const OPERATION: &str = "list";
    let until = session.until();
    let layout = &session.paths.layout;
    let folder = session.paths.instances(name);
    let (names, odd) = sorted(&**layout, children(session, OPERATION, until, &folder, true).await?);
    let records = session.paths.records(&folder).unwrap_or(folder);
    let take = |child: String, record: Found| match record {
        Found::Record { data, stat } => Some((stat.mzxid, understood(session, name, &child, data))),
        Found::Denied => Some((DENIED, Err(native(OPERATION, &child, zookeeper_client::Error::NoAuth)))),
        Found::Nothing => None,
    };
    let found = read_all_as(session, OPERATION, until, &records, names, take).await?;
    let found: Vec<_> = found.into_iter().flatten().collect();
    let revision = found.iter().map(|(written, _)| *written).max().unwrap_or_default();
    if revision == DENIED {
        return Err(denied(OPERATION, &records));
    }
    let mut members = numbered(layout);
    let (mut services, mut unreadable) = (Vec::with_capacity(found.len()), odd.len());
    for (_, node) in found {
        match (node, &mut members) {
            (Ok(Node::Instance(service)), _) => services.push(service),
            (Ok(Node::Numbered { child, number, service }), Some(members)) => {
                members.put(&child, number, service);
            }
            (Ok(Node::Weights { child, record }), Some(members)) => members.weigh(&child, Some(record)),
            _ => unreadable += 1,
        }
    }
    services.extend(members.into_iter().flat_map(|mut members| members.settle().written));
    let revision = u64::try_from(revision).unwrap_or_default();
    Ok(Snapshot::new(name.clone(), revision, services).with_unreadable(unreadable))
}
