//! L1: what is registered or updated is listed until it is withdrawn or lost.

use futures_util::future::try_join_all;
use reception_core::{ClientExt, ListOptions, RegistrationState, Service, ServiceName, Status, limits};

use crate::{
    play::{
        ELECTION, SERVICE, SOON, candidate, changed, elector, ids, instance, instance_of, list, list_all,
        listed, register, same, service_name, win,
    },
    scene::{Failure, Result, Scene, ensure, within},
};

pub(crate) async fn a_registered_instance_is_listed(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let api = instance("one")?;
    let registration = register(&client, &api).await?;
    let view = list(&client).await?;
    same("the list", &view.iter().cloned().collect::<Vec<_>>(), &vec![api.clone()])?;
    same("the name of the list", view.name(), &service_name()?)?;
    same("the guard's instance", &registration.service(), &api)?;
    ensure!(
        matches!(registration.state(), RegistrationState::Active),
        "the state is {:?}",
        registration.state()
    );
    Ok(())
}

pub(crate) async fn an_update_is_listed(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let api = instance("one")?;
    let registration = register(&client, &api).await?;
    for version in ["2", "3", "4"] {
        let next = changed(&api, version)?.to_builder().port(9000).without("zone").build()?;
        within("update", registration.update(next.clone())).await??;
        same("the list after an update", &list(&client).await?.get("one").cloned(), &Some(next.clone()))?;
        same("the guard's instance after an update", &registration.service(), &next)?;
    }
    Ok(())
}

pub(crate) async fn many_registrations_are_all_listed(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let names: Vec<String> = (0..40).map(|number| format!("i{number:02}")).collect();
    let services = names.iter().map(|id| instance(id)).collect::<Result<Vec<_>>>()?;
    let guards = try_join_all(services.iter().map(|service| register(&client, service))).await?;
    same("the list", &ids(&list(&client).await?), &names)?;
    drop(guards);
    Ok(())
}

pub(crate) async fn an_instance_that_is_not_up_needs_any_status(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let api = instance("one")?;
    let registration = register(&client, &api).await?;
    for status in [Status::Draining, Status::Down] {
        let aside = api.to_builder().status(status).build()?;
        within("update", registration.update(aside.clone())).await??;
        same("the default list", &ids(&list(&client).await?), &Vec::new())?;
        same("the list with any status", &list_all(&client).await?.get("one").cloned(), &Some(aside))?;
    }
    within("update", registration.update(api.clone())).await??;
    same("the default list", &ids(&list(&client).await?), &vec!["one".to_owned()])?;
    let draining = instance("two")?.to_builder().status(Status::Draining).build()?;
    let second = register(&client, &draining).await?;
    same("the default list", &ids(&list(&client).await?), &vec!["one".to_owned()])?;
    same("the list with any status", &list_all(&client).await?.len(), &2)?;
    drop(second);
    Ok(())
}

pub(crate) async fn what_was_written_reads_back_to_the_letter(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let other = scene.dial().await?;
    let name = "n".repeat(limits::MAX_NAME);
    let mut builder = Service::builder(&name, "2001:db8::7", u16::MAX).id(&"i".repeat(limits::MAX_ID));
    for number in 0..limits::MAX_ATTRIBUTES {
        let key = format!("{number:0>width$}", width = limits::MAX_KEY);
        builder = builder.attribute(&key, &"v".repeat(limits::MAX_VALUE));
    }
    let largest = builder.build()?;
    let texts = [
        "",
        " ",
        "\"quoted\" \\ / <&>",
        "line\nline\ttab\u{1}",
        "ünïcödé 名前 🦀 \u{202e}rtl",
        "a=b,c;d{}[]%2f",
    ];
    let mut builder = Service::builder("A.b_c-9", "host-1.example", 1).id("Id.1_2-3");
    for (number, text) in texts.iter().enumerate() {
        builder = builder.attribute(&format!("Key_{number}-x"), text);
    }
    for service in [largest, builder.build()?] {
        let registration = register(&client, &service).await?;
        for reader in [&client, &other] {
            let view = within("list", reader.list(service.name())).await??;
            same("what was read", &view.iter().cloned().collect::<Vec<_>>(), &vec![service.clone()])?;
        }
        within("close", registration.close()).await??;
    }
    Ok(())
}

