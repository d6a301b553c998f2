//! What an agent with access control lets through, what is said when it does not, tokens that are replaced, and datacenters.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod filtered;
mod rights;
mod scope;
mod tokens;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reception_core::{Client, Dialer, Result, Service, ServiceName};
use reception_lab::{Consul, ConsulOptions};

const MASTER: &str = "9b6f4d5e-6f0c-4f56-8a0e-5d1f0c7a2b01";
const SOON: Duration = Duration::from_secs(20);

/// What README.md says that a token needs, for the namespace `prod`.
const NEEDED: &str = r#"
service_prefix "prod-" { policy = "write" }
service "reception--session" { policy = "write" }
service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
session_prefix "" { policy = "write" }
key_prefix "prod/" { policy = "write" }
"#;

async fn guarded() -> Consul {
    Consul::start_with(ConsulOptions::default().token(MASTER)).await.unwrap()
}

/// Makes a token with this policy.
async fn token(consul: &Consul, name: &str, rules: &str) -> String {
    let quoted = rules.replace('"', "\\\"").replace('\n', " ");
    let policy = format!(r#"{{"Name":"{name}","Rules":"{quoted}"}}"#);
    consul.api().put("/v1/acl/policy", &policy).await.unwrap();
    let token = format!(r#"{{"Policies":[{{"Name":"{name}"}}]}}"#);
    field(&dense(&consul.api().put("/v1/acl/token", &token).await.unwrap()), "SecretID")
}

/// Gives the policy of this name other rules.
async fn rule(consul: &Consul, name: &str, rules: &str) {
    let told = dense(&consul.api().get(&format!("/v1/acl/policy/name/{name}")).await.unwrap().body);
    let id = field(&told, "ID");
    let quoted = rules.replace('"', "\\\"").replace('\n', " ");
    let policy = format!(r#"{{"ID":"{id}","Name":"{name}","Rules":"{quoted}"}}"#);
    consul.api().put(&format!("/v1/acl/policy/{id}"), &policy).await.unwrap();
}

/// An agent in development mode writes its answers on many lines.
fn dense(answer: &str) -> String {
    answer.split_whitespace().collect()
}

fn field(answer: &str, name: &str) -> String {
    let (_, rest) = answer.split_once(&format!("\"{name}\":\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn dial(agent: SocketAddr, options: &str) -> Result<Arc<dyn Client>> {
    let url = format!("consul://{agent}/prod?timeout=2s{options}");
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await
}

fn api() -> ServiceName {
    "api".parse().unwrap()
}

fn one() -> Service {
    Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap()
}

/// Takes a token away: the one with this policy.
async fn revoke(consul: &Consul, policy: &str) {
    let told = dense(&consul.api().ask("GET", "/v1/acl/tokens", "").await.unwrap().body);
    let accessor = accessor_of(&told, policy).unwrap();
    let gone = consul.api().ask("DELETE", &format!("/v1/acl/token/{accessor}"), "").await.unwrap();
    assert_eq!(gone.status, 200, "{}", gone.body);
}

/// The id by which a token is managed, of the one with this policy.
fn accessor_of(told: &str, policy: &str) -> Option<String> {
    let tokens = told.split("\"AccessorID\":\"").skip(1);
    let mut tokens = tokens.filter(|token| token.contains(&format!("\"Name\":\"{policy}\"")));
    Some(tokens.next()?.split('"').next()?.to_owned())
}
