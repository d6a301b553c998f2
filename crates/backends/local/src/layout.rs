//! Where files lie in the folder: the contract with other programs on the same machine, described in `docs/wire/local.md`.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use reception_core::{ElectionName, ServiceName};

use crate::{folder::judge, spent::Spent};

/// The part of the folder that the clients of one namespace share, and what one of them spends there.
#[derive(Debug, Clone)]
pub(crate) struct Namespace(PathBuf, Spent);

/// The folder of one service, or of one election.
#[derive(Debug, Clone)]
pub(crate) struct Room(PathBuf, Spent);

impl Namespace {
    /// The namespace of these parts, each checked to be a name, under the root folder.
    pub(crate) fn new(root: &Path, parts: &[String]) -> Self {
        let mut place = root.to_owned();
        place.extend(parts);
        Self(place, Spent::default())
    }

    /// What has been spent.
    pub(crate) fn spent(&self) -> &Spent {
        &self.1
    }

    /// The folder of all services.
    pub(crate) fn services(&self) -> PathBuf {
        self.0.join("services")
    }

    /// The folder of one service; none when no file could have the name.
    pub(crate) fn service(&self, name: &ServiceName) -> Option<Room> {
        is_file_name(name.as_str()).then(|| Room(self.services().join(name.as_str()), self.1.clone()))
    }

    /// The folder of one election, whose name is one that we may write.
    pub(crate) fn election(&self, name: &ElectionName) -> Room {
        Room(self.0.join("elections").join(name.as_str()), self.1.clone())
    }
}

impl Room {
    /// The records: each is the claim of its owner, who holds the lock on it.
    pub(crate) fn records(&self) -> PathBuf {
        self.0.join("records")
    }

    pub(crate) fn record(&self, id: &str) -> PathBuf {
        self.records().join(id)
    }

    /// The signs: files that nobody reads, each held open for writing by its owner, so that its death is an event of this folder.
    pub(crate) fn signs(&self) -> PathBuf {
        self.0.join("signs")
    }

    pub(crate) fn sign(&self, id: &str) -> PathBuf {
        self.signs().join(id)
    }

    /// Locked for the instant in which a record is put or taken away.
    pub(crate) fn gate(&self) -> PathBuf {
        self.0.join("gate")
    }

    /// Of an election: locked by the leader.
    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Of an election: the domain, the last token and whose it was.
    pub(crate) fn term(&self) -> PathBuf {
        self.0.join("term")
    }

    /// The term in the making; only the leader writes it.
    pub(crate) fn next_term(&self) -> PathBuf {
        self.0.join(".term")
    }

    /// What has been spent.
    pub(crate) fn spent(&self) -> &Spent {
        &self.1
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Makes the folders below the root; the root itself is not made here.
    pub(crate) fn make(&self, root: &Path) -> io::Result<()> {
        for folder in [self.records(), self.signs()] {
            if !folder.is_dir() && root.is_dir() {
                DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            }
        }
        self.check()
    }

    /// Refuses what others can put something into: the root may be one that others can enter.
    pub(crate) fn check(&self) -> io::Result<()> {
        let user = rustix::process::geteuid().as_raw();
        for folder in [self.folder(), &self.records(), &self.signs()] {
            match folder.metadata() {
                Ok(found) => judge(&found, user)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The id that a file in a folder of records or signs stands for; what begins with a dot is in the making.
pub(crate) fn id(file_name: &std::ffi::OsStr) -> Option<&str> {
    file_name.to_str().filter(|name| !name.starts_with('.'))
}

/// A record in the making.
pub(crate) fn draft() -> String {
    format!(".{}", uuid::Uuid::new_v4().simple())
}

/// The place of a candidate in the line: by number, and among equal ones by chance.
pub(crate) fn ticket(number: u64) -> String {
    format!("{number:020}-{}", uuid::Uuid::new_v4().simple())
}

/// The number of a candidate's place.
pub(crate) fn number(ticket: &str) -> Option<u64> {
    let (number, mark) = ticket.split_once('-')?;
    let whole = number.len() == 20 && mark.len() == 32 && number.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| number.parse().ok()).flatten()
}

/// Whether the text can name a file in a folder, and nothing outside it.
fn is_file_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && !text.starts_with('.') && !text.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_where_the_layout_says() {
        let space = Namespace::new(Path::new("/f"), &["prod".to_owned(), "eu".to_owned()]);
        let room = space.service(&ServiceName::new("api").unwrap()).unwrap();
        assert_eq!(room.record("i-1"), Path::new("/f/prod/eu/services/api/records/i-1"));
        assert_eq!(room.sign("i-1"), Path::new("/f/prod/eu/services/api/signs/i-1"));
        let room = space.election(&ElectionName::new("reaper").unwrap());
        assert_eq!(room.term(), Path::new("/f/prod/eu/elections/reaper/term"));
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_has_no_place() {
        let space = Namespace::new(Path::new("/f"), &["prod".to_owned()]);
        for name in ["..", ".", "../x", "a/b", "/etc", ".hidden", &"x".repeat(256)] {
            assert!(space.service(&ServiceName::foreign(name).unwrap()).is_none(), "{name}");
        }
        assert!(space.service(&ServiceName::foreign("has space").unwrap()).is_some());
    }

    #[test]
    fn tickets_are_in_the_order_of_their_numbers() {
        let (nine, ten) = (ticket(9), ticket(10));
        assert!(nine < ten);
        assert_eq!((number(&nine), number(&ten)), (Some(9), Some(10)));
        for odd in
            ["", "9-x", "x", "00000000000000000009", "0000000000000000000x-00000000000000000000000000000000"]
        {
            assert_eq!(number(odd), None, "{odd}");
        }
    }
}
