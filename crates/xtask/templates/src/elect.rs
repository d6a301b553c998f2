//! Standing in an election.
//!
//! Implement `reception_kit::Claim` on a type of this room and hand it to `reception_kit::elect`, which holds the deadline.

use reception_core::{ElectOptions, ElectionName, Elector, Result};

use crate::{error::unwritten, session::Session};

/// An elector of one election; asks nothing of the store yet.
pub(crate) fn elector(session: &Session, name: &ElectionName, _options: ElectOptions) -> Result<Box<dyn Elector>> {
    session.check("elector")?;
    // A name may come from a lenient decoder: where we write is checked again (law L15).
    let name = ElectionName::new(name.as_str())?;
    Err(unwritten("elector", &format!("standing in {}", session.layout.candidates(&name))))
}
