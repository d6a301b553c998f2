#![doc = include_str!("../README.md")]
// A method that this crate forgets to forward is a method that behaves otherwise when wrapped.
#![deny(clippy::missing_trait_methods)]

mod call;
mod client;
mod count;
mod elector;
mod leadership;
mod stream;

pub use client::{Observed, observe};
