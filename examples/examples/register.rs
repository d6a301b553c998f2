//! Registers one instance, changes it in place, drains it and withdraws it.
//!
//! ```sh
//! cargo run --example register
//! cargo run --example register --features etcd -- etcd://127.0.0.1:2379
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use reception::{ClientExt, Service, Status};

#[tokio::main]
async fn main() -> reception::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory://demo".to_owned());
    let client = reception::dial(&url).await?;

    // Without `.id(...)` the instance gets a random id.
    let service = Service::builder("api", "10.0.0.7", 8080).attribute("zone", "a").build()?;
    let registration = client.register(service.clone()).await?;
    println!("registered {} as {}", service.name(), service.id());

    // The guard keeps the instance registered: when the store forgets it, it is written again. `state` says how that goes, and
    // `changes` is the same as a stream.
    println!("state: {:?}", registration.state());

    let moved = service.to_builder().attribute("zone", "b").build()?;
    registration.update(moved.clone()).await?;
    println!("zone is now {:?}", registration.service().attribute("zone"));

    // Draining: still registered, but no longer in a default list, so no new callers come.
    registration.update(moved.to_builder().status(Status::Draining).build()?).await?;
    println!("instances that take calls: {}", client.list(service.name()).await?.len());

    // Dropping the guard withdraws as well, but only `close` waits for it and tells the outcome.
    registration.close().await?;
    println!("withdrawn");
    client.close().await
}
