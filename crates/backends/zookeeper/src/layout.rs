//! Paths and records: the contract with other programs on the same store.
//!
//! ```text
//! BASE/NAME/ID                             an instance, ephemeral; other layouts name its node otherwise
//! ELECTIONS/NAME/_c_UUID-latch-SEQUENCE    a candidate, ephemeral
//! ELECTIONS/.domain                        the domain of tokens; no election has a leading dot
//! ```
//!
//! What an instance's record looks like is one [`Layout`], one file each.

mod curator;
mod party;
mod paths;
mod reception;
mod serverset;
mod slacker;

use std::fmt;

use reception_core::{Result, Service, ServiceId, ServiceName};

pub use curator::{Curator, Payload};
pub use party::Party;
pub use reception::Reception;
pub use serverset::Serverset;
pub use slacker::Slacker;

pub(crate) use paths::{Paths, read_domain, write_domain};

/// How instances look in the tree: give your own to [`Options::layout`](crate::Options::layout).
///
/// An instance stands at `BASE/NAME/ID`, ephemeral; a layout says what `BASE` is and what the record holds. The methods that have a default
/// are for formats of another shape: nodes that the server numbers, candidates that stand elsewhere, records that stand apart.
///
/// ```
/// use reception_core::{Result, Service, ServiceId, ServiceName};
/// use reception_zookeeper::{Layout, Options};
///
/// /// The address alone, as text.
/// #[derive(Debug)]
/// struct Plain;
///
/// impl Layout for Plain {
///     fn base(&self, path: &str) -> String {
///         format!("/plain/{path}")
///     }
///
///     fn encode(&self, service: &Service) -> Result<Vec<u8>> {
///         let service = service.to_builder().build()?;
///         Ok(service.address().as_bytes().to_vec())
///     }
///
///     fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service> {
///         let address = String::from_utf8_lossy(record);
///         Service::builder_of(name, id, &address, 80).build_foreign()
///     }
/// }
///
/// let options = Options::new(["h1"]).namespace("prod").layout(Plain);
/// ```
pub trait Layout: fmt::Debug + Send + Sync + 'static {
    /// The absolute path under which the services stand; `path` is the URL's, without a slash at its ends.
    fn base(&self, path: &str) -> String;

    /// The record of an instance, the same bytes for equal instances.
    ///
    /// # Errors
    ///
    /// InvalidName, InvalidInstance or TooLarge for what this layout does not write (law L15); Unsupported for everything when it only reads.
    fn encode(&self, service: &Service) -> Result<Vec<u8>>;

    /// Reads a record, also one that another program wrote.
    ///
    /// `id` is what the node's name says ([`child`](Layout::child)); the instance has another one if the record holds it.
    ///
    /// # Errors
    ///
    /// Any error counts the record as unreadable (law L16).
    fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service>;

    /// How the nodes of instances are named; by their id alone if a layout does not say otherwise.
    fn naming(&self) -> Naming {
        Naming::Id
    }

    /// What the name of a numbered node begins with; the server adds ten digits. `mark` is 32 hexadecimal digits, new for each
    /// registration or candidacy. Asked with [`Naming::Numbered`] alone.
    fn prefix(&self, id: &ServiceId, mark: &str) -> String {
        format!("{mark}-{id}-")
    }

    /// What a child of a service's folder is, by its name alone; every name that can be an id is one if a layout does not say otherwise.
    fn child(&self, name: &str) -> Child {
        match ServiceId::foreign(name) {
            Ok(id) => Child::Instance { id, number: 0 },
            Err(_) => Child::Odd,
        }
    }

    /// What the records beside the instances ([`Child::Weights`]) make of one; asked with [`Naming::Numbered`] alone.
    fn weigh(&self, service: Service, _child: &str, _weights: &[&[u8]]) -> Service {
        service
    }

    /// Whether a record is one of [`Child::Weights`] that can be read; one that cannot is counted as unreadable.
    fn weighs(&self, _record: &[u8]) -> bool {
        true
    }

    /// The folder of a service's instances.
    fn folder(&self, base: &str, name: &ServiceName) -> String {
        format!("{base}/{name}")
    }

    /// The folder of the records, when they do not stand in the nodes of the instances themselves: a record has its instance's name there.
    fn records(&self, _base: &str) -> Option<String> {
        None
    }

    /// How candidates look; as Curator's `LeaderLatch` makes them if a layout does not say otherwise.
    fn candidates(&self) -> Candidates {
        Candidates::Latch
    }
}

/// How the nodes of instances are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Naming {
    /// By the id.
    Id,
    /// By [`Layout::prefix`] and a number of the server's: several nodes may have one id, of which the one with the lowest number counts.
    Numbered,
}

/// What a child of a service's folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Child {
    /// An instance.
    Instance {
        /// Its id, as far as the name tells.
        id: ServiceId,
        /// The server's number; 0 when it has none.
        number: u32,
    },
    /// Nothing that this layout knows: skipped, and counted as unreadable.
    Odd,
    /// A part of the layout that is no instance.
    Other,
    /// A record that weighs the instances beside it.
    Weights,
}

/// How candidates look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Candidates {
    /// They are the instances of the service that has the election's name: the one with the lowest number leads.
    Instances,
    /// `ELECTIONS/NAME/_c_UUID-latch-SEQUENCE`: the lowest sequence number leads.
    Latch,
    /// They are made by others; the node `_leader` in the folder of the service that has the election's name says who leads.
    Named,
}

/// How many digits the server numbers a node with.
const DIGITS: usize = 10;

/// The name and the number of a node that the server numbered; `None` for what no server has written.
fn numbered(child: &str) -> Option<(&str, u32)> {
    let cut = child.len().checked_sub(DIGITS).filter(|cut| child.is_char_boundary(*cut))?;
    let (name, digits) = child.split_at(cut);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number beyond an i32 is not one of ours, and what has a digit before has more than ten.
    let number = digits.parse().ok().filter(|number| plain && *number <= i32::MAX.unsigned_abs())?;
    (!name.ends_with(|last: char| last.is_ascii_digit())).then_some((name, number))
}

#[cfg(test)]
mod page;
