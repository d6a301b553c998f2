//! `reception register`.

use crate::{args::Register, exit::Outcome, output::Output};

pub(super) async fn carry_out(_url: &str, _register: Register, _output: &Output) -> Outcome {
    Ok(0)
}
