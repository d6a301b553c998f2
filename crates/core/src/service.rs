//! One instance of a service, and its builder.

use std::{fmt, num::NonZeroU16, sync::Arc};

use crate::{
    address,
    error::{CORE, Error, ErrorKind, Result},
    limits::{MAX_ATTRIBUTES, MAX_FOREIGN, MAX_KEY, MAX_RECORD, MAX_VALUE, RESERVED_PREFIXES},
    name::{ServiceId, ServiceName},
    texts::Texts,
};

/// Whether an instance wants to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Status {
    /// Use it.
    #[default]
    Up,
    /// It finishes what it has and takes nothing new.
    Draining,
    /// It is registered and must not be used.
    Down,
}

/// One instance of a service: where it is and what it says of itself.
///
/// A clone is a pointer copy; `Eq` and `Hash` compare values. Made by [`new`](Service::new) or [`builder`](Service::builder), changed by
/// [`to_builder`](Service::to_builder).
///
/// ```
/// use reception_core::Service;
///
/// let api = Service::builder("api", "10.0.0.7", 8080).attribute("zone", "a").build()?;
/// assert_eq!(api.attribute("zone"), Some("a"));
/// # Ok::<(), reception_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Service(Arc<Record>);

#[derive(PartialEq, Eq, Hash)]
struct Record {
    name: ServiceName,
    id: ServiceId,
    texts: Texts,
    port: Option<NonZeroU16>,
    status: Status,
}

impl Service {
    /// Makes an instance with a random id, status Up and no attributes.
    ///
    /// # Errors
    /// As [`ServiceBuilder::build`].
    pub fn new(name: &str, address: &str, port: u16) -> Result<Self> {
        Self::builder(name, address, port).build()
    }

    /// Starts an instance; what it is given is checked at the end.
    pub fn builder(name: &str, address: &str, port: u16) -> ServiceBuilder {
        ServiceBuilder::new(Given::Text(name.to_owned()), None, address, port)
    }

    /// Starts an instance whose name and id are known as such, as a reader of a store knows them: they are shared, not copied.
    pub fn builder_of(name: &ServiceName, id: &ServiceId, address: &str, port: u16) -> ServiceBuilder {
        ServiceBuilder::new(Given::Known(name.clone()), Some(Given::Known(id.clone())), address, port)
    }

    /// Takes a record that a store already holds as it is (law L16), as [`ServiceBuilder::build_foreign`] does, but from borrowed parts: for who
    /// reads many. Port 0 means none; of several values of one key the last stays.
    ///
    /// # Errors
    /// TooLarge when the address is over 1 KiB or the attributes together are over 64 KiB.
    pub fn foreign(
        name: &ServiceName,
        id: &ServiceId,
        address: &str,
        port: u16,
        status: Status,
        attributes: &[(&str, &str)],
    ) -> Result<Self> {
        check_foreign(address, attributes)?;
        let texts = if attributes.is_sorted_by(|left, right| left.0 < right.0) {
            Texts::new(address, attributes)
        } else {
            Texts::new(address, &settled(attributes.to_vec()))
        };
        let (name, id, port) = (name.clone(), id.clone(), NonZeroU16::new(port));
        Ok(Self(Arc::new(Record { name, id, texts, port, status })))
    }

    /// A builder that starts from this instance, same name and id.
    pub fn to_builder(&self) -> ServiceBuilder {
        let port = self.port().map_or(0, NonZeroU16::get);
        let mut builder =
            Self::builder_of(self.name(), self.id(), self.address(), port).status(self.status());
        builder.attributes =
            self.attributes().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        builder
    }

    /// The name of the service that this is an instance of.
    #[must_use]
    pub fn name(&self) -> &ServiceName {
        &self.0.name
    }

    /// The id, unique within the service.
    #[must_use]
    pub fn id(&self) -> &ServiceId {
        &self.0.id
    }

    /// A host name or IP address, IPv6 without brackets.
    #[must_use]
    pub fn address(&self) -> &str {
        self.0.texts.address()
    }

    /// The port; a record written by somebody else may have none.
    #[must_use]
    pub fn port(&self) -> Option<NonZeroU16> {
        self.0.port
    }

