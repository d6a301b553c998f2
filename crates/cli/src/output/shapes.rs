//! The objects of the output contract.

use std::collections::BTreeMap;

use reception::{FencingToken, Leader, Service, Status};
use serde::Serialize;

use super::ink::printable;

/// An instance: always all six.
#[derive(Debug, Serialize)]
pub(crate) struct Instance {
    name: String,
    id: String,
    address: String,
    port: Option<u16>,
    status: &'static str,
    attributes: BTreeMap<String, String>,
}

impl From<&Service> for Instance {
    fn from(service: &Service) -> Self {
        let attributes = service.attributes().map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self {
            name: service.name().to_string(),
            id: service.id().to_string(),
            address: service.address().to_owned(),
            port: service.port().map(Into::into),
            status: status(service.status()),
            attributes: attributes.collect(),
        }
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Up => "up",
        Status::Draining => "draining",
        // One that we do not know is not to be used either.
        _ => "down",
    }
}

/// An instance in one line: `ID ADDRESS:PORT K=V…`.
pub(crate) fn text_of(service: &Service) -> String {
    let mut text = format!("{} {}", printable(service.id().as_str()), place(service));
    if service.status() != Status::Up {
        text.push_str(&format!(" ({})", status(service.status())));
    }
    for (key, value) in service.attributes() {
        text.push_str(&format!(" {}={}", printable(key), printable(value)));
    }
    text
}

fn place(service: &Service) -> String {
    let address = printable(service.address());
    match service.port() {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address.into_owned(),
    }
}

/// A fencing token.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Token {
    domain: String,
    value: u64,
}

impl From<FencingToken> for Token {
    fn from(token: FencingToken) -> Self {
        let domain = u128::from_be_bytes(token.domain());
        Self { domain: format!("{domain:032x}"), value: token.value() }
    }
}

/// A leader; one of another program has no service, but the bytes that it wrote.
#[derive(Debug, Serialize)]
pub(crate) struct LeaderShape {
    service: Option<Instance>,
    token: Token,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip)]
    text: String,
}

impl LeaderShape {
    /// `ID ADDRESS:PORT TOKEN`, or what the foreign winner wrote and its token.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl From<&Leader> for LeaderShape {
    fn from(leader: &Leader) -> Self {
        let foreign = || String::from_utf8_lossy(leader.value()).into_owned();
        let value = leader.service().is_none().then(foreign);
        let who = match (leader.service(), &value) {
            (Some(service), _) => format!("{} {}", printable(service.id().as_str()), place(service)),
            (None, Some(value)) if !value.trim().is_empty() => printable(value).into_owned(),
            (None, _) => "(not ours)".to_owned(),
        };
        Self {
            service: leader.service().map(Instance::from),
            token: leader.token().into(),
            value,
            text: format!("{who} {}", leader.token()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_all_six_also_when_others_left_some_out() {
        let service = Service::builder("api", "::1", 0).id("a").build_foreign().unwrap();
        let json = serde_json::to_string(&Instance::from(&service)).unwrap();
        assert_eq!(
            json,
            r#"{"name":"api","id":"a","address":"::1","port":null,"status":"up","attributes":{}}"#
        );
    }

    #[test]
    fn a_token_keeps_the_zeros_of_its_domain() {
        let json = serde_json::to_string(&Token::from(FencingToken::new([0; 16], 7))).unwrap();
        assert_eq!(json, format!(r#"{{"domain":"{}","value":7}}"#, "0".repeat(32)));
    }

    #[test]
    fn a_foreign_leader_shows_what_it_wrote() {
        let leader = Leader::new(FencingToken::new([1; 16], 2), None, b"a\xff");
        let json = serde_json::to_value(LeaderShape::from(&leader)).unwrap();
        assert_eq!((json["service"].is_null(), json["value"].as_str()), (true, Some("a\u{fffd}")));
    }
}
