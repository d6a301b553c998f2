//! Our own record of an instance: what stores with our layout hold as the value of a key.
//!
//! The format, its rules and its golden bytes are in `docs/wire/record.md`; the tests read that page, so page and code cannot differ.
//! This module owns the bytes alone. Which key they lie under is the backend's `layout.rs`, and no field is judged here beyond what a
//! reader needs: a record that breaks a rule is of kind Protocol, and its reader counts it and goes on (law L16).

mod plain;
mod read;
mod write;

pub use read::{decode, decode_candidate};
pub use write::{encode, encode_candidate, encode_over};

/// The version this module writes, and the newest it reads.
const VERSION: u64 = 1;

/// Below this many levels of arrays and objects a record must stay; ours have two.
const MAX_DEPTH: usize = 32;

/// The fields of version 1, in the order of writing; any other one is unknown and kept on an update.
mod field {
    pub(super) const VERSION: &str = "v";
    pub(super) const NAME: &str = "name";
    pub(super) const ID: &str = "id";
    pub(super) const ADDRESS: &str = "address";
    pub(super) const PORT: &str = "port";
    pub(super) const STATUS: &str = "status";
    pub(super) const ATTRIBUTES: &str = "attributes";
}

/// The name that errors of this module carry as their backend; a backend that knows better says where the record lies.
const KIT: &str = "kit";
