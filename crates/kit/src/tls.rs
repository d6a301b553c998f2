//! Certificate, key and authority files: read and checked before anything is dialled.
//!
//! A file that is wrong is told by its option and path, never by what stands in it. Any TLS library takes the bytes that come out.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use reception_core::{Error, ErrorKind, Result, Secret};
use rustls::{
    Error as TlsError, InconsistentKeys, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// A bundle of all public authorities has some 200 KiB.
const LIMIT: u64 = 4 << 20;

/// The files that the options `ca`, `cert` and `key` name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "backends build it in one place and the kit is exempt from semver"
)]
pub struct Files {
    /// Authorities that may sign a server's certificate.
    pub ca: Option<PathBuf>,
    /// Our certificate, with the chain up to its authority.
    pub cert: Option<PathBuf>,
    /// The key of our certificate.
    pub key: Option<PathBuf>,
}

/// What the files hold: PEM that was checked.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pems {
    /// Authorities.
    pub ca: Option<Vec<u8>>,
    /// Our certificate and its key.
    pub identity: Option<(Vec<u8>, Secret)>,
}

impl fmt::Debug for Pems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pems")
            .field("ca", &self.ca.is_some())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

impl Files {
    /// Reads and checks the files.
    ///
    /// # Errors
    ///
    /// Config, with the option and the path: a file that cannot be read, holds no certificate or key or an encrypted one, a certificate
    /// and a key that do not belong together or are not both given.
    pub fn read(&self, backend: &'static str) -> Result<Pems> {
        let reader = Reader { backend };
        let ca = self.ca.as_deref().map(|path| reader.authorities(path)).transpose()?;
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some(reader.identity(cert, key)?),
            (Some(_), None) => return Err(reader.config("option \"cert\" needs \"key\"")),
            (None, Some(_)) => return Err(reader.config("option \"key\" needs \"cert\"")),
            (None, None) => None,
        };
        Ok(Pems { ca, identity })
    }
}

struct Reader {
    backend: &'static str,
}

impl Reader {
    fn config(&self, context: impl Into<String>) -> Error {
        Error::new(ErrorKind::Config, self.backend, "dial", context)
    }

    fn wrong(&self, option: &str, path: &Path, what: impl fmt::Display) -> Error {
        self.config(format!("option \"{option}\": {}: {what}", path.display()))
    }

    fn text(&self, option: &str, path: &Path) -> Result<Secret> {
        let about = fs::metadata(path).map_err(|error| self.wrong(option, path, error.kind()))?;
        if !about.is_file() {
            return Err(self.wrong(option, path, "is no file"));
        }
        if about.len() > LIMIT {
            return Err(self.wrong(option, path, format!("has over {LIMIT} bytes")));
        }
        let bytes = fs::read(path).map_err(|error| self.wrong(option, path, error.kind()))?;
        let text = String::from_utf8(bytes).map_err(|_| self.wrong(option, path, "is not PEM"))?;
        Ok(Secret::new(text))
    }

    fn certificates(&self, option: &str, path: &Path) -> Result<(Secret, Vec<CertificateDer<'static>>)> {
        let text = self.text(option, path)?;
        let found: std::result::Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(text.expose().as_bytes()).collect();
        let found = found.map_err(|_| self.wrong(option, path, "is not PEM"))?;
        if found.is_empty() {
            return Err(self.wrong(option, path, "holds no certificate"));
        }
        Ok((text, found))
    }

    fn authorities(&self, path: &Path) -> Result<Vec<u8>> {
        let (text, found) = self.certificates("ca", path)?;
        let mut roots = RootCertStore::empty();
        for certificate in found {
            roots
                .add(certificate)
                .map_err(|_| self.wrong("ca", path, "holds a certificate that cannot be read"))?;
        }
        Ok(text.expose().as_bytes().to_vec())
    }

