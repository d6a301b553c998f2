//! The term of an election: the domain of its tokens, the last token, whose it was, and under which lock it was given.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
};

use reception_core::FencingToken;
use uuid::Uuid;

use crate::{
    layout::Room,
    records::{self, Identity},
};

/// A term is far shorter than this.
const MOST: u64 = 1024;

/// What the last winner wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) token: FencingToken,
    pub(crate) ticket: String,
    /// The file whose lock the winner held.
    pub(crate) lock: Identity,
}

impl Term {
    /// None before the first win. What is not ours is an error, and is never written over.
    pub(crate) fn read(room: &Room) -> io::Result<Option<Self>> {
        let file = match records::open_read(&room.term()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(MOST).read_to_string(&mut text)?;
        Self::parse(&text).map(Some).ok_or_else(|| odd("the file `term` is not one of ours"))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        let (version, token, ticket) = (words.next()?, words.next()?, words.next()?);
        let (device, inode) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let whole = version == "1" && words.next().is_none();
        let token = token.parse().ok().filter(|_| whole)?;
        Some(Self { token, ticket: ticket.to_owned(), lock: Identity { device, inode } })
    }

    /// The term after this one.
    pub(crate) fn after(previous: Option<&Self>, ticket: &str, lock: Identity) -> io::Result<Self> {
        let (domain, value) = match previous {
            Some(term) => (term.token.domain(), term.token.value()),
            None => (Uuid::new_v4().into_bytes(), 0),
        };
        // Only a hand can have brought it there: no token may come again.
        let value = value.checked_add(1).ok_or_else(|| odd("the file `term` has the last token there is"))?;
        Ok(Self { token: FencingToken::new(domain, value), ticket: ticket.to_owned(), lock })
    }

    /// Puts this in the place of the last one; only who holds the lock may. On disk before it is told: a token must not come again after
    /// the power has failed.
    pub(crate) fn write(&self, room: &Room) -> io::Result<()> {
        let Self { token, ticket, lock } = self;
        // Another leader was killed here, or something else stands there: neither is wanted.
        records::remove(&room.next_term())?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(room.next_term())?;
        file.write_all(format!("1 {token} {ticket} {} {}\n", lock.device, lock.inode).as_bytes())?;
        file.sync_data()?;
        fs::rename(room.next_term(), room.term())?;
        File::open(room.folder())?.sync_all()
    }
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: Identity = Identity { device: 7, inode: 8 };

    #[test]
    fn a_term_reads_back_and_the_next_one_has_a_larger_token() {
        let desk = tempfile::tempdir().unwrap();
        let space = crate::layout::Namespace::new(desk.path(), &[]);
        let room = space.election(&"reaper".parse().unwrap());
        room.make(desk.path()).unwrap();
        assert_eq!(Term::read(&room).unwrap(), None);
        let first = Term::after(None, "t-1", LOCK).unwrap();
        first.write(&room).unwrap();
        assert_eq!(Term::read(&room).unwrap(), Some(first.clone()));
        let second = Term::after(Some(&first), "t-2", LOCK).unwrap();
        assert!(second.token > first.token);
        second.write(&room).unwrap();
        assert_eq!(Term::read(&room).unwrap(), Some(second));
    }

    #[test]
    fn what_is_not_a_term_is_not_taken_for_one() {
        let good = "1 000102030405060708090a0b0c0d0e0f:42 t-1 7 8\n";
        assert_eq!(Term::parse(good).unwrap().token.value(), 42);
        for odd in
            ["", "1", "2 000102030405060708090a0b0c0d0e0f:42 t-1 7 8\n", good.trim_end(), "1 x t-1 7 8\n"]
        {
            assert_eq!(Term::parse(odd), None, "{odd}");
        }
        assert_eq!(Term::parse(&good.replace("8\n", "8 9\n")), None);
    }
}
