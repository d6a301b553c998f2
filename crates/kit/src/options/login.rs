//! The user and its password, which may be in a file.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use reception_core::{DialUrl, Opt, Result, Secret};

use super::config;

/// The user, where it is not before the hosts.
pub const USER: Opt<String> =
    Opt::new("user", "the user, if not before the hosts").requires(&["password_file"]);
/// A file with the user's password.
pub const PASSWORD_FILE: Opt<PathBuf> = Opt::new("password_file", "a file with the user's password");

const MOST: u64 = 4096;

/// Who logs in, as options say it.
#[derive(Clone, Default)]
pub struct Login {
    user: Option<(String, Option<Secret>)>,
    file: Option<PathBuf>,
}

impl Login {
    /// Takes the user from a URL: before the hosts, or by the options `user` and `password_file`.
    ///
    /// # Errors
    ///
    /// Config for a user given both ways.
    pub fn from_url(backend: &'static str, url: &DialUrl) -> Result<Self> {
        let before = url.user().map(|(name, password)| (name.to_owned(), password.cloned()));
        let given = url.get(&USER)?.map(|name| (name, None));
        if before.is_some() && given.is_some() {
            let twice = "the user is given twice: before the hosts and as option \"user\"";
            return Err(config(backend, twice));
        }
        Ok(Self { user: before.or(given), file: url.get(&PASSWORD_FILE)? })
    }

    /// Sets the user; a password that is not given is in the file.
    pub fn set_user(&mut self, name: impl Into<String>, password: Option<Secret>) {
        self.user = Some((name.into(), password));
    }

    /// Sets the file with the password.
    pub fn set_file(&mut self, file: impl Into<PathBuf>) {
        self.file = Some(file.into());
    }

    /// Whether a user is given.
    #[must_use]
    pub fn has_user(&self) -> bool {
        self.user.is_some()
    }

    /// The user with the password, which is read now if it is in a file.
    ///
    /// # Errors
    ///
    /// Config for one without the other, a password given twice, and what [`read_secret`] refuses.
    pub fn read(&self, backend: &'static str) -> Result<Option<(String, Secret)>> {
        let refuse = |why: &str| Err(config(backend, why));
        match (&self.user, &self.file) {
            (None, None) => Ok(None),
            (None, Some(_)) => refuse("option \"password_file\" needs a user"),
            (Some((_, Some(_))), Some(_)) => refuse("the password is given twice"),
            (Some((_, None)), None) => refuse("the user has no password"),
            (Some((name, Some(password))), None) => Ok(Some((name.clone(), password.clone()))),
            (Some((name, None)), Some(file)) => {
                Ok(Some((name.clone(), read_secret(backend, PASSWORD_FILE.spec().key(), file)?)))
            }
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .field("password_file", &self.file)
            .finish()
    }
}

/// Reads the file that an option names; a line end at its end does not count.
///
/// # Errors
///
/// Config, with the option and the path and never with what stands there: a file that cannot be read, is empty or has over 4096 bytes.
pub fn read_secret(backend: &'static str, option: &str, file: &Path) -> Result<Secret> {
    let wrong =
        |what: &dyn fmt::Display| config(backend, format!("option \"{option}\": {}: {what}", file.display()));
    let mut text = String::new();
    let read = File::open(file).and_then(|opened| opened.take(MOST + 1).read_to_string(&mut text));
    // From here on the text is wiped with its end.
    let text = Secret::new(text);
    let size = read.map_err(|error| wrong(&error.kind()))?;
    if size as u64 > MOST {
        return Err(wrong(&format!("has over {MOST} bytes")));
    }
    let secret = Secret::new(text.expose().trim_end_matches(['\r', '\n']));
    if secret.expose().is_empty() {
        return Err(wrong(&"is empty"));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Option<(String, String)>> {
        let read = Login::from_url("test", &url.parse()?)?.read("test")?;
        Ok(read.map(|(name, password)| (name, password.expose().to_owned())))
    }

    #[test]
    fn a_user_is_read_from_either_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, " sesame \r\n\n").unwrap();
        let file = file.display();
        assert_eq!(of("x://h").unwrap(), None);
        let both = |password: &str| Some(("me".to_owned(), password.to_owned()));
        assert_eq!(of("x://me:pw@h").unwrap(), both("pw"));
        assert_eq!(of(&format!("x://me@h?password_file={file}")).unwrap(), both(" sesame "));
        assert_eq!(of(&format!("x://h?user=me&password_file={file}")).unwrap(), both(" sesame "));
    }

    #[test]
    fn a_half_given_or_doubled_user_is_refused() {
        for (url, why) in [
            ("x://h?password_file=f", "option \"password_file\" needs a user"),
            ("x://me:pw@h?password_file=f", "the password is given twice"),
            ("x://me@h", "the user has no password"),
            ("x://me@h?user=you", "the user is given twice: before the hosts and as option \"user\""),
        ] {
            assert_eq!(of(url).unwrap_err().context(), why);
        }
    }

    #[test]
    fn a_file_that_is_wrong_is_named_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |name: &str, bytes: Option<&[u8]>| {
            let path = folder.path().join(name);
            bytes.inspect(|bytes| std::fs::write(&path, bytes).unwrap());
            let error = read_secret("test", "password_file", &path).unwrap_err();
            let start = format!("option \"password_file\": {}: ", path.display());
            error.context().strip_prefix(&start).unwrap().to_owned()
        };
        assert_eq!(refused("missing", None), "entity not found");
        assert_eq!(refused("empty", Some(b"\r\n")), "is empty");
        assert_eq!(refused("large", Some(&[b'c'; 4097])), "has over 4096 bytes");
        assert_eq!(refused("bytes", Some(b"canary\xff")), "invalid data");
        assert_eq!(refused("", None), "is a directory");
    }

    #[test]
    fn the_debug_text_names_the_user_alone() {
        let mut login = Login::default();
        login.set_user("me", Some(Secret::new("sesame")));
        assert_eq!(format!("{login:?}"), "Login { user: Some(\"me\"), password_file: None }");
    }
}