pub(crate) async fn names_show_what_is_registered(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let mut guards = Vec::new();
    for (name, id) in [("web", "one"), ("web", "two"), ("web2", "one"), ("a.b", "one")] {
        guards.push(register(&client, &instance_of(name, id)?).await?);
    }
    let names = within("names", client.names()).await??;
    let seen: Vec<&str> = names.iter().map(ServiceName::as_str).collect();
    same("the names", &seen, &vec!["a.b", "web", "web2"])?;
    let web = within("list", client.list(&ServiceName::new("web")?)).await??;
    same("the list of a name that begins another", &web.len(), &2)?;
    Ok(())
}

pub(crate) async fn a_candidate_is_no_instance(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let registration = register(&client, &instance("one")?).await?;
    let elector = elector(&client).await?;
    let leadership = win(&*elector, "stands").await?;
    let any = ListOptions::default().any_status(true);
    for name in [candidate("stands")?.name().clone(), ServiceName::new(ELECTION)?] {
        let view = within("list", client.list_with(&name, any)).await??;
        ensure!(view.is_empty() && view.unreadable() == 0, "a candidate is listed as an instance: {view:?}");
    }
    let names = within("names", client.names()).await??;
    let seen: Vec<&str> = names.iter().map(ServiceName::as_str).collect();
    same("the names", &seen, &vec![SERVICE])?;
    if let Some(line) = crate::play::candidates(&client, &*elector).await? {
        ensure!(!line.contains(&"one".to_owned()), "an instance stands as a candidate: {line:?}");
    }
    drop((registration, leadership));
    Ok(())
}

pub(crate) async fn namespaces_do_not_see_each_other(scene: &Scene) -> Result {
    let elsewhere = scene.elsewhere();
    let (here, there) = (scene.dial().await?, elsewhere.dial().await?);
    let mine = register(&here, &instance("one")?).await?;
    same("the list elsewhere", &ids(&list(&there).await?), &Vec::new())?;
    ensure!(within("names", there.names()).await??.is_empty(), "a name is shown elsewhere");
    let theirs = register(&there, &instance("one")?).await?;
    let (elector_here, elector_there) = (elector(&here).await?, elector(&there).await?);
    let leads_here = win(&*elector_here, "here").await?;
    let leads_there = win(&*elector_there, "there").await?;
    ensure!(leads_here.is_held() && leads_there.is_held(), "an election elsewhere took the leadership away");
    within("close", theirs.close()).await??;
    listed(&here, SOON, &["one"]).await?;
    drop(mine);
    Ok(())
}

pub(crate) async fn a_probe_tells_of_the_store(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    ensure!(!client.backend().is_empty(), "the backend has no name");
    let probe = within("probe", client.probe()).await??;
    let answered = probe.endpoints.iter().any(|endpoint| endpoint.outcome.is_ok());
    ensure!(answered, "no endpoint answered: {probe:?}");
    if let Some(lease) = probe.lease {
        let bound = client.capabilities().crash_bound;
        ensure!(lease <= bound, "the lease of {lease:?} is longer than the crash bound of {bound:?}");
    }
    Ok(())
}

pub(crate) async fn a_list_of_what_nobody_registered_is_empty(scene: &Scene) -> Result {
    let client = scene.dial().await?;
    let view = list(&client).await?;
    ensure!(view.is_empty() && view.unreadable() == 0, "the view of an unknown service is {view:?}");
    let names = within("names", client.names()).await?.map_err(Failure::from)?;
    ensure!(names.is_empty(), "a fresh namespace has the names {names:?}");
    Ok(())
}
