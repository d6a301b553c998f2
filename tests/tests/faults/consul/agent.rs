//! F19 and F20: an agent that starts again, and a third party that takes away what is not its own.

use std::{sync::Arc, time::Duration};

use reception::{Client, ClientExt as _, Service};
use reception_lab::{ConsulApi, eventually};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::BACK;
use crate::{
    scenario::Outcome,
    serving::{
        cast::{Ids, SETTLE, active, dial, ids, instance, listed, register, text},
        sight::{Seen, Sight},
    },
    stage::Stage,
};

const TTL: Duration = Duration::from_secs(10);

/// Waits until exactly these are listed.
async fn back(reader: &Arc<dyn Client>, all: &Ids, what: &str) -> Outcome {
    let probe = || async {
        let listed = listed(reader).await?;
        if listed == *all { Ok(()) } else { Err(format!("{listed:?} are listed")) }
    };
    eventually(BACK, probe).await.map_err(|late| format!("{what}: {late}"))
}

/// F19. The agent is killed and started again with its data, twice (10 times in full): nothing flaps (I7), but that the agent may take some
/// instances for failed, each once and for no longer than the stand says. Then without its data, as
/// often: all that was registered is back within R of the agent's answering again (I3), and no registration ends.
pub(super) async fn an_agent_that_starts_again_loses_nothing_with_its_data_and_gets_all_back_without(
    stage: &mut Stage,
) -> Outcome {
    let client = dial(&stage.direct("agent", TTL)).await?;
    let reader = dial(&stage.direct("agent", TTL)).await?;
    let all = ids("i", 0..20);
    let registrations = register(&client, all.clone()).await?;
    let sight = Sight::open(&reader, "the reader's watch").await?;
    sight.shows("full view", &all, SETTLE).await?;
    let hidden = stage.stand.hidden_after_restart();
    for round in 0..stage.rounds(2, 10) {
        let before = sight.now().resets;
        stage.stand.restart().await.map_err(text)?;
        let fits = |seen: &Seen| seen.resets > before && seen.shows(&all);
        sight.until("whole view", hidden.unwrap_or(SETTLE), fits).await?;
        sight.flapped(hidden.map_or(0, |_| round + 1))?;
        active(&registrations, BACK).await?;
    }
    for round in 0..stage.rounds(2, 10) {
        stage.stand.wipe().await.map_err(text)?;
        back(&reader, &all, &format!("wiped {round}")).await?;
        sight.shows("full view", &all, SETTLE).await?;
        active(&registrations, BACK).await?;
    }
    client.close().await.map_err(text)?;
    back(&reader, &Ids::new(), "closed").await?;
    reader.close().await.map_err(text)
}

/// F19. As the one before, with one registration of each kind of check. With its data: what the agent is told (`ttl`) or does not ask (`none`) does not flap; what
/// it asks (`http`, `tcp`) it takes for dead until it has asked again, which it does within the interval. Without: each is back within R.
pub(super) async fn each_kind_of_check_comes_back_when_an_agent_starts_again(stage: &mut Stage) -> Outcome {
    let listens = TcpListener::bind("127.0.0.1:0").await.map_err(text)?;
    let at = listens.local_addr().map_err(text)?;
    let only = ids("i", 0..1);
    let mut kinds = Vec::new();
    for (kind, options) in [
        ("ttl", ""),
        ("none", "&check=none"),
        ("http", "&check=http&interval=1s&check_timeout=1s"),
        ("tcp", "&check=tcp&interval=1s&check_timeout=1s"),
    ] {
        let url = format!("{}{options}", stage.direct(&format!("kinds/{kind}"), TTL));
        let (client, reader) = (dial(&url).await?, dial(&url).await?);
        let service =
            Service::builder("api", &at.ip().to_string(), at.port()).id("i0").build().map_err(text)?;
        let registration = client.register(service).await.map_err(text)?;
        let sight = Sight::open(&reader, &format!("the watch of {kind}")).await?;
        sight.shows("the instance", &only, SETTLE).await?;
        kinds.push((kind, client, reader, registration, sight));
    }
    for wiped in [false, true] {
        for round in 0..stage.rounds(2, 6) {
            let begun = if wiped { stage.stand.wipe().await } else { stage.stand.restart().await };
            begun.map_err(text)?;
            for (kind, _, reader, registration, sight) in &kinds {
                back(reader, &only, &format!("{kind}, wiped: {wiped}, round {round}")).await?;
                sight.shows("the instance", &only, SETTLE).await?;
                active(std::slice::from_ref(registration), BACK).await?;
                if !wiped && matches!(*kind, "ttl" | "none") {
                    sight.flapped(0)?;
                }
            }
        }
    }
    for (kind, client, reader, ..) in kinds {
        client.close().await.map_err(text)?;
        back(&reader, &Ids::new(), &format!("{kind}: closed")).await?;
        reader.close().await.map_err(text)?;
    }
    Ok(())
}

/// F20. A third party deregisters an instance at the agent, then in the catalog, then the check of the only registration of another
/// client: each is back within R (I3), and nothing else goes away.
pub(super) async fn what_a_third_party_takes_away_is_back_within_the_repair(stage: &mut Stage) -> Outcome {
    let (url, alone) = (stage.direct("thirds", TTL), stage.direct("thirds/alone", TTL));
    let (client, reader, solo) = (dial(&url).await?, dial(&url).await?, dial(&alone).await?);
    let all = ids("i", 0..5);
    let registrations = register(&client, all.clone()).await?;
    let only = solo.register(instance("only")).await.map_err(text)?;
    let sight = Sight::open(&reader, "the reader's watch").await?;
    sight.shows("full view", &all, SETTLE).await?;
    let third = ConsulApi::new(stage.stand.endpoint());
    for _ in 0..stage.rounds(2, 10) {
        third.put("/v1/agent/service/deregister/thirds-api:i1", "").await.map_err(text)?;
        back(&reader, &all, "deregistered at the agent").await?;
        let told = third.get("/v1/catalog/service/thirds-api").await.map_err(text)?.body;
        let rows: Value = serde_json::from_str(&told).map_err(text)?;
        let row = json!({ "Node": rows[0]["Node"], "ServiceID": "thirds-api:i2" });
        third.put("/v1/catalog/deregister", &row.to_string()).await.map_err(text)?;
        back(&reader, &all, "deregistered in the catalog").await?;
        let check = check_of(&third, "thirds-alone-api:only").await?.ok_or("it has no check")?;
        third.put(&format!("/v1/agent/check/deregister/{check}"), "").await.map_err(text)?;
        let probe = || async {
            check_of(&third, "thirds-alone-api:only").await?.map(drop).ok_or_else(|| "no check".to_owned())
        };
        eventually(BACK, probe).await.map_err(|late| format!("the check was taken away: {late}"))?;
    }
    let removed = sight.now().removals;
    if removed.keys().any(|id| id != "i1" && id != "i2") {
        return Err(format!("others went away: {removed:?}"));
    }
    active(&registrations, BACK).await?;
    active(&[only], BACK).await?;
    for client in [client, solo, reader] {
        client.close().await.map_err(text)?;
    }
    Ok(())
}

/// The id of the check that a service has at the agent.
async fn check_of(third: &ConsulApi, service: &str) -> Result<Option<String>, String> {
    let told = third.get("/v1/agent/checks").await.map_err(text)?.body;
    let checks: Value = serde_json::from_str(&told).map_err(text)?;
    let mut checks = checks.as_object().into_iter().flatten();
    Ok(checks.find(|(_, check)| check["ServiceID"] == service).map(|(id, _)| id.clone()))
}
