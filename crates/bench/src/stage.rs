//! Where runs take place: a server, a namespace of this process on it, and a room of its own for each run.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use etcd_client::{ConnectOptions, DeleteOptions};
use reception::{Clock, DialUrl, Moment, Secret};
use reception_lab::Etcd;

use crate::{Result, args::Args, report::Turn, room::Room, way::Way};

/// Nobody else's: an address that nothing is sent to.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

#[derive(Debug)]
pub(crate) struct Stage {
    /// Held while it is ours; dropping it ends the server.
    _server: Option<Etcd>,
    address: SocketAddr,
    local: bool,
    user: Option<(String, Secret)>,
    namespace: String,
    rooms: AtomicU64,
    leases: Mutex<Vec<i64>>,
}

impl Stage {
    /// Takes the server of `--url`, or starts one.
    pub(crate) async fn open(args: &Args) -> Result<Self> {
        let own = format!("bench-{}-{}", std::process::id(), since_boot().as_nanos());
        let mut stage = Self {
            _server: None,
            address: NOWHERE,
            local: args.is_local(),
            user: None,
            namespace: own.clone(),
            rooms: AtomicU64::new(0),
            leases: Mutex::default(),
        };
        match args.url() {
            _ if stage.local => {}
            Some(url) => {
                let url: DialUrl = url.parse()?;
                if let Some(option) = url.options().next() {
                    return Err(format!("the bench sets its own options: take {option:?} off the URL").into());
                }
                let [host] = url.hosts() else { return Err("--url wants one host".into()) };
                let host = if host.contains(':') { host.clone() } else { format!("{host}:2379") };
                let found = host.to_socket_addrs()?.next();
                stage.address = found.ok_or_else(|| format!("{host} has no address"))?;
                stage.user = url.user().map(|(name, password)| {
                    (name.to_owned(), password.cloned().unwrap_or_else(|| Secret::new("")))
                });
                let given = url.namespace()?;
                stage.namespace = if given.is_empty() { own } else { format!("{given}/{own}") };
                stage.connect(stage.address).await?.status().await?;
            }
            None => {
                let server = Etcd::start().await?;
                stage.address = server.endpoint();
                stage._server = Some(server);
            }
        }
        Ok(stage)
    }

    /// A room for one run, empty.
    pub(crate) async fn room(&self, turn: &Turn) -> Result<Room<'_>> {
        let number = self.rooms.fetch_add(1, Ordering::Relaxed);
        let way = if turn.counting { Way::counting(self.address).await? } else { Way::direct(self.address) };
        Ok(Room::new(self, turn.counting, format!("{}/{number}", self.namespace), way))
    }

    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `user:password@`, or nothing.
    pub(crate) fn credentials(&self) -> String {
        self.user
            .as_ref()
            .map(|(name, password)| format!("{name}:{}@", password.expose()))
            .unwrap_or_default()
    }

    /// A connection of its own; boxed, since it is large.
    pub(crate) async fn connect(&self, address: SocketAddr) -> Result<Box<etcd_client::Client>> {
        let mut options = ConnectOptions::new().with_connect_timeout(Duration::from_secs(5));
        if let Some((name, password)) = &self.user {
            options = options.with_user(name, password.expose());
        }
        Ok(Box::new(etcd_client::Client::connect([address.to_string()], Some(options)).await?))
    }

    /// Notes a lease that is to be gone in the end.
    pub(crate) fn note(&self, lease: i64) {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).push(lease);
    }

    /// Takes away all that this process has left, whatever became of its runs.
    pub(crate) async fn clear(&self) -> Result<()> {
        if self.local {
            return Ok(());
        }
        self.clear_leases().await?;
        let mut client = self.connect(self.address).await?;
        client.delete(format!("{}/", self.namespace), Some(DeleteOptions::new().with_prefix())).await?;
        Ok(())
    }

    pub(crate) async fn clear_leases(&self) -> Result<()> {
        let leases = std::mem::take(&mut *self.leases.lock().unwrap_or_else(PoisonError::into_inner));
        if leases.is_empty() {
            return Ok(());
        }
        let mut client = self.connect(self.address).await?;
        // Some have run out, and some were revoked as part of a run.
        let alive = client.leases().await?;
        let alive = alive.leases().iter().map(etcd_client::LeaseStatus::id);
        for lease in alive.filter(|lease| leases.contains(lease)) {
            client.lease_revoke(lease).await?;
        }
        Ok(())
    }
}

/// The time since the machine was started, which no clock of the wall disturbs.
pub(crate) fn since_boot() -> Duration {
    Clock::BOOT.now().saturating_since(Moment::from_duration(Duration::ZERO))
}
