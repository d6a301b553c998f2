//! Where runs take place: a server, a namespace of this process on it, and a room of its own for each run.

use std::{
    any::Any,
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reception::{Clock, DialUrl, Moment, Secret};
use reception_lab::{Consul, Etcd, ZooKeeper};

use crate::{Result, args::Args, report::Turn, room::Room, store::Store, way::Way};

/// Nobody else's: an address that nothing is sent to.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// For so long after the servers have chosen a leader a Consul agent may still wait before it compares all (`serverUpIntv` in its `agent/ae/ae.go`),
/// and until then it tells them of no check that has lapsed.
const COMPARED: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(crate) struct Stage {
    /// Held while it is ours; dropping it ends the server.
    _server: Option<Box<dyn Any + Send + Sync>>,
    pub(super) address: SocketAddr,
    store: Store,
    local: bool,
    pub(super) user: Option<(String, Secret)>,
    pub(super) namespace: String,
    rooms: AtomicU64,
    pub(super) leases: Mutex<Vec<i64>>,
}

impl Stage {
    /// Takes the server of `--url`, or starts one.
    pub(crate) async fn open(args: &Args) -> Result<Self> {
        let own = format!("bench-{}-{}", std::process::id(), since_boot().as_nanos());
        let mut stage = Self {
            _server: None,
            address: NOWHERE,
            store: args.store(),
            local: args.is_local(),
            user: None,
            namespace: own,
            rooms: AtomicU64::new(0),
            leases: Mutex::default(),
        };
        match args.url() {
            _ if stage.local => {}
            Some(url) if !url.ends_with(':') => stage.take(url).await?,
            _ => stage.start().await?,
        }
        Ok(stage)
    }

    /// A server of somebody else.
    async fn take(&mut self, url: &str) -> Result<()> {
        let url: DialUrl = url.parse()?;
        if let Some(option) = url.options().next() {
            return Err(format!("the bench sets its own options: take {option:?} off the URL").into());
        }
        let [host] = url.hosts() else { return Err("--url wants one host".into()) };
        let host = if host.contains(':') { host.clone() } else { format!("{host}:{}", self.store.port()) };
        let found = host.to_socket_addrs()?.next();
        self.address = found.ok_or_else(|| format!("{host} has no address"))?;
        self.user = url
            .user()
            .map(|(name, password)| (name.to_owned(), password.cloned().unwrap_or_else(|| Secret::new(""))));
        let given = url.namespace()?;
        if !given.is_empty() {
            self.namespace = format!("{given}/{}", self.namespace);
        }
        match self.store {
            Store::ZooKeeper if self.user.is_some() => Err("--url of a ZooKeeper wants no user".into()),
            Store::ZooKeeper => self.zookeeper(self.address).await.map(drop),
            Store::Consul => self.consul().get("/v1/status/leader").await.map(drop).map_err(Into::into),
            Store::Etcd | Store::Memory => Ok(self.etcd(self.address).await?.status().await.map(drop)?),
        }
    }

    async fn start(&mut self) -> Result<()> {
        match self.store {
            Store::ZooKeeper => {
                let server = ZooKeeper::start().await?;
                self.address = server.endpoint();
                self._server = Some(Box::new(server));
            }
            Store::Consul => {
                let server = Consul::start().await?;
                tokio::time::sleep(COMPARED).await;
                self.address = server.endpoint();
                self._server = Some(Box::new(server));
            }
            Store::Etcd | Store::Memory => {
                let server = Etcd::start().await?;
                self.address = server.endpoint();
                self._server = Some(Box::new(server));
            }
        }
        Ok(())
    }

    /// A room for one run, empty.
    pub(crate) async fn room(&self, turn: &Turn) -> Result<Room<'_>> {
        let number = self.rooms.fetch_add(1, Ordering::Relaxed);
        let way = if turn.counting {
            Way::counting(self.address, self.store).await?
        } else {
            Way::direct(self.address, self.store)
        };
        let room = Room::new(self, turn.counting, format!("{}/{number}", self.namespace), way);
        room.enter().await?;
        Ok(room)
    }

    pub(crate) fn store(&self) -> Store {
        if self.local { Store::Memory } else { self.store }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `user:password@`, or nothing.
    pub(crate) fn credentials(&self) -> String {
        self.user
            .as_ref()
            .map(|(name, password)| format!("{}:{}@", encoded(name), encoded(password.expose())))
            .unwrap_or_default()
    }

    /// Takes away all that this process has left, whatever became of its runs.
    pub(crate) async fn clear(&self) -> Result<()> {
        match self.store() {
            Store::Memory => Ok(()),
            Store::Etcd => self.clear_etcd().await,
            Store::ZooKeeper => self.clear_zookeeper(&format!("/{}", self.namespace)).await,
            Store::Consul => self.clear_consul(&self.namespace).await,
        }
    }
}

/// The text as it may stand before the `@` of a URL.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let told = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(told).collect()
}

/// The time since the machine was started, which no clock of the wall disturbs.
pub(crate) fn since_boot() -> Duration {
    Clock::BOOT.now().saturating_since(Moment::from_duration(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_any_signs_comes_back_from_a_url() {
        let password = "p@ss/w:rd%20 ?#ü";
        let url = format!("etcd://{}:{}@h:1/x", encoded("ro:ot"), encoded(password));
        let url: DialUrl = url.parse().expect("a URL");
        let (name, given) = url.user().expect("a user");
        assert_eq!((name, given.map(Secret::expose)), ("ro:ot", Some(password)));
    }
}
