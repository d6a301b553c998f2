//! The contract of Reception: service discovery and leader election over the coordination store that a team already runs.
//!
//! This crate defines what a backend is ([`Client`], [`Watcher`], [`Elector`]), what it speaks of ([`Service`], [`Snapshot`], [`Patch`],
//! [`FencingToken`]) and both halves of the guards that it hands out ([`Registration`], [`Leadership`]). It never spawns a task, sleeps or does
//! I/O (reading a clock aside), and its guards run under any executor. Users need it with one backend crate, or the facade `reception-sdk`.
//!
//! The promises behind the types are numbered laws: `docs/laws.md` lists them and names the case of the conformance suite that proves
//! each.

mod address;
mod client;
mod clock;
mod dial;
mod elector;
mod error;
mod facts;
mod leadership;
pub mod limits;
mod name;
mod options;
mod patch;
mod registration;
mod secret;
mod service;
mod services;
mod snapshot;
mod stream;
mod texts;
mod token;
mod watcher;

pub use async_trait::async_trait;

pub use client::{Client, ClientExt};
pub use clock::{Clock, Moment};
pub use dial::{Backend, DialFn, DialFuture, DialUrl, Dialer, Opt, OptionKind, OptionSpec, OptionValue};
pub use elector::{Elector, Leader, Observation};
pub use error::{Error, ErrorKind, Result, Retry};
pub use facts::{Capabilities, Endpoint, Probe};
pub use leadership::{Leadership, LeadershipControl, Release, Tenure};
pub use name::{ElectionName, ServiceId, ServiceName};
pub use options::{ElectOptions, ListOptions, OnConflict, RegisterOptions, WatchOptions};
pub use patch::Patch;
pub use registration::{Registration, RegistrationControl, RegistrationState, Reply, Request};
pub use secret::Secret;
pub use service::{Service, ServiceBuilder, Status};
pub use snapshot::Snapshot;
pub use stream::BoxStream;
pub use token::{Fence, FencingToken};
pub use watcher::{Change, Watcher};
