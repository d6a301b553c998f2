//! L15: what we write is checked against one set of limits, before any I/O.
//!
//! The strict constructors refuse most of it already. `build_foreign` and `foreign` make the same values past
//! them, as a program does that copies what it has read, so that a client has to look for itself.

use std::sync::Arc;

use reception_core::{
    Client, ClientExt, ElectionName, ErrorKind, OnConflict, RegistrationState, Service, ServiceBuilder,
    ServiceId, ServiceName,
};

use crate::{
    play::{SERVICE, SOON, candidate, elector, instance, list, refused, register, register_or, same},
    scene::{Failure, Result, Scene, ensure, within, within_limit},
};

const NAME: &[ErrorKind] = &[ErrorKind::InvalidName];
const INSTANCE: &[ErrorKind] = &[ErrorKind::InvalidInstance];
const LARGE: &[ErrorKind] = &[ErrorKind::TooLarge];

/// Names that no store may be asked to keep.
const BAD_NAMES: &[&str] = &[
    "a/b",
    "..",
    ".",
    "../x",
    "a%2fb",
    ".hidden",
    "a..b",
    "a b",
    "ünïcode",
    "a\u{202e}b",
    "a:b",
    "a,b",
    "a\\b",
];

fn broken() -> Vec<(String, ServiceBuilder, &'static [ErrorKind])> {
    let base = || Service::builder(SERVICE, "10.0.0.7", 8080).id("one");
    let mut table: Vec<(String, ServiceBuilder, &'static [ErrorKind])> = Vec::new();
    for bad in BAD_NAMES {
        table.push((format!("name {bad:?}"), Service::builder(bad, "10.0.0.7", 8080).id("one"), NAME));
        table.push((format!("id {bad:?}"), base().id(bad), NAME));
    }
    table.push(("a name of 64".to_owned(), Service::builder(&"n".repeat(64), "h", 1).id("one"), NAME));
    table.push(("an id of 129".to_owned(), base().id(&"i".repeat(129)), NAME));
    table.push(("port 0".to_owned(), base().port(0), INSTANCE));
    for bad in ["", "a b", "user@host", "h/x", "h:80", "a\nb"] {
        table.push((format!("address {bad:?}"), base().address(bad), INSTANCE));
    }
    table.push((
        "an address of 254".to_owned(),
        base().address(&"a".repeat(254)),
        &[ErrorKind::InvalidInstance, ErrorKind::TooLarge],
    ));
    for bad in ["a.b", "a b", "consul-x", "reception-x", "ké"] {
        table.push((format!("key {bad:?}"), base().attribute(bad, "v"), INSTANCE));
    }
    table.push(("a value with NUL".to_owned(), base().attribute("k", "a\0b"), INSTANCE));
    table.push(("a key of 129".to_owned(), base().attribute(&"k".repeat(129), "v"), LARGE));
    table.push(("a value of 513".to_owned(), base().attribute("k", &"v".repeat(513)), LARGE));
    let many = (0..65).fold(base(), |builder, number| builder.attribute(&format!("k{number}"), "v"));
    table.push(("65 attributes".to_owned(), many, LARGE));
    table
}

/// Every bad value, given to every verb that writes; nothing of it may reach the store.
async fn refuses_all(client: &Arc<dyn Client>) -> Result {
    let elector = elector(client).await?;
    for (what, builder, kinds) in broken() {
        refused(&format!("{what}: build"), builder.clone().build(), kinds)?;
        // What even a reader would not take has no way to a client.
        let Ok(service) = builder.build_foreign() else { continue };
        for on_conflict in [OnConflict::Wait, OnConflict::Fail, OnConflict::Replace] {
            let answer = register_or(client, &service, on_conflict).await?;
            refused(&format!("{what}: register"), answer, kinds)?;
        }
        let elected = within_limit(SOON, &format!("{what}: elect"), elector.elect(service)).await?;
        refused(&format!("{what}: elect"), elected, kinds)?;
    }
    Ok(())
}

pub(crate) async fn what_breaks_a_limit_is_refused_with_a_typed_error(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    for bad in BAD_NAMES.iter().chain(&["", "nul\0", "line\n"]) {
        refused(&format!("service name {bad:?}"), ServiceName::new(bad), NAME)?;
        refused(&format!("id {bad:?}"), ServiceId::new(bad), NAME)?;
        refused(&format!("election name {bad:?}"), ElectionName::new(bad), NAME)?;
    }
    refuses_all(&client).await?;
    ensure!(list(&client).await?.is_empty(), "a refused instance is listed");
    ensure!(within("names", client.names()).await??.is_empty(), "a refused name is shown");
    same("what the store holds", &scene.residue().await?, &Vec::new())
}

pub(crate) async fn a_bad_election_name_is_refused(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    for bad in BAD_NAMES {
        let name = ElectionName::foreign(bad)?;
        // Either verb may be the one that looks; an elector that was never used has written nothing.
        let answer = match within("elector", client.elector(&name)).await? {
            Err(error) => Err(error),
            Ok(elector) => within("elect", elector.elect(candidate("one")?)).await?,
        };
        refused(&format!("an election called {bad:?}"), answer, NAME)?;
    }
    same("what the store holds", &scene.residue().await?, &Vec::new())
}

pub(crate) async fn a_bad_value_is_refused_though_the_store_is_away(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    list(&client).await?;
    scene.cut().await?;
    refuses_all(&client).await?;
    scene.heal().await
}

pub(crate) async fn a_bad_value_costs_no_request(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let registration = register(&client, &instance("good")?).await?;
    let meter = scene.meter()?;
    // Leases are renewed meanwhile: what the idle client costs is measured beside it, and is far less than one
    // request for each of the bad values.
    let before = meter.requests();
    refuses_all(&client).await?;
    let spent = meter.requests().saturating_sub(before);
    let refusals = u64::try_from(broken().len()).unwrap_or(u64::MAX);
    ensure!(spent < refusals, "{spent} requests for {refusals} bad values, each refused four times");
    drop(registration);
    Ok(())
}

pub(crate) async fn a_bad_update_is_refused_and_changes_nothing(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let api = instance("one")?;
    let registration = register(&client, &api).await?;
    for (what, builder, kinds) in broken() {
        let Ok(service) = builder.build_foreign() else { continue };
        let same_place = service.name() == api.name() && service.id() == api.id();
        let answer = within("update", registration.update(service)).await?;
        // An update may not move the instance: that it would, too, is a good reason to refuse it.
        let kinds =
            if same_place { kinds } else { &[ErrorKind::InvalidName, ErrorKind::InvalidInstance][..] };
        refused(&format!("{what}: update"), answer, kinds)?;
    }
    for other in [instance("two")?, crate::play::instance_of("other", "one")?] {
        let answer = within("update", registration.update(other)).await?;
        refused(
            "an update to another name or id",
            answer,
            &[ErrorKind::InvalidName, ErrorKind::InvalidInstance],
        )?;
    }
    same("the list", &list(&client).await?.iter().cloned().collect::<Vec<_>>(), &vec![api.clone()])?;
    same("the guard's instance", &registration.service(), &api)?;
    let active = matches!(registration.state(), RegistrationState::Active);
    ensure!(active, "a refused update left the state {:?}", registration.state());
    within("update", registration.update(crate::play::changed(&api, "2")?)).await?.map_err(Failure::from)
}
