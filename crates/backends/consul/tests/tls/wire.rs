//! What goes over the wire: with TLS nothing that others could read, whoever is at the other end.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use reception_core::{ClientExt as _, Service};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Authority, api, dial};

const TOKEN: &str = "0b7f4b0e-6c6c-4d8e-9a43-51a1b2f0c001";

/// What clients have sent.
type Sent = Arc<Mutex<Vec<u8>>>;

/// Passes everything on to the agent, and keeps what clients send.
async fn tap(agent: SocketAddr) -> (SocketAddr, Sent, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, sent) = (listener.local_addr().unwrap(), Sent::default());
    let (kept, mut tasks) = (Arc::clone(&sent), JoinSet::new());
    tasks.spawn(async move {
        let mut callers = JoinSet::new();
        while let Ok((caller, _)) = listener.accept().await {
            callers.spawn(pass(caller, agent, Arc::clone(&kept)));
        }
    });
    (address, sent, tasks)
}

async fn pass(caller: TcpStream, agent: SocketAddr, kept: Sent) -> std::io::Result<()> {
    let (mut from_agent, mut to_agent) = TcpStream::connect(agent).await?.into_split();
    let (mut from_caller, mut to_caller) = caller.into_split();
    let there = async {
        let mut piece = [0; 16 * 1024];
        loop {
            let count = from_caller.read(&mut piece).await?;
            if count == 0 {
                return to_agent.shutdown().await;
            }
            kept.lock().unwrap().extend_from_slice(&piece[..count]);
            to_agent.write_all(&piece[..count]).await?;
        }
    };
    let back = async { copy(&mut from_agent, &mut to_caller).await.map(drop) };
    tokio::try_join!(there, back).map(drop)
}

/// A record of TLS that begins a handshake.
const HANDSHAKE: u8 = 22;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_tls_nothing_goes_out_in_plain_text() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let consul = authority.agent("127.0.0.1", false).await;
    for (what, agent, ca, works) in [
        ("trusted", consul.secure_endpoint(), &authority.ca, true),
        ("of another authority", consul.secure_endpoint(), &stranger.ca, false),
        ("without TLS", consul.endpoint(), &authority.ca, false),
    ] {
        let (address, sent, _tasks) = tap(agent).await;
        let url = format!("consul+tls://{address}/secret-place?timeout=2s&token={TOKEN}&ca={}", ca.display());
        let client = dial(&url).await.unwrap();
        let one = Service::builder("api", "10.0.0.7", 8080).id("secret-instance").build().unwrap();
        assert_eq!(client.register(one).await.is_ok(), works, "{what}");
        assert_eq!(client.list(&api()).await.is_ok(), works, "{what}");
        drop(client.close().await);
        let sent = sent.lock().unwrap().clone();
        assert_eq!(sent.first(), Some(&HANDSHAKE), "{what}: {sent:?}");
        let text = String::from_utf8_lossy(&sent);
        for word in [TOKEN, "secret", "HTTP/1.1", "/v1/"] {
            assert!(!text.contains(word), "{what}: {word} can be read");
        }
    }
    // The tap sees what is there to be seen.
    let (address, sent, _tasks) = tap(consul.endpoint()).await;
    let client = dial(&format!("consul://{address}/secret-place?token={TOKEN}")).await.unwrap();
    client.list(&api()).await.unwrap();
    client.close().await.unwrap();
    let sent = sent.lock().unwrap().clone();
    assert!(String::from_utf8_lossy(&sent).contains(TOKEN));
}
