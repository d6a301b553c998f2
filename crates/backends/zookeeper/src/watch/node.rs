//! What a node of a service's folder says, in the layout's words.

use std::{collections::BTreeSet, sync::Arc};

use reception_core::{ErrorKind, Result, Service, ServiceId, ServiceName};

use super::members::Members;
use crate::{
    error::error,
    layout::{Child, Layout, Naming},
    session::Session,
};

/// What a node says.
pub(super) enum Node {
    Instance(Service),
    Numbered { child: ServiceId, number: u32, service: Service },
    Weights { child: ServiceId, record: Vec<u8> },
}

/// Reads a node; a layout that makes another instance of it has not understood it.
pub(super) fn understood(session: &Session, name: &ServiceName, child: &str, data: Vec<u8>) -> Result<Node> {
    let layout = &session.paths.layout;
    let odd = |what: &str| Err(error(ErrorKind::Protocol, "decode", format!("{name}/{child}: {what}")));
    let numbered = layout.naming() == Naming::Numbered;
    match layout.child(child) {
        Child::Instance { id, number } => {
            let service = layout.decode(name, &id, &data)?;
            if service.name() != name || (!numbered && *service.id() != id) {
                return odd("the layout reads another instance");
            }
            if !numbered {
                return Ok(Node::Instance(service));
            }
            Ok(Node::Numbered { child: ServiceId::foreign(child)?, number, service })
        }
        Child::Weights if numbered && layout.weighs(&data) => {
            Ok(Node::Weights { child: ServiceId::foreign(child)?, record: data })
        }
        _ => odd("no instance"),
    }
}

/// Tells what is to be read from what is nothing that the layout knows.
pub(super) fn sorted(layout: &dyn Layout, names: Vec<String>) -> (Vec<String>, BTreeSet<String>) {
    let (mut wanted, mut odd) = (Vec::with_capacity(names.len()), BTreeSet::new());
    for name in names {
        match layout.child(&name) {
            // What counts beside the name has a name that can be an id.
            Child::Instance { .. } | Child::Weights if ServiceId::foreign(&name).is_ok() => wanted.push(name),
            Child::Other => {}
            _ => drop(odd.insert(name)),
        }
    }
    (wanted, odd)
}

pub(super) fn numbered(layout: &Arc<dyn Layout>) -> Option<Members> {
    (layout.naming() == Naming::Numbered).then(|| Members::new(layout))
}
