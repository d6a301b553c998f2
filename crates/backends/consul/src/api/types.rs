//! What the agents answer and are asked, as it stands in their JSON.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::layout::LOCK_FLAGS;

/// One row of `/v1/health/service`.
#[derive(Debug, Deserialize)]
pub(crate) struct Row<'a> {
    #[serde(borrow, rename = "Node")]
    pub(crate) node: Node<'a>,
    #[serde(borrow, rename = "Service")]
    pub(crate) service: Record<'a>,
    #[serde(borrow, default, rename = "Checks")]
    pub(crate) checks: Option<Vec<CheckState<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node<'a> {
    #[serde(borrow, default, rename = "Node")]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow, default, rename = "Address")]
    pub(crate) address: Cow<'a, str>,
}

/// A service as Consul tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Record<'a> {
    #[serde(borrow, rename = "ID")]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow, default, rename = "Address")]
    pub(crate) address: Cow<'a, str>,
    #[serde(default, rename = "Port")]
    pub(crate) port: i64,
    #[serde(default, rename = "Tags")]
    pub(crate) tags: Option<Vec<String>>,
    #[serde(default, rename = "Meta")]
    pub(crate) meta: Option<BTreeMap<String, String>>,
    #[serde(default, rename = "Weights")]
    pub(crate) weights: Option<Weights>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Weights {
    #[serde(default, rename = "Passing")]
    pub(crate) passing: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CheckState<'a> {
    #[serde(borrow, default, rename = "CheckID")]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow, default, rename = "Status")]
    pub(crate) status: Cow<'a, str>,
}

/// What `/v1/agent/health/service/id` tells of one service at one agent.
#[derive(Debug, Deserialize)]
pub(crate) struct Held {
    #[serde(default, rename = "Service")]
    service: Option<HeldService>,
    #[serde(default, rename = "Checks")]
    checks: Option<Vec<HeldCheck>>,
}

#[derive(Debug, Deserialize)]
struct HeldService {
    #[serde(default, rename = "Meta")]
    meta: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
struct HeldCheck {
    #[serde(default, rename = "CheckID")]
    id: String,
    #[serde(default, rename = "Status")]
    status: String,
}

impl Held {
    pub(crate) fn meta(&self, key: &str) -> Option<&str> {
        self.service.as_ref()?.meta.as_ref()?.get(key).map(String::as_str)
    }

    /// The checks, each with its status.
    pub(crate) fn checks(&self) -> impl Iterator<Item = (&str, &str)> {
        self.checks.iter().flatten().map(|check| (check.id.as_str(), check.status.as_str()))
    }
}

/// A key.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pair {
    #[serde(default, rename = "ModifyIndex")]
    pub(crate) modified: u64,
    #[serde(default, rename = "Session")]
    pub(crate) session: Option<String>,
    #[serde(default, rename = "Flags")]
    flags: u64,
    #[serde(default, rename = "Value")]
    value: Option<String>,
}

impl Pair {
    pub(crate) fn value(&self) -> Vec<u8> {
        BASE64.decode(self.value.as_deref().unwrap_or_default()).unwrap_or_default()
    }

    /// Whether it is a lock, as those who made it say, or nobody says what it is: an operator who releases a lock by a plain write leaves it so. A semaphore that
    /// was made by hand has no flags either, and names its holders.
    pub(crate) fn may_be_lock(&self) -> bool {
        let holders = || serde_json::from_slice::<Value>(&self.value()).ok()?.get("Holders").cloned();
        self.flags == LOCK_FLAGS || self.flags == 0 && holders().is_none()
    }

    pub(crate) fn holder(&self) -> Option<&str> {
        self.session.as_deref().filter(|session| !session.is_empty())
    }
}

/// A session that lives as long as a check, and a while after its last renewal.
#[derive(Debug, Serialize)]
pub(crate) struct NewSession {
    #[serde(rename = "Name")]
    pub(crate) name: String,
    #[serde(rename = "TTL")]
    pub(crate) ttl: String,
    #[serde(rename = "LockDelay")]
    pub(crate) lock_delay: &'static str,
    #[serde(rename = "Behavior")]
    pub(crate) behavior: &'static str,
    #[serde(rename = "NodeChecks")]
    pub(crate) node_checks: [&'static str; 0],
    #[serde(rename = "ServiceChecks")]
    pub(crate) service_checks: Vec<ServiceCheck>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ServiceCheck {
    #[serde(rename = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Made {
    #[serde(rename = "ID")]
    pub(super) id: String,
    #[serde(default, rename = "Name")]
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Agent {
    #[serde(rename = "Config")]
    pub(super) config: AgentConfig,
}

/// What an agent says of itself.
#[derive(Debug, Deserialize)]
pub(crate) struct AgentConfig {
    #[serde(default, rename = "NodeName")]
    pub(crate) node: String,
    #[serde(default, rename = "Datacenter")]
    pub(crate) datacenter: String,
    #[serde(default, rename = "Version")]
    pub(crate) version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Committed {
    #[serde(default, rename = "Results")]
    pub(super) results: Option<Vec<Outcome>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Outcome {
    #[serde(default, rename = "KV")]
    pub(super) pair: Option<Pair>,
    #[serde(default, rename = "Service")]
    pub(super) service: Option<Stored>,
}

/// A service as the catalog has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    #[serde(default, rename = "Address")]
    pub(crate) address: String,
    #[serde(default, rename = "Port")]
    pub(crate) port: i64,
    #[serde(default, rename = "Tags")]
    pub(crate) tags: Option<Vec<String>>,
    #[serde(default, rename = "Meta")]
    pub(crate) meta: Option<BTreeMap<String, String>>,
}

/// What `/v1/catalog/node-services` answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Services {
    #[serde(default, rename = "Services")]
    pub(crate) services: Option<Vec<Found>>,
}

/// A service by its id and meta.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    #[serde(default, rename = "Meta")]
    pub(crate) meta: Option<BTreeMap<String, String>>,
}
