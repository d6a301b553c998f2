//! What a scenario finds: one server of its own, dice from the seed, and how much to play.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reception_lab::{Proxy, ProxyOptions};

use crate::{
    scenario::unproven,
    stand::{Folder, Guard, Lack, Seal, Setup, Stand},
};

/// The place of one scenario.
pub(crate) struct Stage {
    pub(crate) stand: Box<dyn Stand>,
    /// All chance comes from here.
    pub(crate) dice: StdRng,
    /// Play the full rounds, not the short ones.
    pub(crate) full: bool,
    /// How many histories were begun and not judged yet.
    pub(crate) unjudged: Arc<AtomicUsize>,
}

impl Stage {
    pub(crate) fn new(stand: Box<dyn Stand>, seed: u64, number: u8, full: bool) -> Self {
        // Each scenario has dice of its own, so that it plays the same alone and among others.
        let dice = StdRng::seed_from_u64(seed ^ u64::from(number) << 56);
        Self { stand, dice, full, unjudged: Arc::default() }
    }

    /// `short` rounds in the short form, `full` ones in the full form.
    pub(crate) fn rounds(&self, short: u32, full: u32) -> u32 {
        if self.full { full } else { short }
    }

    /// A proxy in front of the server, its jitter from the dice.
    pub(crate) async fn proxy(&mut self) -> Proxy {
        let options = ProxyOptions::default().seed(self.dice.random());
        Proxy::start_with(self.stand.endpoint(), options).await.expect("a proxy")
    }

    /// The URL of the server itself.
    pub(crate) fn direct(&self, namespace: &str, ttl: Duration) -> String {
        self.stand.url(self.stand.endpoint(), namespace, ttl)
    }

    /// The URL of the server by way of `through`.
    pub(crate) fn through(&self, through: SocketAddr, namespace: &str, ttl: Duration) -> String {
        self.stand.url(through, namespace, ttl)
    }

    /// Another server of the kind, set up otherwise.
    pub(crate) async fn other(&self, setup: Setup) -> Result<Box<dyn Stand>, String> {
        let other = self.stand.other(setup).await.map_err(|error| error.to_string())?;
        other.ok_or_else(|| unproven(Lack::Setup(setup)))
    }

    /// Forgets the history before now.
    pub(crate) async fn compact(&self) -> Result<(), String> {
        let forgot = self.stand.compact().await.map_err(|error| error.to_string())?;
        if forgot { Ok(()) } else { Err(unproven(Lack::Forgetting)) }
    }

    /// A span between two, from the dice.
    pub(crate) fn span(&mut self, from: Duration, to: Duration) -> Duration {
        self.dice.random_range(from..=to)
    }
}

/// What only a server with users can do.
pub(crate) fn guard(stand: &dyn Stand) -> Result<&dyn Guard, String> {
    stand.guard().ok_or_else(|| unproven(Lack::Guard))
}

/// What only a server with certificates can do.
pub(crate) fn seal(stand: &dyn Stand) -> Result<&dyn Seal, String> {
    stand.seal().ok_or_else(|| unproven(Lack::Seal))
}

/// What only a folder of this machine allows.
pub(crate) fn folder(stage: &Stage) -> Result<&dyn Folder, String> {
    stage.stand.folder().ok_or_else(|| unproven(Lack::Folder))
}
