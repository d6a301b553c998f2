//! Follows the instances of a service: the first item is the whole view, then come changes.
//!
//! ```sh
//! cargo run --example watch
//! cargo run --example watch --features etcd -- etcd://127.0.0.1:2379
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use futures_util::StreamExt;
use reception::{Change, Client, ClientExt, Service, ServiceName, Watcher};

#[tokio::main]
async fn main() -> reception::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory://demo".to_owned());
    let client = reception::dial(&url).await?;
    // A name of its own, so that the view is empty again when our instances have left.
    let name: ServiceName = "watch-example".parse()?;

    let watcher = client.watch(&name).await?;
    tokio::try_join!(follow(watcher), act(&*client, &name))?;
    client.close().await
}

/// Reads until the view is empty after it was not. A program would read for as long as it runs.
async fn follow(mut watcher: Box<dyn Watcher>) -> reception::Result<()> {
    let mut seen = false;
    while let Some(item) = watcher.next().await {
        // An error is the last item: the client was closed. Trouble with the store is `Stale`, and the stream goes on.
        match item? {
            Change::Reset(snapshot) => println!("reset: {} instances", snapshot.len()),
            Change::Patch(patch) => {
                for service in patch.upserted() {
                    println!("joined or changed: {} at {}", service.id(), service.address());
                }
                for id in patch.removed() {
                    println!("gone: {id}");
                }
            }
            Change::Stale(error) => println!("stale, the last view stays good to use: {error}"),
            _ => {}
        }
        // `current` is the view after the item just read. A slow reader skips states, it never falls behind.
        let count = watcher.current().map_or(0, reception::Snapshot::len);
        if seen && count == 0 {
            break;
        }
        seen |= count > 0;
    }
    Ok(())
}

async fn act(client: &dyn Client, name: &ServiceName) -> reception::Result<()> {
    let service = Service::builder(name.as_str(), "10.0.0.7", 8080).id("one").build()?;
    let one = client.register(service.clone()).await?;
    let two = client.register(Service::builder(name.as_str(), "10.0.0.8", 8080).id("two").build()?).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    one.update(service.to_builder().attribute("zone", "b").build()?).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    one.close().await?;
    two.close().await
}
