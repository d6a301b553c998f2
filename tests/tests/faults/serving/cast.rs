//! Who plays in these scenarios: services, instances, and what is asked of them.

use std::{collections::BTreeSet, fmt::Display, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reception::{Client, ClientExt as _, Registration, RegistrationState, Service, ServiceName, Snapshot};
use reception_lab::eventually;

pub(crate) use crate::scenario::{hold, text};

/// B: no pause between two attempts is longer.
pub(crate) const BACKOFF: Duration = Duration::from_secs(5);
/// X where nothing has to expire: B and 2 s.
pub(crate) const SETTLE: Duration = Duration::from_secs(7);
/// W: within this a removal is told to who watches the key.
pub(crate) const NOTICE: Duration = Duration::from_millis(500);
/// R: the repair interval that the rules ask for.
pub(crate) const REPAIR: Duration = Duration::from_secs(15);
/// The slow retry of what people must mend: 30 s and a tenth of jitter.
pub(crate) const SLOW: Duration = Duration::from_secs(33);
/// What is far from every bound, for what only prepares a scenario.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Ids = BTreeSet<String>;

pub(crate) fn api() -> ServiceName {
    "api".parse().expect("a name")
}

pub(crate) fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).attribute("zone", "a").build().expect("valid")
}

/// The same instance with something else to tell.
pub(crate) fn told<T: Display>(id: &str, round: T) -> Service {
    instance(id).to_builder().attribute("round", &round.to_string()).build().expect("valid")
}

pub(crate) fn ids<T: Display>(prefix: &str, numbers: impl IntoIterator<Item = T>) -> Ids {
    numbers.into_iter().map(|number| format!("{prefix}{number}")).collect()
}

pub(crate) fn ids_of(view: &Snapshot) -> Ids {
    view.iter().map(|service| service.id().to_string()).collect()
}

pub(crate) async fn dial(url: &str) -> Result<Arc<dyn Client>, String> {
    reception::dial(url).await.map_err(text)
}

/// Registers instances; they come by id.
pub(crate) async fn register(
    client: &Arc<dyn Client>,
    ids: impl IntoIterator<Item = String>,
) -> Result<Vec<Registration>, String> {
    let each = stream::iter(ids.into_iter().map(|id| async move { client.register(instance(&id)).await }));
    let mut registrations: Vec<Registration> = each.buffer_unordered(32).try_collect().await.map_err(text)?;
    registrations.sort_by_key(|registration| registration.service().id().clone());
    Ok(registrations)
}

pub(crate) async fn listed(client: &Arc<dyn Client>) -> Result<Ids, String> {
    client.list(&api()).await.map(|view| ids_of(&view)).map_err(text)
}

/// Waits until every registration says that it stands.
pub(crate) async fn active(registrations: &[Registration], bound: Duration) -> Result<(), String> {
    let probe = || async {
        let other = registrations.iter().find_map(|registration| match registration.state() {
            RegistrationState::Active => None,
            state => Some(format!("{} is {state:?}", registration.service().id())),
        });
        other.map_or(Ok(()), Err)
    };
    eventually(bound, probe).await.map_err(|late| format!("a registration is not active: {late}"))
}

/// What is left of the runtime's tasks, which is this scenario's own.
pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}
