//! Registers one instance only while a check of it is good.
//!
//! ```sh
//! cargo run --example health
//! cargo run --example health --features etcd -- etcd://127.0.0.1:2379
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use reception::{
    ClientExt, Service,
    health::{self, GateChange, GateOptions},
};

#[tokio::main]
async fn main() -> reception::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory://demo".to_owned());
    let client = reception::dial(&url).await?;
    let service = Service::new("api", "10.0.0.7", 8080)?;

    // The check is a closure here. `health::Http`, `health::Tcp` and `health::Command` ask a service from outside.
    let well = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&well);
    let check = move || {
        let good = asked.load(Ordering::Relaxed);
        async move { if good { Ok(()) } else { Err("the pool is empty") } }
    };

    // Two good tries in a row register, two bad ones withdraw.
    let options = GateOptions::default().rise(2).fall(2).interval(Duration::from_millis(100));
    let gate = health::gate(client.clone(), service.clone(), check, options)?;

    let mut changes = gate.changes();
    let mut registrations = 0;
    while let Some(change) = changes.next().await {
        match change {
            GateChange::Passing => println!("the check is good"),
            GateChange::Failing(reason) => println!("the check is bad: {reason}"),
            GateChange::Registered(service) => {
                println!("registered {} as {}", service.name(), service.id());
                registrations += 1;
                if registrations == 2 {
                    break;
                }
                well.store(false, Ordering::Relaxed);
            }
            GateChange::Withdrawn => {
                println!("withdrawn: {} instances", client.list(service.name()).await?.len());
                well.store(true, Ordering::Relaxed);
            }
            // Another owner has the id, or the store refuses us for good: the gate has ended.
            GateChange::Lost(error) => return Err(error),
            // The store cannot be reached, or can be reached again: the gate goes on by itself.
            other => println!("{other:?}"),
        }
    }

    // Dropping the gate withdraws as well, but only `close` waits for it and tells the outcome.
    gate.close().await?;
    println!("closed: {} instances", client.list(service.name()).await?.len());
    client.close().await
}
