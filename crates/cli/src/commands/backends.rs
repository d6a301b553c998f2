//! `reception backends`.

use reception::{Backend, OptionSpec};
use serde::Serialize;

use crate::{
    exit::Outcome,
    output::{Ink, Output, Say},
};

/// One kind of store. One that is compiled out names the feature that brings it and has neither example nor options.
#[derive(Serialize)]
struct Row {
    backend: &'static str,
    schemes: &'static [&'static str],
    example: &'static str,
    options: Vec<Taken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<&'static str>,
}

/// An option of its URLs.
#[derive(Serialize)]
struct Taken {
    key: &'static str,
    kind: &'static str,
    default: Option<&'static str>,
    doc: &'static str,
}

impl From<&OptionSpec> for Taken {
    fn from(spec: &OptionSpec) -> Self {
        Self { key: spec.key(), kind: spec.kind().word(), default: spec.default(), doc: spec.doc() }
    }
}

impl From<&Backend> for Row {
    fn from(backend: &Backend) -> Self {
        Self {
            backend: backend.name(),
            schemes: backend.schemes(),
            example: backend.example(),
            options: backend.options().iter().map(Taken::from).collect(),
            feature: backend.feature(),
        }
    }
}

impl Say for Row {
    fn text(&self, ink: Ink) -> String {
        if let Some(feature) = self.feature {
            return format!("{}  not in this build: add the feature {feature}", ink.yellow(self.backend));
        }
        let mut text = format!("{}  {}", ink.green(self.backend), self.example);
        for Taken { key, kind, default, doc } in &self.options {
            let default = default.map(|default| format!(" [{default}]")).unwrap_or_default();
            text.push_str(&format!("\n  {key}={kind}{default}  {doc}"));
        }
        text
    }
}

pub(super) async fn carry_out(output: &Output) -> Outcome {
    let dialer = reception::dialer();
    let mut rows: Vec<Row> = dialer.backends().iter().map(Row::from).collect();
    rows.sort_unstable_by_key(|row| row.backend);
    for row in &rows {
        output.say(row).await?;
    }
    Ok(0)
}
