//! Steps that many cases take: instances to register, waiting with a deadline, and polling by hand.

use std::{
    fmt::Debug,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use reception_core::{
    Client, ClientExt, ElectionName, Elector, ErrorKind, FencingToken, Leadership, ListOptions, OnConflict,
    RegisterOptions, Registration, Service, ServiceName, Snapshot,
};
use tokio::time::Instant;

use crate::scene::{Failure, Result, Scene, ensure, within, within_limit};

/// The service that most cases register.
pub(crate) const SERVICE: &str = "api";
/// The election that most cases stand in.
pub(crate) const ELECTION: &str = "reaper";
/// How soon something must happen that no lease stands in the way of.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// How long a case looks on to see that something does not happen.
pub(crate) const WHILE: Duration = Duration::from_millis(300);

/// Probes until the answer is Ok, and says what was seen last when it never is.
///
/// # Cancel safety
///
/// As that of the probes.
pub(crate) async fn eventually<T, P>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> P + Send,
) -> Result<T>
where
    P: Future<Output = Result<T, String>> + Send,
{
    let until = Instant::now() + limit;
    let mut pause = Duration::from_millis(2);
    loop {
        let seen = match within(what, probe()).await? {
            Ok(value) => return Ok(value),
            Err(seen) => seen,
        };
        ensure!(Instant::now() < until, "not within {limit:?}: {what}; {seen}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(40));
    }
}

/// Probes for a span and fails at the first answer that is not Ok.
///
/// # Cancel safety
///
/// As that of the probes.
pub(crate) async fn remains<P>(span: Duration, what: &str, mut probe: impl FnMut() -> P + Send) -> Result
where
    P: Future<Output = Result<(), String>> + Send,
{
    let until = Instant::now() + span;
    while Instant::now() < until {
        if let Err(seen) = within(what, probe()).await? {
            return Err(Failure::broken(format!("it did not remain so: {what}; {seen}")));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Polls a future once.
pub(crate) async fn poll_once<F: Future + Unpin + Send>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| {
        Poll::Ready(match pin!(&mut *future).poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

/// Whether a future is ready at its very first poll.
pub(crate) async fn ready_at_once<F: Future + Send>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    poll_once(&mut future).await
}

/// An instance of [`SERVICE`].
pub(crate) fn instance(id: &str) -> Result<Service> {
    instance_of(SERVICE, id)
}

/// An instance of any service.
pub(crate) fn instance_of(name: &str, id: &str) -> Result<Service> {
    let builder = Service::builder(name, "10.0.0.7", 8080).id(id);
    Ok(builder.attribute("zone", "a").attribute("version", "1").build()?)
}

/// The instance with one attribute changed.
pub(crate) fn changed(service: &Service, version: &str) -> Result<Service> {
    Ok(service.to_builder().attribute("version", version).build()?)
}

pub(crate) fn service_name() -> Result<ServiceName> {
    Ok(ServiceName::new(SERVICE)?)
}

pub(crate) fn election_name() -> Result<ElectionName> {
    Ok(ElectionName::new(ELECTION)?)
}

/// Registers with the default options.
pub(crate) async fn register(client: &Arc<dyn Client>, service: &Service) -> Result<Registration> {
    let registered = within("register", client.register(service.clone())).await?;
    registered.map_err(|error| Failure::from(error).during("register"))
}

/// Registers and fails at once, or replaces, when somebody else holds the id.
pub(crate) async fn register_or(
    client: &Arc<dyn Client>,
    service: &Service,
    on_conflict: OnConflict,
) -> Result<reception_core::Result<Registration>> {
    let options = RegisterOptions::default().on_conflict(on_conflict);
    within("register", client.register_with(service.clone(), options)).await
}

/// The default list.
pub(crate) async fn list(client: &Arc<dyn Client>) -> Result<Snapshot> {
    let listed = within("list", client.list(&service_name()?)).await?;
    listed.map_err(|error| Failure::from(error).during("list"))
}

/// The list with any status.
pub(crate) async fn list_all(client: &Arc<dyn Client>) -> Result<Snapshot> {
    let options = ListOptions::default().any_status(true);
    let listed = within("list", client.list_with(&service_name()?, options)).await?;
    listed.map_err(|error| Failure::from(error).during("list"))
}

/// The ids of a view, for messages and comparison.
pub(crate) fn ids(view: &Snapshot) -> Vec<String> {
    view.iter().map(|service| service.id().as_str().to_owned()).collect()
}

/// Waits until the default list shows exactly these ids.
pub(crate) async fn listed(client: &Arc<dyn Client>, limit: Duration, wanted: &[&str]) -> Result {
    eventually(limit, &format!("the list shows {wanted:?}"), || async {
        let view = list(client).await.map_err(|failure| failure.to_string())?;
        let seen = ids(&view);
        if seen == wanted { Ok(()) } else { Err(format!("it shows {seen:?}")) }
    })
    .await
}

/// The elector of [`ELECTION`].
pub(crate) async fn elector(client: &Arc<dyn Client>) -> Result<Box<dyn Elector>> {
    let elector = within("elector", client.elector(&election_name()?)).await?;
    elector.map_err(|error| Failure::from(error).during("elector"))
}

/// The instance that stands as a candidate.
pub(crate) fn candidate(id: &str) -> Result<Service> {
    instance_of("worker", id)
}

/// Stands and wins.
pub(crate) async fn win(elector: &dyn Elector, id: &str) -> Result<Leadership> {
    win_within(elector, id, SOON).await
}

/// Stands and wins within a bound.
pub(crate) async fn win_within(elector: &dyn Elector, id: &str, limit: Duration) -> Result<Leadership> {
    let won = within_limit(limit, &format!("elect of {id}"), elector.elect(candidate(id)?)).await?;
    won.map_err(|error| Failure::from(error).during("elect"))
}

/// The id and token of the leader, if there is one.
pub(crate) async fn leader(elector: &dyn Elector) -> Result<Option<(String, FencingToken)>> {
    let leader = within("leader", elector.leader()).await??;
    Ok(leader.map(|leader| {
        let id = leader.service().map_or_else(String::new, |service| service.id().as_str().to_owned());
        (id, leader.token())
    }))
}

/// Waits until the store names this leader.
pub(crate) async fn led_by(elector: &dyn Elector, limit: Duration, id: &str) -> Result<FencingToken> {
    eventually(limit, &format!("{id} leads"), || async {
        match leader(elector).await.map_err(|failure| failure.to_string())? {
            Some((leading, token)) if leading == id => Ok(token),
            other => Err(format!("the leader is {other:?}")),
        }
    })
    .await
}

/// The ids of the candidates, next in line first; `None` where the store cannot know.
pub(crate) async fn candidates(
    client: &Arc<dyn Client>,
    elector: &dyn Elector,
) -> Result<Option<Vec<String>>> {
    let answer = within("candidates", elector.candidates()).await?;
    if !client.capabilities().candidates {
        let refused = answer.err().map(|error| error.kind());
        ensure!(
            refused == Some(ErrorKind::Unsupported),
            "the capability says that candidates cannot be told, the answer is {refused:?}"
        );
        return Ok(None);
    }
    let id =
        |leader: &reception_core::Leader| leader.service().map(|service| service.id().as_str().to_owned());
    Ok(Some(answer?.iter().filter_map(id).collect()))
}

/// Waits until exactly these wait in line behind `leading`, where the store can tell. An answer may hold the
/// leader too, then first.
pub(crate) async fn in_line(
    client: &Arc<dyn Client>,
    elector: &dyn Elector,
    leading: &str,
    wanted: &[&str],
) -> Result {
    eventually(SOON, &format!("{wanted:?} wait in line"), || async {
        let Some(seen) = candidates(client, elector).await.map_err(|failure| failure.to_string())? else {
            return Ok(());
        };
        let waiting = if seen.first().is_some_and(|first| first == leading) { &seen[1..] } else { &seen[..] };
        if waiting == wanted { Ok(()) } else { Err(format!("the candidates are {seen:?}")) }
    })
    .await
}

/// Takes the error of a call that must be refused, and checks its kind.
pub(crate) fn refused<T>(what: &str, answer: reception_core::Result<T>, kinds: &[ErrorKind]) -> Result {
    match answer {
        Ok(_) => Err(Failure::broken(format!("{what}: accepted, expected {kinds:?}"))),
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        Err(error) => Err(Failure::broken(format!("{what}: expected {kinds:?}, got {error}"))),
    }
}

/// Checks that a list of things is as wanted.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, seen: &T, wanted: &T) -> Result {
    ensure!(seen == wanted, "{what}: expected {wanted:?}, got {seen:?}");
    Ok(())
}

/// How long a lease of this client lasts: what the store granted, else a guess from the crash bound.
pub(crate) async fn lease(client: &Arc<dyn Client>) -> Result<Duration> {
    let probe = within("probe", client.probe()).await??;
    let bound = client.capabilities().crash_bound;
    if bound.is_zero() {
        return Err(Failure::Unproven("nothing expires here: the crash bound is zero".to_owned()));
    }
    Ok(probe.lease.unwrap_or(bound / 3))
}

/// How long a case looks on to see that a claim in good health stays: two leases, and where nothing expires a while.
pub(crate) async fn two_leases(client: &Arc<dyn Client>) -> Result<Duration> {
    if client.capabilities().crash_bound.is_zero() {
        return Ok(WHILE * 5);
    }
    Ok(lease(client).await? * 2)
}

/// A span that a lease survives by the rules of the project: less than the lease without its margin, a renewal
/// interval and half a second.
pub(crate) async fn short_fault(client: &Arc<dyn Client>) -> Result<Duration> {
    let lease = lease(client).await?;
    let margin = (lease / 10).max(Duration::from_millis(200));
    let span = (lease * 2 / 3).saturating_sub(margin).saturating_sub(Duration::from_millis(500)) * 4 / 5;
    if span < Duration::from_millis(50) {
        return Err(Failure::Unproven(format!("a lease of {lease:?} survives no fault worth the name")));
    }
    Ok(span)
}

/// A second client's view of the scene: dials it and takes an elector.
pub(crate) async fn contender(scene: &Scene) -> Result<(Arc<dyn Client>, Box<dyn Elector>)> {
    let client = scene.dial().await?;
    let elector = elector(&client).await?;
    Ok((client, elector))
}
