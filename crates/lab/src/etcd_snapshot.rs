//! A server's data saved to a file, and put back later.

use std::path::Path;

use crate::{Etcd, Etcdctl, Result};

impl Etcd {
    /// Saves what the server holds now to `file`.
    ///
    /// # Errors
    ///
    /// As [`Etcdctl::run`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the file may be there in part.
    pub async fn save(&self, file: &Path) -> Result<()> {
        let file = file.display().to_string();
        self.ctl()?.run(&["snapshot", "save", &file]).await.map(drop)
    }

    /// Kills the server if it runs and starts it on the same ports with what `file` holds, as an operator
    /// does: the revisions go back to those of the file.
    ///
    /// # Errors
    ///
    /// As [`restart`](Self::restart) and [`Etcdctl::run`].
    ///
    /// # Cancel safety
    ///
    /// As [`restart`](Self::restart).
    pub async fn restore(&self, file: &Path) -> Result<()> {
        self.kill();
        self.delete_data()?;
        let folder = format!("--data-dir={}", self.data().display());
        let file = file.display().to_string();
        let member = self.member();
        let mut words = vec!["snapshot", "restore", file.as_str(), folder.as_str()];
        words.extend(member.iter().map(String::as_str));
        Etcdctl::offline()?.run(&words).await?;
        self.go().await
    }
}
