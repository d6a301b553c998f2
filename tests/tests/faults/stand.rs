//! The hooks into one kind of server: what a backend brings to play the scenarios.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use reception::async_trait;
use reception_lab::{ConsulApi, Result};

use crate::serving::cast::NOTICE;

/// How a server may be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// It asks for a user, whose token ends after five idle seconds.
    IdleTokens,
    /// It asks for a user, whose token ends with every change of the users.
    SignedTokens,
    /// It shows a certificate, which the URL's authority has signed.
    Certificate,
    /// It asks for a certificate as well.
    BothCertificates,
}

/// What a kind of server may be unable to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// To be set up like this.
    Setup(Setup),
    /// To have users.
    Guard,
    /// To have certificates.
    Seal,
    /// To forget its history.
    Forgetting,
    /// To be a folder of this machine.
    Folder,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(setup) => write!(f, "server set up with {setup:?}"),
            Self::Guard => f.write_str("users to change"),
            Self::Seal => f.write_str("certificates to change"),
            Self::Folder => f.write_str("folder"),
            Self::Forgetting => f.write_str("way to forget its history"),
        }
    }
}

/// What a server has counted since it started; it forgets it when it is restarted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Watches open now.
    pub(crate) watches: u64,
    /// Calls that may write.
    pub(crate) writes: u64,
    /// All calls but signs of life and questions that are held back, where the stand tells them apart.
    pub(crate) calls: Option<u64>,
    /// Tries to prove who one is.
    pub(crate) logins: u64,
}

/// A server with users: the URL names one who may use the namespace.
#[async_trait]
pub(crate) trait Guard: Send + Sync {
    /// Adds some other user, as an administrator does: how often that one proved who it is.
    async fn add_user(&self, name: &str) -> Result<u64>;

    /// Gives the URL's user another password (false), or its own again (true).
    async fn set_password(&self, right: bool) -> Result<()>;

    /// Takes the rights from the URL's user (false), or gives them again (true).
    async fn set_rights(&self, right: bool) -> Result<()>;
}

/// What the certificate of a server is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A new one, as good as the last.
    Rotated,
    /// Its time has passed.
    Expired,
    /// It speaks for another host.
    Misnamed,
    /// Another authority has signed it.
    Foreign,
}

/// A server with certificates.
pub(crate) trait Seal: Send + Sync {
    /// From now on the server shows this certificate to who connects.
    fn show(&self, shown: Shown);

    /// A URL as `url`, without a certificate of its own.
    fn url_without_certificate(&self, endpoint: SocketAddr, namespace: &str) -> String;
}

/// A store that is a folder of this machine: there is no server, and everything can be done to its files.
pub(crate) trait Folder: Send + Sync {
    /// Where it lies.
    fn path(&self) -> PathBuf;

    /// From now on whoever dials, or has dialled, through `endpoint` finds nothing there.
    fn cut(&self, endpoint: SocketAddr) -> Result<()>;

    /// It finds the folder again.
    fn heal(&self, endpoint: SocketAddr) -> Result<()>;
}

/// One running server of a kind, alone in its scenario.
#[async_trait]
pub(crate) trait Stand: Send + Sync {
    /// Where the server listens, for a proxy in front of it.
    fn endpoint(&self) -> SocketAddr;

    /// What this kind cannot do by its nature: scenarios that need it are told as unproven instead of failing.
    fn lacks(&self) -> &'static [Lack];

    /// The URL that dials the server, or a proxy in front of it, at `endpoint`.
    fn url(&self, endpoint: SocketAddr, namespace: &str, ttl: Duration) -> String;

    /// The ttl that the store will grant when asked for this one; none at all where nothing expires.
    fn granted(&self, asked: Duration) -> Duration;

    /// How long the store may take to notice a death, beyond the granted ttl.
    fn expiry_slack(&self) -> Duration;

    /// How long the owner of a registration may take to have it back after `revoke`: it is told of the end of a lease at once.
    fn back_after_revoke(&self) -> Duration {
        NOTICE + Duration::from_secs(1)
    }

    /// How many connections a client of one watch, one leadership and its registrations may make after a reset.
    fn connects(&self) -> u64 {
        2
    }

    /// How many connections a client may keep for later, beside those in use.
    fn spare_connections(&self) -> usize {
        0
    }

    /// In how long a span what begins and what ends race, when it is to leave a busy machine the time to get somewhere.
    fn race(&self) -> Duration {
        Duration::from_millis(400)
    }

    /// How long after a restart with its data the store itself may take some instances for gone; `None` where it never does.
    fn hidden_after_restart(&self) -> Option<Duration> {
        None
    }

    /// How many watches an owner has on each record of its own.
    fn watches_of_an_owner(&self) -> u64 {
        1
    }

    /// Whether an id that somebody else has is found out by reading alone.
    fn reads_conflicts(&self) -> bool {
        false
    }

    /// Where a store that does not tell who stands has a session of each that does.
    fn sessions(&self) -> Option<ConsulApi> {
        None
    }

    /// Connections that this process itself passes on to the server, each with a task of its own.
    fn relayed(&self) -> u64 {
        0
    }

    /// Over how long many clients that were cut off at once are asked to come back; zero where their driver decides.
    fn spread(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Kills the server (SIGKILL).
    fn kill(&self);

    /// Kills it if it runs, and starts it again with its data; ready when it answers.
    async fn restart(&self) -> Result<()>;

    /// As `restart`, without its data.
    async fn wipe(&self) -> Result<()>;

    /// Freezes the server: connections stay open and silent.
    fn pause(&self) -> Result<()>;

    /// Thaws it.
    fn resume(&self) -> Result<()>;

    /// Ends every lease or session that holds something of the namespace, as an operator would.
    async fn revoke(&self, namespace: &str) -> Result<()>;

    /// Deletes the key of the leader of an election while its lease lives.
    async fn delete_leader(&self, namespace: &str, election: &str) -> Result<()>;

    /// Deletes the key of an instance while its lease lives.
    async fn delete_instance(&self, namespace: &str, service: &str, id: &str) -> Result<()>;

    /// What the store holds of the namespace now: records, candidates, leases; without what is shared.
    async fn residue(&self, namespace: &str) -> Result<Vec<String>>;

    /// Saves what the store holds now.
    async fn save(&self) -> Result<()>;

    /// As `restart`, with what was saved last instead of what is there: the store goes back in time.
    async fn restore(&self) -> Result<()>;

    /// Brings an election to where it stands after its first leader, if that one has to wait.
    async fn prepare(&self, namespace: &str, election: &str) -> Result<()>;

    /// What the server has counted so far.
    async fn tally(&self) -> Result<Tally>;

    /// Another server of the kind, set up otherwise; `None` where the kind knows no such thing.
    async fn other(&self, setup: Setup) -> Result<Option<Box<dyn Stand>>>;

    /// What only a server with users can do.
    fn guard(&self) -> Option<&dyn Guard>;

    /// What only a server with certificates can do.
    fn seal(&self) -> Option<&dyn Seal>;

    /// What only a folder allows.
    fn folder(&self) -> Option<&dyn Folder>;

    /// Gives the room of forgotten history back to the machine, while nobody is served.
    async fn defragment(&self) -> Result<()>;

    /// Forgets the history before now, so that a watch from the past must be refused; false where a store keeps none.
    async fn compact(&self) -> Result<bool>;
}