    /// Whether it wants to be used.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// The value of one attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.0.texts.attribute(key)
    }

    /// All attributes, by key.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.0.texts.attributes()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { name, id, texts, port, status } = &*self.0;
        f.debug_struct("Service")
            .field("name", name)
            .field("id", id)
            .field("address", &texts.address())
            .field("port", &port.map_or(0, NonZeroU16::get))
            .field("status", status)
            .field("attributes", &texts.attributes().collect::<Vec<_>>())
            .finish()
    }
}

/// Builds a [`Service`]: infallible setters, one fallible end.
#[derive(Debug, Clone)]
#[must_use]
pub struct ServiceBuilder {
    name: Given<ServiceName>,
    id: Option<Given<ServiceId>>,
    address: String,
    port: u16,
    status: Status,
    attributes: Vec<(String, String)>,
}

/// A name or an id, unchecked or known from elsewhere.
#[derive(Debug, Clone)]
enum Given<T> {
    Known(T),
    Text(String),
}

impl ServiceBuilder {
    fn new(name: Given<ServiceName>, id: Option<Given<ServiceId>>, address: &str, port: u16) -> Self {
        let (address, status) = (address.to_owned(), Status::Up);
        Self { name, id, address, port, status, attributes: Vec::new() }
    }

    /// Sets the id; without one a random UUID is taken.
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(Given::Text(id.to_owned()));
        self
    }

    /// Sets the address.
    pub fn address(mut self, address: &str) -> Self {
        self.address = address.to_owned();
        self
    }

    /// Sets the port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the status; the default is Up.
    pub fn status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// Sets one attribute, in place of an earlier value of the same key.
    pub fn attribute(mut self, key: &str, value: &str) -> Self {
        self.attributes.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Takes one attribute away.
    pub fn without(mut self, key: &str) -> Self {
        self.attributes.retain(|(have, _)| have != key);
        self
    }

    /// Checks everything against the limits of what this library writes (law L15).
    ///
    /// # Errors
    /// InvalidName for the name or id; InvalidInstance for the address, the port (1 to 65535) or an attribute; TooLarge for too many
    /// attributes or too large ones. The error names the limit and what was seen.
    pub fn build(self) -> Result<Service> {
        let name = match self.name {
            Given::Known(name) => name.checked()?,
            Given::Text(name) => ServiceName::new(&name)?,
        };
        let id = match self.id {
            Some(Given::Known(id)) => id.checked()?,
            Some(Given::Text(id)) => ServiceId::new(&id)?,
            None => ServiceId::random(),
        };
        let address = address::strict(&self.address)?;
        let port = NonZeroU16::new(self.port).ok_or_else(|| invalid("port 0 is not in 1-65535"))?;
        let attributes = settled(borrowed(&self.attributes));
        check_attributes(&attributes)?;
        let texts = Texts::new(address, &attributes);
        Ok(Service(Arc::new(Record { name, id, texts, port: Some(port), status: self.status })))
    }

    /// Takes a record that a store already holds as it is (law L16): port 0 means none.
    ///
    /// # Errors
    /// InvalidName when the name or id is empty, over 1 KiB or holds a control character; TooLarge when the address is over 1 KiB or the
    /// attributes together are over 64 KiB.
    pub fn build_foreign(self) -> Result<Service> {
        let name = match self.name {
            Given::Known(name) => name,
            Given::Text(name) => ServiceName::foreign(&name)?,
        };
        let id = match self.id {
            Some(Given::Known(id)) => id,
            Some(Given::Text(id)) => ServiceId::foreign(&id)?,
            None => ServiceId::random(),
        };
        Service::foreign(&name, &id, &self.address, self.port, self.status, &borrowed(&self.attributes))
    }
}

