//! F34: certificates that change, and that cannot be trusted.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use reception::{Client, ClientExt as _, ErrorKind, Registration};
use tokio::time::timeout;

use super::{
    cast::{Ids, SETTLE, SLOW, active, api, dial, hold, ids, instance, register, text},
    sight::{Seen, Sight},
    wire::Wire,
};
use crate::{
    scenario::Outcome,
    stage::{Stage, seal},
    stand::{Seal, Setup, Shown, Stand},
};

/// Longer than any certificate here is bad, and a slow retry after it.
const TTL: Duration = Duration::from_secs(60);
/// The connect timeout, which is the timeout of a call, and what a busy machine adds.
const ANSWER: Duration = Duration::from_secs(5 + 1);
/// What only a connection in plain text would show.
const WORDS: [&str; 4] = ["PRI * HTTP/2.0", "etcdserverpb", "canary", "sealed/services"];

/// F34, the server's certificate: it is replaced by one as good, one whose time has passed, one for another host and one of another
/// authority, on a server each; each time the server starts anew, since a session of TLS that is resumed shows no certificate. Over a good
/// one the client goes on (I7). Over a bad one a call is a Config error within the connect timeout, and the watch is stale and keeps its
/// view (I4, I10); a good one after it ends that within a slow retry. Not a byte of the client's is on the wire but in TLS. Once (5 times in
/// full).
pub(super) async fn a_certificate_is_taken_anew_or_refused_with_a_typed_error(stage: &mut Stage) -> Outcome {
    let rounds = stage.rounds(1, 5);
    let stage = &*stage;
    let all = [Shown::Rotated, Shown::Expired, Shown::Misnamed, Shown::Foreign];
    let lanes = all.into_iter().map(|shown| async move {
        let stand = stage.other(Setup::Certificate).await?;
        let seal = seal(&*stand)?;
        let held = Held::begin(&*stand).await?;
        for round in 0..rounds {
            let played = held.replace(&*stand, seal, shown).await;
            played.map_err(|wrong| format!("{shown:?} in round {round}: {wrong}"))?;
        }
        held.end().await.map_err(|wrong| format!("{shown:?}: {wrong}"))
    });
    try_join_all(lanes).await.map(drop)
}

/// A client on a wire that is looked at.
struct Held {
    wire: Wire,
    client: Arc<dyn Client>,
    all: Ids,
    registrations: Vec<Registration>,
    sight: Sight,
}

impl Held {
    async fn begin(stand: &dyn Stand) -> Result<Self, String> {
        let wire = Wire::lay(stand.endpoint()).await?;
        let client = dial(&stand.url(wire.address(), "sealed", TTL)).await?;
        let all = ids("canary", 0..3);
        let sight = Sight::open(&client, "the watch").await?;
        let registrations = register(&client, all.clone()).await?;
        sight.shows("full view", &all, SETTLE).await?;
        Ok(Self { wire, client, all, registrations, sight })
    }

    async fn replace(&self, stand: &dyn Stand, seal: &dyn Seal, shown: Shown) -> Outcome {
        let resets = self.sight.now().resets;
        seal.show(shown);
        stand.restart().await.map_err(text)?;
        if shown != Shown::Rotated {
            let answer = timeout(ANSWER, self.client.list(&api())).await;
            let answer = answer.map_err(|_| format!("no answer within {ANSWER:?}"))?;
            let kind = answer.err().map(|error| error.kind());
            hold(kind == Some(ErrorKind::Config), || format!("a list was answered with {kind:?}"))?;
            let stale = |seen: &Seen| seen.stale && seen.ids == self.all;
            self.sight.until("Stale with the view kept", ANSWER, stale).await?;
            seal.show(Shown::Rotated);
        }
        let bound = if shown == Shown::Rotated { SETTLE } else { SLOW + SETTLE };
        let whole = |seen: &Seen| seen.resets > resets && seen.shows(&self.all);
        self.sight.until("view over a good certificate", bound, whole).await?;
        active(&self.registrations, bound).await
    }

    async fn end(self) -> Outcome {
        self.sight.flapped(0)?;
        let connections = self.wire.sealed(&WORDS)?;
        hold(connections > 1, || format!("only {connections} connections were looked at"))?;
        self.client.close().await.map_err(text)
    }
}

/// F34, the rest: a client without the certificate that the server asks for, a client with TLS at a port in plain text, and one in plain
/// text at a port with TLS. Each is a typed error within the connect timeout, and who speaks TLS sends nothing else.
pub(super) async fn who_does_not_fit_is_told_and_sends_no_plain_text(stage: &mut Stage) -> Outcome {
    let both = stage.other(Setup::BothCertificates).await?;
    let seal = seal(&*both)?;
    serves(&*both).await?;
    let bare = Wire::lay(both.endpoint()).await?;
    refused("no certificate", &seal.url_without_certificate(bare.address(), "sealed")).await?;
    let connections = bare.sealed(&WORDS)?;
    hold(connections > 0, || "nobody connected without a certificate".to_owned())?;
    let plain: &dyn Stand = &*stage.stand;
    let wire = Wire::lay(plain.endpoint()).await?;
    refused("a port in plain text", &both.url(wire.address(), "sealed", TTL)).await?;
    let connections = wire.sealed(&WORDS)?;
    hold(connections > 0, || "nobody connected to the port in plain text".to_owned())?;
    let naked = Wire::lay(both.endpoint()).await?;
    refused("plain text at a port with TLS", &plain.url(naked.address(), "sealed", TTL)).await?;
    hold(naked.connections() > 0, || "nobody connected to the port with TLS".to_owned())?;
    serves(&*both).await?;
    serves(plain).await
}

/// A call and a registration that must be refused in time.
async fn refused(what: &str, url: &str) -> Outcome {
    let client = dial(url).await?;
    let listed =
        timeout(ANSWER, client.list(&api())).await.map_err(|_| format!("{what}: no answer to list"))?;
    typed(what, listed.err().map(|error| error.kind()))?;
    let registering = timeout(ANSWER * 2, client.register(instance("canary"))).await;
    let registered = registering.map_err(|_| format!("{what}: no answer to register"))?;
    typed(what, registered.err().map(|error| error.kind()))?;
    // It cannot tell the store that it leaves.
    drop(timeout(ANSWER, client.close()).await.map_err(|_| format!("{what}: no answer to close"))?);
    Ok(())
}

/// Config says what is wrong. Unavailable is all that is left where a server closes the connection before it says why, and each of these
/// three may: a port in plain text and a port with TLS do not speak of what they cannot read, and the refusal of a client without a
/// certificate comes after the client's part of the handshake, so that the close can overtake it. That a server was there shows in the
/// connections to it, and in who fits being served afterwards.
fn typed(what: &str, kind: Option<ErrorKind>) -> Outcome {
    let fits = matches!(kind, Some(ErrorKind::Config | ErrorKind::Protocol | ErrorKind::Unavailable));
    hold(fits, || format!("{what}: answered with {kind:?}"))
}

/// Who fits is served.
async fn serves(stand: &dyn Stand) -> Outcome {
    let good = dial(&stand.url(stand.endpoint(), "sealed", TTL)).await?;
    good.register(instance("canary")).await.map_err(text)?.close().await.map_err(text)?;
    good.close().await.map_err(text)
}
