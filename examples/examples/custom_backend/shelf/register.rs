//! Registering: claim the id, then serve the guard until it is closed, dropped or replaced.

use std::sync::Arc;

use reception_core::{
    ErrorKind, OnConflict, RegisterOptions, Registration, RegistrationControl, RegistrationState, Request,
    Result, Service,
};

use super::{
    client::Inner,
    closed, error,
    store::{Claim, Taken},
};

pub(super) async fn register(
    inner: &Arc<Inner>,
    service: Service,
    options: RegisterOptions,
) -> Result<Registration> {
    // A record may come from a lenient decoder: what we write is checked again, strictly (law L15).
    let service = service.to_builder().build()?;
    let mut bell = inner.shelf.bell();
    let give_up = tokio::time::sleep(inner.patience);
    tokio::pin!(give_up);
    loop {
        let inside = inner.enter("register")?;
        let taken =
            match inner.shelf.claim(inner.number, &service, options.on_conflict == OnConflict::Replace) {
                Ok(claim) => {
                    let (registration, control) = Registration::pair(service);
                    inner.spawn(keep(Arc::clone(inner), control, claim));
                    return Ok(registration);
                }
                Err(taken) => taken,
            };
        drop(inside);
        let conflict = || error(ErrorKind::Conflict, "register", "another owner holds this id");
        if taken == Taken::ByThisClient || options.on_conflict == OnConflict::Fail {
            return Err(conflict());
        }
        tokio::select! {
            _ = bell.changed() => {}
            () = inner.closing.cancelled() => return Err(closed("register")),
            () = &mut give_up => return Err(conflict()),
        }
    }
}

/// Serves one guard. Whatever ends this task drops the claim, and with it the record.
async fn keep(inner: Arc<Inner>, mut control: RegistrationControl, claim: Claim) {
    loop {
        tokio::select! {
            request = control.request() => match request {
                Some(Request::Update(service, reply)) => reply.send(update(&control, &claim, &service)),
                Some(Request::Close(reply)) => {
                    drop(claim);
                    reply.send(Ok(()));
                    return;
                }
                _ => return,
            },
            () = claim.replaced() => {
                let cause = error(ErrorKind::Conflict, "register", "another owner replaced this id");
                control.set_state(RegistrationState::Ended(cause));
                return;
            }
            () = inner.closing.cancelled() => {
                control.set_state(RegistrationState::Ended(closed("register")));
                return;
            }
        }
    }
}

fn update(control: &RegistrationControl, claim: &Claim, service: &Service) -> Result<()> {
    let service = service.to_builder().build()?;
    if !claim.put(service.clone()) {
        return Err(error(ErrorKind::Conflict, "update", "another owner took this id"));
    }
    control.set_service(service);
    Ok(())
}
