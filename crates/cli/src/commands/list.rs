//! `reception list`.

use reception::{Client, ListOptions, Service, ServiceName};
use serde::Serialize;

use crate::{
    args::List,
    exit::Outcome,
    output::{Ink, Instance, Output, Say, printable, text_of},
};

/// A service that has a living instance.
#[derive(Serialize)]
struct Named {
    name: String,
}

impl Say for Named {
    fn text(&self, _: Ink) -> String {
        printable(&self.name).into_owned()
    }
}

/// An instance on a line of its own.
#[derive(Serialize)]
#[serde(transparent)]
struct Listed {
    instance: Instance,
    #[serde(skip)]
    text: String,
}

impl Say for Listed {
    fn text(&self, _: Ink) -> String {
        self.text.clone()
    }
}

pub(super) async fn carry_out(client: &dyn Client, list: &List, output: &Output) -> Outcome {
    match &list.name {
        Some(name) => instances(client, name, list.all, output).await,
        None => names(client, output).await,
    }
}

async fn instances(client: &dyn Client, name: &ServiceName, all: bool, output: &Output) -> Outcome {
    let snapshot = client.list_with(name, ListOptions::default().any_status(all)).await?;
    for service in snapshot.iter() {
        output.say(&listed(service)).await?;
    }
    Ok(0)
}

fn listed(service: &Service) -> Listed {
    Listed { instance: service.into(), text: text_of(service) }
}

async fn names(client: &dyn Client, output: &Output) -> Outcome {
    for name in client.names().await? {
        output.say(&Named { name: name.to_string() }).await?;
    }
    Ok(0)
}
