//! An etcd with users: root, and one who may use the namespaces that begin with `guarded`.

use std::{fs, path::Path, time::Duration};

use rcgen::KeyPair;
use reception::async_trait;
use reception_lab::{Etcd, Etcdctl, Result};

use crate::stand::Guard;

/// How long a token that nobody uses lives.
pub(super) const IDLE: Duration = Duration::from_secs(5);

const PASSWORD: &str = "sesame-open";

pub(super) struct Guarded {
    root: Etcdctl,
}

impl Guarded {
    /// Makes the users and asks for them from now on.
    pub(super) async fn set_up(server: &Etcd) -> Result<Self> {
        let ctl = server.ctl()?;
        let user = format!("app:{PASSWORD}");
        let steps: [&[&str]; 7] = [
            &["user", "add", "root:root"],
            &["user", "grant-role", "root", "root"],
            &["role", "add", "app"],
            &["role", "grant-permission", "app", "--prefix=true", "readwrite", "guarded"],
            &["user", "add", &user],
            &["user", "grant-role", "app", "app"],
            &["auth", "enable"],
        ];
        for step in steps {
            ctl.run(step).await?;
        }
        Ok(Self { root: ctl.user("root", "root") })
    }

    pub(super) fn root(&self) -> Etcdctl {
        self.root.clone()
    }

    /// What stands before the host of a URL.
    pub(super) fn user(&self) -> &'static str {
        "app:sesame-open@"
    }
}

#[async_trait]
impl Guard for Guarded {
    async fn add_user(&self, name: &str) -> Result<u64> {
        self.root.run(&["user", "add", &format!("{name}:{name}")]).await?;
        // The program logs in each time.
        Ok(1)
    }

    async fn set_password(&self, right: bool) -> Result<()> {
        // The program asks for it on its input otherwise, which is empty.
        let password = if right { PASSWORD } else { "another-word" };
        let roles = ["user", "grant-role", "app", "app"];
        self.root.run(&["user", "delete", "app"]).await?;
        self.root.run(&["user", "add", &format!("app:{password}")]).await?;
        self.root.run(&roles).await.map(drop)
    }

    async fn set_rights(&self, right: bool) -> Result<()> {
        let change = if right { "grant-role" } else { "revoke-role" };
        self.root.run(&["user", change, "app", "app"]).await.map(drop)
    }
}

/// The flag for tokens that the server signs with a key of its own, made in `folder`.
pub(super) fn signed(folder: &Path) -> String {
    let pair = KeyPair::generate().expect("a key");
    let (private, public) = (folder.join("token.key"), folder.join("token.pub"));
    fs::write(&private, pair.serialize_pem()).expect("the key is written");
    fs::write(&public, pair.public_key_pem()).expect("the key is written");
    let (private, public) = (private.display(), public.display());
    format!("--auth-token=jwt,pub-key={public},priv-key={private},sign-method=ES256,ttl=10m")
}
