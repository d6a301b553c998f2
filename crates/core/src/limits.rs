//! The limits of what this library writes (law L15): what every backend can store.
//!
//! The numbers are the smallest over the stores: Consul takes at most 64 meta pairs with keys of 128 bytes out of `[A-Za-z0-9_-]`, values of
//! 512 bytes and no key that starts with `consul-`; a name becomes a segment of a path or key in each of them; a ZooKeeper server
//! closes the connection at about 1 MiB, so a record stays far below.

/// The most characters of a service or election name.
pub const MAX_NAME: usize = 63;
/// The most characters of an id.
pub const MAX_ID: usize = 128;
/// The most bytes of an address.
pub const MAX_ADDRESS: usize = 253;
/// The most attributes of a service.
pub const MAX_ATTRIBUTES: usize = 64;
/// The most bytes of an attribute's key.
pub const MAX_KEY: usize = 128;
/// The most bytes of an attribute's value.
pub const MAX_VALUE: usize = 512;
/// The most bytes of an encoded record.
pub const MAX_RECORD: usize = 64 * 1024;
/// The most bytes of a name or id that somebody else wrote.
pub const MAX_FOREIGN: usize = 1024;
/// Prefixes that an attribute's key may not have: Consul keeps the first to itself, this library the second.
pub const RESERVED_PREFIXES: [&str; 2] = ["consul-", "reception-"];
