//! Registering: the place of one registration in the store.
//!
//! Implement `reception_kit::Slot` on a type of this room and hand it to `reception_kit::register`, which does the rest:
//! repairs, updates, withdrawal.

use reception_core::{RegisterOptions, Registration, Result, Service};

use crate::{error::unwritten, session::Session};

/// Claims the id and keeps the record until the guard is closed or dropped.
pub(crate) async fn register(
    session: &Session,
    service: &Service,
    _options: RegisterOptions,
) -> Result<Registration> {
    session.check("register")?;
    // A record may come from a lenient decoder: what we write is checked again, before any I/O (law L15).
    let service = service.to_builder().build()?;
    let place = session.layout.instance(service.name(), service.id());
    Err(unwritten("register", &format!("writing {place}")))
}
