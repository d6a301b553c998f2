//! A wire that keeps what clients have sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    task::JoinSet,
};

use super::cast::text;

/// The first byte of every connection that begins with a TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// What each connection brought, in the order of their coming.
type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

/// Stands before a server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    address: SocketAddr,
    kept: Kept,
    _door: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn lay(upstream: SocketAddr) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
        let address = listener.local_addr().map_err(text)?;
        let kept = Kept::default();
        let mut door = JoinSet::new();
        door.spawn(accept(listener, upstream, Arc::clone(&kept)));
        Ok(Self { address, kept, _door: door })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many connections came, if all of them began with a handshake and none carried one of these words.
    pub(crate) fn sealed(&self, words: &[&str]) -> Result<usize, String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for bytes in kept.iter() {
            if bytes.first().is_some_and(|first| *first != HANDSHAKE) {
                return Err(format!("a connection began with {:?}", &bytes[..bytes.len().min(24)]));
            }
            let carries = |word: &&&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
            if let Some(word) = words.iter().find(carries) {
                return Err(format!("a connection carried \"{word}\" in plain text"));
            }
        }
        Ok(kept.len())
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, kept: Kept) {
    let mut open = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let number = {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(Vec::new());
            kept.len() - 1
        };
        let kept = Arc::clone(&kept);
        open.spawn(async move {
            let Ok(server) = TcpStream::connect(upstream).await else { return };
            let ((mut from_server, to_server), (from_client, mut to_client)) =
                (server.into_split(), client.into_split());
            let up = forward(from_client, to_server, &kept, number);
            tokio::select! {
                () = up => {}
                _ = copy(&mut from_server, &mut to_client) => {}
            }
        });
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, kept: &Kept, number: usize) {
    let mut chunk = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        kept.lock().unwrap_or_else(PoisonError::into_inner)[number].extend_from_slice(&chunk[..count]);
        if to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}