    fn identity(&self, cert: &Path, key: &Path) -> Result<(Vec<u8>, Secret)> {
        let (chain_text, chain) = self.certificates("cert", cert)?;
        let text = self.text("key", key)?;
        if ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"]
            .iter()
            .any(|mark| text.expose().contains(mark))
        {
            return Err(self.wrong("key", key, "is encrypted: give the key without a passphrase"));
        }
        let read = PrivateKeyDer::from_pem_slice(text.expose().as_bytes());
        let read = read.map_err(|_| self.wrong("key", key, "holds no private key"))?;
        match CertifiedKey::from_der(chain, read, &ring::default_provider()) {
            Ok(_) => Ok((chain_text.expose().as_bytes().to_vec(), text)),
            Err(TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                let other = format!("is not the key of the certificate in {}", cert.display());
                Err(self.wrong("key", key, other))
            }
            Err(TlsError::InvalidCertificate(_)) => {
                Err(self.wrong("cert", cert, "holds a certificate that cannot be read"))
            }
            Err(_) => Err(self.wrong("key", key, "holds a key that cannot be used")),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;

    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, text).unwrap();
            path
        }
    }

    fn made() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        (cert.pem(), key.serialize_pem())
    }

    fn refused(files: &Files) -> String {
        let error = files.read("test").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("BEGIN"), "{error}");
        error.context().to_owned()
    }

    #[test]
    fn good_files_come_out_as_they_are() {
        let (folder, (cert, key)) = (Folder::new(), made());
        let ca = folder.file("ca.pem", &cert);
        let files =
            Files { ca: Some(ca), cert: Some(folder.file("c", &cert)), key: Some(folder.file("k", &key)) };
        let pems = files.read("test").unwrap();
        assert_eq!(pems.ca.as_deref(), Some(cert.as_bytes()));
        let (chain, secret) = pems.identity.clone().unwrap();
        assert_eq!((chain.as_slice(), secret.expose()), (cert.as_bytes(), key.as_str()));
        assert!(!format!("{pems:?}").contains("BEGIN"));
        assert_eq!(Files::default().read("test").unwrap(), Pems { ca: None, identity: None });
    }

    #[test]
    fn a_bad_authority_file_is_named() {
        let folder = Folder::new();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for (name, text, why) in [
            ("empty", "", "holds no certificate"),
            ("text", "hello", "holds no certificate"),
            ("broken", broken, "holds a certificate that cannot be read"),
            ("cut", cut, "is not PEM"),
        ] {
            let path = folder.file(name, text);
            let files = Files { ca: Some(path.clone()), ..Files::default() };
            assert_eq!(refused(&files), format!("option \"ca\": {}: {why}", path.display()));
        }
        let missing = Files { ca: Some(folder.0.path().join("missing")), ..Files::default() };
        assert!(refused(&missing).ends_with("missing: entity not found"));
        let directory = Files { ca: Some(folder.0.path().to_owned()), ..Files::default() };
        assert!(refused(&directory).ends_with("is no file"));
    }

    #[test]
    fn a_bad_key_is_named() {
        let (folder, (cert, key), (_, other)) = (Folder::new(), made(), made());
        let cert = folder.file("cert", &cert);
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (name, text, why) in [
            ("encrypted", encrypted, "is encrypted"),
            ("none", "", "holds no private key"),
            ("other", other.as_str(), "is not the key of the certificate in"),
            ("broken", broken, "holds a key that cannot be used"),
        ] {
            let path = folder.file(name, text);
            let files = Files { cert: Some(cert.clone()), key: Some(path.clone()), ca: None };
            let told = refused(&files);
            assert!(told.starts_with(&format!("option \"key\": {}: {why}", path.display())), "{told}");
        }
        let half = Files { cert: Some(cert), ..Files::default() };
        assert_eq!(refused(&half), "option \"cert\" needs \"key\"");
        let half = Files { key: Some(folder.file("key", &key)), ..Files::default() };
        assert_eq!(refused(&half), "option \"key\" needs \"cert\"");
    }
}
