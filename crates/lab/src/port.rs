//! Loopback ports that no parallel test takes.
//!
//! A port found by binding port 0 is free only for that moment: another test, or any outgoing
//! connection, may get it before the server binds it. These ports lie below the range from which the
//! kernel serves outgoing connections, and a locked file holds each for as long as its [`Port`] lives,
//! across threads and processes. The kernel frees the lock when a process dies.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process,
    sync::atomic::{AtomicU16, Ordering},
};

use socket2::{Domain, Socket, Type};

use crate::{Error, Result};

const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A reserved loopback port; given back when dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// The port's number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }

    /// Reserves this very port, if nobody holds it and it can be bound.
    pub(crate) fn reserve(number: u16) -> Result<Option<Self>> {
        let folder = folder()?;
        let path = folder.join(number.to_string());
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io(format!("open {}", path.display())))?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        let free = is_free(SocketAddr::from((Ipv4Addr::LOCALHOST, number)));
        Ok(free.then_some(Self { number, _lock: lock }))
    }
}

/// Reserves a loopback port until the [`Port`] is dropped.
///
/// # Errors
///
/// [`Error::NoPort`] when all are taken, [`Error::Io`] when the temporary folder cannot be written.
pub fn free_port() -> Result<Port> {
    // Processes start at different places, so that they rarely meet at the same lock.
    let spread = (process::id() as u16).wrapping_mul(61);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(spread);
        if let Some(port) = Port::reserve(FIRST + step % COUNT)? {
            return Ok(port);
        }
    }
    Err(Error::NoPort)
}

/// Whether the port can be bound. The probe never listens: a child that starts at this moment has it too until it runs
/// its program, and a listener would keep the port for as long.
fn is_free(address: SocketAddr) -> bool {
    let bind = || -> std::io::Result<()> {
        let probe = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        probe.set_reuse_address(true)?;
        probe.bind(&address.into())
    };
    bind().is_ok()
}

fn folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join("reception-lab-ports");
    fs::create_dir_all(&folder).map_err(Error::io(format!("create {}", folder.display())))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::TcpListener, process::Command, sync::atomic::AtomicBool, thread};

    use super::*;

    #[test]
    fn parallel_reservations_never_share_a_port() {
        let threads: Vec<_> = (0..4)
            .map(|_| thread::spawn(|| (0..50).map(|_| free_port().unwrap()).collect::<Vec<_>>()))
            .collect();
        let ports: Vec<Port> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ports.iter().map(Port::number).collect::<BTreeSet<_>>().len(), 200);
    }

    #[test]
    fn a_port_can_be_listened_on_while_children_start() {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        assert!(Command::new("true").status().unwrap().success());
                    }
                });
            }
            let refused =
                (0..2_000).filter(|_| TcpListener::bind(free_port().unwrap().address()).is_err()).count();
            over.store(true, Ordering::Relaxed);
            assert_eq!(refused, 0);
        });
    }

    #[test]
    fn a_held_port_is_refused_and_a_dropped_one_is_given_again() {
        let port = free_port().unwrap();
        let number = port.number();
        assert!(Port::reserve(number).unwrap().is_none());
        drop(port);
        assert!(Port::reserve(number).unwrap().is_some());
    }
}
