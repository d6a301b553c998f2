//! What the catalog and our agent have of this client.

use std::collections::BTreeMap;

use reception_core::Result;
use serde::Deserialize;

use super::Session;
use crate::{
    api::{Found, Services, parse},
    http::{Call, Path},
    layout::OWNER,
};

/// A check as our agent has it.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    #[serde(default, rename = "Status")]
    pub(super) status: String,
}

/// What finds the registrations of this client among services. Consul 1.8 takes a record without the key for a match, and applies it to a node's services not
/// at all: what is found has to be looked at once more.
pub(super) fn ours(session: &Session) -> String {
    format!("Meta[\"{OWNER}\"] matches `^{}-`", session.client.simple())
}

/// Of services those that carry the mark of this client, each with it.
pub(super) fn marked(session: &Session, found: impl IntoIterator<Item = Found>) -> BTreeMap<String, String> {
    let ours = format!("{}-", session.client.simple());
    let marks =
        found.into_iter().filter_map(|mut found| Some((found.id, found.meta.as_mut()?.remove(OWNER)?)));
    marks.filter(|(_, mark)| mark.starts_with(&ours)).collect()
}

impl Session {
    /// All registrations of this client that the catalog has at a node, each with its mark.
    pub(super) async fn found(
        &self,
        operation: &'static str,
        node: &str,
    ) -> Result<BTreeMap<String, String>> {
        let path =
            Path::of("catalog/node-services").then(node).with("filter", &ours(self)).flag("consistent");
        let answer = self.http.ask(&Call::get(operation, path), self.timeout()).await?;
        let found: Option<Services> = parse(operation, "comparing with the catalog", &answer.body)?;
        Ok(marked(self, found.and_then(|found| found.services).into_iter().flatten()))
    }

    /// The checks of clients of ours that our agent has.
    pub(super) async fn checks(&self, operation: &'static str) -> Result<BTreeMap<String, State>> {
        let path = Path::of("agent/checks").with("filter", "CheckID matches `^reception-`");
        let answer = self.http.ask(&Call::get(operation, path).own(), self.timeout()).await?;
        parse(operation, "listing our checks", &answer.body)
    }
}
