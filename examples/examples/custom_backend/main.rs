//! A backend of one's own: the folder `shelf` is a complete one, written with `reception-core` alone, and this program dials
//! it by URL beside the built-in ones.
//!
//! That it keeps the laws is shown by `examples/tests/custom_backend.rs`, which runs the conformance suite on it:
//!
//! ```sh
//! cargo run --example custom_backend
//! cargo test -p reception-examples --test custom_backend
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod shelf;

use reception::{ClientExt, Service};

#[tokio::main]
async fn main() -> reception::Result<()> {
    // `reception::dialer()` knows the compiled-in backends; `with` takes any other. A scheme that is taken is an error.
    let dialer = reception::dialer().with(shelf::BACKEND)?;
    let client = dialer.dial("shelf://demo?patience=500ms").await?;
    println!("dialled {}", client.backend());
    let shelf = shelf::Shelf::named("demo");

    let service = Service::new("api", "10.0.0.7", 8080)?;
    let registration = client.register(service.clone()).await?;
    println!("listed: {}", client.list(service.name()).await?.len());

    let elector = client.elector(&"reaper".parse()?).await?;
    let leadership = elector.elect(service).await?;
    println!("elected with token {}", leadership.token());
    leadership.resign().await?;
    registration.close().await?;

    // A mistyped option is refused before anything else happens, with the nearest name.
    if let Err(error) = dialer.dial("shelf://demo?patiense=1s").await {
        println!("refused: {error}");
    }
    client.close().await?;
    println!("left on the shelf: {:?}", shelf.contents());
    Ok(())
}