fn borrowed(attributes: &[(String, String)]) -> Vec<(&str, &str)> {
    attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn check_foreign(address: &str, attributes: &[(&str, &str)]) -> Result<()> {
    let large = |what: &str, limit: usize, seen: usize| {
        let context = format!("{what} of {seen} bytes, the limit is {limit}");
        Err(Error::new(ErrorKind::TooLarge, CORE, "decode", context))
    };
    if address.len() > MAX_FOREIGN {
        return large("address", MAX_FOREIGN, address.len());
    }
    let bytes: usize = attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_RECORD {
        return large("attributes", MAX_RECORD, bytes);
    }
    Ok(())
}

/// Sorts by key; of several values of one key the last stays.
fn settled<'a>(mut attributes: Vec<(&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    attributes.reverse();
    attributes.sort_by_key(|(key, _)| *key);
    attributes.dedup_by(|later, first| later.0 == first.0);
    attributes
}

fn check_attributes(attributes: &[(&str, &str)]) -> Result<()> {
    let large = |context: String| Err(Error::new(ErrorKind::TooLarge, CORE, "check", context));
    if attributes.len() > MAX_ATTRIBUTES {
        return large(format!("{} attributes, the limit is {MAX_ATTRIBUTES}", attributes.len()));
    }
    for (key, value) in attributes {
        if key.len() > MAX_KEY {
            return large(format!("an attribute key of {} bytes, the limit is {MAX_KEY}", key.len()));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if key.is_empty() || !key.bytes().all(plain) {
            return Err(invalid(&format!(
                "attribute key {key:?} breaks the rule: letters, digits, '_' and '-' only"
            )));
        }
        if let Some(prefix) = RESERVED_PREFIXES.iter().find(|prefix| key.starts_with(**prefix)) {
            return Err(invalid(&format!("attribute key {key:?} starts with {prefix:?}, which is reserved")));
        }
        if value.len() > MAX_VALUE {
            return large(format!("attribute {key:?} has {} bytes, the limit is {MAX_VALUE}", value.len()));
        }
        if value.contains('\0') {
            return Err(invalid(&format!("attribute {key:?} holds a NUL")));
        }
    }
    Ok(())
}

fn invalid(context: &str) -> Error {
    Error::new(ErrorKind::InvalidInstance, CORE, "check", context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_limit_gives_the_typed_error() {
        let base = || Service::builder("api", "h1", 80);
        let kind = |builder: ServiceBuilder| builder.build().expect_err("must be refused").kind();
        assert_eq!(kind(base().port(0)), ErrorKind::InvalidInstance);
        for address in ["", "a b", "user@h", "h/x", "h:80", "1.2.3.4.5:1"] {
            assert_eq!(kind(base().address(address)), ErrorKind::InvalidInstance, "{address:?}");
        }
        for key in ["", "a.b", "consul-x", "reception-x", "é"] {
            assert_eq!(kind(base().attribute(key, "v")), ErrorKind::InvalidInstance, "{key:?}");
        }
        assert_eq!(kind(base().attribute("k", "a\0b")), ErrorKind::InvalidInstance);
        assert_eq!(kind(base().attribute(&"k".repeat(129), "v")), ErrorKind::TooLarge);
        assert_eq!(kind(base().attribute("k", &"v".repeat(513))), ErrorKind::TooLarge);
        let many = (0..65).fold(base(), |builder, at| builder.attribute(&format!("k{at}"), "v"));
        assert_eq!(kind(many), ErrorKind::TooLarge);
        assert_eq!(kind(base().id("a/b")), ErrorKind::InvalidName);
    }

    #[test]
    fn the_last_value_of_a_key_stays_and_order_does_not_matter() {
        let one = Service::builder("api", "h1", 80)
            .id("i")
            .attribute("b", "1")
            .attribute("a", "2")
            .attribute("b", "3")
            .build();
        let two = Service::builder("api", "h1", 80).id("i").attribute("a", "2").attribute("b", "3").build();
        assert_eq!(one.ok(), two.ok());
    }

    #[test]
    fn brackets_of_an_ipv6_address_are_taken_off() {
        let service = Service::new("api", "[::1]", 80).expect("valid");
        assert_eq!(service.address(), "::1");
    }

    #[test]
    fn a_foreign_record_may_have_no_port_and_any_key() {
        let service = Service::builder("a b", "", 0)
            .id("x:1")
            .attribute("consul-a.b", "v\n")
            .build_foreign()
            .expect("lenient");
        assert_eq!(service.port(), None);
        assert_eq!(service.attribute("consul-a.b"), Some("v\n"));
    }
}
