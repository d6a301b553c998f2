//! What a client may be told: the options of the URL and their typed form.

use std::{path::PathBuf, time::Duration};

use reception_core::{DialUrl, Opt, OptionSpec, Result, ServiceName};

use crate::error::config;

const NAMESPACE: Opt<String> =
    Opt::new("namespace", "the part of the folder to work in").default("reception");
const ANY_FS: Opt<bool> =
    Opt::new("any_fs", "take also a file system that is refused by its type").default("false");
const TIMEOUT: Opt<Duration> = Opt::new("timeout", "the longest that one call may take").default("5s");

/// The options of a `local:` URL.
pub(crate) const OPTIONS: &[OptionSpec] = &[NAMESPACE.spec(), ANY_FS.spec(), TIMEOUT.spec()];

/// How a client on one machine behaves.
///
/// ```
/// use reception_local::Options;
///
/// let options = Options::default().folder("/var/lib/orders").namespace("prod");
/// assert!(!options.any_fs);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The folder that processes share; none means the user's own one, as the README says.
    pub folder: Option<PathBuf>,
    /// The part of the folder to work in; clients of two namespaces do not see each other.
    pub namespace: String,
    /// Whether file systems are taken on which locks or notices are known to be unsafe.
    pub any_fs: bool,
    /// The longest that one call may take.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            folder: None,
            namespace: "reception".to_owned(),
            any_fs: false,
            timeout: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// Reads a `local:` URL: the path is the folder.
    ///
    /// # Errors
    /// Config when the URL holds a user or a host, a bad namespace, or an option that is unknown, repeated or out of range.
    pub fn from_url(url: &DialUrl) -> Result<Self> {
        url.check(OPTIONS)?;
        if url.user().is_some() || !url.hosts().is_empty() {
            return Err(config("a local: URL has no host: write local:///some/folder"));
        }
        let folder = Some(url.path()).filter(|path| !path.is_empty()).map(PathBuf::from);
        let mut options = Self { folder, ..Self::default() };
        options.namespace = url.get(&NAMESPACE)?.unwrap_or(options.namespace);
        options.any_fs = url.get(&ANY_FS)?.unwrap_or(options.any_fs);
        options.timeout = url.get(&TIMEOUT)?.unwrap_or(options.timeout);
        options.check()?;
        Ok(options)
    }

    /// Sets the folder that processes share.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets the part of the folder to work in.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets whether file systems are taken on which locks or notices are known to be unsafe.
    #[must_use]
    pub fn any_fs(mut self, any_fs: bool) -> Self {
        self.any_fs = any_fs;
        self
    }

    /// Sets the longest that one call may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Checks every field and takes the namespace apart.
    pub(crate) fn check(&self) -> Result<Vec<String>> {
        if self.timeout.is_zero() {
            return Err(config("option \"timeout\" is zero"));
        }
        if self.folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
            return Err(config("the folder is not an absolute path"));
        }
        let parts: Vec<&str> = self.namespace.split('/').filter(|part| !part.is_empty()).collect();
        for part in &parts {
            ServiceName::new(part).map_err(|error| config(format!("namespace: {}", error.context())))?;
        }
        if parts.is_empty() {
            return Ok(vec![Self::default().namespace]);
        }
        Ok(parts.into_iter().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Options> {
        Options::from_url(&url.parse::<DialUrl>()?)
    }

    #[test]
    fn a_url_holds_the_folder_and_the_namespace() {
        assert_eq!(read("local:").unwrap(), Options::default());
        let options = read("local:///some/folder?namespace=a/b&any_fs=true&timeout=2s").unwrap();
        assert_eq!(options.folder, Some(PathBuf::from("/some/folder")));
        assert_eq!(options.check().unwrap(), ["a", "b"]);
        assert!(options.any_fs);
        assert_eq!(options.timeout, Duration::from_secs(2));
        assert!(read("local:?any_fs").unwrap().any_fs);
    }

    #[test]
    fn what_could_leave_the_folder_is_refused() {
        for url in [
            "local://host/folder",
            "local:?namespace=..",
            "local:?namespace=a/../b",
            "local:?namespace=.hidden",
            "local:?namespace=a%00",
            "local:?ttl=10s",
        ] {
            assert!(read(url).is_err(), "{url}");
        }
        assert!(Options::default().folder("relative").check().is_err());
    }
}
