//! Who we are to the agents, and which datacenters there are: what a probe asks.

use hyper::StatusCode;
use reception_core::{ErrorKind, Result};
use serde::Deserialize;
use std::time::Duration;

use super::parse;
use crate::{
    error::error,
    http::{Call, Http, Path},
};

/// A token as it tells of itself; its secret is not read.
#[derive(Debug, Deserialize)]
struct Shown {
    #[serde(default, rename = "AccessorID")]
    accessor: String,
    #[serde(default, rename = "Description")]
    description: String,
}

impl Http {
    /// Whom the servers take us for, by the token.
    ///
    /// # Errors
    ///
    /// Unauthenticated for a token that they do not know.
    pub(crate) async fn identity(&self, operation: &'static str, limit: Duration) -> Result<Option<String>> {
        if !self.has_token() {
            return Ok(None);
        }
        let answer = self.send(&Call::get(operation, Path::of("acl/token/self")), limit).await?;
        match answer.status {
            // Access control is off.
            StatusCode::UNAUTHORIZED => {
                Ok(Some("anybody: a token is given, and none is asked for".to_owned()))
            }
            status if status.is_success() => {
                let shown: Shown = parse(operation, "asking for our token", &answer.body)?;
                let what = if shown.description.is_empty() {
                    String::new()
                } else {
                    format!(", {:?}", shown.description)
                };
                Ok(Some(format!("the token with the accessor {}{what}", shown.accessor)))
            }
            _ => Err(answer.refusal(operation, "asking for our token")),
        }
    }

    /// Refuses a datacenter that is not known.
    pub(crate) async fn know_datacenter(
        &self,
        operation: &'static str,
        wanted: &str,
        limit: Duration,
    ) -> Result<()> {
        let answer = self.ask(&Call::get(operation, Path::of("catalog/datacenters")), limit).await?;
        let known: Vec<String> = parse(operation, "listing the datacenters", &answer.body)?;
        if known.iter().any(|known| known == wanted) {
            return Ok(());
        }
        let text = format!("option \"datacenter\": {wanted:?} is none of {known:?}");
        Err(error(ErrorKind::Config, operation, text))
    }
}
