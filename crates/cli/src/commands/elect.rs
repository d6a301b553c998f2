//! `reception elect`.

use crate::{args::Elect, exit::Outcome, output::Output};

pub(super) async fn carry_out(_url: &str, _elect: Elect, _output: &Output) -> Outcome {
    Ok(0)
}
