//! What a client holds at the store: the connection, the lease or session, and its tasks.

use reception_core::Result;
use reception_kit::{Lifeline, Supervisor};

use crate::{error::NAME, layout::Layout, options::Options};

/// One client's hold on the store.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: Options,
    pub(crate) layout: Layout,
    supervisor: Supervisor,
}

impl Session {
    /// Starts the tasks of a client; it does not wait for the store.
    pub(crate) fn start(options: Options) -> Result<Self> {
        let layout = Layout::new(&options.namespace);
        Ok(Self { options, layout, supervisor: Supervisor::new(NAME)? })
    }

    /// Says whether a call may still start.
    pub(crate) fn check(&self, operation: &'static str) -> Result<()> {
        self.supervisor.check(operation)
    }

    /// Keeps the client open.
    pub(crate) fn lifeline(&self) -> Lifeline {
        self.supervisor.lifeline()
    }

    /// Ends every task; what is held at the store is given back here.
    pub(crate) async fn close(&self) -> Result<()> {
        self.supervisor.close().await;
        Ok(())
    }
}
