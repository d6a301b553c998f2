//! Guards with a flaw, made of the public control halves.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::StreamExt;
use reception_core::{
    Client, Clock, FencingToken, Leadership, Moment, RegisterOptions, Registration, RegistrationState,
    Release, Request, Service,
};
use reception_memory::MemoryClient;

use crate::flaw::Flaw;

/// Starts a task that only ends by itself.
#[expect(clippy::disallowed_methods, reason = "doubles stand outside the kit, which supervises tasks")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(work));
}

/// A guard of a registration that no store knows.
pub(crate) fn made_up(service: Service) -> Registration {
    let (guard, mut control) = Registration::pair(service);
    spawn(async move {
        while let Some(request) = control.request().await {
            match request {
                Request::Update(service, reply) => {
                    control.set_service(service);
                    reply.send(Ok(()));
                }
                Request::Close(reply) => reply.send(Ok(())),
                _ => return,
            }
        }
    });
    guard
}

/// A guard in front of a good one, which forwards what its flaw leaves.
pub(crate) fn broken_registration(
    flaw: Flaw,
    client: Arc<MemoryClient>,
    mut inner: Registration,
) -> Registration {
    let (guard, mut control) = Registration::pair(inner.service());
    spawn(async move {
        let mut states = inner.changes();
        let service = inner.service();
        loop {
            let request = tokio::select! {
                request = control.request() => request,
                state = states.next() => {
                    match (flaw, state) {
                        (Flaw::GivesUpInDoubt, Some(RegistrationState::Doubtful(error))) => {
                            control.set_state(RegistrationState::Ended(error));
                            return;
                        }
                        (Flaw::FlapsInDoubt, Some(RegistrationState::Doubtful(_))) => {
                            let Some(again) = flap(&client, inner, &service).await else { return };
                            inner = again;
                            states = inner.changes();
                        }
                        (_, Some(state @ RegistrationState::Ended(_))) => {
                            control.set_state(state);
                            return;
                        }
                        (_, Some(state)) => control.set_state(state),
                        (_, None) => return,
                    }
                    continue;
                }
            };
            match request {
                Some(Request::Update(service, reply)) => {
                    let swallow = flaw == Flaw::SwallowsUpdates;
                    let outcome = if swallow { Ok(()) } else { inner.update(service.clone()).await };
                    if outcome.is_ok() {
                        control.set_service(service);
                    }
                    reply.send(outcome);
                }
                Some(Request::Close(reply)) if flaw == Flaw::ForgetsToWithdraw => {
                    reply.send(Ok(()));
                    while states.next().await.is_some() {}
                    return;
                }
                Some(Request::Close(reply)) => {
                    reply.send(inner.close().await);
                    if flaw == Flaw::ComesBackAfterClose {
                        // A write that was under way all the time.
                        let late = client.register_with(service, RegisterOptions::default()).await;
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        drop(late);
                    }
                    return;
                }
                _ if flaw == Flaw::IgnoresADroppedGuard => {
                    while states.next().await.is_some() {}
                    return;
                }
                _ => return,
            }
        }
    });
    guard
}

/// Registers anew as soon as the store can be reached, though the lease may have survived.
async fn flap(client: &MemoryClient, inner: Registration, service: &Service) -> Option<Registration> {
    while matches!(inner.state(), RegistrationState::Doubtful(_)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    inner.close().await.ok()?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.register_with(service.clone(), RegisterOptions::default()).await.ok()
}

/// A leadership without a claim, with whatever token.
pub(crate) fn made_up_leadership(candidate: Service, token: FencingToken, clock: Clock) -> Leadership {
    let (guard, mut control) = Leadership::pair(candidate, token, clock, Moment::NEVER);
    spawn(async move {
        if let Release::Resigned(reply) = control.released().await {
            reply.send(Ok(()));
        }
    });
    guard
}

/// A leadership in front of a good one: another token, a deadline far away, and told of its loss `late` or never.
pub(crate) fn broken_leadership(
    inner: Leadership,
    token: FencingToken,
    clock: Clock,
    late: Option<Duration>,
) -> Leadership {
    let far = clock.now().saturating_add(Duration::from_secs(3600));
    let (guard, mut control) = Leadership::pair(inner.service().clone(), token, clock, far);
    spawn(async move {
        let lost = inner.lost();
        let told = async {
            let cause = lost.await;
            match late {
                Some(late) => tokio::time::sleep(late).await,
                None => std::future::pending().await,
            }
            cause
        };
        let release = tokio::select! {
            release = control.released() => release,
            cause = told => {
                control.lose(cause);
                control.released().await
            }
        };
        let outcome = inner.resign().await;
        if let Release::Resigned(reply) = release {
            reply.send(outcome);
        }
    });
    guard
}
