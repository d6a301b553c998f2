//! Whether TLS is spoken, and with which files.

use std::path::PathBuf;

use reception_core::{DialUrl, Opt, Result};

use super::config;

/// The authorities to trust.
pub const CA: Opt<PathBuf> =
    Opt::new("ca", "PEM file of the authorities that sign the servers' certificates");
/// Our certificate.
pub const CERT: Opt<PathBuf> = Opt::new("cert", "PEM file of our certificate").requires(&["key", "ca"]);
/// The key of our certificate.
pub const KEY: Opt<PathBuf> = Opt::new("key", "PEM file of our certificate's key").requires(&["cert"]);
/// The switch alone: what implies it differs, so each backend describes its own.
const TLS: Opt<bool> = Opt::new("tls", "speak TLS");

/// TLS as options say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    on: bool,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Tls {
    /// Takes the options `tls`, `ca`, `cert` and `key` from a URL; the files imply it, and so does the scheme `secure`.
    ///
    /// # Errors
    ///
    /// Config when it is switched off beside what implies it.
    pub fn from_url(backend: &'static str, url: &DialUrl, secure: &str) -> Result<Self> {
        let (ca, cert, key) = (url.get(&CA)?, url.get(&CERT)?, url.get(&KEY)?);
        let flag = url.get(&TLS)?;
        let implied = ca.is_some() || cert.is_some() || url.scheme() == secure;
        if flag == Some(false) && implied {
            return Err(config(backend, "option \"tls\" is false beside what implies it"));
        }
        Ok(Self { on: flag == Some(true) || implied, ca, cert, key })
    }

    /// Switches it on or off.
    pub fn set(&mut self, on: bool) {
        self.on = on;
    }

    /// Sets the authorities, and switches it on.
    pub fn set_ca(&mut self, file: impl Into<PathBuf>) {
        self.ca = Some(file.into());
        self.on = true;
    }

    /// Sets our certificate, and switches it on.
    pub fn set_cert(&mut self, file: impl Into<PathBuf>) {
        self.cert = Some(file.into());
        self.on = true;
    }

    /// Sets the key of our certificate, and switches it on.
    pub fn set_key(&mut self, file: impl Into<PathBuf>) {
        self.key = Some(file.into());
        self.on = true;
    }

    /// Whether it is spoken.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Checks what does not need the files; `compiled` says whether the backend can speak it.
    ///
    /// # Errors
    ///
    /// Config for a certificate without key or a key without certificate, for no authority, and when it is compiled out.
    pub fn check(&self, backend: &'static str, compiled: bool) -> Result<()> {
        let refuse = |why: &str| Err(config(backend, why));
        if self.cert.is_some() != self.key.is_some() {
            return refuse("options \"cert\" and \"key\" need each other");
        }
        if self.on && self.ca.is_none() {
            return refuse("TLS needs option \"ca\": no authority is trusted unless it is named");
        }
        if self.on && !compiled {
            return refuse("TLS is compiled out: turn the feature \"tls\" on");
        }
        Ok(())
    }

    /// Reads and checks the files.
    ///
    /// # Errors
    ///
    /// As [`Files::read`](crate::tls::Files::read).
    #[cfg(feature = "tls")]
    pub fn read(&self, backend: &'static str) -> Result<crate::tls::Pems> {
        let Self { ca, cert, key, .. } = self.clone();
        crate::tls::Files { ca, cert, key }.read(backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<bool> {
        let tls = Tls::from_url("test", &url.parse()?, "x+tls")?;
        tls.check("test", true)?;
        Ok(tls.is_on())
    }

    #[test]
    fn it_is_on_when_said_or_implied() {
        assert!(!of("x://h").unwrap());
        assert!(!of("x://h?tls=false").unwrap());
        for url in ["x://h?tls&ca=c", "x://h?ca=c", "x+tls://h?ca=c", "x://h?ca=c&cert=c&key=k"] {
            assert!(of(url).unwrap(), "{url}");
        }
    }

    #[test]
    fn what_contradicts_itself_or_is_half_given_is_refused() {
        let false_beside = "option \"tls\" is false beside what implies it";
        let pair = "options \"cert\" and \"key\" need each other";
        let no_authority = "TLS needs option \"ca\": no authority is trusted unless it is named";
        for (url, why) in [
            ("x://h?tls=false&ca=c", false_beside),
            ("x+tls://h?tls=false", false_beside),
            ("x://h?ca=c&cert=c", pair),
            ("x://h?ca=c&key=k", pair),
            ("x://h?tls", no_authority),
            ("x+tls://h", no_authority),
        ] {
            assert_eq!(of(url).unwrap_err().context(), why, "{url}");
        }
        let mut tls = Tls::default();
        tls.set_ca("c");
        let compiled_out = tls.check("test", false).unwrap_err();
        assert_eq!(compiled_out.context(), "TLS is compiled out: turn the feature \"tls\" on");
    }
}
