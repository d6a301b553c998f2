//! What a client may be told: the list and its name.

use std::collections::BTreeSet;

use reception_core::{DialUrl, Opt, OptionSpec, Result, Service, ServiceName, Snapshot};

use crate::error::config;

const NAME: Opt<String> = Opt::new("name", "the service whose instances the list holds; must be given");

/// The options of a `static:` URL.
pub(crate) const OPTIONS: &[OptionSpec] = &[NAME.spec()];

/// A fixed list of instances.
///
/// ```
/// use reception_static::Options;
///
/// let options = Options::new("api").instance("h1:80").instance("h2:80");
/// assert_eq!(options.instances.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The service whose instances the list holds.
    pub name: String,
    /// The instances as `host:port`, IPv6 in brackets.
    pub instances: Vec<String>,
}

impl Options {
    /// An empty list of this service.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), instances: Vec::new() }
    }

    /// Adds an instance, as `host:port`.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instances.push(instance.into());
        self
    }

    /// Reads a `static:` URL: its hosts are the instances.
    ///
    /// # Errors
    /// Config when there is no host, one without a port, a user, a path, no name or a bad one, or an unknown option.
    pub fn from_url(url: &DialUrl) -> Result<Self> {
        url.check(OPTIONS)?;
        if url.user().is_some() || !url.path().trim_matches('/').is_empty() {
            return Err(config("a static: URL has hosts and a name: write static://h1:80,h2:80/?name=api"));
        }
        let name = url.get(&NAME)?.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| config("option \"name\" is missing: whose instances are they?"))?;
        if url.hosts().is_empty() {
            return Err(config("the list has no host: write static://h1:80,h2:80/?name=api"));
        }
        let options = Self { name, instances: url.hosts().to_vec() };
        options.check()?;
        Ok(options)
    }

    /// Checks the list and makes the one view of it that there is.
    pub(crate) fn check(&self) -> Result<Snapshot> {
        let wrong =
            |what: String| move |error: reception_core::Error| config(format!("{what}: {}", error.context()));
        let name = ServiceName::new(&self.name).map_err(wrong("option \"name\"".to_owned()))?;
        let (mut services, mut seen): (Vec<Service>, _) = (Vec::new(), BTreeSet::new());
        for (at, instance) in (1..).zip(&self.instances) {
            let (host, port) = split(instance)
                .ok_or_else(|| config(format!("host {at} is not host:port, an IPv6 address in brackets")))?;
            // Checked as what we write, but for the id: that is no name, and so that of a foreign record.
            let checked = Service::new(&self.name, host, port).map_err(wrong(format!("host {at}")))?;
            services.push(
                checked.to_builder().id(instance).build_foreign().map_err(wrong(format!("host {at}")))?,
            );
            if !seen.insert(instance.to_ascii_lowercase()) {
                return Err(config(format!("host {at} stands twice")));
            }
        }
        Ok(Snapshot::new(name, 1, services))
    }
}

fn split(instance: &str) -> Option<(&str, u16)> {
    let (host, port) = instance.rsplit_once(':')?;
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    // What has colons stands in brackets, and nothing else does.
    if inside.unwrap_or(host).contains(':') != inside.is_some() {
        return None;
    }
    let port = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((inside.unwrap_or(host), port.parse().ok().filter(|port| *port > 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Options> {
        Options::from_url(&url.parse::<DialUrl>()?)
    }

    #[test]
    fn the_hosts_of_a_url_are_the_list() {
        let options = read("static://h1:80,10.0.0.7:8080,[fd00::7]:443/?name=api").unwrap();
        let view = options.check().unwrap();
        let seen: Vec<_> = view
            .iter()
            .map(|one| (one.id().as_str(), one.address(), one.port().map(std::num::NonZeroU16::get)))
            .collect();
        let wanted = [
            ("10.0.0.7:8080", "10.0.0.7", Some(8080)),
            ("[fd00::7]:443", "fd00::7", Some(443)),
            ("h1:80", "h1", Some(80)),
        ];
        assert_eq!(seen, wanted);
        assert!(view.iter().all(|one| one.attributes().next().is_none()));
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        for url in [
            "static://h1:80/",
            "static://h1:80/?name=",
            "static://h1:80/?name=a/b",
            "static://h1/?name=api",
            "static://h1:80,h2/?name=api",
            "static://user@h1:80/?name=api",
            "static://h1:80/prod?name=api",
            "static:?name=api",
            "static://h1:80/?name=api&ttl=10s",
        ] {
            assert!(read(url).is_err(), "{url}");
        }
        for bad in ["h1", "h1:0", "h1:x", "h1:+80", "h1:", ":80", "a b:80", "[h1]:80", "fd00::7:80", "[]:80"]
        {
            assert!(Options::new("api").instance(bad).check().is_err(), "{bad}");
        }
        assert!(Options::new("api").instance("h1:80").instance("h1:80").check().is_err());
        assert!(Options::new("api").instance("h1:80").instance("H1:80").check().is_err());
    }
}
