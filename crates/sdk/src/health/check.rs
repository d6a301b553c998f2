//! What a gate asks: any check of a user's own.

use std::{
    fmt::{self, Display},
    future::Future,
};

use reception_core::async_trait;

/// One way to find out whether a service is well.
///
/// A closure that returns a future of a `Result<(), E>` is a check too, for any `E` that can be printed:
///
/// ```
/// use reception::health::Check;
///
/// async fn pool_is_open() -> std::io::Result<()> {
///     Ok(())
/// }
/// # #[tokio::main] async fn main() {
/// let mut check = || async { pool_is_open().await };
/// assert!(check.check().await.is_ok());
/// # }
/// ```
///
/// A type of one's own writes the method with [`async_trait`]:
///
/// ```
/// use reception::{async_trait, health::Check};
///
/// struct Disk {
///     least: u64,
/// }
///
/// # fn free() -> u64 { 5 }
/// #[async_trait]
/// impl Check for Disk {
///     async fn check(&mut self) -> Result<(), String> {
///         let free = free();
///         if free < self.least { Err(format!("only {free} bytes are free")) } else { Ok(()) }
///     }
/// }
/// # #[tokio::main] async fn main() { assert!(Disk { least: 6 }.check().await.is_err()); }
/// ```
#[async_trait]
pub trait Check: Send + 'static {
    /// Tries once.
    ///
    /// The gate makes one try at a time and drops a try that has not ended at its deadline, or when the gate closes. A panic is a bad
    /// try. What blocks belongs on a thread for that.
    ///
    /// # Errors
    /// Why the try was bad, in words.
    ///
    /// # Cancel safety
    /// May be dropped at any await, and must leave nothing behind then.
    async fn check(&mut self) -> Result<(), String>;
}

#[async_trait]
impl<F, Answer, E> Check for F
where
    F: FnMut() -> Answer + Send + 'static,
    Answer: Future<Output = Result<(), E>> + Send,
    E: Display,
{
    async fn check(&mut self) -> Result<(), String> {
        let answer = self();
        answer.await.map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Check for Box<dyn Check> {
    async fn check(&mut self) -> Result<(), String> {
        (**self).check().await
    }
}

impl fmt::Debug for dyn Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Check")
    }
}

/// The check that is always good: see [`always`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Always;

/// Makes a check that is always good, for a program whose check is optional.
///
/// With [`rise(1)`](crate::health::GateOptions::rise) the gate registers at once.
#[must_use]
pub const fn always() -> Always {
    Always
}

#[async_trait]
impl Check for Always {
    async fn check(&mut self) -> Result<(), String> {
        Ok(())
    }
}
