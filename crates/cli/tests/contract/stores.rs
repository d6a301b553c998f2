//! What the rows open: a place in a store for one case.

use std::{any::Any, path::Path};

use futures_util::future::BoxFuture;
use reception::async_trait;
use reception_lab::Result;
use tempfile::TempDir;

#[cfg(feature = "consul")]
mod consul;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "exhibitor")]
mod exhibitor;
#[cfg(any(feature = "etcd", feature = "exhibitor", feature = "zookeeper"))]
mod shared;
#[cfg(any(feature = "exhibitor", feature = "zookeeper"))]
mod zookeeper;

/// A place that is being made ready.
pub(crate) type Opening = BoxFuture<'static, Result<Box<dyn Store>>>;

/// A place in a store. What a row lacks is not asked for.
#[async_trait]
pub(crate) trait Store: Send + Sync {
    /// What `--url` takes; claims end soon after their process.
    fn url(&self) -> String;

    /// The same, with so long a lease that no answer is too slow for it.
    fn patient_url(&self) -> String {
        self.url()
    }

    /// What an error about the store must name.
    fn endpoint(&self) -> String {
        unreachable!("this store has no server")
    }

    /// Ends the server at once.
    fn kill(&self) {
        unreachable!("this store has no server")
    }

    /// Brings the server back with what it held.
    async fn restart(&self) -> Result<()> {
        unreachable!("this store has no server")
    }

    /// Has the server do nothing, with its connections open.
    fn freeze(&self) {
        unreachable!("this store has no server")
    }

    /// Lets it go on.
    fn thaw(&self) {
        unreachable!("this store has no server")
    }

    /// From now on the server asks for this password; the URL with it, and with a long lease.
    async fn lock(&self, _password: &str) -> Result<String> {
        unreachable!("this store has no users")
    }

    /// Takes the leadership away from who has it.
    async fn revoke(&self, _election: &str) -> Result<()> {
        unreachable!("nobody can take what is led here")
    }

    /// Another program stands with these bytes, until what is returned is dropped.
    async fn stranger(&self, _election: &str, _value: &str) -> Result<Box<dyn Any + Send>> {
        unreachable!("nobody else stands here")
    }
}

/// A URL that stands for itself.
struct Plain {
    url: String,
}

#[async_trait]
impl Store for Plain {
    fn url(&self) -> String {
        self.url.clone()
    }
}

/// A folder, which ends with it.
struct Folder {
    folder: TempDir,
}

#[async_trait]
impl Store for Folder {
    fn url(&self) -> String {
        // A container's root may be of a type that is refused.
        format!("local://{}?any_fs=true", self.folder.path().join("store").display())
    }

    async fn revoke(&self, election: &str) -> Result<()> {
        let led = self.folder.path().join("store/reception/elections").join(election);
        std::fs::remove_file(led.join("lock")).expect("a lock that somebody holds");
        Ok(())
    }
}

/// A folder of its own, in memory where there is such a place.
pub(crate) fn local(_own: bool) -> Opening {
    let place = Some(Path::new("/dev/shm")).filter(|place| place.is_dir());
    let place = place.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let folder = tempfile::Builder::new().prefix("reception-contract-").tempdir_in(place).expect("a folder");
    ready(Folder { folder })
}

pub(crate) fn memory(_own: bool) -> Opening {
    ready(Plain { url: "memory:".to_owned() })
}

/// Two instances of `api`, as the cases that need a fixed content know.
pub(crate) fn fixed(_own: bool) -> Opening {
    ready(Plain { url: "static://127.0.0.1:8081,[::1]:8080/?name=api".to_owned() })
}

fn ready(store: impl Store + 'static) -> Opening {
    let store: Box<dyn Store> = Box::new(store);
    Box::pin(std::future::ready(Ok(store)))
}

#[cfg(feature = "consul")]
pub(crate) use self::consul::{consul, consul_missing};
#[cfg(feature = "etcd")]
pub(crate) use self::etcd::{etcd, etcd_missing};
#[cfg(feature = "exhibitor")]
pub(crate) use self::exhibitor::{exhibitor, exhibitor_missing};
#[cfg(feature = "zookeeper")]
pub(crate) use self::zookeeper::{zookeeper, zookeeper_missing};
