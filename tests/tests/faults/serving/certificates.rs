//! F34: certificates that change, and that cannot be trusted.

use std::time::Duration;

use reception::{ClientExt as _, ErrorKind};
use tokio::time::{Instant, timeout};

use super::{
    cast::{SETTLE, active, api, dial, hold, ids, instance, register, text},
    sight::Sight,
    wire::Wire,
};
use crate::{
    scenario::Outcome,
    stage::Stage,
    stand::{Setup, Shown, Stand},
};

/// Longer than any certificate here is bad.
const TTL: Duration = Duration::from_secs(30);
/// The connect timeout, which is the timeout of a call, and what a busy machine adds.
const ANSWER: Duration = Duration::from_secs(5 + 1);
/// What only a connection in plain text would show.
const WORDS: [&str; 4] = ["PRI * HTTP/2.0", "etcdserverpb", "canary-instance", "sealed/services"];

/// F34, the server's certificate: it is replaced by one of the same authority, and by one whose time has passed, one for another host and
/// one of another authority; each time every connection breaks. Over a good one the client goes on (I7). A bad one is a typed error within
/// the connect timeout, for a call and as Stale (I4) with the view kept; and a good one after it ends that within X. Not a byte of the
/// client's is on the wire but in TLS.
pub(super) async fn a_certificate_is_taken_anew_or_refused_with_a_typed_error(stage: &mut Stage) -> Outcome {
    let Some(stand) = stage.stand.other(Setup::Certificate).await.map_err(text)? else { return Ok(()) };
    let Some(seal) = stand.seal() else { return Ok(()) };
    let wire = Wire::lay(stand.endpoint()).await?;
    let client = dial(&stand.url(wire.address(), "sealed", TTL)).await?;
    let mut all = ids("i", 0..3);
    all.insert("canary-instance".to_owned());
    let registrations = register(&client, all.clone()).await?;
    let sight = Sight::open(&client, "the watch").await?;
    for round in 0..stage.rounds(1, 5) {
        for shown in [Shown::Expired, Shown::Misnamed, Shown::Foreign, Shown::Rotated] {
            let (stales, resets) = (sight.now().stales.len(), sight.now().resets);
            seal.show(shown);
            wire.cut().await;
            if shown != Shown::Rotated {
                let begun = Instant::now();
                let answer = timeout(ANSWER, client.list(&api())).await;
                let answer = answer.map_err(|_| format!("{shown:?}: no answer within {ANSWER:?}"))?;
                typed(&format!("{shown:?} in round {round}"), answer.err().map(|error| error.kind()))?;
                let stale = |seen: &super::sight::Seen| seen.stales[stales..].contains(&ErrorKind::Config);
                sight.until(&format!("Stale of {shown:?}"), ANSWER + SETTLE, stale).await?;
                hold(sight.now().ids == all, || {
                    format!("{shown:?} changed the view after {:?}", begun.elapsed())
                })?;
                seal.show(Shown::Rotated);
            }
            let whole = |seen: &super::sight::Seen| seen.resets > resets && seen.shows(&all);
            sight.until(&format!("view after {shown:?}"), SETTLE, whole).await?;
        }
    }
    sight.flapped(0)?;
    active(&registrations, SETTLE).await?;
    let connections = wire.sealed(&WORDS)?;
    hold(connections > 4, || format!("only {connections} connections were looked at"))?;
    client.close().await.map_err(text)
}

/// F34, the rest: a client without the certificate that the server asks for, a client with TLS at a port in plain text, and one in plain
/// text at a port with TLS. Each is a typed error within the connect timeout, and who speaks TLS sends nothing else.
pub(super) async fn who_does_not_fit_is_told_and_sends_no_plain_text(stage: &mut Stage) -> Outcome {
    let Some(both) = stage.stand.other(Setup::BothCertificates).await.map_err(text)? else { return Ok(()) };
    let Some(seal) = both.seal() else { return Ok(()) };
    let good = dial(&both.url(both.endpoint(), "sealed", TTL)).await?;
    good.register(instance("canary-instance")).await.map_err(text)?.close().await.map_err(text)?;
    good.close().await.map_err(text)?;

    let bare = Wire::lay(both.endpoint()).await?;
    refused("no certificate", &seal.url_without_certificate(bare.address(), "sealed")).await?;
    bare.sealed(&WORDS)?;
    let plain: &dyn Stand = &*stage.stand;
    let wire = Wire::lay(plain.endpoint()).await?;
    refused("a port in plain text", &both.url(wire.address(), "sealed", TTL)).await?;
    let connections = wire.sealed(&WORDS)?;
    hold(connections > 0, || "nobody connected to the port in plain text".to_owned())?;
    refused("plain text at a port with TLS", &plain.url(both.endpoint(), "sealed", TTL)).await
}

/// A call and a registration that must be refused in time.
async fn refused(what: &str, url: &str) -> Outcome {
    let client = dial(url).await?;
    let listed =
        timeout(ANSWER, client.list(&api())).await.map_err(|_| format!("{what}: no answer to list"))?;
    typed(what, listed.err().map(|error| error.kind()))?;
    let registering = timeout(ANSWER * 2, client.register(instance("canary-instance"))).await;
    let registered = registering.map_err(|_| format!("{what}: no answer to register"))?;
    typed(what, registered.err().map(|error| error.kind()))?;
    client.close().await.map_err(text)
}

/// Config says what is wrong; a server that closes the connection before it says why leaves no more than Unavailable.
fn typed(what: &str, kind: Option<ErrorKind>) -> Outcome {
    let fits = matches!(kind, Some(ErrorKind::Config | ErrorKind::Protocol | ErrorKind::Unavailable));
    hold(fits, || format!("{what}: answered with {kind:?}"))
}
