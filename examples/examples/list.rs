//! Lists the live instances of a service, and the names of all services.
//!
//! ```sh
//! cargo run --example list
//! cargo run --example list --features etcd -- etcd://127.0.0.1:2379
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use reception::{Client, ClientExt, ListOptions, Service, ServiceName, Status};

#[tokio::main]
async fn main() -> reception::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory://demo".to_owned());
    let client = reception::dial(&url).await?;
    let api: ServiceName = "api".parse()?;

    // Something to see: two instances that take calls and one that drains.
    let first = client.register(Service::new("api", "10.0.0.7", 8080)?).await?;
    let second =
        client.register(Service::builder("api", "10.0.0.8", 8080).attribute("zone", "b").build()?).await?;
    let third = Service::builder("api", "10.0.0.9", 8080).status(Status::Draining).build()?;
    let third = client.register(third).await?;

    println!("instances of {api} that take calls:");
    for service in client.list(&api).await?.iter() {
        let attributes: Vec<_> = service.attributes().map(|(key, value)| format!("{key}={value}")).collect();
        let port = service.port().map_or_else(|| "-".to_owned(), |port| port.to_string());
        println!("  {}  {}:{port}  {}", service.id(), service.address(), attributes.join(" "));
    }

    let all = client.list_with(&api, ListOptions::default().any_status(true)).await?;
    println!("with those that drain or are down: {}", all.len());
    println!("records that could not be read and were left out: {}", all.unreadable());
    println!("names in this namespace: {:?}", client.names().await?);

    for registration in [first, second, third] {
        registration.close().await?;
    }
    client.close().await
}
